"""Misspelt questions find what was meant, and nothing else is touched."""

from __future__ import annotations

import pytest

from rag.retrieval.lexical import LexicalIndex, corrected
from tests.conftest import MakeRag

INDEX = LexicalIndex.build(
    ["Quark was downloaded by 370 million.", "Alibaba's strengths; DingTalk meets its opportunities."]
)


@pytest.mark.parametrize(
    ("query", "mended"),
    [
        ("how often was qurak dwonloaded", "how often was quark downloaded"),
        ("Alibba and dingtlak", "alibaba and dingtalk"),
        ("what oportunities", "what opportunities"),
    ],
)
def test_a_word_near_one_of_the_documents_is_mended(query: str, mended: str) -> None:
    assert corrected(query, INDEX) == mended


@pytest.mark.parametrize(
    "query",
    [
        "How often was Quark downloaded?",  # all known
        "Which quarks did physicists download?",  # another form of a known word
        "Wie strenghts die dwonloads?",  # other languages have no list of common words
        "\u00dcquarkk",  # the rest of a word is none
        "What strengthens steel?",  # common English, though one letter from a word of the documents
        "Who is Xyzzyqwert?",  # near nothing
        "qrk 1688 \u4f60\u597d ??",  # too short, no letters
        "",
    ],
)
def test_other_words_stay_as_they_are(query: str) -> None:
    assert corrected(query, INDEX) == query


def test_the_mended_query_is_searched_and_shown(make_rag: MakeRag) -> None:
    answer = make_rag().ask("How many bertsh does the harbuor have?")
    assert answer.query == "How many berths does the harbour have?"
    assert answer.question == "How many bertsh does the harbuor have?" and "14 berths" in answer.text
