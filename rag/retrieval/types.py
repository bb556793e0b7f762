"""What the retrieval layer hands on."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.documents.types import Passage, Span

Vectors = NDArray[np.float32]  # in rows
Scores = NDArray[np.float64]
Sources = Collection[str] | None  # the documents to look into; None for all
Mask = NDArray[np.bool_]  # for each passage whether it is looked at


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. document_text(source)[start:end] == text, always.

    Ranks count from 1 and are None where that list did not hold the passage. `score` is the fused one,
    or a reranker's, in [0, 1]; it orders the hits of one query and means nothing across queries.
    """

    text: str
    source: str
    title: str
    section: str
    start: int
    end: int
    page: int | None
    score: float
    passage: Passage
    dense_rank: int | None = None
    dense_score: float | None = None  # cosine, in [-1, 1]
    sparse_rank: int | None = None
    sparse_score: float | None = None  # BM25
    late_score: float | None = None  # late interaction, in [-1, 1]; 0 with a foreign embedding model
    matched: tuple[str, ...] = ()  # words of the query that it holds, the most telling first
    bridged_from: str | None = None  # the id of the passage that names this one and brought it forward

    @staticmethod
    def of(passage: Passage, **found: Any) -> "Hit":
        """A passage, with how it was found."""
        same = ("text", "source", "title", "section", "start", "end", "page")
        return Hit(**{name: getattr(passage, name) for name in same}, passage=passage, **found)

    def to_dict(self) -> dict[str, Any]:
        """The fields above as plain values, without `passage`."""
        fields = asdict(self)
        del fields["passage"]
        return fields

    def quote(self, span: Span) -> str:
        """The text of a span that lies within the hit; the span is in document offsets."""
        return self.text[span.start - self.start : span.end - self.start]

    @property
    def sentences(self) -> tuple[Span, ...]:
        """The sentences of the passage, in document offsets."""
        return self.passage.sentences


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did. Sources are in alphabetical order."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]  # (source, reason)
    notes: tuple[tuple[str, str], ...] = ()  # (source, what was noticed): left out, the same file twice, no text layer
    passages: int = 0  # in the index now
    embedded: int = 0  # of these, computed anew; the others' vectors were known
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document in the index."""

    source: str
    title: str
    passages: int
    characters: int
    pages: int | None  # None where the format has none
    bytes: int | None = None  # of its file; None where that is gone
    modified: float | None = None  # when its file was, in seconds since 1970; None where that is gone
