"""The shipped article, asked with the real embedding model: what the README promises."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from rag import Rag
from tests.conftest import ROOT
from tests.data.grade import grade

QUESTIONS = [json.loads(line) for line in (ROOT / "tests/data/questions_dev.jsonl").read_text("utf-8").splitlines()]

pytestmark = pytest.mark.slow


def test_the_dev_questions_are_answered_or_declined(article_rag: Rag, capsys: pytest.CaptureFixture[str]) -> None:
    right: Counter[str] = Counter()
    for row in QUESTIONS:
        answer = article_rag.ask(row["question"], history=row["history"])
        for citation in answer.citations:
            assert article_rag.document_text(citation.source)[citation.start : citation.end] == citation.quote
        right[row["type"]] += grade(row, answer.text, answer.abstained)
    total = Counter(row["type"] for row in QUESTIONS)
    answerable = [kind for kind in total if not kind.startswith("unanswerable")]
    score, asked = sum(right[kind] for kind in answerable), sum(total[kind] for kind in answerable)
    with capsys.disabled():
        print(f"\narticle, dev questions: {score} of {asked} answerable right ({score / asked:.0%})")  # noqa: T201
        print("  " + ", ".join(f"{kind} {right[kind]}/{total[kind]}" for kind in total))  # noqa: T201
    assert score >= 0.65 * asked
    assert right["unanswerable_off_topic"] == total["unanswerable_off_topic"]


def test_the_number_of_merchants_is_quoted_exactly(article_rag: Rag) -> None:
    answer = article_rag.ask("How many merchants does 1688 have?")
    assert "1.07 million" in answer.text
    quoted = [c for c in answer.citations if "1.07 million" in c.quote]
    assert quoted and article_rag.document_text(quoted[0].source)[quoted[0].start : quoted[0].end] == quoted[0].quote


def test_what_is_not_in_the_article_is_declined(article_rag: Rag) -> None:
    answer = article_rag.ask("Who won the 1998 World Cup?")
    assert answer.abstained and answer.reason


def test_a_chinese_question_is_answered_as_far_as_its_names_carry(article_rag: Rag) -> None:
    assert "Wu Yongming" in article_rag.ask("Alibaba的CEO是谁？").text

    declined = article_rag.ask("马云是哪一天去西溪园区的？")
    assert declined.abstained and declined.text.startswith("文档中没有答案。")


@pytest.mark.parametrize("question", ["What is this about?", "Summarise the article", "Give me an overview."])
def test_an_overview_quotes_each_main_section_once(article_rag: Rag, question: str) -> None:
    answer = article_rag.ask(question)
    sections = [citation.section for citation in answer.citations]
    assert len(sections) == len(set(sections)) == 8


def test_a_follow_up_keeps_its_subject(article_rag: Rag) -> None:
    history = [
        {"role": "user", "content": "How many merchants does 1688 have?"},
        {"role": "assistant", "content": "It now has 1.07 million merchants."},
    ]
    answer = article_rag.ask("And how many of them are factories?", history=history)
    assert "1688" in answer.query and "600,000" in answer.text


def test_small_talk_offers_questions_that_are_answered(article_rag: Rag) -> None:
    assert "\u201c" in article_rag.ask("hello").text
    assert all(not article_rag.ask(question).abstained for question in article_rag.starters())
