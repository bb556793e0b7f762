"""`check`: does a text bear out a claim, and where?"""

from __future__ import annotations

import pytest

from rag import Rag
from tests.conftest import BAKERY, HARBOUR, MUSEUM, MakeRag


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag()


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The harbour has 14 berths.", "The harbour has 14 berths."),
        ("Ferries leave for Saint Oun at 07:40.", "Ferries leave for Saint Oun at 07:40 on weekdays."),
        ("The oven burns beech wood.", "The oven burns beech wood."),
    ],
)
def test_the_span_is_the_sentence_that_supports_the_claim(rag: Rag, claim: str, quote: str) -> None:
    texts = [MUSEUM, BAKERY, HARBOUR]
    support = rag.check(claim, texts)
    assert support.supported and support.failed is None
    assert support.text is not None and support.span is not None
    assert texts[support.text][support.span.start : support.span.end] == quote


@pytest.mark.parametrize(
    ("claim", "failed"),
    [
        ("The harbour has 41 berths.", "number"),
        ("The harbour of Lisbon has 14 berths.", "name"),
        ("The harbour does not have 14 berths.", "negation"),
        ("Volcanoes erupt without warning in spring.", "meaning"),
    ],
)
def test_a_refusal_names_the_guard_that_failed(rag: Rag, claim: str, failed: str) -> None:
    support = rag.check(claim, [HARBOUR])
    assert not support.supported and support.failed == failed


def test_a_claim_drawn_from_two_neighbouring_sentences_is_supported_by_both(rag: Rag) -> None:
    text = "The bakery opened in 1987. It sells 400 loaves a day."
    support = rag.check("The bakery opened in 1987 and sells 400 loaves a day.", [text])
    assert support.supported and support.span == (0, len(text))


def test_no_texts_support_nothing(rag: Rag) -> None:
    assert not rag.check("The harbour has 14 berths.", []).supported
    assert not rag.check("The harbour has 14 berths.", ["", "  \n"]).supported


def test_an_empty_claim_is_the_callers_mistake(rag: Rag) -> None:
    with pytest.raises(ValueError, match="empty"):
        rag.check("  ", [HARBOUR])
