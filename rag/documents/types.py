"""What the documents layer hands on. Offsets are characters into `Document.text`, end exclusive."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple


def text_digest(text: str) -> str:
    """SHA-256 of a text, in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What files may cost; one that costs more is reported, not read."""

    files: int = 10_000  # in the corpus
    passages: int = 200_000  # of all documents
    file_mb: int = 50
    chars: int = 5_000_000  # of its text
    pages: int = 2000
    zip_entries: int = 2000  # files within a .docx, .pptx, .xlsx or .epub
    zip_mb: int = 100  # of these, unpacked
    zip_ratio: int = 100  # of unpacked to packed
    parse_s: int = 60  # of computing
    parse_mb: int = 700  # of memory
    ocr: str = ""  # the languages that Tesseract reads pages without text in; "" for not at all


@dataclass(frozen=True, slots=True)
class Document:
    """One file as text. `source` is its path below the corpus, with `/`."""

    source: str
    title: str
    text: str
    page_starts: tuple[int, ...] = ()  # where each page begins in text; empty when there are no pages
    headings: tuple[tuple[int, int], ...] = ()  # of a PDF: where each heading's line begins, and its level from 1
    note: str = ""  # what was noticed about the file, for the report

    @staticmethod
    def of(row: dict[str, Any]) -> "Document":
        """A document from its fields as JSON has them."""
        headings = tuple((start, level) for start, level in row["headings"])
        return Document(**{**row, "page_starts": tuple(row["page_starts"]), "headings": headings})

    def page_at(self, offset: int) -> int | None:
        """The page, counted from 1, that holds this offset; None when there are no pages."""
        return bisect_right(self.page_starts, offset) or None if self.page_starts else None


@dataclass(frozen=True, slots=True)
class Box:
    """Where a line of text stands on a page as it is shown: shares of its width and height, from its top left."""

    page: int  # from 1
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of a document: document.text[start:end] == text, always."""

    source: str
    title: str
    section: str  # headings above it, outermost first, joined by " > "; the title is not repeated
    text: str
    start: int
    end: int
    page: int | None
    sentences: tuple[Span, ...]  # in document offsets, in order, none overlapping
    head: str = ""  # the header of the table that it begins within

    @property
    def id(self) -> str:
        """Digest of place and content: the same passage of the same document, again."""
        return text_digest(f"{self.source}\0{self.start}\0{self.embedding_text}")[:32]

    @property
    def text_id(self) -> str:
        """Digest of what is embedded: one for all passages that read the same."""
        return text_digest(self.embedding_text)[:32]

    @property
    def embedding_text(self) -> str:
        """What is embedded and matched: title and section come in front, though never into a quote."""
        return self.in_context(self.text)

    @property
    def matched_text(self) -> str:
        """What words are matched in: the above, and the file's name, by which it may be asked for."""
        return f"{PurePosixPath(self.source).stem}\n{self.embedding_text}"

    def in_context(self, text: str) -> str:
        """A part of the passage with title and section in front: much of what it is about stands only there."""
        named = () if self.title.isdigit() and self.title == PurePosixPath(self.source).stem else (self.title,)
        heads = [part for part in (*named, self.section, self.head) if part]
        return "\n".join([" > ".join(heads), text]) if heads else text
