"""A second look at the best hits by a cross-encoder, which reads query and passage together. For those who have one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.retrieval.embedding import load_cross_encoder
from rag.retrieval.types import Hit

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

RERANKED = 30  # hits that are looked at again


class Reranker(Protocol):
    """Puts hits in a better order."""

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits, best first, `score` in [0, 1] and falling."""
        ...


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder on this machine, loaded at the first use. Never downloads."""

    def __init__(self, model: str) -> None:
        """:param model: a name in the local cache, or a folder."""
        self.model = model
        self._loading = threading.Lock()
        self._loaded: CrossEncoder | None = None

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """:raises ModelUnavailable: the model is not on this machine."""
        if not hits:
            return []
        pairs = [(query, hit.passage.embedding_text) for hit in hits]
        logits = np.asarray(self._load().predict(pairs, batch_size=16, show_progress_bar=False), dtype=np.float64)
        scores = logits if 0 <= logits.min() and logits.max() <= 1 else 1 / (1 + np.exp(-logits))
        return [replace(hits[i], score=float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    def _load(self) -> CrossEncoder:
        with self._loading:
            if self._loaded is None:
                self._loaded = load_cross_encoder(self.model)
            return self._loaded
