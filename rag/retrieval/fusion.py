"""One ranking out of two: the convex sum of scores that were first brought to one scale."""

from __future__ import annotations

from collections.abc import Mapping

DENSE_SHARE = 0.6  # the best or near it on SciFact, Cranfield, SQuAD 2 and XQuAD; 0.5 differs by less than 0.005


def convex(dense: Mapping[str, float], sparse: Mapping[str, float], share: float = DENSE_SHARE) -> dict[str, float]:
    """Share * dense + (1 - share) * sparse for each id in either list, scores scaled to [0, 1] within their list.

    Dense scores are shifted so that the lowest of the list is 0 (a cosine has no natural zero), sparse ones are
    not (BM25 has); both are then divided by their maximum. What a list does not hold has 0 in it. Ranking by this
    sum beat reciprocal rank fusion on every set tried: it keeps how far apart the scores are.
    """
    low = min(dense.values(), default=0.0)
    top_dense = max(dense.values(), default=0.0) - low
    top_sparse = max(sparse.values(), default=0.0)
    fused = {id: (share * (score - low) / top_dense if top_dense > 0 else share) for id, score in dense.items()}
    for id, score in sparse.items():
        fused[id] = fused.get(id, 0.0) + (1 - share) * score / top_sparse
    return fused
