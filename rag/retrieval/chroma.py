"""Dense search: the one home of Chroma. Ids and vectors in, ids and cosines out.

Chroma writes to its files even when it is only asked: to SQLite at each opening, to the vectors when some are not yet
in its graph. So it never gets the collection that was written and verified, but a copy in a folder of this process
alone: what lies in the index stays as it was written, and processes do not meet.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.documents.types import Passage
from rag.errors import StoreError
from rag.retrieval.disk import acquire
from rag.retrieval.embedding import Vectors

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from chromadb.api.models.Collection import Collection

VERSION = metadata.version("chromadb")
_COLLECTION = "passages"
_SQLITE = "chroma.sqlite3"
_ROOM = "open-"  # how the folder of a process that has the collection open begins
# With these, 10,000 random unit vectors (the worst case) gave recall@10 of 0.9995 at 4 ms; with Chroma's
# defaults 0.52. Real text is kinder.
_CONFIGURATION: CreateCollectionConfiguration = {
    "hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 1000}
}
_NAMED = re.compile(r'"embedding_function": (\{[^{}]*\}|[^,}]*)')
_HARMLESS = {'{"type": "legacy"}', '{"type": "unknown"}', "null"}  # what Chroma writes when it is given none
_PROBES = 32  # vectors that must find themselves before a collection is used


class DenseIndex:
    """A collection, opened for reading. Closes itself when nobody uses it any more."""

    def __init__(self, path: Path, rooms: Sequence[Path]) -> None:
        """:param path: a collection that `flaw` finds nothing wrong with.
        :param rooms: folders in which a copy may be made; the first that can be written is taken.
        :raises StoreError: the collection cannot be opened.
        """
        held = ExitStack()
        self.close = weakref.finalize(self, held.close)  # when the last search that uses it has ended
        try:
            client = _client(_copied(path, rooms, held))
            held.callback(client.close)
            self._collection = client.get_collection(_COLLECTION, embedding_function=None)
            self.size = self._collection.count()
        except StoreError:
            raise
        except Exception as error:  # Chroma raises many kinds, some its own Rust types, for a damaged folder
            self.close()
            raise StoreError(f"Chroma cannot open {path}: {error}. Run `rag ingest --rebuild`.") from error

    def search(self, vector: Vectors, k: int, sources: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The `k` nearest passages, fewer where there are fewer: (id, cosine), best first."""
        where: Any = None if sources is None else {"source": {"$in": list(sources)}}
        found = self._collection.query(
            query_embeddings=vector.tolist(),
            n_results=k,
            where=where,
            include=["distances"],
        )
        distances = (found["distances"] or [[]])[0]
        return [(id, max(-1.0, min(1.0, 1.0 - d))) for id, d in zip(found["ids"][0], distances, strict=True)]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these passages, (len(ids), dimensions)."""
        found = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = dict(zip(found["ids"], np.asarray(found["embeddings"], dtype=np.float32), strict=True))
        return np.stack([rows[id] for id in ids])

    def ids_of(self, source: str) -> list[str]:
        """The passages of one document."""
        return list(self._collection.get(where={"source": source}, include=[])["ids"])

    def finds_itself(self, ids: Sequence[str]) -> bool:
        """Whether some of these passages are found by their own vectors: a torn graph loses them without an error."""
        some = [ids[i] for i in np.linspace(0, len(ids) - 1, min(_PROBES, len(ids)), dtype=int)]
        found = [self.search(vector, 1) for vector in self.vectors(some)]
        return all(hits and hits[0][1] > 0.999 for hits in found)


def write(path: Path, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Store these passages' vectors in a new collection at `path`.

    :raises StoreError: Chroma could not write it.
    """
    with _writing(path) as client:
        collection = client.create_collection(_COLLECTION, configuration=_CONFIGURATION, embedding_function=None)
        _add(client, collection, passages, vectors)


def update(old: Path, path: Path, gone: Sequence[str], passages: Sequence[Passage], vectors: Vectors) -> None:
    """Store at `path` what is in `old`, without the ids that are gone and with these passages.

    :raises StoreError: Chroma could not write it.
    """
    shutil.copytree(old, path)
    with _writing(path) as client:
        collection = client.get_collection(_COLLECTION, embedding_function=None)
        size = client.get_max_batch_size()
        for at in range(0, len(gone), size):
            collection.delete(ids=list(gone[at : at + size]))
        _add(client, collection, passages, vectors)


def flaw(path: Path) -> str | None:
    """Why Chroma must not open a collection, or None. To be asked before each opening of what lay on a disk.

    A collection can name an embedding function, which Chroma then loads: code from a file. Ours name none.
    """
    file = path / _SQLITE
    try:
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            columns = "select config_json_str, schema_str from collections"
            texts = [json.dumps(json.loads(text)) for row in database.execute(columns) for text in row if text]
        finally:
            database.close()
    except (sqlite3.Error, ValueError) as error:
        return f"{file} holds no collection ({error})"
    if {named for text in texts for named in _NAMED.findall(text)} - _HARMLESS:
        return f"{file} names an embedding function, which would be run as code: it was tampered with"
    return None


def sweep(rooms: Path) -> None:
    """Remove the copies of processes that were killed."""
    for room in rooms.glob(f"{_ROOM}*"):
        try:
            os.close(acquire(room))
        except OSError:  # in use, or just gone
            continue
        shutil.rmtree(room, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[Client]:
    """A client that is closed in any case, and whose errors are ours."""
    with ExitStack() as held:
        try:
            client = _client(path)
            held.callback(client.close)
            yield client
        except Exception as error:  # as above
            raise StoreError(f"Chroma cannot write {path}: {error}") from error


def _add(client: Client, collection: Collection, passages: Sequence[Passage], vectors: Vectors) -> None:
    size = client.get_max_batch_size()
    for at in range(0, len(passages), size):
        batch = passages[at : at + size]
        collection.add(
            ids=[passage.id for passage in batch],
            embeddings=vectors[at : at + size],
            metadatas=[{"source": passage.source} for passage in batch],
        )


def _client(path: Path) -> Client:
    import chromadb
    from chromadb.api.client import Client
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(path), settings=Settings(anonymized_telemetry=False))
    assert isinstance(client, Client)  # PersistentClient declares less than it returns: `close` is missing
    return client


def _copied(path: Path, rooms: Sequence[Path], held: ExitStack) -> Path:
    """A folder of our own with what is in `path`; its lock shows that it is in use."""
    problem: OSError | None = None
    for place in rooms:
        attempt = ExitStack()
        try:
            room = Path(tempfile.mkdtemp(prefix=_ROOM, dir=place))
            attempt.callback(shutil.rmtree, room, ignore_errors=True)
            attempt.callback(os.close, acquire(room))
            shutil.copytree(path, room, copy_function=shutil.copyfile, dirs_exist_ok=True)
        except OSError as error:
            attempt.close()
            problem = error
            continue
        held.push(attempt.pop_all())
        return room
    assert problem
    raise StoreError(
        f"The index at {path} cannot be opened: there is no room for a working copy ({problem}). "
        "Free some space, then try again."
    ) from problem
