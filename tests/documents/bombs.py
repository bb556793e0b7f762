"""How the hostile files are made: what is too large, too deep, tells lies of itself, or turns in circles."""

from __future__ import annotations

import random
import struct
import zlib

from tests.documents import made
from tests.documents.made import XML, many, one_page, shown, zipped

FACT = "The tower of Kelm has 317 steps."
PROSE = "A line of text that says nothing at all about towers, and is as long as lines are. "

# --- Containers: DOCX, PPTX, XLSX, EPUB ---------------------------------------------------------------------------


def docx(body: str = "", before: str = XML, document: made.Content | None = None, **more: made.Content) -> bytes:
    text = before + made.WORD_OPEN + (body or made.paragraph(FACT)) + made.WORD_CLOSE
    return zipped({**made.docx_members(document or text), **more})


def docx_of(piece: str, times: int, before: str = "", after: str = "") -> bytes:
    document = many(piece, times, XML + made.WORD_OPEN + before, after + made.WORD_CLOSE)
    return zipped(made.docx_members(document))


def long_docx(paragraphs: int) -> bytes:
    """A .docx of so many paragraphs of a thousand characters."""
    return docx_of(made.paragraph("a " * 500), paragraphs)


def docx_with(*more: tuple[str, made.Content]) -> bytes:
    text = XML + made.WORD_OPEN + made.paragraph(FACT) + made.WORD_CLOSE
    return zipped([*made.docx_members(text).items(), *more])


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
DOCTYPES = {
    "laughs": (f'<!DOCTYPE d [<!ENTITY l0 "ha ha ha ">{LAUGHS}]>', "&l9;"),
    "quadratic": (f'<!DOCTYPE d [<!ENTITY big "{"ha " * 30_000}">]>', "&big;" * 30_000),
    "outside": ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
    "parameter": ('<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:9/evil.dtd"> %p;]>', "at home"),
}


def entities(suffix: str, kind: str) -> bytes:
    """An XML document that unfolds an entity, in this format."""
    doctype, used = DOCTYPES[kind]
    if suffix == ".docx":
        return docx(made.paragraph(f"{FACT} {used}"), before=XML + doctype)
    page = made.chapter("Towers", f"{FACT} {used}").replace(XML, XML + doctype)
    if suffix == ".epub":
        return zipped(made.epub_members({"one.xhtml": page}))
    if suffix == ".xlsx":
        workbook = made.xlsx_members(f"<sheetData>{made.rows(['Tower', 'Steps'], ['Kelm', used])}</sheetData>")
        sheet = b"".join(workbook["xl/worksheets/sheet1.xml"])  # type: ignore[arg-type]
        return zipped({**workbook, "xl/worksheets/sheet1.xml": sheet.decode().replace(XML, XML + doctype)})
    return page.encode()


def entries(count: int) -> bytes:
    """A ZIP that lists this many members, and holds one."""
    one = zipped(made.docx_members(""), packed=False)
    start = one.index(b"PK\x01\x02")
    head = one[start : start + 46]
    names = (b"word/%06d.xml" % number for number in range(count))
    listed = b"".join(head[:28] + struct.pack("<H", len(name)) + head[30:] + name for name in names)
    # The count of the 32-bit record has 16 bits only, as in files that want to seem small.
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(listed), start, 0)
    return one[:start] + listed + end


def lying_size(size: int) -> bytes:
    """A .docx of 200 MB that tells another size of its document, in both places where a ZIP tells it."""
    data = bytearray(long_docx(200_000))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            if int.from_bytes(data[at + offset : at + offset + 4], "little") > 1_000_000:
                data[at + offset : at + offset + 4] = struct.pack("<L", size)
    return bytes(data)


def overlapping(count: int) -> bytes:
    """A .docx whose members all share the same packed bytes, so that it unpacks to far more than it seems to hold."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain = b" " * 1_000_000
    packed = packer.compress(plain) + packer.flush()
    facts = struct.pack("<5H", 20, 0, 8, 0, 0)  # version, flags, method, time, date
    sizes = struct.pack("<LLL", zlib.crc32(plain), len(packed), len(plain))
    local = b"PK\x03\x04" + facts + sizes + struct.pack("<HH", 17, 0) + b"word/document.xml" + packed
    listed = b"".join(
        b"PK\x01\x02\x14\x00" + facts + sizes + struct.pack("<5H2L", 17, 0, 0, 0, 0, 0, 0) + name
        for name in (b"word/%08d.xml" % number for number in range(count))
    )
    return local + listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(listed), len(local), 0)


def nested(depth: int) -> bytes:
    data = docx()
    for _ in range(depth):
        data = zipped({"word/document.docx": data, "again.docx": data})
    return data


def encrypted() -> bytes:
    """A .docx whose members are marked as encrypted."""
    data = bytearray(docx())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    return bytes(data)


def padded(members: dict[str, made.Content], megabytes: float) -> bytes:
    """A ZIP that also holds a picture that does not pack: its ratio is that of an honest file."""
    return zipped({**members, "media/noise.bin": random.Random(1).randbytes(int(megabytes * 1_000_000))})


def xlsx(sheet: made.Content, strings: tuple[str, ...] = ()) -> bytes:
    return zipped(made.xlsx_members(sheet, strings))


def wide_sheet() -> bytes:
    """A sheet of three cells, as large as a sheet can be."""
    first = f'<row r="1">{made.cell("A1", "Tower")}{made.cell("B1", "Steps")}</row>'
    second = f'<row r="2">{made.cell("A2", "Kelm")}{made.cell("B2", "317")}</row>'
    last = f'<row r="1048576">{made.cell("XFD1048576", "the end")}</row>'
    return xlsx(f'<dimension ref="A1:XFD1048576"/><sheetData>{first}{second}{last}</sheetData>')


def shared_strings(cells: int, length: int) -> bytes:
    """A sheet whose every cell shows the same long string."""
    row = "<row>" + '<c t="s"><v>0</v></c>' * 10 + "</row>"
    sheet = many(row, cells // 10, "<sheetData>", "</sheetData>")
    return padded(made.xlsx_members(sheet, ("tower " * (length // 6),)), cells * 21 / 40_000_000)


def long_header(suffix: str) -> bytes:
    """A table whose long header stands again in each of its rows: 2 MB that say 2 GB."""
    names, count = [f"{'column ' * 200}{number}" for number in range(20)], 100_000 if suffix == ".csv" else 20_000
    if suffix == ".csv":
        return (",".join(names) + "\n" + ",".join("1" * 20) + ("\n" + ",".join("1" * 20)) * count).encode()
    if suffix == ".html":
        head, row = "".join(f"<th>{name}</th>" for name in names), "<td>1</td>" * 20
        return f"<table><tr>{head}</tr>{f'<tr>{row}</tr>' * count}</table>".encode()
    row = "<row>" + "<c><v>1</v></c>" * 20 + "</row>"
    return padded(made.xlsx_members(many(row, count, f"<sheetData>{made.rows(names)}", "</sheetData>")), 1)


def slide(shapes: str, **more: made.Content) -> bytes:
    """A deck whose one slide has this before its text."""
    deck = made.pptx_members("Towers", FACT)
    slide = deck["ppt/slides/slide1.xml"]
    assert isinstance(slide, bytes)
    at = slide.index(b"<p:sp>")
    return zipped({**deck, "ppt/slides/slide1.xml": slide[:at] + shapes.encode() + slide[at:], **more})


GROUP = '<p:grpSp><p:nvGrpSpPr><p:cNvPr id="9" name="g"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'


def groups(depth: int) -> bytes:
    """A slide with groups within groups."""
    return slide(GROUP * depth + "</p:grpSp>" * depth)


def looping_slide() -> bytes:
    loop = made.relations(("rId1", "slideLayout", "../slideLayouts/slideLayout2.xml"), ("rId2", "slide", "slide1.xml"))
    return zipped({**made.pptx_members("Towers", FACT), "ppt/slides/_rels/slide1.xml.rels": loop})


def without(data: bytes, *names: str) -> bytes:
    held = made.members(data)
    for name in names:
        del held[name]
    return zipped(held)


def epub(spine: tuple[str, ...] = (), **chapters: made.Content) -> bytes:
    named = {f"{name}.xhtml": content for name, content in chapters.items()}
    return zipped(made.epub_members({**named, "z.xhtml": made.chapter("Towers", FACT)}, spine))


def one_chapter_often(times: int) -> bytes:
    """A book whose order of reading names the same chapter again and again."""
    book = made.epub_members({"z.xhtml": made.chapter("Towers", f"{FACT} {PROSE * 2000}")})
    opf = str(book["OEBPS/content.opf"]).replace('<itemref idref="c0"/>', '<itemref idref="c0"/>' * times)
    return zipped({**book, "OEBPS/content.opf": opf})


# --- PDF ----------------------------------------------------------------------------------------------------------

FLATE = b"/Filter /FlateDecode"


def flate_bomb(megabytes: int) -> bytes:
    return one_page(made.deflated(many("BT (a) Tj ET ", megabytes * 77_000)), FLATE)


def nested_flate() -> bytes:
    inner = made.deflated(many(" ", 500_000_000))
    return one_page(made.deflated([made.deflated([inner])]), b"/Filter [/FlateDecode /FlateDecode /FlateDecode]")


def operators(count: int) -> bytes:
    return one_page(made.deflated(many("(a) Tj ", count, "BT /F1 12 Tf ", " ET")), FLATE)


def page_loop() -> bytes:
    return made.pdf(made.CATALOG, made.pages(3, 4), b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>", b"null")


def xref_loop() -> bytes:
    data = made.pdf(made.CATALOG, made.pages(4), made.FONT, made.page(5), made.stream(shown(FACT)))
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % data.rindex(b"xref\n0"))


def declared_pages() -> bytes:
    return made.pdf(made.CATALOG, made.pages(4, count=10**6), made.FONT, made.page(5), made.stream(shown(FACT)))


def same_page(times: int, text: str = FACT) -> bytes:
    """A page that stands in the document again and again."""
    return made.pdf(made.CATALOG, made.pages(*[4] * times), made.FONT, made.page(5), made.stream(shown(text)))


def shared_content(count: int, chars: int) -> bytes:
    """Pages that all show one and the same long content."""
    content = made.stream(made.deflated([shown(*[PROSE] * (chars // len(PROSE)))]), FLATE)
    return made.pdf(made.CATALOG, made.pages(*range(5, 5 + count)), made.FONT, content, *[made.page(4)] * count)


def own_form() -> bytes:
    """A form that draws itself, and a font whose letter is written in that font."""
    inside = b"/Type /XObject /Subtype /Form /BBox [0 0 600 600] /Resources << /XObject << /X 6 0 R >> >>"
    glyph = b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /FirstChar 97 /LastChar 97 "
    glyph += b"/Widths [9] /Encoding << /Differences [97 /a] >> /CharProcs << /a 8 0 R >> "
    glyph += b"/Resources << /Font << /F1 7 0 R >> >> >>"
    use = b"/X Do BT /F1 12 Tf (aaa) Tj ET BT /F2 12 Tf 72 700 Td (%s) Tj ET" % FACT.encode()
    resources = b"/Resources << /XObject << /X 6 0 R >> /Font << /F1 7 0 R /F2 3 0 R >> >> /Contents 5 0 R"
    sheet = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] %s >>" % resources
    return made.pdf(
        made.CATALOG, made.pages(4), made.FONT, sheet, made.stream(use), made.stream(b"/X Do", inside), glyph,
        made.stream(b"9 0 0 0 9 9 d1 BT /F1 1 Tf (a) Tj ET"),
    )  # fmt: skip


def long_meaning() -> bytes:
    """A font whose every letter means 500 letters."""
    letters = "0061" * 500
    cmap = f"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <00> <ff> <{letters}> endbfrange"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    page = made.stream(shown(*["a" * 90] * 2000))
    return made.pdf(made.CATALOG, made.pages(4), font, made.page(5), page, made.stream(cmap.encode()))


def locked() -> bytes:
    key = b"5a" * 32
    lock = b"/ID [<%s> <%s>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (key, key, key, key)
    return made.pdf(
        made.CATALOG, made.pages(4), made.FONT, made.page(5), made.stream(shown(FACT)), trailer=lock
    )  # fmt: skip


def deep_arrays() -> bytes:
    return one_page(shown(FACT) + b" " + b"[" * 100_000 + b"]" * 100_000 + b" TJ")


# --- Web pages and tables of text ---------------------------------------------------------------------------------


def html(before: str = "", after: str = "", head: str = "") -> bytes:
    return f"<html><head><title>Towers</title>{head}</head><body>{before}<p>{FACT}</p>{after}</body></html>".encode()
