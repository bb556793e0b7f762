"""Passages: slices of their document, of bounded size, whole sentences, under one heading each."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.documents.readers import clean
from rag.documents.splitting import MAX_PASSAGE_WEIGHT, MAX_SENTENCE_CHARS, split
from rag.documents.types import Document, Passage


def _document(text: str, source: str = "town.md", title: str = "Town", page_starts: tuple[int, ...] = ()) -> Document:
    return Document(source, title, text, page_starts)


def _weight(text: str) -> int:
    return len(text) + 3 * sum("\u2e80" <= char <= "\uffef" for char in text)


WORDS = st.sampled_from(
    "harbour berth 14 ferry 07:40 crown Dr. e.g. museum? clock! 1.07 杭州。阿里巴巴 caf\u00e9 (oak)".split()
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=40).map(lambda words: " ".join(words) + ".")
PARAGRAPH = st.lists(SENTENCE, min_size=1, max_size=8).map(lambda found: "The " + " ".join(found))
LIST = st.lists(SENTENCE, min_size=1, max_size=5).map(lambda items: "\n".join(f"- {item}" for item in items))
ROWS = st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=5)
TABLE = ROWS.map(lambda rows: "\n".join("| " + " | ".join(row) + " |" for row in rows))
HEADING = st.tuples(st.integers(1, 4), WORDS).map(lambda made: "#" * made[0] + " " + made[1])
MARKDOWN = st.lists(PARAGRAPH | LIST | TABLE | HEADING, min_size=1, max_size=10).map("\n\n".join)


@settings(deadline=None, max_examples=40)
@given(MARKDOWN)
def test_every_passage_of_a_markdown_document_keeps_its_promises(text: str) -> None:
    document = _document(text)
    passages = split(document)

    for passage in passages:
        assert document.text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        assert passage.sentences
        assert (passage.start, passage.end) == (passage.sentences[0].start, passage.sentences[-1].end)
        assert all(0 < end - start <= MAX_SENTENCE_CHARS for start, end in passage.sentences)
        edges = [offset for span in passage.sentences for offset in span]
        assert edges == sorted(edges)
        weight = sum(_weight(text[start:end]) for start, end in passage.sentences)
        assert weight <= MAX_PASSAGE_WEIGHT or len(passage.sentences) == 1
    for one, next_one in pairwise(passages):
        assert one.end <= next_one.start
    assert len({passage.id for passage in passages}) == len(passages)
    assert [passage.id for passage in split(document)] == [passage.id for passage in passages]


@settings(deadline=None, max_examples=30)
@given(MARKDOWN)
def test_all_of_the_body_is_in_one_sentence_each_and_no_passage_crosses_a_heading(text: str) -> None:
    passages = split(_document(text))
    held = Counter(i for passage in passages for start, end in passage.sentences for i in range(start, end))

    offset = 0
    for line in text.split("\n"):
        if line.startswith("#"):
            inside = [p.text for p in passages if p.start < offset + len(line) and p.end > offset]
            assert inside in ([], [line])
        else:
            body = range(offset + len(line) - len(line.removeprefix("- ")), offset + len(line))
            assert [text[i] for i in body if not text[i].isspace() and held[i] != 1] == []
        offset += len(line) + 1


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\t #-|*`~1.)>\u3002")), st.booleans())
def test_passages_of_any_text_slice_back_in_order(text: str, markdown: bool) -> None:
    document = _document(clean(text), "any.md" if markdown else "any.txt")
    passages = split(document)

    end = 0
    for passage in passages:
        assert passage.start >= end
        assert document.text[passage.start : passage.end] == passage.text
        end = passage.end


@settings(deadline=None, max_examples=30)
@given(MARKDOWN, st.lists(st.integers(0, 500), max_size=5))
def test_no_passage_crosses_a_page_and_each_names_its_own(text: str, cuts: list[int]) -> None:
    starts = tuple(sorted({0, *(cut for cut in cuts if cut < len(text))}))
    document = _document(text, "town.pdf", page_starts=starts)

    for passage in split(document):
        assert passage.page is not None
        assert starts[passage.page - 1] <= passage.start
        assert passage.end <= ([*starts, len(text)])[passage.page]


# --- Headings -----------------------------------------------------------------------------------------------------


def _by_text(text: str, title: str = "Town") -> dict[str, Passage]:
    return {passage.text: passage for passage in split(_document(text, title=title))}


def test_a_passage_names_the_headings_above_it_but_not_the_title_again() -> None:
    found = _by_text("# Town\n\nIntro.\n\n## Harbour\n\n### Fees\n\nA boat pays 12 crowns.")

    assert found["Intro."].section == ""
    assert found["A boat pays 12 crowns."].section == "Harbour > Fees"
    assert found["A boat pays 12 crowns."].embedding_text == "Town > Harbour > Fees\nA boat pays 12 crowns."


def test_a_heading_with_nothing_below_becomes_a_passage() -> None:
    found = _by_text("# Town\n\n## Closed since 2019\n\n## Harbour\n\nIt has 14 berths.\n\n## Planned for 2031")

    assert list(found) == ["## Closed since 2019", "It has 14 berths.", "## Planned for 2031"]


def test_a_heading_above_others_is_no_passage_of_its_own() -> None:
    assert list(_by_text("# Town\n\n## Harbour\n\nIt has 14 berths.")) == ["It has 14 berths."]


def test_short_paragraphs_under_one_heading_share_a_passage() -> None:
    text = "It has 14 berths.\n\nFerries leave at 07:40.\n\n- Water\n- Power"

    assert list(_by_text(text)) == [text]


def test_a_table_row_is_one_sentence() -> None:
    text = "| Service. | Price. Today |\n|---|---|\n| Water. Cold | 2 crowns. |"
    [passage] = split(_document(text))

    assert [text[start:end] for start, end in passage.sentences] == [
        "| Service. | Price. Today |",
        "| Water. Cold | 2 crowns. |",
    ]


def test_a_list_item_is_quoted_without_its_mark() -> None:
    text = "- A sailing boat pays 12 crowns.\n- A motor boat pays 30."
    [passage] = split(_document(text))

    assert [text[start:end] for start, end in passage.sentences] == [
        "A sailing boat pays 12 crowns.",
        "A motor boat pays 30.",
    ]


# --- Size and identity --------------------------------------------------------------------------------------------


def test_a_long_text_becomes_passages_that_are_well_filled() -> None:
    text = " ".join(f"Ferry number {i} leaves the harbour at dawn." for i in range(200))
    passages = split(_document(text))

    assert all(len(p.text) <= MAX_PASSAGE_WEIGHT + len(p.sentences) for p in passages)
    assert all(len(p.text) > MAX_PASSAGE_WEIGHT / 2 for p in passages[:-1])


def test_chinese_passages_hold_fewer_characters() -> None:
    passages = split(_document("阿里巴巴成立于一九九九年，总部在杭州。" * 60))

    assert max(len(passage.text) for passage in passages) <= MAX_PASSAGE_WEIGHT // 4


def test_one_line_of_200_kb_with_and_without_spaces_is_split_small() -> None:
    for text in ("word " * 40_000, "w" * 200_000, "| cell " * 30_000 + "|"):
        passages = split(_document(text))

        assert all(len(passage.text) <= MAX_PASSAGE_WEIGHT + len(passage.sentences) for passage in passages)
        assert sum(len(passage.text.replace(" ", "")) for passage in passages) == len(text.replace(" ", ""))


def test_a_repeated_paragraph_gets_an_id_for_each_place() -> None:
    text = "\n\n".join(["# Harbour", "It has 14 berths.", "# Museum", "It has 14 berths."])
    passages = split(_document(text))

    assert len({passage.id for passage in passages}) == 2


@pytest.mark.parametrize(("source", "title"), [("other.md", "Town"), ("town.md", "City")])
def test_ids_tell_documents_apart(source: str, title: str) -> None:
    text = "It has 14 berths."

    assert split(_document(text))[0].id != split(_document(text, source, title))[0].id


@pytest.mark.parametrize("text", ["---", "***\n\n===", "```\n```"])
def test_a_document_of_marks_alone_has_no_passage(text: str) -> None:
    assert split(_document(text)) == []


@pytest.mark.parametrize("gap", [" " * 5000, "\n" * 5000, "---\n" * 2000], ids=["spaces", "lines", "rules"])
def test_what_lies_far_apart_is_no_passage(gap: str) -> None:
    document = Document("a.txt", "a", f"The first sentence.\n{gap}\nThe last sentence.")

    assert [passage.text for passage in split(document)] == ["The first sentence.", "The last sentence."]


def test_white_space_and_marks_fill_a_passage_too() -> None:
    document = Document("a.txt", "a", f"Far.{chr(10) * 600}" * 50 + "\n" + "- a\n" * 500)

    assert all(len(passage.text) < 2500 for passage in split(document))
