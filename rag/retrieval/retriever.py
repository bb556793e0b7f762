"""From a query to ranked hits: dense and sparse lists, fused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from rag.documents.types import Passage
from rag.retrieval.embedding import Embedder
from rag.retrieval.fusion import convex
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
        depth = max(k, _CANDIDATES)
        passages = self._generation.passages
        allowed = None if sources is None else np.array([p.source in sources for p in passages])
        dense = dict(
            self._generation.dense.search(
                self._embedder.query(query), depth, None if sources is None else sorted(sources)
            )
        )
        found = self._generation.lexical.search(query, depth, allowed)
        sparse = {passages[i].id: score for i, score in found}
        fused = convex(dense, sparse)
        best = sorted(fused, key=lambda id: -fused[id])[:k]
        ranks = {id: i for i, id in enumerate(dense, 1)}, {id: i for i, id in enumerate(sparse, 1)}
        return [self._hit(id, fused[id], ranks, (dense, sparse)) for id in best]

    def outline(self, sources: Collection[str] | None = None) -> list[Hit]:
        """One passage for each main part of the documents, in reading order; ranks are None and scores 1."""
        return [_as_hit(passage, 1.0) for passage in outline(self._generation, sources)]

    def _hit(
        self, id: str, score: float, ranks: tuple[dict[str, int], ...], scores: tuple[dict[str, float], ...]
    ) -> Hit:
        passage = self._generation.passages[self._generation.position[id]]
        return replace(
            _as_hit(passage, score),
            dense_rank=ranks[0].get(id),
            dense_score=scores[0].get(id),
            sparse_rank=ranks[1].get(id),
            sparse_score=scores[1].get(id),
        )


def _as_hit(passage: Passage, score: float) -> Hit:
    return Hit(
        text=passage.text,
        source=passage.source,
        title=passage.title,
        section=passage.section,
        start=passage.start,
        end=passage.end,
        page=passage.page,
        score=score,
        passage=passage,
    )
