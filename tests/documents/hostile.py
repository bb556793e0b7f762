"""Hostile files of every format, made on the fly, each with what is right to do with it.

What is right is one of three: `read` (people have such files), `refused` with a reason that tells them why, or either
of both, where only a crash, a hang or a bill of memory would be wrong. `oddities` makes what is hostile by what it is
in a folder, not by what it holds: links, pipes, devices and names.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.documents import bombs, made
from tests.documents.bombs import FACT, PROSE
from tests.documents.made import XML, many, one_page, shown, zipped

_SLOW = {
    "1900-pages-of-the-same-6-kB.pdf", "2-million-operators.pdf", "300-MB.pdf", "500-MB-in-three-layers.pdf",
    "one-page-a-million-times.pdf", "each-letter-means-500.pdf", "100-million-characters.docx",
    "one-node-of-300-MB.docx", "6-million-characters-of-little-paragraphs.docx", "long-shared-string.xlsx",
    "long-header.csv", "long-header.html", "long-header.xlsx", "200000-divs.html", "7-million-tags.html",
    "a-million-attributes.html", "20-MB-of-one-tag.html", "lists-in-lists.html", "open-quote.csv",
    "a-million-columns.csv", "words-far-apart.txt", "full-stops.txt", "headings.md", "abbreviations.txt", "fences.md",
    "lines-of-any-length.csv", "words-not-so-far-apart.txt",
}  # fmt: skip

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
    def is_slow(self) -> bool:
        """Whether making and reading it takes more than about a second."""
        return self.name in _SLOW

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix


# --- Good ones, to stand among them -------------------------------------------------------------------------------

GOOD: dict[str, Callable[[str], bytes]] = {
    ".txt": str.encode,
    ".md": lambda fact: f"# Towers\n\n{fact}\n".encode(),
    ".html": lambda fact: made.chapter("Towers", fact).replace(XML, "<!DOCTYPE html>").encode(),
    ".pdf": lambda fact: made.one_page(shown(fact)),
    ".docx": made.docx,
    ".pptx": lambda fact: made.pptx("Towers", fact),
    ".xlsx": lambda fact: made.xlsx(["Kind", "What is known"], ["tower", fact]),
    ".csv": lambda fact: f"Kind,What is known\ntower,{fact}\n".encode(),
    ".epub": lambda fact: made.epub("Towers", fact),
}
"""By suffix, how a file is made that holds this sentence."""


def tower(number: int) -> str:
    """A fact that only one document holds."""
    return f"The tower number {number} of Kelm was built in {1000 + number} by master Ulmer{number}."


# --- Containers: DOCX, PPTX, XLSX, EPUB ---------------------------------------------------------------------------

_SUFFIXES = (".docx", ".pptx", ".xlsx", ".epub")
_GOOD = {
    ".docx": lambda: made.docx(FACT),
    ".pptx": lambda: made.pptx("Towers", FACT),
    ".xlsx": lambda: made.xlsx(["Tower", "Steps"], ["Kelm", "317"]),
    ".epub": lambda: made.epub("Towers", FACT),
}
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1528) + "EncryptedPackage".encode("utf-16-le")

CONTAINERS = (
    Hostile(
        "100-million-characters.docx", lambda: bombs.docx_of(made.paragraph("a " * 500), 100_000), "refused", _UNPACKED
    ),
    Hostile(
        "one-node-of-300-MB.docx",
        lambda: bombs.docx_of("a" * 1000, 300_000, "<w:p><w:r><w:t>", "</w:t></w:r></w:p>"),
        "refused",
        _UNPACKED,
    ),
    Hostile(
        "6-million-characters-of-little-paragraphs.docx",
        lambda: bombs.padded(
            made.docx_members(many(made.paragraph("a b c"), 1_200_000, XML + made.WORD_OPEN, made.WORD_CLOSE)), 2
        ),
        "refused",
        _COST,
    ),
    *(
        Hostile(f"entities-{kind}{suffix}", lambda suffix=suffix, kind=kind: bombs.entities(suffix, kind), "either")
        for kind in bombs.DOCTYPES
        for suffix in (".docx", ".epub", ".xlsx", ".html")
    ),
    Hostile("out-of-the-folder.docx", lambda: bombs.docx_with(("../../../../escaped.txt", FACT)), "either"),
    Hostile("absolute.docx", lambda: bombs.docx_with(("/tmp/escaped.txt", FACT), ("C:\\escaped.txt", FACT)), "either"),
    Hostile("twice-the-document.docx", lambda: bombs.docx_with(("word/document.xml", PROSE)), "either"),
    *(
        Hostile(f"says-it-has-{size}-bytes.docx", lambda size=size: bombs.lying_size(size), "refused")
        for size in (0, 100, 0xFFFFFFFE, 0xFFFFFFFF)
    ),
    Hostile("100000-members.docx", lambda: bombs.entries(100_000), "refused", _ENTRIES),
    Hostile("1900-members-in-one-place.docx", lambda: bombs.overlapping(1900), "refused"),
    Hostile("zip-in-zip-in-zip.docx", lambda: bombs.nested(12), "refused"),
    Hostile("encrypted.docx", bombs.encrypted, "refused", _LOCKED),
    *(Hostile(f"old-format{suffix}", lambda: _OLE2, "refused", f"{_LOCKED}|older") for suffix in _SUFFIXES[:3]),
    *(Hostile(f"empty{suffix}", lambda: b"", "refused") for suffix in _SUFFIXES),
    *(Hostile(f"no-members{suffix}", lambda: zipped({}), "refused") for suffix in _SUFFIXES),
    *(Hostile(f"text{suffix}", lambda: FACT.encode() * 99, "refused", _DAMAGED) for suffix in _SUFFIXES),
    *(Hostile(f"half{s}", lambda s=s: (d := _GOOD[s]())[: len(d) // 2], "refused", _DAMAGED) for s in _SUFFIXES),
    Hostile("another-format.docx", lambda: made.xlsx(["Kelm", "317"]), "refused"),
    Hostile("tables-in-tables.docx", lambda: bombs.docx("<w:tbl><w:tr><w:tc>" * 3000), "either"),
    Hostile(
        "tables-in-tables-closed.docx",
        lambda: bombs.docx("<w:tbl><w:tr><w:tc>" * 60 + made.paragraph(FACT) + "</w:tc></w:tr></w:tbl>" * 60),
        "either",
        text="317 steps",
    ),
    Hostile("large-as-a-sheet-can-be.xlsx", bombs.wide_sheet, "read", text="Kelm[^\n]*317"),
    Hostile("5-million-cells.xlsx", lambda: bombs.shared_strings(5_000_000, 60), "refused", _COST),
    Hostile("long-shared-string.xlsx", lambda: bombs.shared_strings(200_000, 30_000), "refused", _COST),
    Hostile(
        "shared-string-that-is-not-there.xlsx",
        lambda: bombs.xlsx('<sheetData><row r="1"><c r="A1" t="s"><v>999</v></c></row></sheetData>'),
        "refused",
    ),
    Hostile(
        "cells-that-are-no-cells.xlsx",
        lambda: bombs.xlsx(
            '<sheetData><row r="x"><c r="ZZZZ99999999"><v>1e999</v></c><c t="d"><v>no</v></c></row>'
            '<row r="-1"><c r="A1" s="77" t="b"><v>7</v></c></row></sheetData>'
        ),
        "either",
    ),
    Hostile(
        "merged-over-all.xlsx",
        lambda: bombs.xlsx(
            f"<sheetData>{made.rows(['Tower', 'Steps'], ['Kelm', '317'])}</sheetData>"
            '<mergeCells count="1"><mergeCell ref="A3:XFD1048576"/></mergeCells>'
        ),
        "read",
        text="Kelm[^\n]*317",
    ),
    Hostile("groups-in-groups.pptx", lambda: bombs.groups(5000), "either"),
    Hostile(
        "100-groups-in-groups.pptx",
        lambda: bombs.slide(bombs.GROUP * 100 + "</p:grpSp>" * 100),
        "read",
        text="317 steps",
    ),
    Hostile("slide-that-is-its-own-part.pptx", bombs.looping_slide, "either"),
    Hostile("no-slide.pptx", lambda: bombs.without(made.pptx("Towers", FACT), "ppt/slides/slide1.xml"), "refused"),
    Hostile(
        "no-masters.pptx",
        lambda: bombs.without(made.pptx("Towers", FACT), "ppt/slideMasters/slideMaster1.xml"),
        "either",
    ),
    Hostile("no-container.epub", lambda: bombs.without(made.epub("Towers", FACT), "META-INF/container.xml"), "either"),
    Hostile("chapters-from-outside.epub", lambda: bombs.epub(("../../../../../etc/passwd", "z.xhtml")), "either"),
    Hostile("its-own-chapter.epub", lambda: bombs.epub(("content.opf", "z.xhtml")), "either"),
    Hostile(
        "10000-chapters.epub",
        lambda: bombs.epub(**{f"c{n}": "<p>a</p>" for n in range(10_000)}),
        "refused",
        _ENTRIES,
    ),
    Hostile("one-chapter-10000-times.epub", lambda: bombs.one_chapter_often(10_000), "either", _COST, "317 steps"),
    *(
        Hostile(f"long-header{suffix}", lambda s=suffix: bombs.long_header(s), "either", _COST)
        for suffix in (".csv", ".html", ".xlsx")
    ),
)

# --- PDF ----------------------------------------------------------------------------------------------------------

PDFS = (
    Hostile("300-MB.pdf", lambda: bombs.flate_bomb(300), "refused"),
    Hostile("500-MB-in-three-layers.pdf", bombs.nested_flate, "refused"),
    Hostile("2-million-operators.pdf", lambda: bombs.operators(2_000_000), "either"),
    Hostile("page-tree-loop.pdf", bombs.page_loop, "refused"),
    Hostile("xref-loop.pdf", bombs.xref_loop, "either", text="317 steps"),
    Hostile("says-it-has-a-million-pages.pdf", bombs.declared_pages, "either", text="317 steps"),
    Hostile("one-page-a-million-times.pdf", lambda: bombs.same_page(1_000_000), "refused", _PAGES),
    Hostile("2001-pages.pdf", lambda: bombs.same_page(2001), "refused", _PAGES),
    Hostile("1900-pages-of-the-same-6-kB.pdf", lambda: bombs.shared_content(1900, 6000), "refused", _COST),
    Hostile("cut.pdf", lambda: one_page(shown(FACT))[:300], "either"),
    Hostile("wrong-table.pdf", lambda: one_page(shown(FACT)).replace(b"xref\n", b"xref\n9"), "read", text="317 steps"),
    Hostile("no-table.pdf", lambda: (d := one_page(shown(FACT)))[: d.rindex(b"xref\n0")], "either", text="317 steps"),
    Hostile("noise.pdf", lambda: random.Random(2).randbytes(2_000_000), "refused"),
    Hostile("noise-with-a-head.pdf", lambda: b"%PDF-1.7\n" + random.Random(3).randbytes(2_000_000), "refused"),
    Hostile("program.pdf", lambda: b"\x7fELF\x02\x01\x01" + random.Random(4).randbytes(50_000), "refused"),
    Hostile("empty.pdf", lambda: b"", "refused"),
    Hostile("locked.pdf", bombs.locked, "refused", _LOCKED),
    Hostile("draws-itself.pdf", bombs.own_form, "either", text="317 steps"),
    Hostile("page-of-10-million-points.pdf", lambda: one_page(shown(FACT), shape=b"/MediaBox [0 0 10000000 10000000]"),
            "either", text="317 steps"),
    Hostile("page-of-no-size.pdf", lambda: one_page(shown(FACT), shape=b"/MediaBox [0 0 0 0]"), "either"),
    Hostile("each-letter-means-500.pdf", bombs.long_meaning, "either"),
    Hostile("brackets.pdf", bombs.deep_arrays, "either"),
)  # fmt: skip

# --- Web pages and tables of text ---------------------------------------------------------------------------------

WEB = (
    Hostile("200000-divs.html", lambda: bombs.html("<div>" * 200_000, "</div>" * 200_000), "either", text="317 steps"),
    Hostile("lists-in-lists.html", lambda: bombs.html("<ul><li>a" * 50_000), "either"),
    Hostile("tables-in-tables.html", lambda: bombs.html("<table><tr><td>" * 20_000), "either"),
    Hostile(
        "a-million-attributes.html",
        lambda: bombs.html(f"<p {' '.join(f'a{n}=1' for n in range(1_000_000))}>here</p>"),
        "either",
        text="317 steps",
    ),
    Hostile("7-million-tags.html", lambda: bombs.html("<b>" * 6_600_000), "either", _COST),
    Hostile("20-MB-of-one-tag.html", lambda: bombs.html(f"<p title='{'a' * 20_000_000}'>here</p>"), "either", _COST),
    Hostile("open-comment.html", lambda: bombs.html(after="<!-- " + PROSE * 60_000), "read", text="317 steps"),
    Hostile("charset-that-lies.html", lambda: bombs.html(head='<meta charset="utf-16">'), "read", text="317 steps"),
    Hostile("charset-of-nowhere.html", lambda: bombs.html(head="<meta charset=\"x'();--\">"), "read", text="317 steps"),
    Hostile(
        "cell-over-100-million-columns.html",
        lambda: bombs.html(
            "<table><tr><th colspan=100000000 rowspan=100000000>Tower</th><th>Steps</th></tr>"
            "<tr><td colspan=-7 rowspan=x>Kelm</td><td rowspan=65534>317</td></tr></table>"
        ),
        "read",
        text="317",
    ),
    Hostile("entities.html", lambda: bombs.html("&#0;&#x110000;&#xD800;&#99999999999999;&bogus;&" * 50_000), "either"),
    Hostile("binary.html", lambda: random.Random(5).randbytes(500_000), "refused", _BINARY),
    Hostile("nothing-to-see.html", lambda: b"<html><script>var a = 1</script><style>p {}</style></html>", "refused",
            _EMPTY),
    Hostile("only-navigation.html", lambda: bombs.html().replace(FACT.encode(), b""), "refused", _EMPTY),
    Hostile("a-million-columns.csv", lambda: b"a," * 1_000_000 + b"\n" + b"1," * 1_000_000, "either", _COST),
    Hostile("20-MB-in-one-field.csv", lambda: b"tower,steps\nKelm," + b"3" * 20_000_000, "refused", _CHARS),
    Hostile("field-of-a-megabyte.csv", lambda: b"tower,steps\nKelm,317\nUlm," + b"7" * 1_000_000, "either",
            text="Kelm[^\n]*317"),
    Hostile("nul-bytes.csv", lambda: b"tower,steps\nKelm,317\0\nUlm,\x00768\n" + b"Metz,293\n" * 99, "read",
            text="Kelm[^\n]*317"),
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
    Hostile("100-MB.txt", lambda: PROSE.encode() * 1_250_000, "refused", "RAG_MAX_FILE_MB"),
    Hostile("20-MB-without-a-space.txt", lambda: b"a" * 20_000_000, "refused", _CHARS),
    Hostile("20-MB-in-one-line.txt", lambda: PROSE.encode() * 250_000, "refused", _CHARS),
    Hostile("4-MB-without-a-space.txt", lambda: b"a" * 4_000_000, "read"),
    Hostile("4-MB-in-one-line.txt", lambda: (FACT + " " + PROSE * 50_000).encode(), "read", text="317 steps"),
    Hostile("4-MB-of-combining-marks.txt", lambda: (FACT + "\n\na" + "\u0301" * 2_000_000).encode(), "either",
            text="317 steps"),
    Hostile("5-million-newlines.txt", lambda: b"\n" * 4_999_999, "refused", _EMPTY),
    Hostile("words-far-apart.txt", lambda: b"far" + b"\n" * 4_900_000 + FACT.encode(), "read", text="317 steps"),
    Hostile("words-not-so-far-apart.txt", lambda: (b"far." + b"\n" * 690) * 5000 + FACT.encode(), "read", text="317"),
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


FIRST_ODD = 200  # the number of the tower that the first of them tells of


def oddities(corpus: Path, outside: Path) -> tuple[list[str], list[str]]:
    """Put what is odd into a corpus: the sources that are to be read, and the names that are to be left out.

    :param outside: a folder that is not the corpus's; what lies there must never be read.
    """
    for number, name in enumerate(ODD_NAMES, FIRST_ODD):
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
    for name in (".hidden.txt", "~$office.docx", ".~lock.sheet.xlsx#", ".git/config.txt"):
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
