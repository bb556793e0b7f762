"""The convex sum, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.retriever import DENSE_SHARE, convex


def fused(dense: list[float], sparse: list[float], floor: float, share: float = DENSE_SHARE) -> list[float]:
    return convex(np.array(dense), np.array(sparse), floor, share).tolist()


def test_a_worked_example() -> None:
    """The dense list ends at 0.1; the last candidate is from the sparse list alone."""
    scores = fused([0.9, 0.5, 0.1, -0.2], [0.0, 8.0, 0.0, 2.0], floor=0.1, share=0.6)

    assert scores == pytest.approx([0.6, 0.6 * 0.5 + 0.4, 0.0, 0.4 * 0.25])


def test_negative_cosines_are_shifted_like_any_other() -> None:
    assert fused([-0.1, -0.3, -0.2], [0, 0, 0], floor=-0.3, share=1.0) == pytest.approx([1.0, 0.0, 0.5])


def test_no_candidates_give_nothing() -> None:
    assert fused([], [], floor=0.0) == []


def test_one_list_alone_keeps_its_order_and_gets_its_share() -> None:
    assert fused([0.2, 0.4], [0, 0], floor=0.2) == pytest.approx([0.0, DENSE_SHARE])
    assert fused([0.1, 0.2], [3.0, 6.0], floor=0.3) == pytest.approx([(1 - DENSE_SHARE) / 2, 1 - DENSE_SHARE])


def test_a_single_passage_at_the_top_of_both_lists_scores_1() -> None:
    assert fused([0.05], [0.01], floor=0.05) == pytest.approx([1.0])


def test_equal_cosines_all_count_as_the_best_and_what_lies_below_as_nothing() -> None:
    assert fused([0.3, 0.3, 0.2], [0.0, 1.0, 0.5], floor=0.3, share=0.5) == pytest.approx([0.5, 1.0, 0.25])


CANDIDATES = st.lists(st.tuples(st.floats(-3, 3), st.just(0.0) | st.floats(0.001, 100)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(CANDIDATES, st.floats(-3, 3), st.floats(0, 1))
def test_every_candidate_gets_a_score_between_0_and_1(
    found: list[tuple[float, float]], floor: float, share: float
) -> None:
    scores = fused([dense for dense, _ in found], [sparse for _, sparse in found], floor, share)

    assert len(scores) == len(found)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


@settings(deadline=None, max_examples=60)
@given(CANDIDATES, st.floats(-3, 3))
def test_at_the_floor_and_below_it_only_shared_words_count(found: list[tuple[float, float]], floor: float) -> None:
    found = [*found, (floor + 1, 0.0)]
    dense, sparse = [min(one, floor + 1) for one, _ in found], [one for _, one in found]

    both, words = fused(dense, sparse, floor), fused([floor - 1] * len(dense), sparse, floor)

    assert [a for a, one in zip(both, dense, strict=True) if one <= floor] == pytest.approx(
        [b for b, one in zip(words, dense, strict=True) if one <= floor]
    )


@settings(deadline=None, max_examples=40)
@given(CANDIDATES, st.floats(-3, 3))
def test_the_scale_of_the_sparse_scores_does_not_matter(found: list[tuple[float, float]], floor: float) -> None:
    dense, sparse = [one for one, _ in found], [one for _, one in found]

    assert fused(dense, [10 * one for one in sparse], floor) == pytest.approx(fused(dense, sparse, floor))
