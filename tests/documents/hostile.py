"""Hostile files of every format, made on the fly, each with what is right to do with it.

What is right is one of three: `read` (people have such files), `refused` with a reason that tells them why, or either
of both, where only a crash, a hang or a bill of memory would be wrong. `oddities` makes what is hostile by what it is
in a folder, not by what it holds: links, pipes, devices and names.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.documents import made
from tests.documents.made import XML, many, one_page, shown, zipped

FACT = "The tower of Kelm has 317 steps."
_PROSE = "A line of text that says nothing at all about towers, and is as long as lines are. "

Right = Literal["read", "refused", "either"]

# What a reason must hold: the setting that allows more, or what is wrong with the file.
_UNPACKED = "RAG_MAX_ZIP_(MB|RATIO)"
_ENTRIES = "RAG_MAX_ZIP_ENTRIES"
_CHARS = "RAG_MAX_CHARS"
_PAGES = "RAG_MAX_PAGES"
_COST = "RAG_MAX_[A-Z_]+"
_LOCKED = "(?i)password|encrypted|protected"
_DAMAGED = "(?i)damaged|broken|not a|no .* file|cannot be (read|opened)|invalid"
_BINARY = "binary"
_EMPTY = "no text"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file, and what is right to do with it."""

    name: str
    make: Callable[[], bytes]
    right: Right
    reason: str = ""  # a pattern that the reason of a refusal holds
    text: str = ""  # a pattern that the text holds, where there is one

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix


# --- Containers: DOCX, PPTX, XLSX, EPUB ---------------------------------------------------------------------------


def _docx(body: str = "", before: str = XML, document: made.Content | None = None, **more: made.Content) -> bytes:
    text = before + made.WORD_OPEN + (body or made.paragraph(FACT)) + made.WORD_CLOSE
    return zipped({**made.docx_members(document or text), **more})


def _docx_of(piece: str, times: int, before: str = "", after: str = "") -> bytes:
    document = many(piece, times, XML + made.WORD_OPEN + before, after + made.WORD_CLOSE)
    return zipped(made.docx_members(document))


def _docx_with(*more: tuple[str, made.Content]) -> bytes:
    text = XML + made.WORD_OPEN + made.paragraph(FACT) + made.WORD_CLOSE
    return zipped([*made.docx_members(text).items(), *more])


_LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
_DOCTYPES = {
    "laughs": (f'<!DOCTYPE d [<!ENTITY l0 "ha ha ha ">{_LAUGHS}]>', "&l9;"),
    "quadratic": (f'<!DOCTYPE d [<!ENTITY big "{"ha " * 30_000}">]>', "&big;" * 30_000),
    "outside": ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
    "parameter": ('<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:9/evil.dtd"> %p;]>', "at home"),
}


def _entities(suffix: str, kind: str) -> bytes:
    """An XML document that unfolds an entity, in this format."""
    doctype, used = _DOCTYPES[kind]
    if suffix == ".docx":
        return _docx(made.paragraph(f"{FACT} {used}"), before=XML + doctype)
    page = made.chapter("Towers", f"{FACT} {used}").replace(XML, XML + doctype)
    if suffix == ".epub":
        return zipped(made.epub_members({"one.xhtml": page}))
    if suffix == ".xlsx":
        workbook = made.xlsx_members(f"<sheetData>{made.rows(['Tower', 'Steps'], ['Kelm', used])}</sheetData>")
        sheet = b"".join(workbook["xl/worksheets/sheet1.xml"])  # type: ignore[arg-type]
        return zipped({**workbook, "xl/worksheets/sheet1.xml": sheet.decode().replace(XML, XML + doctype)})
    return page.encode()


def _entries(count: int) -> bytes:
    """A ZIP that lists this many members, and holds one."""
    one = zipped(made.docx_members(""), packed=False)
    start = one.index(b"PK\x01\x02")
    head = one[start : start + 46]
    names = (b"word/%06d.xml" % number for number in range(count))
    listed = b"".join(head[:28] + struct.pack("<H", len(name)) + head[30:] + name for name in names)
    # The count of the 32-bit record has 16 bits only, as in files that want to seem small.
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(listed), start, 0)
    return one[:start] + listed + end


def _lying_size(size: int) -> bytes:
    """A .docx of 200 MB that tells another size of its document, in both places where a ZIP tells it."""
    data = bytearray(_docx_of(made.paragraph("a" * 1000), 200_000))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            if int.from_bytes(data[at + offset : at + offset + 4], "little") > 1_000_000:
                data[at + offset : at + offset + 4] = struct.pack("<L", size)
    return bytes(data)


def _overlapping(count: int) -> bytes:
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


def _nested(depth: int) -> bytes:
    data = _docx()
    for _ in range(depth):
        data = zipped({"word/document.docx": data, "again.docx": data})
    return data


def _encrypted() -> bytes:
    """A .docx whose members are marked as encrypted."""
    data = bytearray(_docx())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    return bytes(data)


def _padded(members: dict[str, made.Content], megabytes: float) -> bytes:
    """A ZIP that also holds a picture that does not pack: its ratio is that of an honest file."""
    return zipped({**members, "media/noise.bin": random.Random(1).randbytes(int(megabytes * 1_000_000))})


def _xlsx(sheet: made.Content, strings: tuple[str, ...] = ()) -> bytes:
    return zipped(made.xlsx_members(sheet, strings))


def _wide_sheet() -> bytes:
    """A sheet of three cells, as large as a sheet can be."""
    first = f'<row r="1">{made.cell("A1", "Tower")}{made.cell("B1", "Steps")}</row>'
    second = f'<row r="2">{made.cell("A2", "Kelm")}{made.cell("B2", "317")}</row>'
    last = f'<row r="1048576">{made.cell("XFD1048576", "the end")}</row>'
    return _xlsx(f'<dimension ref="A1:XFD1048576"/><sheetData>{first}{second}{last}</sheetData>')


def _shared_strings(cells: int, length: int) -> bytes:
    """A sheet whose every cell shows the same long string."""
    row = "<row>" + '<c t="s"><v>0</v></c>' * 10 + "</row>"
    sheet = many(row, cells // 10, "<sheetData>", "</sheetData>")
    return _padded(made.xlsx_members(sheet, ("tower " * (length // 6),)), cells * 21 / 40_000_000)


def _long_header(suffix: str) -> bytes:
    """A table whose long header stands again in each of its rows: 2 MB that say 2 GB."""
    names, count = [f"{'column ' * 200}{number}" for number in range(20)], 100_000 if suffix == ".csv" else 20_000
    if suffix == ".csv":
        return (",".join(names) + "\n" + ",".join("1" * 20) + ("\n" + ",".join("1" * 20)) * count).encode()
    if suffix == ".html":
        head, row = "".join(f"<th>{name}</th>" for name in names), "<td>1</td>" * 20
        return f"<table><tr>{head}</tr>{f'<tr>{row}</tr>' * count}</table>".encode()
    row = "<row>" + "<c><v>1</v></c>" * 20 + "</row>"
    return _padded(made.xlsx_members(many(row, count, f"<sheetData>{made.rows(names)}", "</sheetData>")), 1)


def _slide(shapes: str, **more: made.Content) -> bytes:
    """A deck whose one slide has this before its text."""
    deck = made.pptx_members("Towers", FACT)
    slide = deck["ppt/slides/slide1.xml"]
    assert isinstance(slide, bytes)
    at = slide.index(b"<p:sp>")
    return zipped({**deck, "ppt/slides/slide1.xml": slide[:at] + shapes.encode() + slide[at:], **more})


_GROUP = '<p:grpSp><p:nvGrpSpPr><p:cNvPr id="9" name="g"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'


def _looping_slide() -> bytes:
    loop = made.relations(("rId1", "slideLayout", "../slideLayouts/slideLayout2.xml"), ("rId2", "slide", "slide1.xml"))
    return zipped({**made.pptx_members("Towers", FACT), "ppt/slides/_rels/slide1.xml.rels": loop})


def _without(data: bytes, *names: str) -> bytes:
    held = made.members(data)
    for name in names:
        del held[name]
    return zipped(held)


def _epub(spine: tuple[str, ...] = (), **chapters: made.Content) -> bytes:
    named = {f"{name}.xhtml": content for name, content in chapters.items()}
    return zipped(made.epub_members({**named, "z.xhtml": made.chapter("Towers", FACT)}, spine))


def _one_chapter_often(times: int) -> bytes:
    """A book whose order of reading names the same chapter again and again."""
    book = made.epub_members({"z.xhtml": made.chapter("Towers", f"{FACT} {_PROSE * 2000}")})
    opf = str(book["OEBPS/content.opf"]).replace('<itemref idref="c0"/>', '<itemref idref="c0"/>' * times)
    return zipped({**book, "OEBPS/content.opf": opf})


_SUFFIXES = (".docx", ".pptx", ".xlsx", ".epub")
_GOOD = {
    ".docx": lambda: made.docx(FACT),
    ".pptx": lambda: made.pptx("Towers", FACT),
    ".xlsx": lambda: made.xlsx(["Tower", "Steps"], ["Kelm", "317"]),
    ".epub": lambda: made.epub("Towers", FACT),
}
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1528) + "EncryptedPackage".encode("utf-16-le")

CONTAINERS = (
    Hostile("100-million-characters.docx", lambda: _docx_of(made.paragraph("a " * 500), 100_000), "refused", _UNPACKED),
    Hostile(
        "one-node-of-300-MB.docx",
        lambda: _docx_of("a" * 1000, 300_000, "<w:p><w:r><w:t>", "</w:t></w:r></w:p>"),
        "refused",
        _UNPACKED,
    ),
    Hostile(
        "6-million-characters-of-little-paragraphs.docx",
        lambda: _padded(
            made.docx_members(many(made.paragraph("a b c"), 1_200_000, XML + made.WORD_OPEN, made.WORD_CLOSE)), 2
        ),
        "refused",
        _COST,
    ),
    *(
        Hostile(f"entities-{kind}{suffix}", lambda suffix=suffix, kind=kind: _entities(suffix, kind), "either")
        for kind in _DOCTYPES
        for suffix in (".docx", ".epub", ".xlsx", ".html")
    ),
    Hostile("out-of-the-folder.docx", lambda: _docx_with(("../../../../escaped.txt", FACT)), "either"),
    Hostile("absolute.docx", lambda: _docx_with(("/tmp/escaped.txt", FACT), ("C:\\escaped.txt", FACT)), "either"),
    Hostile("twice-the-document.docx", lambda: _docx_with(("word/document.xml", _PROSE)), "either"),
    *(
        Hostile(f"says-it-has-{size}-bytes.docx", lambda size=size: _lying_size(size), "refused")
        for size in (0, 100, 0xFFFFFFFE, 0xFFFFFFFF)
    ),
    Hostile("100000-members.docx", lambda: _entries(100_000), "refused", _ENTRIES),
    Hostile("1900-members-in-one-place.docx", lambda: _overlapping(1900), "refused"),
    Hostile("zip-in-zip-in-zip.docx", lambda: _nested(12), "refused"),
    Hostile("encrypted.docx", _encrypted, "refused", _LOCKED),
    *(Hostile(f"old-format{suffix}", lambda: _OLE2, "refused", f"{_LOCKED}|older") for suffix in _SUFFIXES[:3]),
    *(Hostile(f"empty{suffix}", lambda: b"", "refused") for suffix in _SUFFIXES),
    *(Hostile(f"no-members{suffix}", lambda: zipped({}), "refused") for suffix in _SUFFIXES),
    *(Hostile(f"text{suffix}", lambda: FACT.encode() * 99, "refused", _DAMAGED) for suffix in _SUFFIXES),
    *(Hostile(f"half{s}", lambda s=s: (d := _GOOD[s]())[: len(d) // 2], "refused", _DAMAGED) for s in _SUFFIXES),
    Hostile("another-format.docx", lambda: made.xlsx(["Kelm", "317"]), "refused"),
    Hostile("tables-in-tables.docx", lambda: _docx("<w:tbl><w:tr><w:tc>" * 3000), "either"),
    Hostile(
        "tables-in-tables-closed.docx",
        lambda: _docx("<w:tbl><w:tr><w:tc>" * 60 + made.paragraph(FACT) + "</w:tc></w:tr></w:tbl>" * 60),
        "either",
        text="317 steps",
    ),
    Hostile("large-as-a-sheet-can-be.xlsx", _wide_sheet, "read", text="Kelm[^\n]*317"),
    Hostile("5-million-cells.xlsx", lambda: _shared_strings(5_000_000, 60), "refused", _COST),
    Hostile("long-shared-string.xlsx", lambda: _shared_strings(200_000, 30_000), "refused", _COST),
    Hostile(
        "shared-string-that-is-not-there.xlsx",
        lambda: _xlsx('<sheetData><row r="1"><c r="A1" t="s"><v>999</v></c></row></sheetData>'),
        "refused",
    ),
    Hostile(
        "cells-that-are-no-cells.xlsx",
        lambda: _xlsx(
            '<sheetData><row r="x"><c r="ZZZZ99999999"><v>1e999</v></c><c t="d"><v>no</v></c></row>'
            '<row r="-1"><c r="A1" s="77" t="b"><v>7</v></c></row></sheetData>'
        ),
        "either",
    ),
    Hostile(
        "merged-over-all.xlsx",
        lambda: _xlsx(
            f"<sheetData>{made.rows(['Tower', 'Steps'], ['Kelm', '317'])}</sheetData>"
            '<mergeCells count="1"><mergeCell ref="A3:XFD1048576"/></mergeCells>'
        ),
        "read",
        text="Kelm[^\n]*317",
    ),
    Hostile("groups-in-groups.pptx", lambda: _slide(_GROUP * 5000 + "</p:grpSp>" * 5000), "either"),
    Hostile("100-groups-in-groups.pptx", lambda: _slide(_GROUP * 100 + "</p:grpSp>" * 100), "read", text="317 steps"),
    Hostile("slide-that-is-its-own-part.pptx", _looping_slide, "either"),
    Hostile("no-slide.pptx", lambda: _without(made.pptx("Towers", FACT), "ppt/slides/slide1.xml"), "refused"),
    Hostile(
        "no-masters.pptx",
        lambda: _without(made.pptx("Towers", FACT), "ppt/slideMasters/slideMaster1.xml"),
        "either",
    ),
    Hostile("no-container.epub", lambda: _without(made.epub("Towers", FACT), "META-INF/container.xml"), "either"),
    Hostile("chapters-from-outside.epub", lambda: _epub(("../../../../../etc/passwd", "z.xhtml")), "either"),
    Hostile("its-own-chapter.epub", lambda: _epub(("content.opf", "z.xhtml")), "either"),
    Hostile(
        "10000-chapters.epub",
        lambda: _epub(**{f"c{n}": "<p>a</p>" for n in range(10_000)}),
        "refused",
        _ENTRIES,
    ),
    Hostile("one-chapter-10000-times.epub", lambda: _one_chapter_often(10_000), "either", _COST, "317 steps"),
    *(
        Hostile(f"long-header{suffix}", lambda s=suffix: _long_header(s), "refused", _COST)
        for suffix in (".csv", ".html", ".xlsx")
    ),
)

# --- PDF ----------------------------------------------------------------------------------------------------------

_FLATE = b"/Filter /FlateDecode"


def _flate_bomb(megabytes: int) -> bytes:
    return one_page(made.deflated(many("BT (a) Tj ET ", megabytes * 77_000)), _FLATE)


def _nested_flate() -> bytes:
    inner = made.deflated(many(" ", 500_000_000))
    return one_page(made.deflated([made.deflated([inner])]), b"/Filter [/FlateDecode /FlateDecode /FlateDecode]")


def _operators(count: int) -> bytes:
    return one_page(made.deflated(many("(a) Tj ", count, "BT /F1 12 Tf ", " ET")), _FLATE)


def _page_loop() -> bytes:
    return made.pdf(made.CATALOG, made.pages(3, 4), b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>", b"null")


def _xref_loop() -> bytes:
    data = made.pdf(made.CATALOG, made.pages(4), made.FONT, made.page(5), made.stream(shown(FACT)))
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % data.rindex(b"xref\n0"))


def _declared_pages() -> bytes:
    return made.pdf(made.CATALOG, made.pages(4, count=10**6), made.FONT, made.page(5), made.stream(shown(FACT)))


def _same_page(times: int, text: str = FACT) -> bytes:
    """A page that stands in the document again and again."""
    return made.pdf(made.CATALOG, made.pages(*[4] * times), made.FONT, made.page(5), made.stream(shown(text)))


def _shared_content(count: int, chars: int) -> bytes:
    """Pages that all show one and the same long content."""
    content = made.stream(made.deflated([shown(*[_PROSE] * (chars // len(_PROSE)))]), _FLATE)
    return made.pdf(made.CATALOG, made.pages(*range(5, 5 + count)), made.FONT, content, *[made.page(4)] * count)


def _own_form() -> bytes:
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


def _long_meaning() -> bytes:
    """A font whose every letter means 500 letters."""
    letters = "0061" * 500
    cmap = f"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <00> <ff> <{letters}> endbfrange"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>"
    page = made.stream(shown(*["a" * 90] * 2000))
    return made.pdf(made.CATALOG, made.pages(4), font, made.page(5), page, made.stream(cmap.encode()))


def _locked() -> bytes:
    key = b"5a" * 32
    lock = b"/ID [<%s> <%s>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (key, key, key, key)
    return made.pdf(
        made.CATALOG, made.pages(4), made.FONT, made.page(5), made.stream(shown(FACT)), trailer=lock
    )  # fmt: skip


def _deep_arrays() -> bytes:
    return one_page(shown(FACT) + b" " + b"[" * 100_000 + b"]" * 100_000 + b" TJ")


PDFS = (
    Hostile("300-MB.pdf", lambda: _flate_bomb(300), "refused"),
    Hostile("500-MB-in-three-layers.pdf", _nested_flate, "refused"),
    Hostile("2-million-operators.pdf", lambda: _operators(2_000_000), "either"),
    Hostile("page-tree-loop.pdf", _page_loop, "refused"),
    Hostile("xref-loop.pdf", _xref_loop, "either", text="317 steps"),
    Hostile("says-it-has-a-million-pages.pdf", _declared_pages, "either", text="317 steps"),
    Hostile("one-page-a-million-times.pdf", lambda: _same_page(1_000_000), "refused", _PAGES),
    Hostile("2001-pages.pdf", lambda: _same_page(2001), "refused", _PAGES),
    Hostile("1900-pages-of-the-same-6-kB.pdf", lambda: _shared_content(1900, 6000), "refused", _COST),
    Hostile("cut.pdf", lambda: one_page(shown(FACT))[:300], "either"),
    Hostile("no-table.pdf", lambda: (d := one_page(shown(FACT)))[: d.rindex(b"xref\n0")], "either", text="317 steps"),
    Hostile("noise.pdf", lambda: random.Random(2).randbytes(2_000_000), "refused"),
    Hostile("noise-with-a-head.pdf", lambda: b"%PDF-1.7\n" + random.Random(3).randbytes(2_000_000), "refused"),
    Hostile("program.pdf", lambda: b"\x7fELF\x02\x01\x01" + random.Random(4).randbytes(50_000), "refused"),
    Hostile("empty.pdf", lambda: b"", "refused"),
    Hostile("locked.pdf", _locked, "refused", _LOCKED),
    Hostile("draws-itself.pdf", _own_form, "either", text="317 steps"),
    Hostile("page-of-10-million-points.pdf", lambda: one_page(shown(FACT), shape=b"/MediaBox [0 0 10000000 10000000]"),
            "either", text="317 steps"),
    Hostile("page-of-no-size.pdf", lambda: one_page(shown(FACT), shape=b"/MediaBox [0 0 0 0]"), "either"),
    Hostile("each-letter-means-500.pdf", _long_meaning, "either"),
    Hostile("brackets.pdf", _deep_arrays, "either"),
)  # fmt: skip

# --- Web pages and tables of text ---------------------------------------------------------------------------------


def _html(before: str = "", after: str = "", head: str = "") -> bytes:
    return f"<html><head><title>Towers</title>{head}</head><body>{before}<p>{FACT}</p>{after}</body></html>".encode()


WEB = (
    Hostile("200000-divs.html", lambda: _html("<div>" * 200_000, "</div>" * 200_000), "either", text="317 steps"),
    Hostile("lists-in-lists.html", lambda: _html("<ul><li>a" * 50_000), "either"),
    Hostile("tables-in-tables.html", lambda: _html("<table><tr><td>" * 20_000), "either"),
    Hostile(
        "a-million-attributes.html",
        lambda: _html(f"<p {' '.join(f'a{n}=1' for n in range(1_000_000))}>here</p>"),
        "either",
        text="317 steps",
    ),
    Hostile("7-million-tags.html", lambda: _html("<b>" * 6_600_000), "either", _COST),
    Hostile("20-MB-of-one-tag.html", lambda: _html(f"<p title='{'a' * 20_000_000}'>here</p>"), "either", _COST),
    Hostile("open-comment.html", lambda: _html(after="<!-- " + _PROSE * 60_000), "read", text="317 steps"),
    Hostile("charset-that-lies.html", lambda: _html(head='<meta charset="utf-16">'), "read", text="317 steps"),
    Hostile("charset-of-nowhere.html", lambda: _html(head="<meta charset=\"x'();--\">"), "read", text="317 steps"),
    Hostile(
        "cell-over-100-million-columns.html",
        lambda: _html(
            "<table><tr><th colspan=100000000 rowspan=100000000>Tower</th><th>Steps</th></tr>"
            "<tr><td colspan=-7 rowspan=x>Kelm</td><td rowspan=65534>317</td></tr></table>"
        ),
        "read",
        text="317",
    ),
    Hostile("entities.html", lambda: _html("&#0;&#x110000;&#xD800;&#99999999999999;&bogus;&" * 50_000), "either"),
    Hostile("binary.html", lambda: random.Random(5).randbytes(500_000), "refused", _BINARY),
    Hostile("nothing-to-see.html", lambda: b"<html><script>var a = 1</script><style>p {}</style></html>", "refused",
            _EMPTY),
    Hostile("only-navigation.html", lambda: _html().replace(FACT.encode(), b""), "refused", _EMPTY),
    Hostile("a-million-columns.csv", lambda: b"a," * 1_000_000 + b"\n" + b"1," * 1_000_000, "either", _COST),
    Hostile("20-MB-in-one-field.csv", lambda: b"tower,steps\nKelm," + b"3" * 20_000_000, "refused", _CHARS),
    Hostile("field-of-a-megabyte.csv", lambda: b"tower,steps\nKelm,317\nUlm," + b"7" * 1_000_000, "either",
            text="Kelm[^\n]*317"),
    Hostile("nul-bytes.csv", lambda: b"tower,steps\nKelm,317\0\n" + b"Ulm,\x00768\n" * 9, "read", text="Kelm[^\n]*317"),
    Hostile("open-quote.csv", lambda: b'tower,steps\nKelm,317\nUlm,"768\n' + b"more,text\n" * 100_000, "either",
            text="Kelm[^\n]*317"),
    Hostile("quotes.csv", lambda: b'tower,steps\nKelm,317\n' + b'"' * 2_000_001, "either", text="Kelm[^\n]*317"),
    Hostile("only-commas.csv", lambda: b",,,,\n" * 100_000, "refused", _EMPTY),
    Hostile("lines-of-any-length.csv", lambda: "\n".join("a," * (n % 97) for n in range(20_000)).encode(), "either"),
)  # fmt: skip

# --- Plain text and Markdown --------------------------------------------------------------------------------------

_ZERO_WIDTH, _TURNED = "\u200b\u200d\u2060\ufeff", "\u202e\u2066\u2069\u200f"
_TAGGED = "".join(chr(0xE0000 + ord(letter)) for letter in "obey me")

TEXTS = (
    Hostile("100-MB.txt", lambda: _PROSE.encode() * 1_250_000, "refused", "RAG_MAX_FILE_MB"),
    Hostile("20-MB-without-a-space.txt", lambda: b"a" * 20_000_000, "refused", _CHARS),
    Hostile("20-MB-in-one-line.txt", lambda: _PROSE.encode() * 250_000, "refused", _CHARS),
    Hostile("4-MB-without-a-space.txt", lambda: b"a" * 4_000_000, "read"),
    Hostile("4-MB-in-one-line.txt", lambda: (FACT + " " + _PROSE * 50_000).encode(), "read", text="317 steps"),
    Hostile("4-MB-of-combining-marks.txt", lambda: (FACT + "\n\na" + "\u0301" * 2_000_000).encode(), "either",
            text="317 steps"),
    Hostile("5-million-newlines.txt", lambda: b"\n" * 4_999_999, "refused", _EMPTY),
    Hostile("words-far-apart.txt", lambda: b"far" + b"\n" * 4_900_000 + FACT.encode(), "read", text="317 steps"),
    Hostile("spaces.txt", lambda: FACT.encode() + b" " * 4_900_000 + b"far", "read", text="317 steps"),
    Hostile("lone-surrogates.txt", lambda: FACT.encode() + b"\xed\xa0\x80\xed\xbf\xbf" * 1000, "either"),
    Hostile("lone-surrogates-16.txt", lambda: b"\xff\xfe" + FACT.encode("utf-16-le") + b"\x00\xd8" * 99, "either"),
    Hostile("odd-length-16.txt", lambda: b"\xff\xfe" + FACT.encode("utf-16-le") + b"!", "either"),
    Hostile("2-MB-of-noise.txt", lambda: random.Random(6).randbytes(2_000_000), "refused", _BINARY),
    Hostile("zeros.txt", lambda: bytes(1_000_000), "refused", _BINARY),
    Hostile("program.txt", lambda: b"\x7fELF\x02\x01\x01" + bytes(5000), "refused", _BINARY),
    Hostile("invisible.txt", lambda: f"{_TURNED}{_ZERO_WIDTH}{FACT}{_TAGGED}{_TURNED}".encode(), "read", text="317"),
    Hostile("only-invisible.txt", lambda: ((_ZERO_WIDTH + _TURNED) * 1000).encode(), "refused", _EMPTY),
    Hostile("abbreviations.txt", lambda: FACT.encode() + b" e.g. Dr. A. B. C." * 100_000, "read", text="317 steps"),
    Hostile("full-stops.txt", lambda: FACT.encode() + b"\n\n" + b". " * 1_000_000, "read", text="317 steps"),
    Hostile("brackets.md", lambda: f"{FACT}\n\n{'[' * 500_000}{'](' * 500_000}".encode(), "read", text="317 steps"),
    Hostile("headings.md", lambda: f"{FACT}\n\n# Heading\n".encode() * 60_000, "read", text="317 steps"),
    Hostile("marks.md", lambda: FACT.encode() + b"\n= a =" + b" = a #`*_|" * 100_000, "read", text="317 steps"),
    Hostile("bars.md", lambda: f"{FACT}\n\n{'| a ' * 500_000}|\n{'|-' * 500_000}|\n".encode(), "read", text="317"),
    Hostile("fences.md", lambda: f"{FACT}\n\n".encode() + b"````` ```\n" * 100_000, "read", text="317 steps"),
    Hostile("quotes-in-quotes.md", lambda: f"{FACT}\n\n{'>' * 200_000} a\n{'- ' * 200_000}b".encode(), "read",
            text="317 steps"),
)  # fmt: skip

HOSTILE = (*CONTAINERS, *PDFS, *WEB, *TEXTS)

# --- What is hostile in a folder ----------------------------------------------------------------------------------

ODD_NAMES = (
    "\U0001f5fc tower \u2764\ufe0f.txt",
    "\u51ef\u5c14\u59c6\u5854.txt",
    "  two spaces .txt",
    "new\nline.txt",
    "tab\tand\x1b[31mred.txt",
    "quote'\"`$(true)&;|<b>.txt",
    "-rf.txt",
    "%s%n{0}{source}.txt",
    "turned\u202etxt.exe.txt",
    "CON.txt",
    "n" * 251 + ".txt",
    "/".join(f"level {number}" for number in range(60)) + "/deep.txt",
)
"""Names of good text files, below the corpus; each is read, and found by what it says."""


def tower(number: int) -> str:
    """A fact that only one document holds."""
    return f"The tower number {number} of Kelm was built in {1000 + number} by master Ulmer{number}."


def oddities(corpus: Path, outside: Path) -> tuple[list[str], list[str]]:
    """Put what is odd into a corpus: the sources that are to be read, and the names that are to be left out.

    :param outside: a folder that is not the corpus's; what lies there must never be read.
    """
    for number, name in enumerate(ODD_NAMES):
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_text(tower(number), "utf-8")
    (outside / "secret.txt").write_text("CANARY: this lies outside of the corpus.", "utf-8")
    links = {
        "link-out.txt": outside / "secret.txt",
        "link-to-a-folder-out": outside,
        "link-to-itself.txt": corpus / "link-to-itself.txt",
        "link-to-nowhere.txt": corpus / "nowhere.txt",
        "link-to-its-own-folder": corpus,
        "zero.txt": Path("/dev/zero"),
        "password.txt": Path("/etc/passwd"),
    }
    for name, target in links.items():
        (corpus / name).symlink_to(target)
    for name in (".hidden.txt", "~$office.docx", ".~lock.sheet.xlsx#", ".git/config.txt", "~WRL0001.tmp"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_text("CANARY: this is no document.", "utf-8")
    os.mkfifo(corpus / "pipe.txt")
    _socket(corpus / "socket.txt")
    not_utf8 = os.fsencode(corpus) + b"/caf\xe9.txt"
    with suppress(OSError):  # some file systems take no such name
        Path(os.fsdecode(not_utf8)).write_text("CANARY: a name that no page can show.", "utf-8")
    left_out = [*links, ".hidden.txt", "~$office.docx", ".~lock.sheet.xlsx#", "pipe.txt", "socket.txt"]
    return list(ODD_NAMES), left_out


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have no more than some 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def write(folder: Path, files: Iterable[Hostile] = HOSTILE) -> None:
    """Make these files in a folder."""
    for file in files:
        (folder / file.name).write_bytes(file.make())
