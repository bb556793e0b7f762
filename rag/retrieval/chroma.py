"""Dense search: the one home of Chroma. Ids and vectors in, ids and cosines out.

Chroma writes to its files even when it is only asked: to SQLite at each opening, to the vectors when some are not yet
in its graph. So it never gets the collection that was written and verified, but a copy in a folder of this process
alone: what lies in the index stays as it was written, and processes do not meet.

A text that several passages share is stored once: a thousand equal vectors are neighbours of each other alone, and
Chroma's graph would not lead from them to any other.
"""

import json
import os
import re
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import StoreError, in_words
from rag.retrieval.disk import locked
from rag.retrieval.types import Vectors

VERSION = metadata.version("chromadb")
_COLLECTION = "passages"
_SQLITE = "chroma.sqlite3"
_ROOM = "open-"  # how the folder of a process that has the collection open begins
# On 100,000 real passages (benchmarks/scale.py) recall@10, @50 and @100 were 0.999 to 1.000 in two builds, at 6 ms a
# search; with Chroma's defaults 0.963, 0.941 and 0.901. ef_search 400 holds 0.99 at 3 ms, but up to 1,000 texts, 1000
# finds what exact search finds. ef_construction 100 halves the time of writing; recall@10 is 0.997 then.
# A graph that is not on disk is built anew, and differently, at each opening: so it is synced at once.
_SYNC: Any = {"sync_threshold": 2, "batch_size": 2}
_CONFIGURATION: Any = {
    "hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 1000, **_SYNC}
}
_NAMED = re.compile(r'"embedding_function": (\{[^{}]*\}|[^,}]*)')
_HARMLESS = {'{"type": "legacy"}', '{"type": "unknown"}', "null"}  # what Chroma writes when it is given none
_PROBES = 32  # vectors that must find themselves before a collection is used


class DenseIndex:
    """A collection, opened for reading. Closes itself when nobody uses it any more."""

    def __init__(self, path: Path, rooms: Iterable[Path], *beside: Path) -> None:
        """:param path: a collection that `flaw` finds nothing wrong with.
        :param rooms: folders in which a copy may be made; the first that can be written is taken.
        :param beside: other files, to be copied into the same `room`.
        :raises StoreError: the collection cannot be opened.
        """
        held = ExitStack()
        self.close = weakref.finalize(self, _release, held, os.getpid())  # when the last search has ended
        self.room = _copied(path, rooms, beside, held)
        try:
            client = _client(self.room)
            held.callback(client.close)
            self._collection = client.get_collection(_COLLECTION, embedding_function=None)
            self.size = self._collection.count()
        except Exception as error:  # Chroma raises many kinds, some its own Rust types, for a damaged folder
            self.close()
            raise StoreError(f"Chroma cannot open {path}: {error}. Run `rag ingest --rebuild`.") from error

    def search(self, vector: Vectors, k: int, among: list[str] | None = None) -> list[tuple[str, float]]:
        """The `k` nearest texts, of all or among some, fewer where there are fewer: (id, cosine), best first."""
        found = self._collection.query(ids=among, query_embeddings=vector.tolist(), n_results=k, include=["distances"])
        distances = (found["distances"] or [[]])[0]
        return [(id, max(-1.0, min(1.0, 1.0 - d))) for id, d in zip(found["ids"][0], distances, strict=True)]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these texts, (len(ids), dimensions)."""
        found = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = dict(zip(found["ids"], np.asarray(found["embeddings"], dtype=np.float32), strict=True))
        return np.stack([rows[id] for id in ids])

    def ids(self) -> set[str]:
        """All texts that can be found."""
        return set(self._collection.get(include=[])["ids"])

    def finds_itself(self, ids: Sequence[str]) -> bool:
        """Whether some of these texts are found by their own vectors: a torn graph loses them without an error."""
        some = [ids[i] for i in np.linspace(0, len(ids) - 1, min(_PROBES, len(ids)), dtype=int)]
        found = [self.search(vector, 1) for vector in self.vectors(some)]
        return all(hits and hits[0][1] > 0.999 for hits in found)


def write(path: Path, ids: Sequence[str], vectors: Vectors) -> None:
    """Store these vectors in a new collection at `path`; a StoreError where Chroma cannot."""
    with _writing(path) as client:
        collection = client.create_collection(_COLLECTION, configuration=_CONFIGURATION, embedding_function=None)
        _add(client, collection, ids, vectors)


def update(old: Path, path: Path, gone: Sequence[str], ids: Sequence[str], vectors: Vectors) -> None:
    """Store at `path` what is in `old`, without the ids that are gone and with these; a StoreError as above."""
    path.mkdir()
    _copy(old, path)
    with _writing(path) as client:
        collection = client.get_collection(_COLLECTION, embedding_function=None)
        size = client.get_max_batch_size()
        for at in range(0, len(gone), size):
            collection.delete(ids=list(gone[at : at + size]))
        _add(client, collection, ids, vectors)


def flaw(path: Path) -> str | None:
    """Why Chroma must not open a collection, or None. To be asked before each opening of what lay on a disk.

    A collection can name an embedding function, which Chroma then loads: code from a file. Ours name none.
    """
    file = path / _SQLITE
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("select config_json_str, schema_str from collections").fetchall()
        texts = [json.dumps(json.loads(text)) for row in rows for text in row if text]
    except (sqlite3.Error, ValueError) as error:
        return f"{file} holds no collection ({error})"
    if {named for text in texts for named in _NAMED.findall(text)} - _HARMLESS:
        return f"{file} names an embedding function, which would be run as code: it was tampered with"
    return None


def sweep(rooms: Path) -> None:
    """Remove the copies of processes that were killed."""
    for room in rooms.glob(f"{_ROOM}*"):
        with suppress(OSError), locked(room):  # it is in use, or just gone
            shutil.rmtree(room, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[Any]:
    """A client that is closed in any case, and whose errors are ours."""
    try:
        with closing(_client(path)) as client:
            yield client
    except Exception as error:  # as above
        raise StoreError(f"Chroma cannot write {path}: {error}") from error


def _add(client: Any, collection: Any, ids: Sequence[str], vectors: Vectors) -> None:
    size = client.get_max_batch_size()
    for at in range(0, len(ids), size):
        collection.add(ids=list(ids[at : at + size]), embeddings=vectors[at : at + size])


def _client(path: Path) -> Any:  # it is declared without its `close`
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(path), settings=Settings(anonymized_telemetry=False))


def _release(held: ExitStack, owner: int) -> None:
    if os.getpid() == owner:  # in a fork, Chroma would wait for threads that are not there
        held.close()


def _copy(path: Path, to: Path) -> None:
    """Copy a collection's files, not the rights of its folders, which may forbid writing."""
    for file in path.rglob("*"):
        if file.is_file():
            target = to / file.relative_to(path)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)


def _copied(path: Path, rooms: Iterable[Path], beside: Iterable[Path], held: ExitStack) -> Path:
    """A folder of our own with what is in `path`, and files beside it; its lock shows that it is in use."""
    problem: OSError | None = None
    for place in rooms:
        try:
            with ExitStack() as attempt:
                room = Path(tempfile.mkdtemp(prefix=_ROOM, dir=place.absolute()))
                attempt.callback(shutil.rmtree, room, ignore_errors=True)
                attempt.enter_context(locked(room))
                _copy(path, room)
                for file in beside:
                    shutil.copyfile(file, room / file.name)
                held.push(attempt.pop_all())
                return room
        except OSError as error:
            problem = error
    assert problem
    raise StoreError(in_words("no_room_to_open", path=path, problem=problem)) from problem
