"""The shape of a text: what is a heading, a paragraph, an item, a row, code; and under which headings it stands."""

from __future__ import annotations

import pytest

from rag.documents.structure import blocks, first_heading
from rag.documents.types import Document


def _document(text: str, source: str = "a.md", page_starts: tuple[int, ...] = ()) -> Document:
    return Document(source, "a", text, page_starts)


def _shape(text: str, source: str = "a.md") -> list[tuple[str, str]]:
    document = _document(text, source)
    return [(block.kind, text[block.span.start : block.span.end]) for block in blocks(document)]


def test_each_kind_of_block_is_seen() -> None:
    text = "# Title\n\nA paragraph\nof two lines.\n\n- an item\n1. another\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

    assert _shape(text) == [
        ("heading", "# Title"),
        ("paragraph", "A paragraph\nof two lines."),
        ("item", "an item"),
        ("item", "another"),
        ("row", "| a | b |"),
        ("row", "| 1 | 2 |"),
    ]


@pytest.mark.parametrize("mark", ["-", "*", "+", "\u2022", "1.", "12)", "  -", "\t*"])
def test_the_mark_of_a_list_item_is_no_part_of_it(mark: str) -> None:
    assert _shape(f"{mark} A motor boat pays 30 crowns.") == [("item", "A motor boat pays 30 crowns.")]


def test_the_lines_that_continue_an_item_belong_to_it() -> None:
    assert _shape("- first line\n  second line\n- next") == [("item", "first line\n  second line"), ("item", "next")]


@pytest.mark.parametrize("line", ["-5 degrees at night", "1.07 million visitors", "*bold* words", "2019. A year"])
def test_what_only_looks_like_a_list_mark_is_text(line: str) -> None:
    assert _shape(line) == [("paragraph", line)]


@pytest.mark.parametrize("line", ["#hashtag", "#", "####### seven", "C# is a language"])
def test_what_only_looks_like_a_heading_is_text(line: str) -> None:
    assert _shape(line) == [("paragraph", line)]


def test_headings_are_marks_of_markdown_only() -> None:
    assert _shape("# Berths\n\nThere are 14.", "a.txt") == [("paragraph", "# Berths"), ("paragraph", "There are 14.")]


def test_rules_and_table_lines_are_not_text() -> None:
    assert _shape("One.\n\n---\n***\n===\n|:--|--:|\n\nTwo.") == [("paragraph", "One."), ("paragraph", "Two.")]


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_a_hash_inside_a_code_fence_is_code_and_no_heading(fence: str) -> None:
    text = f"# Title\n\n{fence}python\n# a comment\nx = 1\n{fence}\n\nAfter."

    assert _shape(text) == [("heading", "# Title"), ("code", "# a comment\nx = 1"), ("paragraph", "After.")]


def test_a_fence_is_closed_only_by_its_own_kind() -> None:
    text = "````\n```\n# still code\n~~~\n````\n# Heading"

    assert [kind for kind, _ in _shape(text)] == ["code", "heading"]


def test_code_in_backticks_at_the_beginning_of_a_line_is_text() -> None:
    text = "```make chat``` starts the page.\n\n# Next"

    assert _shape(text) == [("paragraph", "```make chat``` starts the page."), ("heading", "# Next")]


def test_a_block_stands_under_all_headings_above_it() -> None:
    text = "Before.\n# One\n## Two\nDeep.\n## Three\nSide.\n# Four\nTop.\n#### Five\nJump."
    document = _document(text)

    under = {text[b.span.start : b.span.end]: b.sections for b in blocks(document) if b.kind == "paragraph"}

    assert under == {
        "Before.": (),
        "Deep.": ("One", "Two"),
        "Side.": ("One", "Three"),
        "Top.": ("Four",),
        "Jump.": ("Four", "Five"),
    }


def test_a_heading_loses_its_marks_and_emphasis() -> None:
    assert first_heading("##  The **clock** `museum` ##  ") == "The clock museum"
    assert first_heading("# snake_case and C#") == "snake_case and C#"


def test_a_heading_without_words_does_not_hide_the_next() -> None:
    assert first_heading("# #\n\n## Real") == "Real"


def test_no_block_crosses_a_page() -> None:
    text = "One page ends\nand another begins."
    document = _document(text, "a.pdf", (0, text.index("and")))

    assert [text[b.span.start : b.span.end] for b in blocks(document)] == ["One page ends", "and another begins."]


@pytest.mark.parametrize(
    "line",
    [
        "# " + "#" * 200_000 + " x",
        "# a" + " " * 200_000 + "x",
        "# " + "a #" * 60_000 + "x",
        "| " * 100_000 + "x",
        "*" * 200_000 + "x",
        "- " * 100_000 + "x",
        "a" + "`" * 200_000 + "x",
        "-" * 200_000 + "x",
    ],
    ids=["hashes", "spaces", "pairs", "bars", "stars", "items", "ticks", "dashes"],
)
def test_a_line_made_to_be_slow_is_read_in_one_go(line: str) -> None:
    covered = "".join(text for _, text in _shape(line))

    assert covered.endswith("x")
    first_heading(line)
