"""Each measure against examples worked by hand."""

from __future__ import annotations

import sys
from math import log2

import pytest

from rag import ConfigError
from rag.evaluation.datasets import Region
from rag.evaluation.metrics import (
    citation_characters,
    citation_values,
    holds_expected,
    interval,
    ranking,
    span_values,
)


def test_ranking_by_hand() -> None:
    found = ranking({"q": ["a", "x", "b"]}, {"q": {"a": 1, "b": 1, "c": 1}})["q"]
    ideal = 1 + 1 / log2(3) + 1 / 2
    assert found["nDCG@10"] == pytest.approx((1 + 1 / 2) / ideal)
    assert found["recall@5"] == pytest.approx(2 / 3)
    assert found["MRR@10"] == 1.0
    assert found["all@8"] == 0.0


def test_a_higher_grade_weighs_more() -> None:
    better = ranking({"q": ["a", "b"]}, {"q": {"a": 2, "b": 1}})["q"]
    worse = ranking({"q": ["b", "a"]}, {"q": {"a": 2, "b": 1}})["q"]
    assert better["nDCG@10"] == pytest.approx(1.0)
    assert worse["nDCG@10"] == pytest.approx((1 + 2 / log2(3)) / (2 + 1 / log2(3)))


def test_ranks_beyond_the_cut_do_not_count() -> None:
    others = [f"x{i}" for i in range(20)]
    found = ranking(
        {
            "sixth": [*others[:5], "a"],
            "eighth": [*others[:7], "a"],
            "ninth": [*others[:8], "a"],
            "last": [*others, "a"],
        },
        {query: {"a": 1} for query in ("sixth", "eighth", "ninth", "last")},
    )
    assert found["sixth"]["recall@5"] == 0.0 and found["sixth"]["MRR@10"] == pytest.approx(1 / 6)
    assert found["eighth"]["all@8"] == 1.0 and found["ninth"]["all@8"] == 0.0
    assert found["last"] == {"nDCG@10": 0.0, "recall@5": 0.0, "MRR@10": 0.0, "all@8": 0.0}


def test_nothing_found_is_nought_and_nothing_asked_is_nothing() -> None:
    assert ranking({"q": []}, {"q": {"a": 1}}) == {"q": {"nDCG@10": 0.0, "recall@5": 0.0, "MRR@10": 0.0, "all@8": 0.0}}
    assert ranking({"q": ["a"]}, {}) == {}


def test_a_machine_without_ir_measures_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(ConfigError, match="pip install ir_measures"):
        ranking({"q": ["a"]}, {"q": {"a": 1}})


def test_spans_by_hand() -> None:
    found = [Region("d", 0, 100), Region("d", 80, 180), Region("other", 0, 50)]
    evidence = [Region("d", 90, 110), Region("d", 170, 200)]
    # Covered: 90 to 110, once though two passages hold 90 to 100, and 170 to 180.
    assert span_values(found, evidence) == {
        "span recall@5": 30 / 50,
        "span precision@5": 30 / 250,
        "span IoU@5": 30 / (250 + 20),
        "characters@5": 250.0,
    }


def test_spans_of_another_document_do_not_count() -> None:
    assert span_values([Region("other", 0, 50)], [Region("d", 0, 50)])["span recall@5"] == 0.0
    nothing = {"span recall@5": 0.0, "span precision@5": 0.0, "span IoU@5": 0.0, "characters@5": 0.0}
    assert span_values([], [Region("d", 0, 50)]) == nothing


def test_expected_strings_are_found_whatever_the_case_and_white_space() -> None:
    assert holds_expected("It has\n14  Berths.", ["14 berths"]) == 1.0
    assert holds_expected("It has fourteen.", ["14", "fourteen"]) == 1.0
    assert holds_expected("It has some.", ["14 berths"]) == 0.0


def test_citations_by_document() -> None:
    assert citation_values({"a", "b", "c", "d"}, {"a", "x"}) == {
        "citation precision": 1 / 4,
        "citation recall": 1 / 2,
        "citation F1": pytest.approx(2 * (1 / 4) * (1 / 2) / (1 / 4 + 1 / 2)),
    }


def test_citing_nothing_has_no_precision() -> None:
    assert citation_values(set(), {"a"}) == {"citation recall": 0.0, "citation F1": 0.0}


def test_citations_by_characters_against_the_annotator_who_agrees_best() -> None:
    cited = [Region("d", 0, 10), Region("d", 5, 20)]
    found = citation_characters(cited, [[Region("d", 100, 110)], [Region("d", 10, 20), Region("d", 30, 40)]])
    assert found == {"citation precision": 0.5, "citation recall": 0.5, "citation F1": 0.5}


def test_an_interval_holds_the_mean_is_the_same_each_time_and_narrows_with_more_values() -> None:
    few, many = interval([0.0, 1.0] * 10), interval([0.0, 1.0] * 1000)
    assert few == interval([0.0, 1.0] * 10) and few["n"] == 20
    assert few["low"] < few["mean"] == 0.5 < few["high"]
    assert many["low"] == pytest.approx(0.5 - 1.96 * 0.5 / 2000**0.5, abs=0.003)
    assert interval([0.3]) == {"mean": 0.3, "low": 0.3, "high": 0.3, "n": 1}
