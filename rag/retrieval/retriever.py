"""From a query to ranked hits: candidates by dense and sparse search, scored by both, fused, then bridged."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rag.retrieval.bridging import Bridged, bridge
from rag.retrieval.embedding import Embedder
from rag.retrieval.fusion import DENSE_SHARE, Scores, convex
from rag.retrieval.generation import Generation
from rag.retrieval.late import interaction
from rag.retrieval.outline import outline
from rag.retrieval.types import Hit

_CANDIDATES = 100  # taken from each list; 50 and 200 rank alike
_LATE = 2.0  # what late interaction counts beside the cosine; from 1 to 4 it makes no difference
_ASIDE = re.compile(r"(.*\S)\s+\[[^\[\]]+\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What either search found for a query, each scored by both; the arrays are aligned."""

    rows: NDArray[np.int64]  # positions of passages, (candidates,)
    cosines: Scores
    late: Scores
    sparse: Scores
    fused: Scores
    dense_ranks: dict[int, int]  # position to rank, from 1
    sparse_ranks: dict[int, int]


class HybridRetriever:
    """Chroma and BM25 over one generation, fused by `convex`, and what these lead to."""

    def __init__(self, generation: Generation, embedder: Embedder) -> None:
        self._generation = generation
        self._embedder = embedder

    def search(self, query: str, k: int, sources: Collection[str] | None = None) -> list[Hit]:
        """The `k` best passages, best first, fewer only where the documents hold fewer.

        :param query: words in brackets at its end count half: "How many teams? [rugby]".
        :param sources: look only into these documents.
        """
        passages = self._generation.passages
        allowed = None if sources is None else np.array([p.source in sources for p in passages])
        if allowed is not None and not allowed.any():
            return []
        found = self.candidates(query, max(k, _CANDIDATES), allowed)
        fused = dict(zip(found.rows.tolist(), found.fused.tolist(), strict=True))
        ranked = bridge(query, fused, passages, self._generation.lexical, allowed)
        return [self._hit(row, bridged, found) for row, bridged in islice(ranked.items(), k)]

    def candidates(self, query: str, depth: int, allowed: NDArray[np.bool_] | None = None) -> Candidates:
        """The `depth` best passages of either search."""
        generation = self._generation
        vector, tokens = self._embedder.asked(query)
        counted = query
        if match := _ASIDE.fullmatch(query):
            vector = vector + self._embedder.query(match[1])
            vector /= np.linalg.norm(vector) or 1.0
            counted = f"{match[1]} {query}"  # its words twice, those in brackets once
        among = None
        if allowed is not None:
            among = [id for id, places in generation.sharing.items() if allowed[places].any()]
        near = [row for id, _ in generation.dense.search(vector, depth, among) for row in generation.sharing[id]]
        dense = [row for row in near if allowed is None or allowed[row]]
        scores = generation.lexical.scores(counted)
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        best = np.argsort(-scores, kind="stable")[:depth]
        sparse = best[scores[best] > 0].tolist()
        rows = np.array(list(dict.fromkeys([*dense, *sparse])), dtype=np.int64)
        embedded = generation.rows(rows.tolist())
        cosines, late = embedded[:, : len(vector)] @ vector, interaction(tokens, embedded)
        similar = (cosines + _LATE * late).astype(np.float64)
        floor = float(np.sort(similar)[-len(dense)]) if dense else 0.0
        fused = convex(similar, scores[rows], floor, DENSE_SHARE * self._embedder.reads(query))
        ranks = [{row: rank for rank, row in enumerate(found, 1)} for found in (dense, sparse)]
        return Candidates(rows, cosines.astype(np.float64), late.astype(np.float64), scores[rows], fused, *ranks)

    def outline(self, sources: Collection[str] | None = None) -> list[Hit]:
        """One passage for each main part of the documents, in reading order; ranks are None and scores 1."""
        return [Hit.of(passage, score=1.0) for passage in outline(self._generation, sources)]

    def _hit(self, row: int, bridged: Bridged, found: Candidates) -> Hit:
        passages, at = self._generation.passages, np.flatnonzero(found.rows == row)
        values = {"dense_score": found.cosines, "late_score": found.late, "sparse_score": found.sparse}
        told = {name: float(scores[at[0]]) for name, scores in values.items()} if len(at) else {}
        return Hit.of(
            passages[row],
            score=bridged.score,
            dense_rank=found.dense_ranks.get(row),
            sparse_rank=found.sparse_ranks.get(row),
            bridged_from=None if bridged.source is None else passages[bridged.source].id,
            **told,
        )
