"""What the text of a PDF is, where its lines stand in columns, under heads, in tables and paragraphs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.documents.pdf import Read, line_boxes, read_pdf
from rag.documents.readers import read
from rag.documents.splitting import split
from rag.documents.structure import blocks
from rag.documents.types import Limits
from rag.errors import UnreadableDocument
from tests.documents.test_readers import make_pdf

Set = tuple[float, float, float, str]  # from the left and from the bottom, the font's size, the words

LEFT = [
    "The harbour has fourteen berths for",
    "ships of every size, and its tower",
    "was built by masons of the town who",
    "had never seen a lighthouse before.",
    "Ferries leave for the island at ten",
    "past seven on each weekday morning.",
]
RIGHT = [
    "The museum of clocks shows two hundred",
    "pieces, the oldest of which was made",
    "for a captain whose ship never came",
    "back from the northern fishing grounds.",
    "Bread is baked in the lane behind it",
    "before the sun is up, every day of May.",
]


def page(*words: Set) -> str:
    """A page for `make_pdf`, with these words set in this order."""
    shown = [
        f") Tj ET BT /F1 {size} Tf 1 0 0 1 {left} {bottom} Tm ({text.replace('(', '[').replace(')', ']')}"
        for left, bottom, size, text in words
    ]
    return "".join(shown)


def column(lines: list[str], left: float, top: float = 600, size: float = 10) -> list[Set]:
    return [(left, top - 12 * at, size, line) for at, line in enumerate(lines)]


def body(number: int, top: float = 680) -> list[Set]:
    """Five lines that no other page has."""
    return [
        (72, top - 14 * at, 11, f"Line {at} of sheet {number} tells what no other does, in words.") for at in range(5)
    ]


def pdf(*pages: list[Set]) -> Read:
    return read_pdf(make_pdf(*(page(*one) for one in pages)), Limits())


def sections(tmp_path: Path, *pages: list[Set]) -> dict[str, str]:
    """Each passage of a document, with the headings above it."""
    (tmp_path / "town.pdf").write_bytes(make_pdf(*(page(*one) for one in pages), title="Port Elver"))
    return {one.text: one.section for one in split(read(tmp_path / "town.pdf", "town.pdf", Limits()))}


# --- Running heads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("foot", ["{}", "- {} -", "Page {} of 9", "Elver Harbour Board    {}"])
def test_heads_feet_and_page_numbers_are_no_content(count: int, foot: str) -> None:
    found = pdf(
        *([(72, 750, 9, "The Harbour Handbook"), *body(n), (300, 40, 9, foot.format(n))] for n in range(3, 3 + count))
    )

    assert found.pages == ["\n".join(words for *_, words in body(n)) for n in range(3, 3 + count)]


def test_heads_that_change_with_the_chapter_and_with_the_side_are_no_content() -> None:
    names = ["Ferries", "Ferries", "Towers", "Towers", "Bread", "Bread", "Clocks", "Clocks"]
    heads = [(f"{n} The Harbour Handbook" if n % 2 else f"{name} {n}") for n, name in enumerate(names)]
    found = pdf(*([(72, 750, 9, head), *body(n)] for n, head in enumerate(heads)))

    assert not re.search("Handbook|Ferries|Towers|Bread|Clocks", "".join(found.pages))
    assert all(f"sheet {n}" in text for n, text in enumerate(found.pages))


def test_a_tables_header_that_is_repeated_on_each_page_stays() -> None:
    header = [(72, 700, 11, "Berth"), (250, 700, 11, "Capacity"), (400, 700, 11, "Built")]
    rows = [[(72, 685, 11, f"Pier {n}"), (250, 685, 11, f"{n} t"), (400, 685, 11, f"19{n}")] for n in (10, 20, 30, 40)]
    found = pdf(*([(72, 760, 9, "Harbour Handbook"), *header, *row] for row in rows))

    assert [text.splitlines()[0] for text in found.pages] == ["Berth | Capacity | Built"] * 4
    assert "Pier 30 | 30 t | 1930" in found.pages[2]


def test_titles_and_first_lines_that_two_pages_share_stay() -> None:
    texts = [f"What the town says of its {line.split()[-1]}" for line in (*LEFT, *RIGHT)]
    texts[3] = texts[9] = "Certification of the board"
    found = pdf(*([(72, 740, 11, text), *body(n)] for n, text in enumerate(texts)))

    assert [text.splitlines()[0] for text in found.pages] == texts


# --- Columns ------------------------------------------------------------------------------------------------------


def test_columns_whose_lines_are_mixed_in_the_file_are_read_one_after_the_other() -> None:
    pairs = zip(column(LEFT, 72), column(RIGHT, 320), strict=True)
    found = pdf([(72, 660, 18, "A heading across both of the columns of it"), *(one for pair in pairs for one in pair)])

    assert found.pages[0].split("\n\n", 1)[1].split() == " ".join([*LEFT, *RIGHT]).split()


def test_columns_that_the_file_has_one_after_the_other_stay_and_sentences_go_on() -> None:
    lines = [*LEFT[:-1], "past seven, and from the island each"]
    found = pdf([*column(lines, 72), *column(["evening at nine.", *RIGHT], 320)])

    assert found.pages[0].split() == " ".join([*lines, "evening at nine.", *RIGHT]).split()
    assert "\n\n" not in found.pages[0]


def test_a_table_is_read_row_by_row() -> None:
    rows = [
        ("Harbour dues of the year", "1,200"),
        ("Ferries", "340"),
        ("Museum", "18"),
        ("Clocks", "7"),
        ("Bread", "9"),
    ]
    found = pdf(
        [one for at, (a, b) in enumerate(rows) for one in ((72, 600 - 12 * at, 10, a), (400, 600 - 12 * at, 10, b))]
    )

    assert found.pages[0].splitlines() == [f"{name} | {value}" for name, value in rows]


# --- Headings and paragraphs --------------------------------------------------------------------------------------


def test_a_heading_ends_what_was_before_and_heads_what_follows_also_on_the_next_page(tmp_path: Path) -> None:
    found = sections(
        tmp_path,
        [(72, 700, 18, "Harbour"), *column(LEFT, 72, 680), (72, 580, 14, "Towers"), *column(RIGHT[:5], 72, 560)],
        [*column([RIGHT[5], *LEFT], 72, 680)],
    )

    assert found == {
        "\n".join(LEFT): "Harbour",
        "\n".join(RIGHT[:5]): "Harbour > Towers",
        "\n".join([RIGHT[5], *LEFT]): "Harbour > Towers",
    }


def test_a_heading_of_two_lines_is_one(tmp_path: Path) -> None:
    found = sections(tmp_path, [(72, 700, 18, "The harbour and"), (72, 680, 18, "its tower"), *column(LEFT, 72, 650)])

    assert {*found.values()} == {"The harbour and its tower"}


def test_a_wide_gap_and_another_size_set_paragraphs_apart(tmp_path: Path) -> None:
    lines = column(["First of a paragraph that", "goes on here", "Second of them is apart", "A caption below"], 72)
    lines[2:] = [(72, 560, 10, lines[2][3]), (72, 548, 8, lines[3][3])]
    found = pdf(lines)

    assert found.pages[0].split("\n\n") == ["First of a paragraph that\ngoes on here", lines[2][3], lines[3][3]]


def test_bullets_without_a_name_begin_items(tmp_path: Path) -> None:
    meaning = "1 beginbfchar <2A> <F0B7> endbfchar"
    head = "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
    words = "* A berth for one night\n* Power from the quay\nBread."
    (tmp_path / "a.pdf").write_bytes(make_pdf(words, meaning=f"{head}{meaning} endcmap"))
    document = read(tmp_path / "a.pdf", "a.pdf", Limits())

    assert [block.kind for block in blocks(document)][:2] == ["item", "item"]


@pytest.mark.parametrize(("elsewhere", "joined"), [("The well-known tower.", "well-known"), ("A tower.", "wellknown")])
def test_a_broken_word_keeps_its_hyphen_where_it_has_one_elsewhere(elsewhere: str, joined: str) -> None:
    text = read_pdf(make_pdf(f"{elsewhere}\nThe keeper was well-\nknown in town."), Limits()).pages[0]

    assert f"was {joined} in town" in text


# --- Boxes, limits, scans -----------------------------------------------------------------------------------------


def test_boxes_are_exact_where_heads_are_left_out_and_columns_are_put_in_order() -> None:
    pairs = zip(column(LEFT, 72), column(RIGHT, 320), strict=True)
    words = [(72, 750, 9, "Harbour Handbook"), *(one for pair in pairs for one in pair), (300, 40, 9, "7")]
    data = make_pdf(page(*words), page((72, 750, 9, "Harbour Handbook"), *body(2)))
    text = read_pdf(data, Limits()).pages[0]

    for lines, left, right in ((LEFT, 72, 300), (RIGHT, 320, 560)):
        for at, line in enumerate(lines):
            start = text.index(line)
            (box,) = line_boxes(data, 1, text, start, start + len(line)) or [None]
            assert box and left - 1 <= box.left * 612 < box.right * 612 < right
            assert (1 - box.bottom) * 792 - 3 < 600 - 12 * at < (1 - box.top) * 792
    assert line_boxes(data, 1, text + " more", 0, 3) is None


def test_too_many_pages_are_refused_with_the_limit() -> None:
    with pytest.raises(UnreadableDocument, match=r"3 pages, above the limit of 2.*RAG_MAX_PAGES"):
        read_pdf(make_pdf("One.", "Two.", "Three."), Limits(pages=2))


def test_pages_that_are_pictures_are_told_and_blank_ones_are_not() -> None:
    picture = ") Tj ET BI /W 1 /H 1 /CS /G /BPC 8 ID x EI BT ("

    assert read_pdf(make_pdf("Words.", picture, "", "More."), Limits()).unread == [2]


def test_what_begins_within_a_table_is_headed_by_the_tables_header(tmp_path: Path) -> None:
    rows = [
        ("Dues of the harbour", "2018", "2019"),
        *((f"Berth of the pier number {n}", f"{n},200", f"{n},300") for n in range(30)),
    ]
    words = [
        (left, 700 - 14 * at, 10, cell)
        for at, row in enumerate(rows)
        for left, cell in zip((72, 300, 400), row, strict=True)
    ]
    (tmp_path / "town.pdf").write_bytes(make_pdf(page(*words)))
    first, *others = split(read(tmp_path / "town.pdf", "town.pdf", Limits()))

    assert first.text.startswith("Dues of the harbour | 2018 | 2019") and first.head == ""
    assert {one.head for one in others} == {"Dues of the harbour | 2018 | 2019"}
