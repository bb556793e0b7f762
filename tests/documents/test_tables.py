"""Tables to lines: each is understood alone; what the header is; CSV in every dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.documents.readers import read
from rag.documents.structure import blocks
from rag.documents.tables import table_lines
from rag.documents.types import Document, Limits
from rag.errors import EmptyDocument, UnreadableDocument

BERTHS = [["Berth", "Capacity", "Built"], ["Pier 4", "320 t", "1987"], ["Pier 5", "", "1990"]]


def _lines(rows: list[list[str]], heads: int | None = None) -> list[str]:
    return [line for line in "".join(table_lines(rows, heads)).splitlines() if line]


def _csv(folder: Path, text: str | bytes, name: str = "a.csv", limits: Limits | None = None) -> Document:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(folder / name, name, limits or Limits())


def _rows(document: Document) -> list[str]:
    return [document.text[b.span.start : b.span.end] for b in blocks(document)]


# --- A line is understood alone -----------------------------------------------------------------------------------


def test_each_row_holds_the_header_with_its_cells_and_leaves_out_empty_ones() -> None:
    assert _lines(BERTHS) == ["Berth: Pier 4 | Capacity: 320 t | Built: 1987", "Berth: Pier 5 | Built: 1990"]


def test_line_ends_and_bars_in_a_cell_do_not_break_its_row() -> None:
    assert _lines([["Berth", "Note", "Of"], ["Pier 4", "two\nlines", "a | b"]], 1) == [
        "Berth: Pier 4 | Note: two lines | Of: a / b"
    ]


def test_a_header_without_rows_is_kept_as_a_row() -> None:
    assert _lines(BERTHS[:1], 1) == ["Berth | Capacity | Built"]


def test_a_header_of_two_rows_is_told_as_one() -> None:
    rows = [["Berth", "Depth", "Depth"], ["Berth", "min", "max"], ["Pier 4", "1 m", "2 m"]]

    assert _lines(rows, 2) == ["Berth: Pier 4 | Depth min: 1 m | Depth max: 2 m"]


def test_a_title_above_the_header_and_a_group_among_the_rows_are_lines_of_their_own() -> None:
    rows = [["Berths of 2024", "", ""], *BERTHS[:2], ["South harbour", "", ""], BERTHS[2]]

    lines = _lines(rows)

    assert (lines[0], lines[2]) == ("Berths of 2024", "South harbour")
    assert lines[1].startswith("Berth: Pier 4 |") and lines[3].startswith("Berth: Pier 5 |")


def test_empty_columns_and_rows_are_no_part_of_a_table() -> None:
    padded = [["", *row[:1], "", *row[1:], ""] for row in BERTHS]

    assert _lines([[], padded[0], [""], *padded[1:]]) == _lines(BERTHS)


def test_a_single_column_is_text() -> None:
    assert _lines([["The gate is shut at night."], ["It opens at six."]]) == [
        "The gate is shut at night.",
        "It opens at six.",
    ]


# --- What the header is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        BERTHS,
        [["Name", "Role", "Town"], ["Anna", "pilot", "Norrby"]],
        [["Berth", "Depth"], ["Pier 4", "12 m"], ["Pier 5", "8 m"]],
        [["name", "role"], ["Anna Kol", "Pilot"], ["Jon Berg", "Cook"]],
        [["", "North", "South"], ["Depth", "12 m", "8 m"]],
        [["Ships", "2021", "2022"], ["Ferries", "100", "120"], ["Yachts", "1200", "1300"]],
        [["Source", "2023", "2024", "Growth"], ["Members", "41200", "44290", "7.5%"]],
    ],
    ids=["mixed", "text", "pairs over numbers", "lower case", "empty corner", "years", "years and words"],
)
def test_a_first_row_that_names_columns_is_the_header(rows: list[list[str]]) -> None:
    lines = _lines(rows)

    assert len(lines) == len(rows) - 1
    assert all(f"{rows[0][1]}: {row[1]}" in line for row, line in zip(rows[1:], lines, strict=True) if row[1])


@pytest.mark.parametrize(
    "rows",
    [
        [["Pier 4", "320", "1987"], ["Pier 5", "20", "1990"]],
        [["Pier 4", "1987", "1990"], ["Pier 5", "1991", "1999"]],
        [["Anna", "yes", "yes"], ["Jon", "no", "yes"]],
        [["North", "a", "b"], ["North", "c", "d"]],
        [["Anna", "1987", "pilot"], ["Jon", "320", "cook"]],
    ],
    ids=["numbers", "years over years", "twice the same", "goes on below", "one year among words"],
)
def test_a_first_row_of_data_is_no_header(rows: list[list[str]]) -> None:
    assert _lines(rows) == [" | ".join(row) for row in rows]


@pytest.mark.parametrize("rows", [[["Owner:", "Anna Kol"], ["Capacity", "320 t"], ["Built", "1987"]]])
def test_pairs_are_told_as_key_and_value_each_a_block_of_its_own(rows: list[list[str]]) -> None:
    document = Document("a.csv", "a", "".join(table_lines(rows)))

    assert _rows(document) == ["Owner: Anna Kol", "Capacity: 320 t", "Built: 1987"]


def test_a_blank_row_ends_a_table_where_another_begins() -> None:
    years = [["Ships", "2021", "2022"], ["Ferries", "100", "120"]]

    assert _lines([*BERTHS, [], *years]) == [*_lines(BERTHS), *_lines(years)]


def test_a_blank_row_within_a_table_does_not_part_rows_from_their_header() -> None:
    assert _lines([BERTHS[0], [], BERTHS[1], [], BERTHS[2]]) == _lines(BERTHS)


# --- CSV ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_with_whatever_parts_its_cells(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in BERTHS)

    assert _rows(_csv(tmp_path, text)) == _lines(BERTHS)


def test_decimal_commas_do_not_part_cells(tmp_path: Path) -> None:
    document = _csv(tmp_path, "Berth;Depth;Width\nPier 4;1,5;2,5\nPier 5;2,5;3,5\n")

    assert _rows(document)[0] == "Berth: Pier 4 | Depth: 1,5 | Width: 2,5"


def test_quoted_cells_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    document = _csv(tmp_path, 'Berth,Note,Depth\r\n"Pier 4, north","It is\r\nclosed.",12\r\n')

    assert _rows(document) == ["Berth: Pier 4, north | Note: It is closed. | Depth: 12"]


def test_a_quote_that_never_ends_costs_its_line_alone(tmp_path: Path) -> None:
    document = _csv(tmp_path, 'name,size,note\npipe,"12,x\nbolt,3,y\nnut,4,z\n')

    assert _rows(document)[1:] == ["name: bolt | size: 3 | note: y", "name: nut | size: 4 | note: z"]


def test_excels_own_first_line_names_the_delimiter(tmp_path: Path) -> None:
    assert _rows(_csv(tmp_path, "sep=;\nBerth;Depth\nPier 4;12\n")) == ["Berth: Pier 4 | Depth: 12"]


def test_what_stands_above_and_below_a_table_is_text(tmp_path: Path) -> None:
    document = _csv(tmp_path, "Berths of 2024\n\nBerth,Depth\nPier 4,12\nPier 5,8\n\nSource: harbour office\n")

    assert (_rows(document)[0], _rows(document)[-1]) == ("Berths of 2024", "Source: harbour office")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_is_read_in_old_and_new_encodings(tmp_path: Path, encoding: str) -> None:
    text = "Straße;Länge;Gründung\nBäckergäßchen;120 m;1987\nMühlstraße;80 m;1990\n"

    assert _rows(_csv(tmp_path, text.encode(encoding)))[0] == "Straße: Bäckergäßchen | Länge: 120 m | Gründung: 1987"


def test_ragged_rows_nul_and_huge_cells_are_read(tmp_path: Path) -> None:
    text = _csv(tmp_path, f"a,b,c\nx\0y,1\np,2,3,left over\nq,5,{'w' * 200_000}\n").text

    assert "a: x y | b: 1" in text and "left over" in text and "w" * 200_000 in text


def test_a_tsv_is_named_after_its_file(tmp_path: Path) -> None:
    assert _csv(tmp_path, "Berth\tDepth\nPier 4\t12\n", "berths.tsv").title == "berths"


@pytest.mark.parametrize("text", ["", "\n\n", ",,,\n,,,\n"])
def test_a_csv_without_a_word_is_empty(tmp_path: Path, text: str) -> None:
    with pytest.raises(EmptyDocument):
        _csv(tmp_path, text)


def test_a_header_repeated_in_all_rows_is_refused_beyond_the_limit_of_characters(tmp_path: Path) -> None:
    text = f"{'h' * 80},{'i' * 80},{'j' * 80}\n" + "a,b,c\n" * 1000

    with pytest.raises(UnreadableDocument, match="RAG_MAX_CHARS"):
        _csv(tmp_path, text, limits=Limits(chars=20_000))


def test_a_cell_beyond_the_limit_of_characters_is_refused_for_its_length(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="RAG_MAX_CHARS"):
        _csv(tmp_path, f"a,b\n1,{'w' * 40_000}\n", limits=Limits(chars=20_000))


def test_a_binary_file_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="binary"):
        _csv(tmp_path, b"\x7fELF" + bytes(range(256)))
