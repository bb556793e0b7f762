"""DOCX, PPTX and XLSX to Markdown; the one home of mammoth, python-pptx and openpyxl.

A slide is a page; a sheet is a section, in which a number reads as it does in the sheet.
"""

import datetime
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from rag.documents.archive import opened
from rag.documents.tables import bounded, paragraph, table_lines
from rag.documents.types import Limits
from rag.documents.web import html_text, xml_root

# What mammoth has no rule for: a title, and code of pandoc and LibreOffice.
_STYLES = """\
p[style-name='Title'] => h1:fresh
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='Preformatted Text'] => pre:separator('\\n')"""
_NO_BODY = {"DATE", "FOOTER", "HEADER", "SLIDE_NUMBER"}  # placeholders that are on every slide
_LAST_ROW = 1_048_576  # of any sheet
_MERGED = re.compile(r'<(?:\w+:)?mergeCell [^>]*?ref="(\w+:\w+)"')
_AROUND_DIGITS = re.compile(r"\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|[_*].|[\\\"]")  # [$€-407] shows a sign; the rest nothing
_DIGITS = re.compile(r"[#0][#0,]*(?:\.[#0]+)?,*")
_NO_NUMBER_FORMAT = re.compile(r"0E[+-]|\?|@", re.IGNORECASE)  # powers of ten, fractions, text


def read_docx(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title in the properties, or "", and the text; notes stand at its end."""
    import mammoth

    with opened(data, ".docx", limits) as archive:
        core = "docProps/core.xml"
        title = xml_root(archive.read(core)).findtext("{*}title") if core in archive.namelist() else None
    html = mammoth.convert_to_html(BytesIO(data), style_map=_STYLES, convert_image=lambda image: []).value
    return title or "", [html_text(html, limits)]


def read_pptx(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title in the properties, or "", and the text of every slide."""
    import pptx

    opened(data, ".pptx", limits).close()
    deck = pptx.Presentation(BytesIO(data))
    return deck.core_properties.title, [bounded(_slide(slide, at), limits) for at, slide in enumerate(deck.slides, 1)]


def read_xlsx(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title in the properties, or "", and the text of every sheet that is shown."""
    import openpyxl

    with opened(data, ".xlsx", limits) as archive:
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        text = bounded((line for sheet in sheets for line in _sheet(sheet, archive)), limits)
        return book.properties.title or "", [text]


def _slide(slide: Any, number: int) -> Iterator[str]:
    title = slide.shapes.title
    name = " ".join(title.text_frame.text.split()) if title is not None else ""
    shapes = [shape for shape in _shapes(slide.shapes) if title is None or shape.shape_id != title.shape_id]
    lines = [line for shape in shapes for line in _shape(shape)]
    drawn = [rel.target_part.blob for rel in slide.part.rels.values() if rel.reltype.endswith("/diagramData")]
    for point in (point for blob in drawn for point in xml_root(blob).iterfind(".//{*}pt/{*}t")):
        lines.append(f"- {' '.join(''.join(point.itertext()).split())}\n")
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    notes = [" ".join(line.text.split()) for line in frame.paragraphs] if frame is not None else []
    if name or lines or any(notes):
        yield paragraph(f"# {name or f'Slide {number}'}")
    yield from lines
    if any(notes):
        yield paragraph("## Notes")
        yield from map(paragraph, filter(None, notes))


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """The shapes, with those of a group in its place, without what is on every slide."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif not (shape.is_placeholder and shape.placeholder_format.type.name in _NO_BODY):
            yield shape


def _shape(shape: Any) -> Iterator[str]:
    if shape.has_text_frame:
        for line in shape.text_frame.paragraphs:
            if text := " ".join(line.text.split()):
                yield f"{'  ' * line.level}- {text}\n"
    elif getattr(shape, "has_table", False):
        rows = [list(row.cells) for row in shape.table.rows]
        for row, column, cell in ((r, c, cell) for r, cells in enumerate(rows) for c, cell in enumerate(cells)):
            if cell.is_merge_origin:
                for cells in rows[row : row + cell.span_height]:
                    cells[column : column + cell.span_width] = [cell] * cell.span_width
        texts = [[cell.text for cell in cells] for cells in rows]
        style = shape.table._tbl.tblPr
        is_headed = shape.table.first_row or style is None or not style.attrib  # LibreOffice says nothing of it
        yield from ("\n", *table_lines(texts, 1 if is_headed else None))
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)


def _chart(chart: Any) -> Iterator[str]:
    """A row for each category, with the value of each series; read from what is drawn, of any kind of chart."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield paragraph(" ".join(chart.chart_title.text_frame.text.split()))
    head = [""]
    rows: dict[int, dict[int, str]] = {}
    for series in chart.element.iterfind(".//{*}ser"):
        head.append(series.findtext("{*}tx//{*}v") or "")
        for kind, column in (("cat", 0), ("xVal", 0), ("val", len(head) - 1), ("yVal", len(head) - 1)):
            form = series.findtext(f"{{*}}{kind}//{{*}}formatCode") or "General"
            for point in series.iterfind(f"{{*}}{kind}//{{*}}pt"):
                text = point.findtext("{*}v") or ""
                value = float(text) if re.fullmatch(r"[+-]?[\d.]+(?:E[+-]?\d+)?", text) else text
                rows.setdefault(int(point.get("idx")), {})[column] = _shown(value, form)
    cells = [[row.get(column, "") for column in range(len(head))] for _, row in sorted(rows.items())]
    yield from ("\n", *table_lines([head, *cells], 1))


def _sheet(sheet: Any, archive: Any) -> Iterator[str]:
    from openpyxl.utils import range_boundaries

    merged = map(range_boundaries, _MERGED.findall(archive.read(sheet._worksheet_path).decode("utf-8", "replace")))
    down = {(left - 1, top): bottom for left, top, right, bottom in merged if left == right}
    sheet.reset_dimensions()  # which some programs write wrong
    yield paragraph(f"# {sheet.title}")
    yield from table_lines(_rows(sheet, down))


def _rows(sheet: Any, down: dict[tuple[int, int], int]) -> Iterator[list[str]]:
    """The rows as shown; a cell merged downwards, whose last row `down` tells by column and row, stands in each."""
    held: dict[int, tuple[int, str]] = {}
    for number, cells in enumerate(sheet.iter_rows(max_row=_LAST_ROW), 1):
        row = ["" if cell.value is None else _shown(cell.value, cell.number_format) for cell in cells]
        for column, text in enumerate(row):
            if (column, number) in down:
                held[column] = down[column, number], text
        for column, (last, text) in held.items():
            if number <= last and any(row):
                row += [""] * (column + 1 - len(row))
                row[column] = text
        yield row


def _shown(value: Any, form: str) -> str:
    """A cell's value as its format shows it, with plain digits for thousands and ISO dates."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00").removesuffix(":00")
    if not isinstance(value, int | float):
        return str(value)
    form = _AROUND_DIGITS.sub(r"\1", form.partition(";")[0])
    found = list(_DIGITS.finditer(form))
    if len(found) != 1 or _NO_NUMBER_FORMAT.search(form):
        return str(int(value)) if value == int(value) else f"{value:.{10 if abs(value) < 1e9 else 15}g}"
    digits = found[0].group()
    value = value * (100 if "%" in form else 1) / 1000 ** (len(digits) - len(digits.rstrip(",")))
    whole, _, decimals = digits.rstrip(",").partition(".")
    width = whole.count("0") + (len(decimals) + 1 if decimals else 0) + (value < 0)
    text = f"{value:0{width}.{len(decimals)}f}"
    if "#" in decimals:
        text = text.rstrip("0").rstrip(".")
    return f"{form[: found[0].start()]}{text}{form[found[0].end() :]}".strip()
