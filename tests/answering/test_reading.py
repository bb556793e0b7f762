"""Reading question and passage together: the asked-for value, how sure it is, and why there is no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import Rag, Settings
from rag.answering.pairs import WEIGHTS, PairReader
from rag.documents.types import Span

pytestmark = pytest.mark.slow

TEXT = "The depot was founded in 1912 by Ada Brill. It has 46 parking spaces. Its canteen seats 32 people."


@pytest.fixture(scope="module")
def pairs() -> PairReader:
    return PairReader()


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("When was the depot founded?", "1912"),
        ("Who founded the depot?", "Ada Brill"),
        ("How many parking spaces does the depot have?", "46"),
        ("How many people does the canteen seat?", "32"),
    ],
)
def test_the_asked_for_value_is_found_in_the_text(pairs: PairReader, question: str, value: str) -> None:
    (read,) = pairs.read(question, [TEXT])
    likelier, span = read.value(Span(0, len(TEXT)))
    assert value in TEXT[span.start : span.end] and len(TEXT[span.start : span.end]) < len(value) + 12
    assert likelier > 0


def test_what_the_text_does_not_say_is_less_likely_than_what_it_says(pairs: PairReader) -> None:
    (known,), (unknown,) = (pairs.read(q, [TEXT]) for q in ("Who founded the depot?", "Who painted the depot's doors?"))
    whole = Span(0, len(TEXT))
    assert known.value(whole)[0] > unknown.value(whole)[0]


def test_evidence_bears_out_what_it_says_rather_than_what_it_denies(pairs: PairReader) -> None:
    yes, no = (
        pairs.read(claim, [TEXT])[0].supports for claim in ("It was founded in 1912.", "It was founded in 1985.")
    )
    assert yes > no


def test_texts_of_any_kind_are_read(pairs: PairReader) -> None:
    for text in ("", " ", "\ud800", "\u6587\u6863", "x" * 5000, "word " * 3000):
        (read,) = pairs.read("What is said? " * 500, [text])
        assert read.value(Span(0, len(text)))[1].end <= len(text)
        assert isinstance(read.supports, float)


def test_the_weights_are_small_enough_to_live_here() -> None:
    assert WEIGHTS.stat().st_size <= 25e6


def test_the_value_is_marked_in_the_answer_and_in_the_quote(article_rag: Rag) -> None:
    answer = article_rag.ask("How many registered users does Xianyu have?")
    first = answer.sentences[0]
    assert first.value and "500 million" in first.text[first.value.start : first.value.end]
    start, end = answer.citations[0].highlight
    assert "500 million" in answer.citations[0].quote[start:end]


def test_a_sentence_that_leans_is_given_with_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    text = "Ports\n\nThe harbour of Brill lies in the north. It was dredged to nine metres in 1931. Fish is sold there."
    (tmp_path / "c" / "ports.txt").write_text(text, "utf-8")
    with Rag(Settings(corpus_dir=tmp_path / "c", index_dir=tmp_path / "i", data_dir=tmp_path / "d")) as rag:
        answer = rag.ask("When was the harbour of Brill dredged?")
    quoted = " ".join(citation.quote for citation in answer.citations)
    assert 0 <= answer.text.find("harbour of Brill") < answer.text.find("1931")
    assert "harbour of Brill lies" in quoted and "dredged to nine metres in 1931" in quoted


def test_an_abstention_says_why_without_figures_and_suggests(article_rag: Rag) -> None:
    answer = article_rag.ask("Who won the men's football World Cup in 2018?")
    assert answer.abstained and answer.hits and answer.suggestions
    assert not any(hit.text in answer.text for hit in answer.hits)
    for question in answer.suggestions:
        assert not article_rag.ask(question).abstained
