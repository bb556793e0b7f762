"""Cutting a model's answer into sentences while it comes in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.segments import Segmenter
from rag.answering.types import Draft

SAMPLES = [
    "The harbour has 14 berths [1]. Ferries leave at 07:40 [2][3].",
    "It has 14 berths. [1] Ferries leave at 07:40. [2, 3]",
    "Mr. Smith paid 1.07 million crowns, i.e. a lot [1]. Nobody else did [2].",
    "Here is what is known:\n\n- A boat pays 12 crowns [1].\n- A motor boat pays 30 crowns [1]\n",
    "1. First thing [1].\n2. Second thing [2].\n",
    "| Service | Price |\n|---|---|\n| Water | 2 crowns [1] |\n| Power | 5 crowns [1] |\n",
    "## Fees\n\nA boat pays **12 crowns** [1].",
    "```\ncode. More code.\n```\nDone [1].",
    "港口有14个泊位[1]。渡轮七点四十分出发【2】。",
    "No end mark at all [1]",
    "",
    "   \n\n",
]


def drafts(pieces: list[str]) -> list[Draft]:
    segmenter = Segmenter()
    found = [draft for piece in pieces for draft in segmenter.feed(piece)]
    return found + list(segmenter.flush())


@given(st.sampled_from(SAMPLES), st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_how_the_text_is_cut_into_pieces_makes_no_difference(text: str, sizes: list[int]) -> None:
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    assert drafts(pieces) == drafts([text])


@given(st.text(alphabet="ab .!?\n|-*#[1]`0\u3002", max_size=80))
def test_no_word_is_lost_or_made_up(text: str) -> None:
    said = "".join(draft.lead + draft.text for draft in drafts([text]))
    letters = [c for c in said if c in "ab"]
    assert letters == [c for c in text if c in "ab"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (SAMPLES[0], [("The harbour has 14 berths.", (1,)), ("Ferries leave at 07:40.", (2, 3))]),
        (SAMPLES[1], [("It has 14 berths.", (1,)), ("Ferries leave at 07:40.", (2, 3))]),
        (SAMPLES[2], [("Mr. Smith paid 1.07 million crowns, i.e. a lot.", (1,)), ("Nobody else did.", (2,))]),
        (SAMPLES[8], [("港口有14个泊位。", (1,)), ("渡轮七点四十分出发。", (2,))]),
        (SAMPLES[9], [("No end mark at all", (1,))]),
        (SAMPLES[10], []),
        (SAMPLES[11], []),
    ],
)
def test_each_sentence_comes_with_its_citations(text: str, sentences: list[tuple[str, tuple[int, ...]]]) -> None:
    assert [(draft.text, draft.cited) for draft in drafts([text]) if draft.text] == sentences


def test_marks_of_lists_headings_and_tables_are_no_part_of_a_sentence() -> None:
    assert [d.text for d in drafts([SAMPLES[3]]) if d.text][1:] == [
        "A boat pays 12 crowns.",
        "A motor boat pays 30 crowns",
    ]
    assert [d.text for d in drafts([SAMPLES[4]])] == ["First thing.", "Second thing."]
    assert [d.text for d in drafts([SAMPLES[6]])] == ["A boat pays **12 crowns**."]


def test_a_table_is_a_table_again_when_it_is_put_together() -> None:
    whole = "".join(draft.lead + draft.text for draft in drafts([SAMPLES[5]]))
    assert [line.count("|") for line in whole.splitlines()] == [3, 3, 3, 3]


def test_the_head_of_a_table_is_no_claim_but_a_row_is() -> None:
    assert [d.text for d in drafts([SAMPLES[5]]) if d.text] == ["Water | 2 crowns", "Power | 5 crowns"]
    assert [d.text for d in drafts(["| Water | cheap |\n| Power | dear |\n"]) if d.text] == [
        "Water | cheap",
        "Power | dear",
    ]


def test_a_code_block_is_one_claim() -> None:
    assert [d.text for d in drafts([SAMPLES[7]])] == ["```\ncode. More code.\n```", "Done."]
    assert [d.text for d in drafts(["```\nnever closed"])] == ["```\nnever closed"]


def test_a_sentence_is_given_out_as_soon_as_the_next_one_begins() -> None:
    segmenter = Segmenter()
    assert list(segmenter.feed("It has 14 berths [1]. ")) == []
    assert [draft.text for draft in segmenter.feed("Fer")] == ["It has 14 berths."]


@pytest.mark.parametrize(
    "mark", ["[1], [2]", "([1], [2])", "[1-2]", "[^1][^2]", "[passages 1, 2]", "[1](https://x.y/3)[2]"]
)
def test_marks_of_other_shapes_are_marks_too(mark: str) -> None:
    assert drafts([f"It has 14 berths {mark}."]) == [Draft("It has 14 berths.", cited=(1, 2))]


@pytest.mark.parametrize("text", ["x" + " " * 50_000 + "y", "x.[1 " * 10_000, "[1" * 25_000, "! " * 25_000])
def test_a_long_line_of_rubbish_takes_no_longer_than_its_length(text: str) -> None:
    began = time.perf_counter()
    drafts([text])
    assert time.perf_counter() - began < 3
