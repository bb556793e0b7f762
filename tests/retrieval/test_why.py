"""Where an expected passage was lost: one test for each stage."""

from __future__ import annotations

import pytest

from rag import Rag
from rag.retrieval import retriever
from tests.conftest import MakeRag

QUERY = "How many berths has the harbour?"


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag(passages=1)


def test_what_no_document_holds_was_lost_there(rag: Rag) -> None:
    seen = rag.why(QUERY, "15 berths")

    assert (seen.stage, seen.hit, seen.rank) == ("documents", None, None)


def test_what_runs_from_one_passage_into_the_next_was_lost_at_splitting(rag: Rag) -> None:
    seen = rag.why(QUERY, "the town council.\n\n## Fees")

    assert (seen.stage, seen.hit) == ("splitting", None)
    assert "harbour.md" in seen.detail


def test_what_is_not_found_was_lost_at_search(rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retriever, "CANDIDATES", 1)

    seen = rag.why(QUERY, "rye bread")
    assert (seen.stage, seen.hit) == ("search", None)
    assert "shares no word" in seen.detail


def test_what_is_found_behind_those_looked_at_was_lost_at_ranking(rag: Rag) -> None:
    seen = rag.why(QUERY, "rye bread")

    assert seen.stage == "ranking" and seen.rank and seen.rank > 1
    assert seen.hit and "rye bread" in seen.hit.text
    assert seen.hit == rag.search(QUERY, k=100)[seen.rank - 1]


def test_what_was_looked_at_and_not_quoted_was_lost_at_the_answer(rag: Rag) -> None:
    seen = rag.why("Which volcano erupted in the harbour?", "14 berths")

    assert (seen.stage, seen.rank) == ("answer", 1)
    assert "Not in the documents." in seen.detail and "nearer" not in seen.detail


@pytest.mark.parametrize("expected", ["14 berths", " 14\n BERTHS ", "The harbour has 14 berths."])
def test_what_is_quoted_was_not_lost_whatever_its_case_and_white_space(rag: Rag, expected: str) -> None:
    seen = rag.why(QUERY, expected)

    assert (seen.stage, seen.rank, seen.query) == ("nowhere", 1, QUERY)
    assert seen.hit and "14 berths" in seen.hit.text


@pytest.mark.parametrize("expected", ["", " \n"])
def test_no_words_are_the_callers_mistake(rag: Rag, expected: str) -> None:
    with pytest.raises(ValueError, match="no words"):
        rag.why(QUERY, expected)
