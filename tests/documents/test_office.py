"""Word, PowerPoint and Excel files, made by other libraries: structure, numbers as shown, and what is refused."""

from __future__ import annotations

import datetime
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from docx.oxml import parse_xml
from openpyxl.chart import BarChart
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from rag.documents.readers import read
from rag.documents.structure import blocks
from rag.documents.types import Document, Limits
from rag.errors import CorpusError, EmptyDocument, UnreadableDocument

BERTHS = [["Berth", "Capacity", "Built"], ["Pier 4", "320 t", "1987"], ["Pier 5", "", "1990"]]
ROWS = "Berth: Pier 4 | Capacity: 320 t | Built: 1987\nBerth: Pier 5 | Built: 1990\n"
SQUARE = (Inches(1),) * 4
WORDS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def _read(folder: Path, name: str, made: Any = None, limits: Limits | None = None) -> Document:
    if isinstance(made, bytes):
        (folder / name).write_bytes(made)
    elif made is not None:
        made.save(folder / name)
    return read(folder / name, name, limits or Limits())


def _fill(table: Any, rows: list[list[str]]) -> None:
    for at, row in enumerate(rows):
        for column, text in enumerate(row):
            table.cell(at, column).text = text


# --- DOCX ---------------------------------------------------------------------------------------------------------


def test_a_word_file_keeps_its_headings_lists_and_words(tmp_path: Path) -> None:
    word = docx.Document()
    word.add_heading("Harbour rules", 0)
    word.add_paragraph("The har").add_run("bour").bold = True
    word.paragraphs[-1].add_run(" opens at six.")
    word.add_heading("Mooring", 1)
    for text, style in (("Stop", "List Number"), ("Moor", "List Number"), ("bow", "List Bullet 2")):
        word.add_paragraph(text, style=style)
    word.add_heading("Fees", 2)
    word.add_paragraph("It costs 12 < 13 crowns.")
    word.sections[0].header.paragraphs[0].text = "Running head"
    word.sections[0].footer.paragraphs[0].text = "Running foot"

    assert _read(tmp_path, "a.docx", word).text == (
        "# Harbour rules\n\nThe harbour opens at six.\n\n# Mooring\n\n1. Stop\n2. Moor\n- bow\n\n"
        "## Fees\n\nIt costs 12 < 13 crowns.\n"
    )


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_words_table_is_read_row_by_row_whether_its_header_is_marked_or_not(tmp_path: Path, is_marked: bool) -> None:
    word = docx.Document()
    table = word.add_table(3, 3)
    _fill(table, BERTHS)
    if is_marked:
        table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {WORDS}/>"))

    assert _read(tmp_path, "a.docx", word).text == ROWS


def test_a_fact_in_a_footnote_is_found_alone_and_under_no_wrong_section(tmp_path: Path) -> None:
    word = docx.Document()
    word.add_heading("Fees", 1)
    run = word.add_paragraph("A night costs 12 crowns.").add_run()
    run._r.append(parse_xml(f'<w:footnoteReference {WORDS} w:id="2"/>'))
    word.save(file := BytesIO())
    note = f'<w:footnotes {WORDS}><w:footnote w:id="2"><w:p><w:r><w:t>Not in July.</w:t></w:r></w:p></w:footnote>'
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("word/footnotes.xml", f"{note}</w:footnotes>")

    document = _read(tmp_path, "a.docx", file.getvalue())

    *_, last = blocks(document)
    assert "A night costs 12 crowns.[1]" in document.text
    assert (document.text[last.span.start : last.span.end], last.sections) == ("Not in July.", ("Notes",))


def test_text_in_a_text_box_is_read_once(tmp_path: Path) -> None:
    word = docx.Document()
    inner = f"<w:txbxContent {WORDS}><w:p><w:r><w:t>Boxed words.</w:t></w:r></w:p></w:txbxContent>"
    word.add_paragraph("Before.").add_run()._r.append(
        parse_xml(
            f'<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" {WORDS} '
            'xmlns:v="urn:schemas-microsoft-com:vml"><mc:Choice Requires="wps"><w:drawing/></mc:Choice><mc:Fallback>'
            f"<w:pict><v:shape><v:textbox>{inner}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent>"
        )
    )

    assert _read(tmp_path, "a.docx", word).text.count("Boxed words.") == 1


@pytest.mark.parametrize(
    ("title", "shown"), [("Rules of 2024", "Rules of 2024"), ("Word Document", "Fees"), ("", "Fees"), ("1984", "1984")]
)
def test_the_title_is_what_its_writer_gave_else_the_first_heading(tmp_path: Path, title: str, shown: str) -> None:
    word = docx.Document()
    word.core_properties.title = title
    word.add_heading("Fees", 1)
    word.add_paragraph("Text.")

    assert _read(tmp_path, "a.docx", word).title == shown


# --- PPTX ---------------------------------------------------------------------------------------------------------


def _deck(*titles: str) -> Any:
    deck = pptx.Presentation()
    for title in titles:
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = title
    return deck


def test_each_slide_is_a_page_an_empty_one_too(tmp_path: Path) -> None:
    document = _read(tmp_path, "a.pptx", _deck("Tides", "", "Fees"))

    assert [document.page_at(document.text.index(word)) for word in ("Tides", "Fees")] == [1, 3]
    assert len(document.page_starts) == 3
    assert [b.sections for b in blocks(document)] == [("Tides",), ("Fees",)]


def test_a_slide_gives_title_items_by_level_and_notes(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.placeholders[1].text = "Depth\vis 12 m"
    slide.placeholders[1].text_frame.add_paragraph().text = "at low tide"
    slide.placeholders[1].text_frame.paragraphs[1].level = 1
    slide.shapes.title.text = "Tides"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(*SQUARE).text_frame.text = "Grouped"
    slide.notes_slide.notes_text_frame.text = "Say it slowly.\nThen wait."

    assert _read(tmp_path, "a.pptx", deck).text == (
        "# Tides\n\n- Depth is 12 m\n  - at low tide\n- Grouped\n\n## Notes\n\nSay it slowly.\n\nThen wait.\n"
    )


def test_what_is_on_every_slide_is_left_out(tmp_path: Path) -> None:
    deck = _deck("Tides")
    slide, layout = deck.slides[0], deck.slide_layouts[5]
    for shape in layout.placeholders:
        if shape.placeholder_format.type.name in ("DATE", "FOOTER", "SLIDE_NUMBER"):
            slide.shapes.clone_placeholder(shape)
            slide.shapes[-1].text_frame.text = "Zebra"

    assert _read(tmp_path, "a.pptx", deck).text == "# Tides\n"


def test_a_slides_table_chart_and_diagram_are_read(tmp_path: Path) -> None:
    deck = _deck("Table", "Chart", "Diagram")
    table = deck.slides[0].shapes.add_table(3, 3, *SQUARE).table
    _fill(table, BERTHS)
    data = CategoryChartData(number_format="0%")
    data.categories = ["May", "June"]
    data.add_series("Ships", (0.1 + 0.2, 0.5))
    data.add_series("Boats", (0.7, None))
    deck.slides[1].shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *SQUARE, data)
    xml = b'<d:m xmlns:d="d" xmlns:a="a"><d:pt><d:t><a:p><a:t>Step one</a:t></a:p></d:t></d:pt></d:m>'
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", deck.part.package, xml)
    deck.slides[2].part.relate_to(part, "http://schemas/diagramData")

    text = _read(tmp_path, "a.pptx", deck).text

    assert ROWS in text
    assert "May | Ships: 30% | Boats: 70%\nJune | Ships: 50%\n" in text
    assert "# Diagram\n\n- Step one\n" in text


def test_the_first_row_of_a_decks_table_that_says_nothing_of_it_is_the_header(tmp_path: Path) -> None:
    deck = _deck("Fire")
    table = deck.slides[0].shapes.add_table(2, 2, *SQUARE).table
    _fill(table, [["Fire", "Extinguisher"], ["Oil", "Foam"]])
    table._tbl.tblPr.attrib.clear()  # as LibreOffice writes it

    assert "Fire: Oil | Extinguisher: Foam" in _read(tmp_path, "a.pptx", deck).text


def test_merged_cells_of_a_slides_table_stand_in_each_row(tmp_path: Path) -> None:
    deck = _deck("Table")
    table = deck.slides[0].shapes.add_table(3, 3, *SQUARE).table
    _fill(table, [BERTHS[0], ["Pier 4", "320 t", "1987"], ["", "20 t", "1990"]])
    table.cell(1, 0).merge(table.cell(2, 0))

    assert "Berth: Pier 4 | Capacity: 20 t | Built: 1990" in _read(tmp_path, "a.pptx", deck).text


def test_a_deck_without_a_word_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        _read(tmp_path, "a.pptx", _deck("", ""))


# --- XLSX ---------------------------------------------------------------------------------------------------------


def _book(*sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    return book


def test_each_sheet_is_a_section_and_the_file_names_the_document(tmp_path: Path) -> None:
    document = _read(tmp_path, "berths.xlsx", _book(BERTHS, [["Owner", "Anna"], ["Phone", "on request"]]))

    assert document.text == f"# Sheet 1\n\n{ROWS}\n# Sheet 2\n\n- Owner: Anna\n- Phone: on request\n"
    assert document.title == "berths"


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (12.0, "General", "12"),
        (1234567.0, "#,##0", "1234567"),
        (0.07, "0%", "7%"),
        (0.0725, "0.0#%", "7.25%"),
        (1234.5, '#,##0.00 "€"', "1234.50 €"),
        (-1234.5, '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-', "-1234.50 €"),
        (320, '0" t"', "320 t"),
        (4, "[$€-407] 0.00", "€ 4.00"),
        (1.5e6, '0.0,,"M"', "1.5M"),
        (735, "00000", "00735"),
        (1.5e-7, "0.0E+00", "1.5e-07"),
        (2.5, "# ?/?", "2.5"),
        (5551234, "000-0000", "5551234"),
        (12345678901234, "General", "12345678901234"),
        (True, "General", "TRUE"),
        (datetime.date(2024, 3, 1), "DD/MM/YYYY", "2024-03-01"),
        (datetime.datetime(2024, 3, 1, 10, 30), "General", "2024-03-01 10:30"),
        (datetime.time(10, 30), "HH:MM", "10:30:00"),
        ("a | b\nc", "@", "a / b c"),
    ],
)
def test_a_cell_reads_as_it_is_shown(tmp_path: Path, value: Any, form: str, shown: str) -> None:
    book = _book([["Berth", "Value", "Note"], ["Pier 4", value, "last"]])
    if form != "General":
        book.active["B2"].number_format = form

    assert f"| Value: {shown} |" in _read(tmp_path, "a.xlsx", book).text


def test_a_cell_merged_downwards_stands_in_each_row(tmp_path: Path) -> None:
    book = _book([["Pier", "Berth", "Depth"], ["North", "a", 12], [None, "b", 8], [None, "c", 7]])
    book.active.merge_cells("A2:A3")

    lines = _read(tmp_path, "a.xlsx", book).text.splitlines()

    assert lines[-2:] == ["Pier: North | Berth: b | Depth: 8", "Berth: c | Depth: 7"]


def test_a_title_and_several_tables_in_a_sheet_are_told_apart(tmp_path: Path) -> None:
    years: list[list[Any]] = [["Ships", 2021, 2022], ["Ferries", 100, 120]]

    text = _read(tmp_path, "a.xlsx", _book([["Berths of 2024"], [], *BERTHS, [], *years])).text

    assert text == f"# Sheet 1\n\nBerths of 2024\n\n{ROWS}\nShips: Ferries | 2021: 100 | 2022: 120\n"


def test_sheets_that_are_hidden_or_charts_are_left_out(tmp_path: Path) -> None:
    book = _book(BERTHS, [["Zebra"]])
    book.worksheets[1].sheet_state = "hidden"
    book.create_chartsheet("Chart").add_chart(BarChart())

    assert "Zebra" not in _read(tmp_path, "a.xlsx", book).text


def test_a_sheet_that_tells_a_wrong_size_is_read_whole(tmp_path: Path) -> None:
    _book(BERTHS).save(file := BytesIO())
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "a.xlsx", "w") as wrong:
        for name in archive.namelist():
            wrong.writestr(name, archive.read(name).replace(b'ref="A1:C3"', b'ref="A1"'))

    assert ROWS in _read(tmp_path, "a.xlsx").text


def test_a_cell_in_the_last_row_and_column_is_read_in_no_time(tmp_path: Path) -> None:
    book = _book(BERTHS)
    book.active["XFD1048576"] = "Far away"

    assert _read(tmp_path, "a.xlsx", book).text.endswith("\nFar away\n")


# --- What is refused, and why -------------------------------------------------------------------------------------


def _zipped(names: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return file.getvalue()


def _encrypted() -> bytes:
    data = bytearray(_zipped({"word/document.xml": b"x"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx", ".epub"])
@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Limits(), "password"),
        (b"%PDF-1.7 text", Limits(), "whatever its name says"),
        (b"\x7fELF" + bytes(100), Limits(), "whatever its name says"),
        (b"", Limits(), "whatever its name says"),
        (b"PK\x03\x04" + bytes(100), Limits(), "damaged"),
        (_zipped({"readme.txt": b"x"}), Limits(), "whatever its name says"),
        (_zipped({f"word/{n}": b"" for n in range(11)}), Limits(zip_entries=10), "RAG_MAX_ZIP_ENTRIES"),
        (_zipped({"word/document.xml": bytes(2_100_000)}), Limits(zip_mb=2), "RAG_MAX_ZIP_MB"),
        (_zipped({"word/document.xml": bytes(2_100_000)}), Limits(), "RAG_MAX_ZIP_RATIO"),
        (_encrypted(), Limits(), "password"),
    ],
    ids=["OLE2", "PDF", "ELF", "empty", "cut", "other zip", "entries", "size", "ratio", "encrypted"],
)
def test_what_is_no_such_file_or_costs_too_much_is_refused_with_the_reason(
    tmp_path: Path, suffix: str, data: bytes, limits: Limits, reason: str
) -> None:
    with pytest.raises(UnreadableDocument, match=reason):
        _read(tmp_path, f"a{suffix}", data, limits)


def test_a_file_under_the_name_of_another_format_is_told_what_it_is(tmp_path: Path) -> None:
    _book(BERTHS).save(file := BytesIO())

    with pytest.raises(UnreadableDocument, match=r"\.xlsx file, though its name ends in \.docx"):
        _read(tmp_path, "a.docx", file.getvalue())


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    made = {".docx": docx.Document(), ".pptx": _deck("Tides"), ".xlsx": _book(BERTHS)}[suffix]
    made.save(file := BytesIO())

    with pytest.raises(UnreadableDocument, match="damaged"):
        _read(tmp_path, f"a{suffix}", file.getvalue()[: int(share * len(file.getvalue()))])


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_a_file_whose_parts_are_nonsense_is_read_or_refused_with_a_reason(tmp_path: Path, suffix: str) -> None:
    made = {".docx": docx.Document(), ".pptx": _deck("Tides"), ".xlsx": _book(BERTHS)}[suffix]
    made.save(file := BytesIO())
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for broken in (name for name in parts if name.endswith(("/document.xml", "styles.xml", ".rels", "sheet1.xml"))):
        try:
            assert _read(tmp_path, f"a{suffix}", _zipped({**parts, broken: b"<nonsense"})).text
        except CorpusError as refusal:
            assert str(refusal)


def test_a_laughing_document_is_refused(tmp_path: Path) -> None:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "ha">{lines}]><w:document {WORDS}><w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p>'
    docx.Document().save(file := BytesIO())
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["word/document.xml"] = f"{bomb}</w:body></w:document>".encode()

    with pytest.raises(UnreadableDocument, match="damaged"):
        _read(tmp_path, "a.docx", _zipped(parts))
