"""What all parts of the torture share: a corpus whose every text is known, child processes, and the checks.

The process that runs the torture opens no index itself: Chroma starts threads, and what has threads cannot be forked.
All that touches an index happens in children, so that the death of one is an outcome like any other.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import chromadb.api.rust  # so that no child spends time on it
import chromadb.telemetry.product.posthog  # noqa: F401
import numpy as np

from rag import IndexMissing, Rag, Settings
from rag.answering import extractive, guards  # noqa: F401
from rag.retrieval import chroma
from rag.retrieval.disk import locked
from rag.retrieval.embedding import Vectors
from rag.retrieval.generation import MANIFEST
from rag.retrieval.index import IndexFolder
from rag.retrieval.lexical import words
from tests.fakes import HashingEmbeddings

logging.getLogger("rag").addHandler(logging.NullHandler())  # warnings are wanted here, but not to be seen

State = dict[str, str]  # source to text

HUNG_S = 30
DIMENSIONS = 96
SAMPLE = 5  # documents of a state that are asked for


# --- The corpus ---------------------------------------------------------------------------------------------------


def text(name: str, version: int, parts: int = 3) -> str:
    """A document of a few passages, each with words that no other passage has."""
    return "\n\n".join(
        f"# Part {part} of {name}\n\nThe berth {word} lies at quay {word}q, by crane {word}c, in version {version}."
        for part in range(parts)
        for word in [f"{name}p{part}v{version}"]
    )


def state(size: int, version: int = 1, first: int = 0, parts: int = 3) -> State:
    made = {f"d{i}.md": text(f"d{i}", version, parts) for i in range(first, first + size)}
    for word in words(" ".join(made.values())):
        direction(word)
    return made


@dataclass(frozen=True)
class Place:
    """A corpus, its index, and its data folder."""

    root: Path

    @property
    def corpus(self) -> Path:
        return self.root / "corpus"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def generations(self) -> list[Path]:
        return sorted(path for path in self.index.glob("gen-*") if path.name[4:].isdigit())

    def put(self, wanted: State) -> None:
        """Let the corpus hold exactly this."""
        self.corpus.mkdir(parents=True, exist_ok=True)
        held = self.held()
        for source in held.keys() - wanted.keys():
            (self.corpus / source).unlink()
        for source, content in wanted.items():
            if held.get(source) != content:
                (self.corpus / source).write_text(content, "utf-8")

    def held(self) -> State:
        return {path.name: path.read_text("utf-8") for path in self.corpus.iterdir()}

    def copied(self, to: Path) -> Place:
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.root, to, symlinks=True)
        return Place(to)

    def rag(self, auto_ingest: bool = True) -> Rag:
        folders = {"corpus_dir": self.corpus, "index_dir": self.index, "data_dir": self.root / "data"}
        return Rag(Settings(**folders, auto_ingest=auto_ingest), embeddings=CachedEmbeddings())


class CachedEmbeddings(HashingEmbeddings):
    """As its parent, with the direction of each word computed once, before the forks."""

    def __init__(self) -> None:
        super().__init__(DIMENSIONS)

    def _vector(self, text: str) -> list[float]:
        total = np.sum([direction(word) for word in words(text)] or [np.full(DIMENSIONS, 0.01)], axis=0)
        return list(total / np.linalg.norm(total))


@cache
def direction(word: str) -> Vectors:
    return np.asarray(HashingEmbeddings(DIMENSIONS)._vector(word))


# --- Children -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a child ended: with a value, with an error, or by a signal."""

    value: Any = None
    error: str = ""  # its kind and its message
    trace: str = ""
    signal: int = 0

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL


@dataclass
class Child:
    """A fork of this process that does one thing."""

    work: Callable[[], Any]
    pid: int = field(init=False)
    _pipe: int = field(init=False)

    def __post_init__(self) -> None:
        self._pipe, writing = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(writing)
            return
        os.close(self._pipe)
        try:
            try:
                ended = Ended(self.work())
            except BaseException as error:
                ended = Ended(error=f"{type(error).__name__}: {error}", trace=traceback.format_exc())
            with os.fdopen(writing, "wb") as out:
                pickle.dump(ended, out)
        finally:
            os._exit(0)  # whatever happens: the rest of the program is the parent's

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for it; one that hangs is killed by SIGABRT, so that it is not taken for one of our kills."""
        deadline, data = time.monotonic() + HUNG_S, b""
        while True:
            if not select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.kill(self.pid, signal.SIGABRT)
            if not (piece := os.read(self._pipe, 1 << 20)):
                break
            data += piece
        os.close(self._pipe)
        status = os.waitpid(self.pid, 0)[1]
        return Ended(signal=os.WTERMSIG(status)) if os.WIFSIGNALED(status) else pickle.loads(data)


def run(work: Callable[[], Any]) -> Ended:
    return Child(work).end()


def must(work: Callable[[], Any]) -> Any:
    """The value of what is expected to go well."""
    ended = run(work)
    assert not ended.error and not ended.signal, ended
    return ended.value


# --- Checks: each gives what is wrong, in words, or nothing -------------------------------------------------------


def texts(rag: Rag) -> State:
    """What is served, asked for once: `document_text` would look at every file of the corpus for each document."""
    return {source: document.text for source, document in rag._keeper.ready().documents.items()}


def faults(rag: Rag, expected: State) -> list[str]:
    """What is wrong with the answers, if this is what is in the index."""
    served = texts(rag)
    if served != expected:
        different = sorted(s for s in served.keys() | expected.keys() if served.get(s) != expected.get(s))
        return [f"other documents are served: {different[:5]} of {len(expected)}"]
    found = []
    sources = sorted(expected)
    for source in sources[:: max(1, len(sources) // SAMPLE)]:
        found += _faults_of(rag, source, expected)
    return found


def _faults_of(rag: Rag, source: str, expected: State) -> list[str]:
    wrong = []
    content = expected[source]
    for part in content.split("\n\n")[1::2]:
        hits = rag.search(f"{content.splitlines()[0]} {part}", k=5)
        best = hits[0]
        if (best.source, best.text, best.dense_rank, best.sparse_rank) != (source, part, 1, 1):
            wrong.append(f"{source}: {part!r} found {best.source} {best.text!r} {best.dense_rank} {best.sparse_rank}")
        wrong += [f"{hit.source} does not hold {hit.text!r}" for hit in hits if not _slices(hit, expected)]
    word = content.split("\n\n")[1].split()[2]
    answer = rag.ask(f"At which quay lies berth {word}?")
    if word not in answer.text or not answer.citations:
        wrong.append(f"{source}: asked for {word}, answered {answer.text!r}")
    wrong += [
        f"{c.source} has no {c.quote!r}" for c in answer.citations if expected[c.source][c.start : c.end] != c.quote
    ]
    return wrong


def _slices(hit: Any, expected: State) -> bool:
    return expected.get(hit.source, "")[hit.start : hit.end] == hit.text


def served(place: Place, *allowed: State | None) -> list[str]:
    """What is wrong with what is served as things lie; None stands for no index."""

    def look() -> list[str]:
        with place.rag(auto_ingest=False) as rag:
            try:
                held = texts(rag)
            except IndexMissing:
                return [] if None in allowed else ["there is no index"]
            if held not in allowed:
                return [f"neither the old nor the new state is served, but {sorted(held)[:20]}"]
            return faults(rag, held)

    return outcome(look)


def brought_in(place: Place, expected: State | None = None) -> list[str]:
    """What is wrong after the corpus was brought in, with the answers and with what lies in the index folder."""
    wanted = place.held() if expected is None else expected

    def look() -> list[str]:
        with place.rag() as rag:
            wrong = faults(rag, wanted)
            rag.ingest()
        return wrong

    return outcome(look) + leftovers(place)


def outcome(look: Callable[[], list[str]]) -> list[str]:
    ended = run(look)
    if ended.signal:
        return [f"died of signal {ended.signal}"]
    return [f"{ended.error}\n{ended.trace}"] if ended.error else list(ended.value)


def leftovers(place: Place) -> list[str]:
    """What lies in the index folder and nobody needs, and locks that nobody holds any more but are held."""
    allowed = {"CURRENT", "LOCK", "vectors", *(path.name for path in place.generations)}
    found = [
        f"{path.name} is left behind"
        for path in place.index.iterdir()
        if path.name not in allowed and not (path.suffix == ".bad" and (path / "why.txt").exists())
    ]
    found += [f"{path.name} is unfinished" for path in place.generations if not (path / MANIFEST).exists()]
    if len(place.generations) > 2:
        found.append(f"{len(place.generations)} generations are kept")
    try:
        with locked(place.index / "LOCK"):
            return found
    except TimeoutError:
        return [*found, "LOCK is held"]


def current(place: Place) -> Path:
    path = IndexFolder(place.index).current()
    assert path is not None
    return path


def spy_on_chroma() -> list[int]:
    """From here on, in this process: the generations whose files are copied for Chroma, by their inodes."""
    copied: list[int] = []
    copy = chroma._copy

    def spy(source: Path, to: Path) -> None:
        copied.append(source.parent.stat().st_ino)
        copy(source, to)

    chroma._copy = spy
    return copied


# --- Figures ------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What a part counted: how often each thing was tried, and what went wrong."""

    title: str
    tried: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, wrong: Iterable[str] = (), times: int = 1) -> None:
        self.tried[what] = self.tried.get(what, 0) + times
        self.wrong += [f"{what}: {one}" for one in wrong]

    @property
    def total(self) -> int:
        return sum(self.tried.values())


def some(items: Sequence[Any], most: int | None) -> Sequence[Any]:
    """All of them, or so many, spread evenly."""
    if most is None or len(items) <= most:
        return items
    return [items[i * (len(items) - 1) // max(1, most - 1)] for i in range(most)]
