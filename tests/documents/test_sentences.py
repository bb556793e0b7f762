"""Where sentences begin and end."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.documents.splitting import MAX_SENTENCE_CHARS, paragraphs, sentence_spans
from rag.documents.types import Span


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text, Span(0, len(text)))]


def test_a_paragraph_falls_into_its_sentences() -> None:
    assert _sentences("It has 14 berths. Do ferries leave? Yes! At 07:40\u2026 On weekdays.") == [
        "It has 14 berths.",
        "Do ferries leave?",
        "Yes!",
        "At 07:40\u2026",
        "On weekdays.",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Mr. Keller and Dr. Ferrier met Mrs. Brown.",
        "Some cities, e.g. Hangzhou, i.e. the capital, grew.",
        "The U.S. Department of Commerce replied.",
        "Alibaba Group Holding Ltd. of Hangzhou and Apple Inc. of Cupertino signed.",
        "The clock was made by J. Smith and A. B. Keller.",
        "It grew by 1.07 percent to 3.5 million.",
        "See Fig. 3 and Vol. 2, pp. 14 to 16.",
        "It opens at 9 a.m. and closes at 5 p.m. every day.",
        "He waited... and then left.",
        '"Why?" he asked.',
        "On Jan. 5 the St. Mary sank.",
        "Visit example.com or version 2.0.1 today.",
        "Yahoo! is a company.",
    ],
)
def test_a_point_that_ends_no_sentence_does_not_split_one(sentence: str) -> None:
    assert _sentences(sentence) == [sentence]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Apprentices stay for 3-5 years.", "Then they leave."),
        ("It was sold to Foo Inc.", "The price was 3 crowns."),
        ("It closes at 5 p.m.", "The guard goes home."),
        ("She moved to the U.S.", "It was in 1987."),
        ('He said "Stop."', "Then he left."),
        ("He said \u201cStop.\u201d", "Then he left."),
        ("(It opened in 1987.)", "Then it closed."),
        ("It opened in 1987.[3]", "Then it closed."),
        ("It opened in **1987.**", "Then it closed."),
        ("It has 14 berths.", "12 are taken."),
        ("The price is 1.07.", "It was 2."),
        ("Is it 3.5?", "No."),
        ("One line.", "Another line."),
    ],
)
@pytest.mark.parametrize("space", [" ", "  ", "\n"], ids=["space", "spaces", "line"])
def test_a_sentence_ends_where_a_reader_would_end_it(first: str, second: str, space: str) -> None:
    assert _sentences(first + space + second) == [first, second]


def test_chinese_sentences_end_without_a_space() -> None:
    text = "阿里巴巴成立于1999年。总部在杭州！它有多少员工？“很多。”他说；大约20万。"

    assert _sentences(text) == [
        "阿里巴巴成立于1999年。",
        "总部在杭州！",
        "它有多少员工？",
        "“很多。”",
        "他说；",
        "大约20万。",
    ]


def test_chinese_and_english_mix() -> None:
    assert _sentences("平台叫 1688.com。It was founded in 1999. 总部在杭州。") == [
        "平台叫 1688.com。",
        "It was founded in 1999.",
        "总部在杭州。",
    ]


def test_only_the_stretch_asked_for_is_split() -> None:
    text = "Before. One. Two. After."

    assert sentence_spans(text, Span(8, 17)) == [Span(8, 12), Span(13, 17)]


PROSE = st.text(
    st.sampled_from("abcXYZ019  \n\t.,;:!?\u2026\"'()[]*_-\u201c\u201d\u3002\uff01\uff1f\u4e2d\u6587\u00a0")
    | st.characters(exclude_categories=["Cs"])
)


@settings(deadline=None, max_examples=60)
@given(PROSE, PROSE, PROSE)
@example("", "w" * 2000, "")
@example("", "word  " * 400, "")
@example("", "a" + " " * 1500 + "b", "")
@example("", "word\n\n" * 400, "")
@example("", "a " * 349 + " bcd", "")
def test_every_character_lies_in_exactly_one_sentence_of_bounded_size(before: str, text: str, after: str) -> None:
    whole = before + text + after
    spans = sentence_spans(whole, Span(len(before), len(before) + len(text)))

    held = [i for span in spans for i in range(span.start, span.end)]
    assert held == sorted(set(held))  # in order, none twice
    assert {i for i in range(len(before), len(before) + len(text)) if not whole[i].isspace()} <= set(held)
    assert set(held) <= set(range(len(before), len(before) + len(text)))
    assert all(0 < span.end - span.start <= MAX_SENTENCE_CHARS for span in spans)
    assert all(whole[span.start : span.end] == whole[span.start : span.end].strip() for span in spans)


def test_text_without_an_end_is_cut_between_words() -> None:
    text = "word " * 400

    assert set(" ".join(_sentences(text)).split()) == {"word"}


def test_paragraphs_are_what_stands_between_blank_lines() -> None:
    text = "\n\nOne line\nand another.\n \t\nTwo.\n\n\n  Three.\n"

    assert [text[start:end].strip() for start, end in paragraphs(text)] == ["One line\nand another.", "Two.", "Three."]


@pytest.mark.parametrize(
    "line",
    [
        "word " * 40_000,
        "w" * 200_000,
        "." * 200_000 + "x",
        "?!" * 100_000 + "x",
        '."' * 100_000 + "x",
        "." + '"' * 200_000 + "x",
        "." + "[1]" * 66_000 + "x",
        " " * 200_000 + "x",
        "A. " * 66_000 + "x",
        "\n" * 200_000 + "x",
        "\u3002" * 200_000,
    ],
    ids=["words", "word", "dots", "marks", "quoted", "quotes", "notes", "spaces", "initials", "newlines", "chinese"],
)
def test_a_line_of_200_kb_is_split_and_nothing_of_it_is_lost(line: str) -> None:
    joined = "".join(_sentences(line))

    assert "".join(joined.split()) == "".join(line.split())
    assert paragraphs(line)
