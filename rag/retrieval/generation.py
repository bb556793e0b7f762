"""One state of the index on disk: a folder that is written once, completely, and then only read.

manifest.json     what it was built from and with; written last, so that a folder without it is unfinished
documents.jsonl   the extracted texts, against which all offsets count
passages.jsonl    where the passages and their sentences lie
vectors.npy       their vectors, so that the next generation embeds only what is new
chroma/           dense search
bm25/             sparse search
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.documents.types import Document, Passage, Span
from rag.errors import StoreError
from rag.retrieval.chroma import DenseIndex
from rag.retrieval.embedding import Vectors
from rag.retrieval.lexical import LexicalIndex

Row = dict[str, Any]  # one line of JSON

FORMAT = 1  # another layout on disk gets another number, and the index is built anew


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built from and with."""

    embedder: str
    splitter: str
    chroma: str
    files: Mapping[str, tuple[int, int, str]]  # source to size, mtime in ns and SHA-256, for all files seen
    failed: Mapping[str, str]  # source to reason, for those that could not be read
    passages: int
    probe: Sequence[float] = ()  # the vector of one fixed sentence, of a model that is not ours
    format: int = FORMAT


class Generation:
    """A finished generation, open for reading. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """:raises StoreError: not a finished generation, or damaged."""
        self.path = path
        try:
            self.manifest = _manifest(path / "manifest.json")
            self.documents = {d.source: d for d in map(_document, _read_lines(path / "documents.jsonl"))}
            self.passages = [self._passage(row) for row in _read_lines(path / "passages.jsonl")]
            if len(self.passages) != self.manifest.passages:
                raise ValueError(f"{len(self.passages)} passages, the manifest says {self.manifest.passages}")
            self.lexical = LexicalIndex.load(path / "bm25")
        except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise StoreError(f"The index at {path} is damaged ({error}). Run `rag ingest --rebuild`.") from error
        self.position = {passage.id: i for i, passage in enumerate(self.passages)}

    @staticmethod
    def write(
        path: Path, documents: Sequence[Document], passages: Sequence[Passage], vectors: Vectors, manifest: Manifest
    ) -> None:
        """Write a generation into a new folder. When this returns, all of it is on disk."""
        path.mkdir(parents=True)
        _write_lines(path / "documents.jsonl", [asdict(document) for document in documents])
        _write_lines(path / "passages.jsonl", [_row(passage) for passage in passages])
        np.save(path / "vectors.npy", vectors)
        LexicalIndex.build([passage.embedding_text for passage in passages]).save(path / "bm25")
        DenseIndex.write(path / "chroma", passages, vectors)
        for file in path.rglob("*"):
            if file.is_file():
                _sync(file)
        _write_lines(path / "manifest.json", [asdict(manifest)])
        _sync(path / "manifest.json")
        _sync(path)

    @cached_property
    def dense(self) -> DenseIndex:
        """Chroma, opened at the first use: an ingest has no need of it."""
        return DenseIndex(self.path / "chroma")

    @cached_property
    def vectors(self) -> dict[str, Vectors]:
        """The vector of each text that was embedded."""
        try:
            rows = np.load(self.path / "vectors.npy")
            return {p.embedding_text: row for p, row in zip(self.passages, rows, strict=True)}
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"The index at {self.path} is damaged ({error}). Run `rag ingest --rebuild`.") from error

    def close(self) -> None:
        """Let go of the files."""
        if "dense" in self.__dict__:
            self.dense.close()

    def _passage(self, row: Row) -> Passage:
        sentences = tuple(Span(*span) for span in row["sentences"])
        document, start, end = self.documents[row["source"]], sentences[0].start, sentences[-1].end
        text = document.text[start:end]
        return Passage(document.source, document.title, row["section"], text, start, end, row["page"], sentences)


def _document(row: Row) -> Document:
    return Document(**{**row, "page_starts": tuple(row["page_starts"])})


def _row(passage: Passage) -> Row:
    return {
        "source": passage.source,
        "section": passage.section,
        "page": passage.page,
        "sentences": passage.sentences,
    }


def _manifest(path: Path) -> Manifest:
    fields = json.loads(path.read_text("utf-8"))
    if fields["format"] != FORMAT:
        raise ValueError(f"it has format {fields['format']}, this version writes {FORMAT}")
    files = {source: tuple(stamp) for source, stamp in fields.pop("files").items()}
    return Manifest(files=files, **fields)


def _read_lines(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _sync(path: Path) -> None:
    """Make what was written survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
