"""The first half of an ingest: files become documents, passages and vectors, reading beside embedding.

What did not change is taken over from the generation in use.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from rag.documents.corpus import Corpus
from rag.documents.parser import Parser
from rag.documents.splitting import split
from rag.documents.types import Document, Limits, Passage
from rag.errors import CorpusError, in_words
from rag.retrieval.embedding import BATCH, PROBE, Embedder
from rag.retrieval.generation import Generation
from rag.retrieval.types import Vectors
from rag.retrieval.vectors import VectorStore

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
Files = Mapping[str, tuple[int, int, str]]  # source to size, mtime in ns, SHA-256

T = TypeVar("T")

_SPARE = 3  # vectors kept per vector in use, for what was renamed, or comes back
_AHEAD = 4  # files that are read before the first of them is split: texts are large
_ABOUT_ALL = ("RAG_MAX_FILES", "RAG_MAX_PASSAGES")  # a reason that names these depends on the other files too


@dataclass(slots=True)
class Intake:
    """What was read. Sources are in alphabetical order; a file that is the same as another is in neither."""

    documents: dict[str, Document] = field(default_factory=dict)
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # source to reason


def take_in(
    corpus: Corpus, files: Files, known: Generation | None, limits: Limits, rows: "Rows", progress: Progress
) -> Intake:
    """All documents, those that did not change taken over. Where reading takes long, texts are embedded meanwhile."""
    intake, new = _taken_over(files, known, limits)
    held = sum(map(len, intake.passages.values()))
    with ExitStack() as ending:
        reader = ending.enter_context(ThreadPoolExecutor(1))
        parser = ending.enter_context(Parser(limits))
        ending.callback(partial(reader.shutdown, wait=False, cancel_futures=True))
        to_read = iter(new)
        coming: deque[tuple[str, Future[Document]]] = deque()
        for done in range(len(new)):
            progress("reading", done, len(new))
            for source in islice(to_read, _AHEAD - len(coming)):
                coming.append((source, reader.submit(parser.read, corpus.path / source, source)))
            source, future = coming.popleft()
            try:
                document = _awaited(future, rows)
                passages = split(document)
                if held + len(passages) > limits.passages:
                    raise CorpusError(in_words("too_many_passages", limit=limits.passages))
            except CorpusError as error:
                intake.failed[source] = str(error)
                continue
            intake.documents[source], intake.passages[source] = document, passages
            held += len(passages)
            rows.want([passage.embedding_text for passage in passages])
    in_order = partial(_in_order, files)
    return Intake(in_order(intake.documents), in_order(intake.passages), in_order(intake.failed))


def _taken_over(files: Files, known: Generation | None, limits: Limits) -> tuple[Intake, list[str]]:
    """What did not change, and the sources that are to be read; of files with the same content, one."""
    intake, new, seen = Intake(), [], set()
    before = known.documents if known else {}
    passages: dict[str, list[Passage]] = {}
    for passage in known.passages if known else ():
        passages.setdefault(passage.source, []).append(passage)
    for source in sorted(list(files)[: limits.files], key=lambda source: source not in before):
        digest = files[source][2]
        content = digest, PurePath(source).suffix.lower()  # another format may read it otherwise, or not at all
        is_same = known is not None and source in known.manifest.files and known.manifest.files[source][2] == digest
        if digest and content in seen:
            continue
        seen.add(content)
        if is_same and source in before:
            intake.documents[source], intake.passages[source] = before[source], passages.get(source, [])
        elif known and is_same and digest and _still_fails(source, known, limits):
            intake.failed[source] = known.manifest.failed[source]
        else:
            new.append(source)
    too_many = in_words("too_many_files", limit=limits.files)
    intake.failed |= dict.fromkeys(list(files)[limits.files :], too_many)
    return intake, new


def _still_fails(source: str, known: Generation, limits: Limits) -> bool:
    reason = known.manifest.failed.get(source)
    is_its_own = reason is not None and not any(name in reason for name in _ABOUT_ALL)
    return is_its_own and known.manifest.limits == asdict(limits)


def _awaited(future: Future[Document], rows: "Rows") -> Document:
    while not future.done() and rows.embed_some():
        pass
    return future.result()


def _in_order(files: Files, found: dict[str, T]) -> dict[str, T]:
    return {source: found[source] for source in files if source in found}


class Rows:
    """What the model gives for texts, a batch at a time; each batch is kept as soon as it is made."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        """:param folder: where vectors are kept."""
        self._folder, self._embedder = folder, embedder
        self._known: dict[str, Vectors] = {}
        self._waiting: dict[str, None] = {}  # in order
        self.embedded = 0  # texts that were not known yet

    def want(self, texts: Sequence[str]) -> None:
        """Note texts whose rows are needed."""
        found = self._store.find(text for text in texts if text not in self._known)
        self._known |= found
        self._waiting |= dict.fromkeys(text for text in texts if text not in self._known)

    def embed_some(self, at_least: int = BATCH) -> bool:
        """Embed a batch; False where fewer texts wait."""
        if len(self._waiting) < at_least:
            return False
        texts = list(islice(self._waiting, BATCH))
        for batch, rows in self._embedder.rows(texts):
            self._store.add(batch, rows)
            self._known |= zip(batch, rows, strict=True)
            self.embedded += len(batch)
        for text in texts:
            del self._waiting[text]
        return True

    def of(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """The rows of these texts, (len(texts), width)."""
        self.want(texts)
        done, total = 0, len(self._waiting)
        while self.embed_some(at_least=1):
            progress("embedding", done := min(done + BATCH, total), total)
        if len(self._store) > _SPARE * len(set(texts)):
            self._store.prune([PROBE, *texts])
        return np.stack([self._known[text] for text in texts])

    @cached_property
    def _store(self) -> VectorStore:
        """The vectors that this very model made before: its name may have been given to another."""
        store, probe = VectorStore(self._folder, self._embedder.name), self._embedder.probe
        if probe and not alike(store.find([PROBE]).get(PROBE, np.zeros(0)).tolist(), probe):
            store.prune(())
            store.add([PROBE], np.array([probe]))
        return store


def alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two unit vectors are the same but for rounding."""
    return len(one) == len(other) and (len(one) == 0 or float(np.dot(one, other)) > 0.99)
