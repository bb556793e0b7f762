"""The convex sum, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.fusion import DENSE_SHARE, convex


def test_a_worked_example() -> None:
    fused = convex({"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 8.0, "d": 2.0}, share=0.6)

    assert fused == pytest.approx({"a": 0.6, "b": 0.6 * 0.5 + 0.4, "c": 0.0, "d": 0.4 * 0.25})


def test_negative_cosines_are_shifted_like_any_other() -> None:
    assert convex({"a": -0.1, "b": -0.3, "c": -0.2}, {}, share=1.0) == pytest.approx({"a": 1.0, "b": 0.0, "c": 0.5})


def test_two_empty_lists_give_nothing() -> None:
    assert convex({}, {}) == {}


def test_one_list_alone_keeps_its_order_and_gets_its_share() -> None:
    assert convex({"a": 0.2, "b": 0.4}, {}) == pytest.approx({"a": 0.0, "b": DENSE_SHARE})
    assert convex({}, {"a": 3.0, "b": 6.0}) == pytest.approx({"a": (1 - DENSE_SHARE) / 2, "b": 1 - DENSE_SHARE})


def test_a_single_passage_at_the_top_of_both_lists_scores_1() -> None:
    assert convex({"a": 0.05}, {"a": 0.01}) == pytest.approx({"a": 1.0})


def test_equal_cosines_all_count_as_the_best() -> None:
    assert convex({"a": 0.3, "b": 0.3}, {"b": 1.0}, share=0.5) == pytest.approx({"a": 0.5, "b": 1.0})


COSINES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 1), max_size=8)
WEIGHTS = st.dictionaries(st.sampled_from("efghijkl"), st.floats(0.001, 100), max_size=8)


@settings(deadline=None, max_examples=40)
@given(COSINES, WEIGHTS, st.floats(0, 1))
def test_every_passage_of_either_list_gets_a_score_between_0_and_1(
    dense: dict[str, float], sparse: dict[str, float], share: float
) -> None:
    fused = convex(dense, sparse, share)

    assert fused.keys() == dense.keys() | sparse.keys()
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in fused.values())


@settings(deadline=None, max_examples=40)
@given(COSINES, WEIGHTS)
def test_the_scale_of_the_sparse_scores_does_not_matter(dense: dict[str, float], sparse: dict[str, float]) -> None:
    tenfold = {id: 10 * score for id, score in sparse.items()}

    assert convex(dense, tenfold) == pytest.approx(convex(dense, sparse))
