"""Passages that the question names, or that a found passage names, come forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from rag.documents.splitting import sentence_spans
from rag.documents.types import Passage, Span
from rag.retrieval.bridging import Bridged, bridge
from rag.retrieval.lexical import LexicalIndex

FILM = ("Blue River (1971 film)", "Blue River is a drama film directed by Xawery Zulawski in Warsaw. Water is shown.")
DIRECTOR = ("Xawery Żulawski", "He is a filmmaker, the son of Anna Braun.")
OTHER_FILM = ("Blue River Valley", "It is a comedy film, directed by Ben Holt.")
PRINCE = ("John II, Prince of Anhalt", "He was a son of Ernest I, Prince of Anhalt.")
FATHER = ("Ernest I, Prince of Anhalt", "He ruled for ten years and was a son of George.")
WATER = ("Water", "A liquid without a colour.")
FILLERS = [(f"Street {i}", f"House {i} has {i + 100} windows and a red door.") for i in range(30)]
TOWN = [FILM, DIRECTOR, OTHER_FILM, PRINCE, FATHER, WATER, *FILLERS]


def passages_of(documents: Sequence[tuple[str, str]]) -> list[Passage]:
    """One passage for each document, given as title and text."""
    return [
        Passage(f"{i}.txt", title, "", text, 0, len(text), None, tuple(sentence_spans(text, Span(0, len(text)))))
        for i, (title, text) in enumerate(documents)
    ]


def bridged(
    query: str,
    fused: Mapping[int, float],
    documents: Sequence[tuple[str, str]] = TOWN,
    allowed: Sequence[bool] | None = None,
) -> dict[int, Bridged]:
    """What `bridge` makes of these scores."""
    passages = passages_of(documents)
    lexical = LexicalIndex.build([passage.embedding_text for passage in passages])
    return bridge(query, fused, passages, lexical, np.array(allowed or [True] * len(documents)))


def test_a_passage_that_was_not_found_comes_with_the_one_that_names_it() -> None:
    found = bridged("Who is the mother of the director of Blue River?", {0: 1.0, 6: 0.3, 7: 0.2})

    assert list(found)[:4] == [0, 6, 7, 1]  # accents or not; behind what was found best
    assert found[1].source == 0
    assert found[0].source is None


def test_a_name_with_a_comma_is_followed_as_a_whole() -> None:
    found = bridged("When did the father of John II, Prince of Anhalt die?", {3: 1.0, 6: 0.5})

    assert list(found)[:3] == [3, 6, 4]
    assert found[4].source == 3


def test_what_was_found_best_stays_in_front_and_what_it_names_overtakes_the_rest() -> None:
    found = bridged("Who is the mother of the director of Blue River?", {0: 1.0, **{row: 0.6 for row in range(6, 16)}})

    assert list(found)[:5] == [0, 6, 7, 8, 1]


@pytest.mark.parametrize("query", ["Who made Blue River (1971 Film)?", "who made blue river (1971 film)"])
def test_a_document_asked_for_by_its_title_comes_first(query: str) -> None:
    assert next(iter(bridged(query, {2: 0.9, 0: 0.75, 6: 0.1}))) == 0


def test_a_title_within_a_longer_one_is_not_asked_for() -> None:
    assert next(iter(bridged("Who made Blue River Valley?", {0: 0.9, 2: 0.75}))) == 2


@pytest.mark.parametrize("text", ["The well has water in it.", "Cold. Water ran there.", "It was dug in 1984."])
def test_a_common_word_or_a_number_is_no_name(text: str) -> None:
    documents = [("The well", text), WATER, ("1984", "A novel."), *FILLERS]

    assert list(bridged("Who dug the well in 1984?", {0: 1.0}, documents)) == [0]


def test_a_name_in_many_passages_leads_nowhere() -> None:
    documents = [FILM, *((f"Guide {i}", "Seen in Warsaw.") for i in range(20))]

    assert list(bridged("Where was Blue River shot?", {0: 1.0}, documents)) == [0]


def test_passages_of_one_document_do_not_lead_to_each_other() -> None:
    documents = [("Port", "The master is Maud Ferrier."), ("Port", "Later Maud Ferrier left."), *FILLERS]

    assert list(bridged("Who is the master?", {0: 1.0}, documents)) == [0]


def test_of_two_passages_named_the_one_that_says_the_rest_comes_first() -> None:
    documents = [FILM, ("Awards", "Xawery Zulawski won."), ("Family", "Xawery Zulawski's mother is Anna."), *FILLERS]

    assert list(bridged("Who is the mother of the director of Blue River?", {0: 1.0}, documents)) == [0, 2, 1]


def test_nothing_leaks_from_where_it_may_not_be_looked() -> None:
    allowed = [row != 1 for row in range(len(TOWN))]

    assert 1 not in bridged("Who is the mother of the director of Blue River?", {0: 1.0}, allowed=allowed)


def test_scores_lie_between_0_and_1_best_first_and_nothing_found_is_lost() -> None:
    fused = {row: 1 - row / 10 for row in range(10)}
    found = bridged("Is the director of Blue River the son of John II, Prince of Anhalt?", fused)
    scores = [one.score for one in found.values()]

    assert fused.keys() <= found.keys()
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(("query", "fused"), [("Blue River", {}), ("", {0: 1.0}), ("\U0001f600 of the", {0: 0.6})])
def test_nothing_to_go_by_changes_nothing(query: str, fused: dict[int, float]) -> None:
    assert {row: one.score for row, one in bridged(query, fused, [WATER]).items()} == fused
