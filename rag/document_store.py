"""The documents that a Rag answers from. What is there, what comes in, what goes out; no question is asked."""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from langchain_core.embeddings import Embeddings

from rag.documents.pdf import line_boxes, page_picture
from rag.documents.types import Box, Document
from rag.errors import CorpusError, in_words
from rag.retrieval.embedding import Embedder, local_embeddings
from rag.retrieval.generation import Generation
from rag.retrieval.ingest import noticed
from rag.retrieval.intake import Progress
from rag.retrieval.keeper import Keeper
from rag.retrieval.types import DocumentInfo, IngestReport, Sources
from rag.settings import Settings

log = logging.getLogger(__name__)

_MAX_WIDTH = 2000  # pixels of a picture


class DocumentStore:
    """The half of Rag that needs no question."""

    _owns_index = True  # a copy with another model does not

    def __init__(self, settings: Settings | None, embeddings: Embeddings | None, progress: Progress | None) -> None:
        self.settings = settings or Settings()
        self._embedder = Embedder(embeddings or local_embeddings(self.settings))
        told = progress or (lambda what, done, total: log.info("%s: %d of %d", what, done, total))
        self._keeper = Keeper(self.settings, self._embedder, told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ingest(self, paths: str | Path | Sequence[str | Path] = (), *, rebuild: bool = False) -> IngestReport:
        """Bring the index in step with the corpus folder; what was indexed before serves until that is done.

        :param paths: files and folders to copy into the corpus first.
        :param rebuild: take nothing over from the old index; needed after a change of the embedding model.
        """
        given = [paths] if isinstance(paths, str | Path) else paths
        return self._keeper.ingest([Path(path) for path in given], rebuild)

    def doing(self) -> tuple[str, int, int] | None:
        """What an ingest of this object is doing now, how much is done, of how much; None where there is none."""
        return self._keeper.doing

    def failed(self) -> tuple[tuple[str, str], ...]:
        """The files that the last ingest could not read, with the reason of each; never builds an index."""
        found = self._keeper.folder.open()
        return tuple(found.manifest.failed.items()) if found else ()

    def notes(self) -> tuple[tuple[str, str], ...]:
        """What the last ingest noticed about files that it read: those that are the same, pages without text."""
        found = self._keeper.folder.open()
        return tuple(noticed(found.documents, found.manifest.failed, found.manifest.files)) if found else ()

    def documents(self) -> list[DocumentInfo]:
        """What is in the index, by source."""
        generation, files = self._keeper.ready(), self._keeper.corpus.found()
        passages = Counter(passage.source for passage in generation.passages)
        found = []
        for d in sorted(generation.documents.values(), key=lambda d: d.source):
            size, time_ns = files.get(d.source, (None, None))
            told = passages[d.source], len(d.text), len(d.page_starts) or None, size, time_ns and time_ns / 1e9
            found.append(DocumentInfo(d.source, d.title, *told))
        return found

    def document_text(self, source: str) -> str:
        """The extracted text of a document, against which all offsets count."""
        generation = self._keeper.ready()
        check_sources(generation, [source])
        return generation.documents[source].text

    def boxes(self, source: str, start: int, end: int) -> list[Box]:
        """Where a span of a PDF's text, in offsets of `document_text`, stands on its pages: a box for each line."""
        document, data = self._sheets(source)
        if not 0 <= start < end <= len(document.text):
            raise ValueError(f"{source} has {len(document.text):,} characters, and none from {start} to {end}")
        found = []
        for page, (begin, after) in enumerate(pairwise([*document.page_starts, len(document.text) + 1]), 1):
            if start < after - 1 and begin < end:
                text = document.text[begin : after - 1]
                lines = line_boxes(data, page, text, max(0, start - begin), min(end, after - 1) - begin)
                if lines is None:  # another version of the reader took it out
                    raise CorpusError(in_words("changed", source=source))
                found += lines
        return found

    def picture(self, source: str, page: int, width: int = 900) -> bytes:
        """A page of a PDF, counted from 1, as a PNG that is `width` pixels wide."""
        document, data = self._sheets(source)
        if not (0 < page <= len(document.page_starts) and 0 < width <= _MAX_WIDTH):
            told = f"there are pages 1 to {len(document.page_starts)}, and widths to {_MAX_WIDTH}"
            raise ValueError(f"{told}, not page {page} in {width} pixels")
        return page_picture(data, page, width)

    def delete(self, source: str, *, keep_file: bool = False) -> None:
        """Take a document out of the index, and its file into the data folder's trash.

        :param keep_file: leave the file where it is, and never index it again until it is ingested by name.
        """
        self._keeper.delete(source, keep_file)

    def health(self) -> dict[str, Any]:
        """Whether there is an index to serve, and its size; never builds one."""
        found = self._keeper.folder.open()
        if found is None:
            return {"ready": False, "generation": None, "documents": 0, "passages": 0, "failed": 0}
        sizes = {"documents": len(found.documents), "passages": len(found.passages)}
        return {"ready": True, "generation": found.path.name, **sizes, "failed": len(found.manifest.failed)}

    def repairs(self) -> list[str]:
        """What was found damaged in the index, and put right, since this was last asked."""
        found, self._keeper.folder.repairs = self._keeper.folder.repairs, []
        return found

    def wait_at_most(self, seconds: float) -> None:
        """From now on a question waits only so long for changed documents; then the index that there is answers."""
        self._keeper.patience_s = seconds

    def close(self) -> None:
        """Let go of the index."""
        if self._owns_index:
            self._keeper.folder.close()

    def _sheets(self, source: str) -> tuple[Document, bytes]:
        """A document that has pages, and its file's bytes, if they are the indexed ones."""
        generation = self._keeper.ready()
        check_sources(generation, [source])
        document = generation.documents[source]
        if not source.lower().endswith(".pdf"):
            raise ValueError(f"{source} has no pages that could be shown; only a PDF has")
        with suppress(OSError):
            data = (self._keeper.corpus.path / source).read_bytes()
            if hashlib.sha256(data).hexdigest() == generation.manifest.files[source][2]:
                return document, data
        raise CorpusError(in_words("changed", source=source))


def check_sources(generation: Generation, sources: Sources) -> None:
    """:raises CorpusError: a source is none of the documents."""
    if isinstance(sources, str):
        raise ValueError(f"sources must be a list of documents, not the text {sources!r}")
    missing = [source for source in sources or () if source not in generation.documents]
    if missing:
        raise CorpusError(f"There is no document {missing[0]!r} in the index. `rag list` shows what there is.")
