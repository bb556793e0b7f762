"""Vectors that were computed once are kept: a file of rows per embedding model, found by the text's digest.

A row is digest, vector and a checksum of both. Rows are only ever appended, so that a kill loses at most the last
one; a row that is torn or damaged does not count, and its text is embedded again.
"""

import hashlib
import re
import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from rag.errors import StoreError, in_words
from rag.retrieval.disk import write_whole
from rag.retrieval.types import Vectors

_KEY = 20  # bytes of a text's digest
_CHECK = 4  # bytes of CRC-32


class VectorStore:
    """The vectors of one embedding model. For one process at a time: the one that holds the index's lock."""

    def __init__(self, folder: Path, embedder: str) -> None:
        self._folder = folder
        name = hashlib.sha256(embedder.encode()).hexdigest()[:12]
        self._stem = f"{re.sub(r'[^A-Za-z0-9.]+', '-', embedder)[:60]}-{name}"
        self._file, dimensions = self._existing()
        self._row_bytes = _KEY + 4 * dimensions + _CHECK
        self._rows: dict[bytes, bytes] = dict(self._read()) if self._file else {}  # digest to vector

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, texts: Iterable[str]) -> dict[str, Vectors]:
        """The vectors of those texts that are known."""
        rows = ((text, self._rows.get(_key(text))) for text in texts)
        return {text: np.frombuffer(row, dtype=np.float32) for text, row in rows if row is not None}

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep these, (len(texts), dimensions). From here on they outlive the process."""
        new = {_key(text): row.tobytes() for text, row in zip(texts, vectors.astype(np.float32), strict=True)}
        try:
            file = self._made(vectors.shape[1])
            whole = file.stat().st_size // self._row_bytes * self._row_bytes if file.exists() else 0
            with file.open("ab") as out:
                out.truncate(whole)  # a row that a killed process left half written
                out.write(b"".join(_row(key, vector) for key, vector in new.items()))
        except OSError as error:
            raise StoreError(in_words("vectors_not_kept", folder=self._folder, why=error.strerror)) from error
        self._rows |= new

    def prune(self, texts: Collection[str]) -> None:
        """Keep only the vectors of these texts."""
        kept = {key: self._rows[key] for text in texts if (key := _key(text)) in self._rows}
        if self._file and len(kept) < len(self._rows):
            write_whole(self._file, b"".join(_row(key, vector) for key, vector in kept.items()))
            self._rows = kept

    def forget_others(self) -> None:
        """Drop the files of all other models."""
        for file in self._folder.glob("*"):
            if file != self._file:
                file.unlink(missing_ok=True)

    def _existing(self) -> tuple[Path | None, int]:
        for file in self._folder.glob(f"{self._stem}-*.rows"):
            dimensions = file.stem.rpartition("-")[2]
            if dimensions.isdigit() and file.is_file():
                return file, int(dimensions)
        return None, 0

    def _made(self, dimensions: int) -> Path:
        file = self._folder / f"{self._stem}-{dimensions}.rows"
        if file != self._file:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file, self._rows, self._row_bytes = file, {}, _KEY + 4 * dimensions + _CHECK
        return file

    def _read(self) -> Iterable[tuple[bytes, bytes]]:
        assert self._file
        try:
            data = memoryview(self._file.read_bytes())
        except OSError as error:
            raise StoreError(f"{self._file} cannot be read ({error.strerror}). Mend or delete it.") from error
        for at in range(0, len(data) - self._row_bytes + 1, self._row_bytes):
            row = data[at : at + self._row_bytes]
            if zlib.crc32(row[:-_CHECK]).to_bytes(_CHECK, "little") == row[-_CHECK:]:
                yield bytes(row[:_KEY]), bytes(row[_KEY:-_CHECK])


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def _row(key: bytes, vector: bytes) -> bytes:
    data = key + vector
    return data + zlib.crc32(data).to_bytes(_CHECK, "little")
