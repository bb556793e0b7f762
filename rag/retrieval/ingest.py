"""Bring the index in step with the corpus: read, split, embed, write, switch.

What did not change is taken over from the generation in use, vectors included. Nothing is changed in place:
when a step fails, or nothing is new, the old generation goes on serving.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rag.documents.corpus import Corpus, FileStamp
from rag.documents.readers import read
from rag.documents.splitting import SPLITTER, split
from rag.documents.types import Document, Passage
from rag.errors import CorpusError, EmbedderMismatch, StoreError
from rag.retrieval import chroma
from rag.retrieval.embedding import Embedder, Vectors
from rag.retrieval.generation import FORMAT, Generation, Manifest
from rag.retrieval.index import IndexFolder
from rag.retrieval.types import IngestReport

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
Files = Mapping[str, tuple[int, int, str]]  # source to size, mtime in ns, SHA-256


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One corpus, one index folder, one embedder."""

    corpus: Corpus
    folder: IndexFolder
    embedder: Embedder
    max_bytes: int
    progress: Progress

    def run(self, rebuild: bool = False, wait_s: float = 600) -> IngestReport:
        """Bring the index in step; `rebuild` takes nothing over and embeds all anew.

        :raises CorpusError: no folder, no files, or none that can be read.
        :raises EmbedderMismatch: the index was built with another model, and this is no rebuild.
        :raises IndexBusy: another process is still writing after `wait_s`.
        :raises StoreError: the index cannot be written.
        """
        started = time.perf_counter()
        stamps = self.corpus.stamps()
        with self.folder.writing(wait_s):
            old = self._openable()
            if old and not rebuild:
                check_embedder(old, self.embedder, self.folder.path)
            known = old if old and not rebuild and same_make(old.manifest) else None
            files = file_digests(self.corpus, stamps, known.manifest if known else None)
            documents, failed = self._read(files, known)
            changes = _changes(old.documents if old else {}, documents)
            if known and failed == known.manifest.failed and not (changes.added or changes.updated or changes.removed):
                passages, embedded = known.passages, 0
            else:
                passages, embedded = self._build(documents, files, failed, known)
        return IngestReport(
            added=changes.added,
            updated=changes.updated,
            unchanged=changes.unchanged,
            removed=changes.removed,
            failed=tuple(failed.items()),
            passages=len(passages),
            embedded=embedded,
            seconds=time.perf_counter() - started,
        )

    def _openable(self) -> Generation | None:
        path = self.folder.current()
        try:
            return Generation(path) if path else None
        except StoreError as error:
            log.warning("%s It is built anew from the corpus.", error)
            return None

    def _read(self, files: Files, known: Generation | None) -> tuple[dict[str, Document], dict[str, str]]:
        """All documents by source, those that did not change taken over; and the reasons of those that failed."""
        documents, failed = {}, {}
        for done, source in enumerate(files):
            self.progress("reading", done, len(files))
            if known and source in known.documents and known.manifest.files[source][2] == files[source][2]:
                documents[source] = known.documents[source]
                continue
            try:
                documents[source] = read(self.corpus.file(source), source, self.max_bytes)
            except CorpusError as error:
                failed[source] = str(error)
        if not documents:
            reasons = "; ".join(f"{source}: {reason}" for source, reason in list(failed.items())[:5])
            raise CorpusError(f"None of the {len(failed)} files in {self.corpus.path} can be used ({reasons}).")
        return documents, failed

    def _build(
        self, documents: dict[str, Document], files: Files, failed: dict[str, str], known: Generation | None
    ) -> tuple[list[Passage], int]:
        """Write a new generation and switch to it; its passages, and how many were embedded for it."""
        passages = [passage for document in documents.values() for passage in split(document)]
        if not passages:
            raise CorpusError(f"None of the {len(files)} files in {self.corpus.path} holds any text but marks.")
        vectors, embedded = self._vectors(passages, known.vectors if known else {})
        manifest = Manifest(
            self.embedder.name, SPLITTER, chroma.VERSION, files, failed, len(passages), self.embedder.probe
        )
        generation = self.folder.next()
        try:
            self.progress("writing", 0, len(passages))
            Generation.write(generation, list(documents.values()), passages, vectors, manifest)
            self.folder.switch(generation)
        except (OSError, StoreError) as error:
            raise StoreError(
                f"The index at {self.folder.path} could not be written ({error}). What was there before still serves. "
                "Free some space or mend the folder, then run `rag ingest`."
            ) from error
        finally:
            if self.folder.current() != generation:
                shutil.rmtree(generation, ignore_errors=True)  # unfinished: nothing points at it
        return passages, embedded

    def _vectors(self, passages: list[Passage], known: Mapping[str, Vectors]) -> tuple[Vectors, int]:
        texts = list(dict.fromkeys(p.embedding_text for p in passages if p.embedding_text not in known))
        rows = self.embedder.texts(texts, lambda done, total: self.progress("embedding", done, total))
        found = {**known, **dict(zip(texts, rows, strict=True))}
        return np.stack([found[p.embedding_text] for p in passages]), len(texts)


def check_embedder(generation: Generation, embedder: Embedder, folder: Path) -> None:
    """:raises EmbedderMismatch: the generation was built with another model."""
    built_with = generation.manifest.embedder
    if built_with != embedder.name or not _alike(generation.manifest.probe, embedder.probe):
        way_out = "Call ingest(rebuild=True), or give the embeddings that it was built with"
        if embedder.is_local:
            way_out = f"Run `rag ingest --rebuild`, or set RAG_EMBEDDING_MODEL={built_with}"
        used = embedder.name if embedder.name != built_with else f"another version of {built_with}"
        raise EmbedderMismatch(
            f"The index at {folder} was built with {built_with}, but this run uses {used}. {way_out}."
        )


def file_digests(corpus: Corpus, stamps: Mapping[str, FileStamp], known: Manifest | None) -> Files:
    """Each file with its digest; a file whose size and time are as they were is not read again."""
    found = {}
    for source, stamp in stamps.items():
        size, mtime_ns, digest = known.files.get(source, (-1, -1, "")) if known else (-1, -1, "")
        same = (size, mtime_ns) == (stamp.size, stamp.mtime_ns)
        found[source] = (stamp.size, stamp.mtime_ns, digest if same else corpus.digest(source))
    return found


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two unit vectors are the same but for rounding."""
    return len(one) == len(other) and (not one or float(np.dot(one, other)) > 0.99)


def same_make(manifest: Manifest) -> bool:
    """Whether a generation was made by this version of the splitter, of Chroma and of the format."""
    return (manifest.format, manifest.splitter, manifest.chroma) == (FORMAT, SPLITTER, chroma.VERSION)


class _Changes(NamedTuple):
    """Sources, in alphabetical order."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def _changes(old: Mapping[str, Document], new: Mapping[str, Document]) -> _Changes:
    kept = sorted(new.keys() & old.keys())
    return _Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        updated=tuple(source for source in kept if new[source] != old[source]),
        unchanged=tuple(source for source in kept if new[source] == old[source]),
        removed=tuple(sorted(old.keys() - new.keys())),
    )
