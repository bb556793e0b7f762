"""Web pages and e-books: the article is kept as it reads, all around it goes; encodings, titles, hostile markup."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.documents.readers import read
from rag.documents.structure import blocks
from rag.documents.types import Document, Limits
from rag.errors import CorpusError, EmptyDocument, UnreadableDocument

ARTICLE = "<h1>Harbour rules</h1><p>The harbour opens at six.</p><h2>Fees</h2><p>A night costs 12 crowns.</p>"
TEXT = "# Harbour rules\n\nThe harbour opens at six.\n\n## Fees\n\nA night costs 12 crowns.\n"
CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/a.opf"/></rootfiles></container>'


def _html(folder: Path, html: str | bytes, name: str = "a.html") -> Document:
    (folder / name).write_bytes(html if isinstance(html, bytes) else html.encode())
    return read(folder / name, name, Limits())


def _text(folder: Path, html: str) -> str:
    return _html(folder, html).text


def _epub(folder: Path, chapters: dict[str, str], spine: str, manifest: str = "", metadata: str = "") -> Document:
    items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in chapters)
    refs = "".join(f'<itemref idref="{name}"/>' for name in spine.split())
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{metadata}</metadata><manifest>{items}{manifest}</manifest><spine>{refs}</spine></package>"
    )
    with zipfile.ZipFile(folder / "a.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/a.opf", package)
        for name, body in chapters.items():
            page = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>{body}</html>'
            archive.writestr(f"OEBPS/{name}.xhtml", page)
    return read(folder / "a.epub", "a.epub", Limits())


# --- What is left out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    [
        "<nav><a href=/>Zebra</a></nav>",
        "<header><a href=/>Zebra</a></header>",
        "<footer>Zebra</footer>",
        "<aside>Zebra</aside>",
        "<div role=navigation>Zebra</div>",
        "<div class='site-footer'>Zebra</div>",
        "<div id=sidebar><h3>Zebra</h3></div>",
        "<div class=menu><div><a href=a>Zebra</a></div><div><a href=b>Ox</a></div><div><a href=c>Elk</a></div></div>",
        "<p><a href=a>Zebra</a> | <a href=b>Ox</a> | <a href=c>Elk</a></p>",
        "<script>zebra('Zebra')</script><style>.Zebra{}</style><noscript>Zebra</noscript>",
        "<template>Zebra</template><svg><text>Zebra</text></svg><iframe>Zebra</iframe>",
        "<form>Zebra <button>Zebra</button></form><select><option>Zebra</select>",
        "<div hidden>Zebra</div><p style='color: red; display : none; display:none'>Zebra</p>",
        "<p aria-hidden=true>Zebra</p><p style='visibility: hidden'>Zebra</p>",
        "<!-- Zebra --><!--[if IE]><p>Zebra</p><![endif]--><img alt=Zebra src=a.png>",
    ],
)
def test_what_stands_around_the_article_or_is_never_seen_is_no_content(tmp_path: Path, around: str) -> None:
    assert _text(tmp_path, f"<body>{around}<div>{ARTICLE}</div></body>") == TEXT


def test_of_a_page_with_an_article_only_that_is_read(tmp_path: Path) -> None:
    page = f"<div>Read this too: a story.</div><main>{ARTICLE}</main><div>Comments (0)</div>"

    assert _text(tmp_path, page) == TEXT


def test_an_article_that_is_the_smaller_part_does_not_hide_the_rest(tmp_path: Path) -> None:
    assert _text(tmp_path, f"{ARTICLE}<article>A comment.</article>") == f"{TEXT}\nA comment.\n"


@pytest.mark.parametrize("before", ["<article>", "<h2>Acts</h2>", "<p>These acts hold:</p>"])
def test_a_list_of_links_in_an_article_stays(tmp_path: Path, before: str) -> None:
    page = (
        f"{ARTICLE}{before}<ul><li><a href=a>Harbour Act</a><li><a href=b>Tide Act</a><li><a href=c>Pier Act</a></ul>"
    )

    assert _text(tmp_path, page).endswith("- Harbour Act\n- Tide Act\n- Pier Act\n")


def test_a_heading_in_the_header_of_an_article_is_kept(tmp_path: Path) -> None:
    page = f"<article><header><h1>Harbour rules</h1><p>By <a href=a>Anna</a></p></header>{ARTICLE[22:]}</article>"

    assert _text(tmp_path, page).startswith("# Harbour rules\n\nBy Anna\n")


def test_links_for_sharing_in_an_article_are_no_content_but_links_in_a_tables_cell_are(tmp_path: Path) -> None:
    table = "<table><tr><th>Pier<th>Pilots<tr><td>North<td><a href=a>Anna</a><br><a href=b>Jon</a></table>"
    page = f"<article>{ARTICLE}<div><a href=a>Share</a> | <a href=b>Copy link</a></div>{table}</article>"

    assert _text(tmp_path, page) == f"{TEXT}\nPier: North | Pilots: Anna Jon\n"


def test_a_page_that_is_one_form_or_named_like_a_sidebar_is_still_read(tmp_path: Path) -> None:
    assert _text(tmp_path, f"<body class=has-sidebar><form><div class=footer-pinned>{ARTICLE}</div></form>") == TEXT


def test_a_section_called_navigation_is_read(tmp_path: Path) -> None:
    page = f"{ARTICLE}<section id=navigation><h2>Navigation</h2><p>Keep to the right.</p></section>"

    assert "Keep to the right." in _text(tmp_path, page)


# --- How it reads -------------------------------------------------------------------------------------------------


def test_words_are_neither_glued_nor_split(tmp_path: Path) -> None:
    page = "<p>The <b>har</b>bour<span> is</span>\n  <i>open</i>,&nbsp;see <a href=x>the list</a>.<p>Mü&shy;hle"

    assert _text(tmp_path, page) == "The harbour is open, see the list.\n\nMühle\n"


def test_a_line_break_parts_words_and_two_part_paragraphs(tmp_path: Path) -> None:
    assert _text(tmp_path, "<p>Pier 4<br>Norrby<br><br>Open daily") == "Pier 4\nNorrby\n\nOpen daily\n"


def test_raised_digits_do_not_become_part_of_a_number(tmp_path: Path) -> None:
    page = "<p>10<sup>6</sup> m<sup>2</sup> of H<sub>2</sub>O.<sup><a href='#n1'>3</a></sup>"

    assert _text(tmp_path, page) == "10⁶ m² of H2O.[3]\n"


def test_lists_stay_lists_with_their_numbers_and_depth(tmp_path: Path) -> None:
    page = "<ol start=3><li>Stop<li><p>Moor</p><p>with care</p><ul><li>bow<li>stern</ul></ol>"

    assert _text(tmp_path, page) == "3. Stop\n4. Moor\n  with care\n  - bow\n  - stern\n"


def test_a_term_stands_with_its_definition(tmp_path: Path) -> None:
    page = "<dl><dt>Tide<dd>It rises.<dt>Quay:<dd><p>A wall.</dl><p>End."

    assert _text(tmp_path, page) == "- Tide: It rises.\n- Quay: A wall.\n\nEnd.\n"


def test_code_keeps_its_lines_and_is_no_heading(tmp_path: Path) -> None:
    document = _html(tmp_path, "<pre># no heading\n  x = 1<br>y = 2</pre><p>Text")

    assert [(b.kind, document.text[b.span.start : b.span.end]) for b in blocks(document)] == [
        ("code", "# no heading\n  x = 1\ny = 2"),
        ("paragraph", "Text"),
    ]


def test_quotes_captions_and_details_are_paragraphs(tmp_path: Path) -> None:
    page = "<blockquote>Quoted</blockquote><figure><img><figcaption>A quay</figcaption></figure><details><summary>More"

    assert _text(tmp_path, page) == "Quoted\n\nA quay\n\nMore\n"


def test_notes_are_under_no_wrong_section_and_have_no_way_back(tmp_path: Path) -> None:
    document = _html(tmp_path, f"{ARTICLE}<hr><ol><li id=fn1><p>Not in July. <a href='#r1'>↩</a></p></ol>")

    *_, note = blocks(document)
    assert document.text[note.span.start : note.span.end] == "Not in July."
    assert note.sections == ("Notes",)


# --- Tables -------------------------------------------------------------------------------------------------------


def test_rows_are_read_with_header_cells_that_span_rows_and_columns(tmp_path: Path) -> None:
    page = (
        "<table><caption>Berths</caption><tr><th rowspan=2>Berth<th colspan=2>Depth<tr><th>min<th>max"
        "<tr><td rowspan=2>Pier 4<td>1 m<td>2 m<tr><td>3 m<td><p>4 m</p><p>at most</p></table>"
    )

    assert _text(tmp_path, page) == (
        "Berths\n\nBerth: Pier 4 | Depth min: 1 m | Depth max: 2 m\n"
        "Berth: Pier 4 | Depth min: 3 m | Depth max: 4 m at most\n"
    )


def test_header_cells_beside_the_rows_are_keys(tmp_path: Path) -> None:
    page = "<table><tr><th>Owner<td>Anna<tr><th>Phone<td>on request</table>"

    assert _text(tmp_path, page) == "- Owner: Anna\n- Phone: on request\n"


@pytest.mark.parametrize(
    "page",
    [
        f"<table><tr><td>{ARTICLE}</td></tr></table>",
        f"<table><tr><td><table><tr><td>{ARTICLE}</table></table>",
        f"<table role=presentation><tr><td>{ARTICLE}</table>",
    ],
)
def test_a_table_for_layout_is_no_table(tmp_path: Path, page: str) -> None:
    assert _text(tmp_path, page) == TEXT


# --- Titles and encodings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>Harbour rules – Port of Norrby</title>", ARTICLE, "Harbour rules"),
        ("<title>Port of Norrby | Harbour rules</title>", ARTICLE, "Harbour rules"),
        ("<title>Fees - Port</title>", "<h1>Port</h1><h2>Fees</h2>", "Fees"),
        ("<title>x</title><meta property=og:title content='Rules of 2024'>", ARTICLE, "Rules of 2024"),
        ("<title>Untitled Document</title>", ARTICLE, "Harbour rules"),
        ("", ARTICLE, "Harbour rules"),
        ("<title>\n  Tides &amp; fees </title>", "<p>Text", "Tides & fees"),
        ("", "<p>Text", "a"),
    ],
)
def test_a_page_is_called_what_its_reader_calls_it(tmp_path: Path, head: str, body: str, title: str) -> None:
    assert _html(tmp_path, f"<html><head>{head}</head><body>{body}</body></html>").title == title


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("<meta charset=iso-8859-1>", "cp1252"),
        ("<meta http-equiv=Content-Type content='text/html; charset=windows-1252'>", "cp1252"),
        ("<meta charset=iso-8859-1>", "utf-8"),  # it is told wrongly, and browsers of old did not mind
        ("<meta charset=utf-8>", "utf-8-sig"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=nonsense>", "utf-8"),
        ("", "utf-16"),
        ("<?xml version='1.0' encoding='iso-8859-15'?>", "iso-8859-15"),
    ],
)
def test_accents_are_right_in_whatever_encoding(tmp_path: Path, declared: str, encoding: str) -> None:
    assert _html(tmp_path, f"{declared}<p>Die Mühle in Åby öffnet früh.".encode(encoding)).text == (
        "Die Mühle in Åby öffnet früh.\n"
    )


@pytest.mark.parametrize(
    ("name", "codec"),
    [("gb2312", "gb18030"), ("shift_jis", "shift_jis"), ("iso-2022-jp", "iso-2022-jp"), ("euc-jp", "euc-jp")],
)
def test_east_asian_pages_are_read_by_what_they_declare(tmp_path: Path, name: str, codec: str) -> None:
    assert _html(tmp_path, f"<meta charset={name}><p>港口六時三十分".encode(codec)).text == "港口六時三十分\n"


def test_a_few_broken_bytes_do_not_spoil_a_page(tmp_path: Path) -> None:
    page = "<meta charset=utf-8><p>" + "Die Mühle öffnet früh. " * 20

    assert _html(tmp_path, page.encode() + b"\xff").text.startswith("Die Mühle öffnet früh. Die")


def test_a_page_saved_as_mhtml_is_read(tmp_path: Path) -> None:
    page = (
        "From: <Saved by Blink>\r\nSubject: Rules\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n"
        '\ttype="text/html";\r\n\tboundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{ARTICLE.replace('six', 's=69x')}\r\n--b--\r\n"
    )

    assert _text(tmp_path, page) == TEXT


# --- Hostile and broken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "table><tr><td", "blockquote"])
def test_text_below_and_after_a_deep_nest_is_read(tmp_path: Path, tag: str) -> None:
    text = _text(tmp_path, f"<{tag}>" * 20_000 + "The key is under the mat." + "</div>" * 20_000 + "<p>After it.")

    assert "The key is under the mat." in text and "After it." in text


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from("<p>|<ul>|<li>|<td>|<tr>|<table>|</table>|</p>|<h1>|</div>|<a|<dt>|<pre>|x".split("|")))
)
def test_broken_markup_loses_no_words(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()

    assert "The words." in _text(folder, "".join(parts) + "><p>The words.")


def test_a_tag_with_attributes_without_end_costs_nothing(tmp_path: Path) -> None:
    attributes = " ".join(f"a{number}='1'" for number in range(200_000))

    assert _text(tmp_path, f"<p {attributes}>The key is under the mat.") == "The key is under the mat.\n"


@pytest.mark.parametrize("page", ["", "<!-- only this -->", "<script>x()</script>", "<body><img src=a.png></body>"])
def test_a_page_without_words_is_empty(tmp_path: Path, page: str) -> None:
    with pytest.raises(EmptyDocument):
        _html(tmp_path, page)


def test_a_binary_file_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="binary"):
        _html(tmp_path, b"%PDF-1.4 \x00\x01")


# --- EPUB ---------------------------------------------------------------------------------------------------------


def test_chapters_are_read_in_the_order_of_the_spine_without_contents(tmp_path: Path) -> None:
    chapters = {
        "two": "<body><h1>Two</h1><p><a id='p2'/>Second.</p><aside>A box.</aside></body>",
        "one": "<body><h1>One</h1><p>First.</p></body>",
        "cover": "<body><p>Contents</p></body>",
    }
    nav = '<item id="nav" href="cover.xhtml" properties="nav"/>'

    document = _epub(tmp_path, chapters, "nav one two gone", nav, "<dc:title>The tide</dc:title>")

    assert document.text == "# One\n\nFirst.\n\n# Two\n\nSecond.\n\nA box.\n"
    assert document.title == "The tide"


def test_chapters_that_only_the_contents_name_are_headed_by_those_names_once(tmp_path: Path) -> None:
    chapters = {
        "one": "<body><p><span>The Tide</span></p><p>It rises.</p><p id='b'>It falls.</p></body>",
        "two": "<body><h1>Its own</h1><p>Text.</p></body>",
        "nav": "<body><nav type='toc'><ol><li><a href='one.xhtml'>The tide</a><ol><li><a href='one.xhtml#b'>Ebb</a>"
        "</li></ol></li><li><a href='two.xhtml'>Other</a></li></ol></nav>"
        "<nav type='landmarks'><ol><li><a href='one.xhtml'>Start</a></li></ol></nav></body>",
    }
    nav = '<item id="nav" href="nav.xhtml" properties="nav"/>'

    document = _epub(tmp_path, chapters, "one two", nav, "<dc:title>Unknown Title</dc:title>")

    assert document.text == "# The Tide\n\nIt rises.\n\n## Ebb\n\nIt falls.\n\n# Its own\n\nText.\n"
    assert document.title == "The Tide"


def test_an_epubs_notes_are_kept(tmp_path: Path) -> None:
    chapter = (
        "<body><p>It opens at six<a role='doc-noteref' href='#n1'>1</a>.</p>"
        "<aside role='doc-footnote' id='n1'><p><a href='#r1'>1</a> Not in July.</p></aside></body>"
    )

    assert _epub(tmp_path, {"a": chapter}, "a").text == "It opens at six[1].\n\n[1] Not in July.\n"


def test_entities_of_an_epubs_package_are_not_filled_in(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("The secret.")
    package = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]><package><metadata><title>&e;</title>'
        '</metadata><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as archive:
        for name, text in {
            "META-INF/container.xml": CONTAINER,
            "OEBPS/a.opf": package,
            "OEBPS/a.xhtml": "<p>Hi",
        }.items():
            archive.writestr(name, text)

    document = read(tmp_path / "a.epub", "a.epub", Limits())

    assert "secret" not in document.title + document.text


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 700), st.binary(min_size=1, max_size=8))
def test_a_damaged_epub_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes) -> None:
    folder = tmp_path_factory.mktemp("epub")
    _epub(folder, {"a": "<body><p>Words.</p></body>"}, "a")
    data = bytearray((folder / "a.epub").read_bytes())
    data[place : place + len(noise)] = noise
    (folder / "b.epub").write_bytes(data)

    try:
        assert read(folder / "b.epub", "b.epub", Limits()).text
    except CorpusError as refusal:
        assert str(refusal)


def test_an_epub_without_a_package_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(file := BytesIO(), "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
    (tmp_path / "a.epub").write_bytes(file.getvalue())

    with pytest.raises(UnreadableDocument, match="damaged"):
        read(tmp_path / "a.epub", "a.epub", Limits())
