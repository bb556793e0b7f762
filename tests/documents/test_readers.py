"""Files to text: encodings, what is refused and why, titles, pages."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.documents.readers import clean, read
from rag.documents.splitting import split
from rag.documents.types import Document, Limits
from rag.errors import CorpusError, EmptyDocument, UnreadableDocument, UnsupportedFormat
from tests.conftest import ROOT

LIMIT = Limits(file_mb=1)
HOSTILE = ROOT.parent / "shared" / "hostile" / "documents"

GERMAN = (
    "Die Bäckerei wurde im Jahr 1987 von Jürgen Müller eröffnet. Täglich verkauft er 400 Brötchen, die meisten davon "
    "früh am Morgen.\nSein Roggenbrot gewann 2004 einen Preis; über die Straße hinaus ist es für seine Kruste bekannt."
)
FRENCH = (
    "La boulangerie a été ouverte par René Brûlé à Besançon en 1987. Elle vend 400 pains par jour, dont la plupart "
    "avant neuf heures.\nSon pain de seigle a gagné un prix; les élèves y achètent des gâteaux après l'école."
)
ENGLISH = (
    "The bakery\u2019s oven burns beech wood \u2013 about 3 tonnes a year. \u201cApprentices stay for three "
    "years,\u201d says the owner, \u201cand most of them come back.\u201d\n"
    "A caf\u00e9 next door sells its bread for \u20ac4 a loaf."
)
CHINESE = (
    "阿里巴巴集团于1999年在杭州创立。公司经营电子商务、云计算和物流等业务，拥有众多商家与用户。"
    "\n云计算部门为企业提供服务器、数据库和人工智能模型。去年的收入增长了百分之七，超过了分析师的预期。"
)


def _write(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def _read(folder: Path, name: str, data: str | bytes, limits: Limits = LIMIT) -> Document:
    return read(_write(folder, name, data), name, limits)


# --- The text is the file's text ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_cleaning_makes_line_ends_newlines_and_control_characters_spaces_one_for_one(text: str) -> None:
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = [" " if unicodedata.category(c) == "Cc" and c not in "\t\n" else c for c in unified]

    assert clean(text) == "".join(expected)


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n\t #-|*")), st.booleans())
def test_any_utf8_text_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, text: str, markdown: bool) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = "Word " + text

    document = _read(folder, "any.md" if markdown else "any.txt", text)

    assert document.text == text.replace("\r\n", "\n").replace("\r", "\n")


@settings(deadline=None, max_examples=40)
@given(st.binary(min_size=1))
def test_any_bytes_are_either_read_as_clean_text_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    try:
        document = _read(tmp_path_factory.getbasetemp(), "any.txt", data)
    except CorpusError as refusal:
        assert str(refusal)
        return

    assert clean(document.text) == document.text
    assert not document.text.isspace()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"])
def test_chinese_is_read_right_in_every_common_encoding(tmp_path: Path, encoding: str) -> None:
    assert _read(tmp_path, "firm.txt", CHINESE.encode(encoding)).text == CHINESE


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
def test_utf16_is_read_in_both_byte_orders_by_its_mark(tmp_path: Path, codec: str) -> None:
    assert _read(tmp_path, "firm.txt", ("\ufeff" + FRENCH).encode(codec)).text == FRENCH


@pytest.mark.parametrize("text", [GERMAN, FRENCH], ids=["German", "French"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "latin-1"])
def test_accented_texts_are_read_right_in_old_and_new_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    assert _read(tmp_path, "bread.txt", text.encode(encoding)).text == text


def test_english_with_curly_quotes_is_read_right_in_windows_1252(tmp_path: Path) -> None:
    assert _read(tmp_path, "bread.txt", ENGLISH.encode("cp1252")).text == ENGLISH


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert _read(tmp_path, "a.md", b"\xef\xbb\xbf# Title\n\nBody.").text == "# Title\n\nBody."


def test_line_ends_of_all_systems_become_newlines(tmp_path: Path) -> None:
    assert _read(tmp_path, "a.txt", "One\r\ntwo\rthree\n").text == "One\ntwo\nthree\n"


def test_a_stray_nul_becomes_a_space_and_offsets_stay(tmp_path: Path) -> None:
    text = "The berth costs 12 crowns a night,\0and power costs 5 crowns."

    assert _read(tmp_path, "a.txt", text).text == text.replace("\0", " ")


# --- What is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x02\x01\x01" + bytes(200),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"%PDF-1.7\nThis looks like text, and is none.",
        b"PK\x03\x04" + b"word/document.xml" * 20,
        bytes(500),
        random.Random(7).randbytes(4000),
    ],
    ids=["ELF", "PNG", "PDF", "ZIP", "zeros", "noise"],
)
def test_binary_files_are_refused_whatever_their_name_says(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match="binary"):
        _read(tmp_path, "letter.txt", data)


@pytest.mark.parametrize(
    "text", ["", " \n\t\r\n ", "\u3000\u00a0\u2003", "\u200b\u200d\u2060\ufeff", "\ufeff"], ids=ascii
)
@pytest.mark.parametrize("name", ["blank.txt", "blank.md"])
def test_a_file_with_nothing_to_see_in_it_is_empty(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(EmptyDocument):
        _read(tmp_path, name, text)


@pytest.mark.parametrize(("name", "named"), [("sheet.ods", ".ods"), ("README", "without suffix")])
def test_an_unknown_format_is_named_together_with_the_known_ones(tmp_path: Path, name: str, named: str) -> None:
    with pytest.raises(UnsupportedFormat, match=named) as refusal:
        _read(tmp_path, name, "text")

    assert all(suffix in str(refusal.value) for suffix in (".txt", ".md", ".pdf"))


def test_suffixes_are_known_in_capitals_too(tmp_path: Path) -> None:
    assert _read(tmp_path, "NOTES.TXT", "A line.").text == "A line."
    assert _read(tmp_path, "NOTES.MD", "# Heading\n\nA line.").title == "Heading"


def test_a_file_above_the_limit_is_refused_with_the_limit_and_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="limit of 1 MB") as refusal:
        _read(tmp_path, "long.txt", b"a" * 1_000_001)

    assert "RAG_MAX_FILE_MB" in str(refusal.value)


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    assert len(_read(tmp_path, "long.txt", b"a" * 1_000_000).text) == 1_000_000


def test_a_file_that_vanished_is_unreadable_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="cannot be opened"):
        read(tmp_path / "gone.txt", "gone.txt", LIMIT)


# --- Titles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The *clock* museum #\n\nText.", "The clock museum"),
        ("Some words first.\n\n### Late heading\n", "Late heading"),
        ("```\n# a comment\n```\n\n## Real heading\n", "Real heading"),
        ("No heading at all.", "notes"),
    ],
)
def test_a_markdown_title_is_the_first_heading_without_marks(tmp_path: Path, text: str, title: str) -> None:
    assert _read(tmp_path, "notes.md", text).title == title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The bakery on Mill Lane\n\nIt was opened in 1987.", "The bakery on Mill Lane"),
        ("\n\nThe bakery\r\n\r\nIt was opened in 1987.", "The bakery"),
        ("The bakery\n \t\nIt was opened in 1987.", "The bakery"),
        ("The bakery\nIt was opened in 1987.", "notes"),
        ("w" * 200 + "\n\nBody.", "notes"),
        ("w" * 199 + "\n\nBody.", "w" * 199),
        ("The bakery", "notes"),
        ("# Not a heading here\nText.", "notes"),
    ],
)
def test_a_plain_title_is_a_short_first_line_before_a_blank_line(tmp_path: Path, text: str, title: str) -> None:
    assert _read(tmp_path, "notes.txt", text).title == title


def test_a_stem_keeps_all_but_the_last_suffix(tmp_path: Path) -> None:
    assert _read(tmp_path, "report.v2.txt", "Just a line.").title == "report.v2"


def test_a_file_name_of_digits_is_a_title_but_is_not_embedded(tmp_path: Path) -> None:
    document = _read(tmp_path, "2019.txt", "The harbour has 14 berths.")

    assert document.title == "2019"
    assert [p.embedding_text for p in split(document)] == ["The harbour has 14 berths."]


def test_a_heading_of_digits_is_embedded(tmp_path: Path) -> None:
    document = _read(tmp_path, "novel.md", "# 1984\n\nIt was a bright cold day in April.")

    assert document.title == "1984"
    assert [p.embedding_text for p in split(document)] == ["1984\nIt was a bright cold day in April."]


# --- PDF ----------------------------------------------------------------------------------------------------------


def make_pdf(
    *pages: str, title: str = "", protected: bool = False, shape: str = "/MediaBox [0 0 612 792]", meaning: str = ""
) -> bytes:
    """A PDF with one page for each text, each line of it set on a line of its own.

    :param shape: what each page says of its size, its visible part and how it is turned.
    :param meaning: of character codes, as a ToUnicode map has it.
    """
    count = len(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {4 + 2 * count} 0 R >>",
    ]
    for i, page in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -16 Td" for line in page.splitlines())
        stream = f"BT /F1 12 Tf 72 720 Td {shown} ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R {shape} /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    objects.append(f"<< /Length {len(meaning)} >>\nstream\n{meaning}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R"
    if protected:
        key = "5a" * 32
        trailer += f" /ID [<{key}> <{key}>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >>"
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    xref = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return f"{body}{xref}trailer\n<< {trailer} >>\nstartxref\n{len(body)}\n%%EOF\n".encode("latin-1")


TWO_PAGES = ("The harbour has 14 berths.\nFerries leave at 07:40.", "The museum shows 212 clocks.")


def test_the_text_of_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    document = _read(tmp_path, "town.pdf", make_pdf(*TWO_PAGES))

    assert document.text.split() == " ".join(TWO_PAGES).split()
    assert "\r" not in document.text
    assert len(document.page_starts) == 2


def test_pages_count_from_1_and_every_passage_knows_its_own(tmp_path: Path) -> None:
    document = _read(tmp_path, "town.pdf", make_pdf(*TWO_PAGES))

    found = {passage.page: passage.text for passage in split(document)}

    assert sorted(found) == [1, 2]
    assert "14 berths" in found[1] and "07:40" in found[1]
    assert found[2] == "The museum shows 212 clocks."


def test_a_blank_page_counts_as_a_page(tmp_path: Path) -> None:
    document = _read(tmp_path, "town.pdf", make_pdf("", "The first words.", "", "The last words."))

    assert [(p.page, p.text) for p in split(document)] == [(2, "The first words."), (4, "The last words.")]


def test_a_pdf_is_titled_by_its_metadata_else_by_its_name(tmp_path: Path) -> None:
    assert _read(tmp_path, "town.pdf", make_pdf(*TWO_PAGES, title="Port Elver")).title == "Port Elver"
    assert _read(tmp_path, "town.pdf", make_pdf(*TWO_PAGES)).title == "town"


def test_text_files_have_no_pages(tmp_path: Path) -> None:
    document = _read(tmp_path, "a.txt", "One line.")

    assert document.page_at(0) is None
    assert [p.page for p in split(document)] == [None]


def test_a_pdf_without_text_is_refused_as_a_likely_scan(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="scan"):
        _read(tmp_path, "scan.pdf", make_pdf("", ""))


def test_a_pdf_with_a_password_is_refused_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"(?i)password"):
        _read(tmp_path, "secret.pdf", make_pdf(*TWO_PAGES, protected=True))


@pytest.mark.parametrize(
    "data", [b"%PDF-1.4\nbroken", make_pdf("Words.")[:60], b"no pdf at all", b""], ids=["stub", "cut", "text", "empty"]
)
def test_a_broken_pdf_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        _read(tmp_path, "broken.pdf", data)


# --- Hostile documents --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="shared/ is not beside the project")
def test_hostile_documents_are_read_clean_or_refused_and_never_crash() -> None:
    outcomes = {}
    for path in sorted(HOSTILE.iterdir()):
        try:
            document = read(path, path.name, LIMIT)
        except CorpusError as refusal:
            outcomes[path.name] = type(refusal).__name__
            continue
        passages = split(document)
        outcomes[path.name] = "read"
        assert clean(document.text) == document.text
        assert passages
        assert all(document.text[p.start : p.end] == p.text for p in passages)
        assert all(len(p.text) < 1000 for p in passages)

    assert outcomes["06_only_whitespace.txt"] == "EmptyDocument"
    assert list(outcomes.values()).count("read") == len(outcomes) - 1
