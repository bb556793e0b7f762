"""One state of the index on disk: a folder that is written once, completely, and then only read.

manifest.json     what it was built from and with, and the digest of every other file and of itself; written last,
                  so that a folder without it is unfinished
documents.jsonl   the extracted texts, against which all offsets count
passages.jsonl    where the passages and their sentences lie
chroma/           dense search
lexical/          sparse search
embedded.rows     for each passage its vector, and what else the model gave
"""

import hashlib
import json
import os
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.documents.types import Document, Passage, Span
from rag.errors import StoreError
from rag.retrieval import chroma
from rag.retrieval.chroma import DenseIndex
from rag.retrieval.disk import digest, sync, write_whole
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.types import Vectors

Row = dict[str, Any]  # one line of JSON

FORMAT = 6  # another layout on disk gets another number, and the index is built anew
MANIFEST = "manifest.json"
_EMBEDDED = "embedded.rows"
_PLACE = ("source", "section", "page", "sentences", "head")  # of a passage; the rest follows from the document
_MAX_CHURN = 0.2  # share of the passages that may have come and gone before Chroma's graph is built anew
_ROOMS = (Path(os.environ.get("TMPDIR", "/tmp")), Path("/dev/shm"))  # where there may be room when the disk is full


class Damaged(StoreError):
    """The files of a generation are not what was written."""


class Outdated(StoreError):
    """A generation is whole, but another version wrote it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built from and with."""

    embedder: str
    dimensions: int  # of a vector
    splitter: str
    chroma: str
    files: Mapping[str, tuple[int, int, str]]  # source to size, mtime in ns and SHA-256, for all files seen
    failed: Mapping[str, str]  # source to reason, for those that could not be read
    passages: int
    probe: Sequence[float] = ()  # the vector of one fixed sentence, of a model that is not ours
    churn: int = 0  # passages that came or went since Chroma's graph was built
    limits: Mapping[str, int] | None = None  # that files were read with
    digests: Mapping[str, str] | None = None  # of each file below the folder
    format: int = FORMAT


class Generation:
    """A finished generation: verified when it is made, read when it is asked. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """:raises FileNotFoundError: it is not finished, or just being removed.
        :raises Damaged: a file is missing, or is not what was written; or Chroma would run code from it.
        :raises Outdated: it is laid out in another way.
        """
        self.path = path
        self.loaded = False
        self.manifest = _manifest(path / MANIFEST)
        if flaw := self.flaw():
            raise Damaged(flaw)

    def flaw(self) -> str | None:
        """What is wrong with the files now, or None."""
        for name, written in (self.manifest.digests or {}).items():
            if digest(self.path / name) != written:
                return f"{self.path}/{name} is missing, or not what was written"
        return chroma.flaw(self.path / "chroma")

    def load(self) -> None:
        """Read all of it now: later its folder may be gone. Outdated where another version of Chroma wrote it."""
        if self.manifest.chroma != chroma.VERSION:
            raise Outdated(f"{self.path} was written by Chroma {self.manifest.chroma}, this is {chroma.VERSION}")
        _ = self.position, self.sharing, self.lexical, self.dense, self._embedded
        self.loaded = True

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The documents by source."""
        rows = _read_lines(self.path / "documents.jsonl")
        return {row["source"]: Document.of(row) for row in rows}

    @cached_property
    def passages(self) -> list[Passage]:
        """The passages, document by document, in reading order."""
        return [self._passage(row) for row in _read_lines(self.path / "passages.jsonl")]

    @cached_property
    def position(self) -> dict[str, int]:
        """Where each passage is in `passages`, by its id."""
        return {passage.id: i for i, passage in enumerate(self.passages)}

    @cached_property
    def sharing(self) -> dict[str, list[int]]:
        """Where in `passages` those are that share a text, by the id that dense search has for it."""
        return _sharing(self.passages)

    @cached_property
    def lexical(self) -> LexicalIndex:
        """Sparse search."""
        return LexicalIndex.load(self.path / "lexical")

    @cached_property
    def dense(self) -> DenseIndex:
        """Dense search."""
        return DenseIndex(self.path / "chroma", [self.path.parent, *_ROOMS], self.path / _EMBEDDED)

    @cached_property
    def _embedded(self) -> int:
        """The open file of `rows`: a copy beside Chroma's, so that no damage to the index is read as numbers."""
        file = os.open(self.dense.room / _EMBEDDED, os.O_RDONLY)
        weakref.finalize(self, os.close, file)
        return file

    def rows(self, positions: Sequence[int]) -> Vectors:
        """What the model gave for some passages, (len(positions), width): vectors, then windows where there are any."""
        width = os.fstat(self._embedded).st_size // len(self.passages)
        data = b"".join(os.pread(self._embedded, width, position * width) for position in positions)
        return np.frombuffer(data, dtype=np.float32).reshape(len(positions), width // 4)

    def vectors(self, passages: Sequence[Passage]) -> Vectors:
        """The vectors of some passages, (len(passages), dimensions)."""
        return self.rows([self.position[passage.id] for passage in passages])[:, : self.manifest.dimensions]

    def holds(self, source: str) -> bool:
        """Whether anything of a document can be found."""
        mine = any(passage.source == source for passage in self.passages)
        return mine or source in self.documents or self.dense.ids() != self.sharing.keys()

    def close(self) -> None:
        """Let go of the files."""
        if "dense" in self.__dict__:
            self.dense.close()

    def _passage(self, row: Row) -> Passage:
        sentences = tuple(Span(*span) for span in row["sentences"])
        document, start, end = self.documents[row["source"]], sentences[0].start, sentences[-1].end
        told = document.source, document.title, row["section"], document.text[start:end]
        return Passage(*told, start, end, row["page"], sentences, row["head"])


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """What a generation is written from."""

    documents: Sequence[Document]
    passages: Sequence[Passage]
    rows: Vectors
    manifest: Manifest

    def write(self, path: Path, known: Generation | None) -> None:
        """Write a generation into a new folder. When this returns, all of it is on disk and was found to answer.

        :param known: a generation of the same make, from which what did not change is taken over.
        :raises StoreError: Chroma could not write it, or what it wrote does not answer.
        """
        path.mkdir(parents=True)
        _write_lines(path / "documents.jsonl", [asdict(document) for document in self.documents])
        _write_lines(path / "passages.jsonl", [{name: getattr(one, name) for name in _PLACE} for one in self.passages])
        texts = [passage.matched_text for passage in self.passages]
        numbers = {document.source: number for number, document in enumerate(self.documents)}
        owners = [numbers[passage.source] for passage in self.passages]
        places = [known.position.get(passage.id) for passage in self.passages] if known else []
        LexicalIndex.build(texts, owners, known.lexical if known else None, places).save(path / "lexical")
        (path / _EMBEDDED).write_bytes(self.rows.tobytes())
        churn = self._write_dense(path / "chroma", known)
        written = sorted(path.rglob("*"))
        for file in (*written, path):
            sync(file)
        digests = {file.relative_to(path).as_posix(): digest(file) for file in written if file.is_file()}
        with closing(DenseIndex(path / "chroma", [path.parent])) as dense:
            if dense.size != len(ids := list(_sharing(self.passages))) or not dense.finds_itself(ids):
                raise StoreError(f"Chroma wrote {path} without an error, but does not find in it what it should.")
        manifest = replace(self.manifest, passages=len(self.passages), churn=churn, digests=digests)
        write_whole(path / MANIFEST, _sealed(asdict(manifest)))

    def _write_dense(self, path: Path, known: Generation | None) -> int:
        """Write Chroma's collection, from the known one's copy where little changed; the churn that it then has."""
        old = known.sharing if known else {}
        new = {id: places[0] for id, places in _sharing(self.passages).items()}
        gone, come = [id for id in old if id not in new], [id for id in new if id not in old]
        vectors = self.rows[:, : self.manifest.dimensions]
        churn = (known.manifest.churn if known else 0) + len(gone) + len(come)
        if known is None or churn > _MAX_CHURN * len(old) or known.flaw():  # opened long ago, maybe
            chroma.write(path, list(new), vectors[list(new.values())])
            return 0
        chroma.update(known.path / "chroma", path, gone, come, vectors[[new[id] for id in come]])
        return churn


def _sharing(passages: Sequence[Passage]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, passage in enumerate(passages):
        found.setdefault(passage.text_id, []).append(place)
    return found


def _sealed(fields: Row) -> bytes:
    """The manifest's bytes: a line of JSON, and a line with its digest."""
    line = json.dumps(fields).encode()
    return line + b"\n" + _seal(line) + b"\n"


def _seal(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=20).hexdigest().encode()


def _manifest(path: Path) -> Manifest:
    try:
        line, _, seal = path.read_bytes().partition(b"\n")
        fields = json.loads(line)
        format = fields["format"]
    except (ValueError, TypeError, LookupError, IsADirectoryError) as error:
        raise Damaged(f"{path} is not what was written") from error
    if format != FORMAT:
        raise Outdated(f"{path} has format {format}, this version writes {FORMAT}")
    if seal.strip() != _seal(line):
        raise Damaged(f"{path} is not what was written")
    files = {source: tuple(stamp) for source, stamp in fields.pop("files").items()}
    return Manifest(files=files, **fields)


def _read_lines(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
