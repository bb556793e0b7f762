"""From a query to ranked hits: dense and sparse lists, fused."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from rag.retrieval.embedding import Embedder
from rag.retrieval.fusion import DENSE_SHARE, convex
from rag.retrieval.generation import Generation
from rag.retrieval.outline import outline
from rag.retrieval.types import Hit

_CANDIDATES = 50  # taken from each list before fusing


class HybridRetriever:
    """Chroma and BM25 over one generation, fused by `convex`."""

    def __init__(self, generation: Generation, embedder: Embedder) -> None:
        self._generation = generation
        self._embedder = embedder

    def search(self, query: str, k: int, sources: Collection[str] | None = None) -> list[Hit]:
        """The `k` best passages, best first, fewer only where the documents hold fewer.

        :param sources: look only into these documents.
        """
        if sources is not None and not sources:
            return []
        depth, held = max(k, _CANDIDATES), frozenset(sources or ())
        passages, sharing = self._generation.passages, self._generation.sharing
        allowed = None if sources is None else [p.source in held for p in passages]
        vector = self._embedder.query(query)
        among = None if allowed is None else [id for id, places in sharing.items() if any(allowed[i] for i in places)]
        found = self._generation.dense.search(vector, depth, among)
        dense = {passages[i].id: s for id, s in found for i in sharing[id] if allowed is None or allowed[i]}
        mask = None if allowed is None else np.array(allowed)
        sparse = {passages[i].id: score for i, score in self._generation.lexical.search(query, depth, mask)}
        fused = convex(dense, sparse, DENSE_SHARE * self._embedder.reads(query))
        ranks = [{id: rank for rank, id in enumerate(found, 1)} for found in (dense, sparse)]
        return [
            Hit.of(
                passages[self._generation.position[id]],
                score=fused[id],
                dense_rank=ranks[0].get(id),
                dense_score=dense.get(id),
                sparse_rank=ranks[1].get(id),
                sparse_score=sparse.get(id),
            )
            for id in sorted(fused, key=lambda id: -fused[id])[:k]
        ]

    def outline(self, sources: Collection[str] | None = None) -> list[Hit]:
        """One passage for each main part of the documents, in reading order; ranks are None and scores 1."""
        return [Hit.of(passage, score=1.0) for passage in outline(self._generation, sources)]
