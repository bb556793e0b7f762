"""Small documents of every format, made on the fly: what the good and the hostile files of the tests are made of."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

Content = str | bytes | Iterable[bytes]  # the last for what is too large to hold at once

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_RELATED = f"{_OFFICE}/officeDocument/2006/relationships"
_WORD = f"{_OFFICE}/wordprocessingml/2006/main"
_SHEET = f"{_OFFICE}/spreadsheetml/2006/main"
_MIME = "application/vnd.openxmlformats-officedocument"


def zipped(members: Mapping[str, Content] | Sequence[tuple[str, Content]], packed: bool = True) -> bytes:
    """A ZIP of these members, the same bytes each time; a sequence may name one twice."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in members.items() if isinstance(members, Mapping) else members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            parts = [content.encode()] if isinstance(content, str) else content
            with archive.open(info, "w") as member:
                for part in [parts] if isinstance(parts, bytes) else parts:
                    member.write(part)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """What a ZIP holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def many(piece: str, times: int, before: str = "", after: str = "") -> Iterable[bytes]:
    """A text that repeats a piece, in parts of about a megabyte."""
    at_once = max(1, min(times, 1_000_000 // len(piece)))
    part = piece.encode() * at_once
    yield before.encode()
    for _ in range(times // at_once):
        yield part
    yield piece.encode() * (times % at_once) + after.encode()


def relations(*targets: tuple[str, str, str]) -> str:
    """A .rels part of (id, kind, target)."""
    lines = (f'<Relationship Id="{i}" Type="{_RELATED}/{kind}" Target="{target}"/>' for i, kind, target in targets)
    return f'{XML}<Relationships xmlns="{_OFFICE}/package/2006/relationships">{"".join(lines)}</Relationships>'


def content_types(*parts: tuple[str, str]) -> str:
    """The [Content_Types].xml of these parts, by name and what they are."""
    lines = (f'<Override PartName="/{name}" ContentType="{_MIME}.{kind}+xml"/>' for name, kind in parts)
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    return f'{XML}<Types xmlns="{_OFFICE}/package/2006/content-types">{defaults}{"".join(lines)}</Types>'


# --- DOCX ---------------------------------------------------------------------------------------------------------

WORD_OPEN, WORD_CLOSE = f'<w:document xmlns:w="{_WORD}"><w:body>', "</w:body></w:document>"


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def docx_members(document: Content) -> dict[str, Content]:
    """The members of a .docx whose document.xml is this."""
    return {
        "[Content_Types].xml": content_types(("word/document.xml", "wordprocessingml.document.main")),
        "_rels/.rels": relations(("rId1", "officeDocument", "word/document.xml")),
        "word/document.xml": document,
    }


def docx(*paragraphs: str) -> bytes:
    return zipped(docx_members(XML + WORD_OPEN + "".join(map(paragraph, paragraphs)) + WORD_CLOSE))


# --- XLSX ---------------------------------------------------------------------------------------------------------


def xlsx_members(sheet: Content, strings: Sequence[str] = ()) -> dict[str, Content]:
    """The members of an .xlsx with one sheet; `sheet` is what stands within its <worksheet>."""
    shared = "".join(f"<si><t>{string}</t></si>" for string in strings)
    parts = [sheet.encode()] if isinstance(sheet, str) else [sheet] if isinstance(sheet, bytes) else sheet
    return {
        "[Content_Types].xml": content_types(
            ("xl/workbook.xml", "spreadsheetml.sheet.main"),
            ("xl/worksheets/sheet1.xml", "spreadsheetml.worksheet"),
            ("xl/sharedStrings.xml", "spreadsheetml.sharedStrings"),
        ),
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'{XML}<workbook xmlns="{_SHEET}" xmlns:r="{_RELATED}"><sheets>'
        '<sheet name="Lists" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            ("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "sharedStrings", "sharedStrings.xml")
        ),
        "xl/sharedStrings.xml": f'{XML}<sst xmlns="{_SHEET}">{shared}</sst>',
        "xl/worksheets/sheet1.xml": _within(f'{XML}<worksheet xmlns="{_SHEET}">', parts, "</worksheet>"),
    }


def cell(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def rows(*lines: Sequence[str]) -> str:
    """Rows of cells of text from A1 on; no more than 26 columns."""
    made = (
        "".join(cell(f"{chr(65 + column)}{number}", text) for column, text in enumerate(line))
        for number, line in enumerate(lines, 1)
    )
    return "".join(f'<row r="{number}">{cells}</row>' for number, cells in enumerate(made, 1))


def xlsx(*lines: Sequence[str]) -> bytes:
    return zipped(xlsx_members(f"<sheetData>{rows(*lines)}</sheetData>"))


def _within(before: str, parts: Iterable[bytes], after: str) -> Iterable[bytes]:
    yield before.encode()
    yield from parts
    yield after.encode()


# --- PPTX ---------------------------------------------------------------------------------------------------------


@cache
def _deck(title: str, text: str) -> bytes:
    from pptx import Presentation

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = title
    slide.placeholders[1].text = text
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def pptx_members(title: str, text: str) -> dict[str, Content]:
    """The members of a .pptx of one slide, ppt/slides/slide1.xml."""
    return dict(members(_deck(title, text)))


def pptx(title: str, text: str) -> bytes:
    return zipped(pptx_members(title, text))


# --- EPUB ---------------------------------------------------------------------------------------------------------


def epub_members(chapters: Mapping[str, Content], spine: Sequence[str] = ()) -> dict[str, Content]:
    """The members of an .epub; the spine holds the chapters in order unless another is given."""
    listed = dict.fromkeys([*chapters, *spine])
    ids = {name: f"c{number}" for number, name in enumerate(listed)}
    items = "".join(f'<item id="{i}" href="{name}" media-type="application/xhtml+xml"/>' for name, i in ids.items())
    order = "".join(f'<itemref idref="{ids[name]}"/>' for name in spine or chapters)
    return {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{XML}<container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/content.opf" '
        'media-type="application/oebps-package+xml"/></rootfiles></container>',
        "OEBPS/content.opf": f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="u">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A book</dc:title>'
        f"<dc:language>en</dc:language></metadata><manifest>{items}</manifest><spine>{order}</spine></package>",
        **{f"OEBPS/{name}": content for name, content in chapters.items()},
    }


def chapter(title: str, text: str) -> str:
    return (
        f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{text}</p></body></html>"
    )


def epub(title: str, text: str) -> bytes:
    return zipped(epub_members({"one.xhtml": chapter(title, text)}))


# --- PDF ----------------------------------------------------------------------------------------------------------

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first one is its catalog."""
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    xref = b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    return b"%s%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        body, xref, count, trailer, len(body),
    )  # fmt: skip


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def page(contents: int, entries: bytes = b"/MediaBox [0 0 612 792]", parent: int = 2) -> bytes:
    """A page that is object 3's sibling: its font is object 3."""
    return b"<< /Type /Page /Parent %d 0 R %s /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (
        parent, entries, contents,
    )  # fmt: skip


def pages(*kids: int, count: int = 0, entries: bytes = b"") -> bytes:
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    return b"<< /Type /Pages /Kids [%s] /Count %d %s >>" % (listed, count or len(kids), entries)


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def shown(*lines: str) -> bytes:
    """What a page does to show these lines."""
    moves = " ".join(f"({line}) Tj 0 -16 Td" for line in lines)
    return f"BT /F1 12 Tf 72 720 Td {moves} ET".encode("latin-1")


def one_page(content: bytes, entries: bytes = b"", shape: bytes = b"/MediaBox [0 0 612 792]") -> bytes:
    """A PDF of one page with this content; `entries` are those of its stream."""
    return pdf(CATALOG, pages(4), FONT, page(5, shape), stream(content, entries))


def deflated(parts: Iterable[bytes]) -> bytes:
    """The parts, packed as FlateDecode has it."""
    packer = zlib.compressobj(9)
    return b"".join([*map(packer.compress, parts), packer.flush()])
