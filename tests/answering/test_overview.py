"""Overviews and comparisons: key sentences that can be read alone, and both sides or none."""

from __future__ import annotations

import pytest

from rag import Rag
from rag.answering.extractive import hardness
from rag.answering.intent import sides_of
from tests.conftest import MakeRag


@pytest.mark.parametrize(
    ("message", "sides"),
    [
        ("Compare Quark and DingTalk", ("Quark", "DingTalk")),
        ("What's the difference between the B-end and the C-end?", ("the B-end", "the C-end")),
        ("How does Quark differ from Tongyi?", ("Quark", "Tongyi")),
        ("1688 vs. Xianyu", ("1688", "Xianyu")),
        ("Please summarise the part on fees.", ("fees",)),
        ("What does the document say about Quark?", ("Quark",)),
        ("What is said about \u2018Ships\u2019?", ("Ships",)),
        ("Compare it with this", ()),
        ("Who created Quark?", ()),
        ("Summarise the article", ()),
    ],
)
def test_what_is_to_be_compared_or_told_of_is_seen(message: str, sides: tuple[str, ...]) -> None:
    assert sides_of(message) == sides


def test_a_comparison_names_both_sides(make_rag: MakeRag) -> None:
    answer = make_rag().ask("Compare the bakery and the museum")
    assert {citation.source for citation in answer.citations} == {"bakery.txt", "deep/museum.md"}


def test_a_comparison_with_what_is_not_there_says_so(make_rag: MakeRag) -> None:
    answer = make_rag().ask("What is the difference between the bakery and the zeppelin?")
    assert answer.abstained and "\u201cthe zeppelin\u201d" in answer.reason


def test_a_part_is_told_of_in_its_own_items_and_rows(make_rag: MakeRag) -> None:
    answer = make_rag().ask("Summarise the section on fees")
    assert {citation.section for citation in answer.citations} == {"Fees"} and len(answer.citations) == 3


@pytest.mark.slow
def test_key_sentences_of_the_article_can_be_read_alone(article_rag: Rag) -> None:
    answer = article_rag.ask("What is this about?")
    assert len(answer.sentences) == 8 and not any(hardness(sentence.text) for sentence in answer.sentences)


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), [("Quark", "DingTalk"), ("1688", "Xianyu"), ("Tongyi", "Quark")])
def test_a_comparison_in_the_article_has_a_sentence_for_each(article_rag: Rag, one: str, other: str) -> None:
    first, second = article_rag.ask(f"Compare {one} and {other}").sentences
    assert (one in first.text and other in second.text) or (other in first.text and one in second.text)
