"""A second look at the best hits by a cross-encoder, which reads query and passage together. For those who have one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from rag.retrieval.embedding import on_this_machine
from rag.retrieval.types import Hit

RERANKED = 30  # hits that are looked at again


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder on this machine, loaded at the first use. Never downloads."""

    def __init__(self, model: str) -> None:
        """:param model: a name in the local cache, or a folder."""
        self.model = model

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits, best first, `score` in [0, 1] and falling; a ModelUnavailable if the model is not here."""
        if not hits:
            return []
        pairs = [(query, hit.passage.embedding_text) for hit in hits]
        logits = np.asarray(self._loaded.predict(pairs, batch_size=16, show_progress_bar=False), dtype=np.float64)
        scores = logits if 0 <= logits.min() and logits.max() <= 1 else 1 / (1 + np.exp(-logits))
        return [replace(hits[i], score=float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    @cached_property
    def _loaded(self) -> Any:
        return on_this_machine("CrossEncoder", self.model, "RAG_RERANKER unset", num_labels=1)
