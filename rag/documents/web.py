"""HTML to Markdown: web pages, the chapters of an EPUB, and whatever else was made HTML. The one home of lxml.

Of a web page the article is kept; what surrounds it, and what its readers never see, is left out.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes
from itertools import islice
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote

from rag.documents.archive import opened
from rag.documents.tables import bounded, paragraph, table_lines
from rag.documents.types import Limits

# Names of encodings that stand for what browsers take them for.
_CODECS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_CHARSET = re.compile(rb"""<(?:meta\s[^>]*charset|\?xml\s[^>]*encoding)\s*=\s*["']?\s*([\w.-]+)""", re.IGNORECASE)
_MHTML = re.compile(rb"(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*?){0,20}?content-type:\s*multipart/related", re.IGNORECASE)
# In XML any element may be closed as it is opened; in HTML that only opens it.
_CLOSED = re.compile(r"<(?!area|base|br|col|embed|hr|img|input|link|meta|source|wbr)([\w:-]+)((?:\s[^<>]*)?)/>")
_NESTED = re.compile(r"</?(?!(?:h[1-6]|li|p|pre|t[dhr]|title|script|style)\b)[a-z][^<>]*>", re.IGNORECASE)

_UNSEEN = (
    "button canvas datalist dialog iframe input noscript object option script select style svg template textarea nav"
)
_BESIDE = set("aside footer form banner complementary contentinfo dialog navigation search".split())  # tags and roles
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_AROUND = re.compile(  # how classes and ids name what is no part of an article
    r"(?:^|[\s_-])(?:nav|navbar|navigation|breadcrumbs?|sidebar|footer|skip-?link|toc|editsection|headerlink"
    r"|cookie-?(?:banner|notice|consent|bar))(?:$|[\s_-])"
)
_MENUS = set("ul ol div p section table".split())
_MAX_MENU_ITEM = 40  # letters of a link, on average; where the links are longer, they may be read
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {*_HEADINGS, *"address article aside blockquote body caption center dd details div dl dt fieldset".split()}
_BLOCKS |= set(
    "figcaption figure footer form header hr html li main ol p pre section summary table td th tr ul".split()
)
_BACK = set(
    "\u2191 \u21a9 \u21a9\ufe0e ^ \u00b6 # \u00a7".split()
)  # links from a note to its place, from a heading to itself
_NOTE = re.compile(r"(?:footnote|endnote|fn)[-:_]?\w*\d")
_RAISED = str.maketrans("0123456789+-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b")
_MAX_SPAN, _MAX_CELL_CHARS = 100, 1000  # a table with longer cells and no header is there for its looks


def read_html(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title, or "", and the text of the page's article."""
    root = _parsed(_decoded(data))
    return _title(root), [bounded(markdown(_article(root)), limits)]


def read_epub(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title in the metadata, or "", and the text of all chapters in their order."""
    with opened(data, ".epub", limits) as archive:
        package = xml_root(archive.read("META-INF/container.xml")).find(".//{*}rootfile").get("full-path")
        root = xml_root(archive.read(package))
        items = {item.get("id"): item for item in root.iterfind(".//{*}manifest/{*}item")}
        tables = {reference.get("href") for reference in root.iterfind(".//{*}reference[@type='toc']")}  # of contents
        spine = [items[ref.get("idref")] for ref in root.iterfind(".//{*}itemref") if ref.get("idref") in items]
        hrefs = [item.get("href", "") for item in spine if "nav" not in item.get("properties", "").split()]
        paths = [normpath(join(dirname(package), unquote(href))) for href in hrefs if href not in tables]
        here = set(archive.namelist())
        chapters = (_parsed(_decoded(archive.read(path))) for path in paths if path in here)
        text = bounded((piece for chapter in chapters for piece in markdown(chapter)), limits)
        return (root.findtext(".//{*}metadata/{*}title") or "").strip(), [text]


def html_text(html: str, limits: Limits) -> str:
    """HTML that holds nothing but an article, as Markdown."""
    return bounded(markdown(_parsed(html)), limits)


def xml_root(data: bytes) -> Any:
    """The root of an XML file. Nothing is fetched for it, and its entities are not filled in."""
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))


def markdown(root: Any) -> Iterator[str]:
    """What an element holds as Markdown, block by block; each ends with newline."""
    from lxml import etree

    flow = _Flow()
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if element.tag in _BLOCKS:
            yield flow.flushed(element.tag if event == "start" else f"/{element.tag}")
        if event == "start":
            blocks, words = _blocks(element), _words(element, flow.is_empty)
            if blocks is None and words is None:
                flow.enter(element)
            else:
                yield from blocks or ()
                flow.add(words)
                walker.skip_subtree()
            continue
        flow.leave(element.tag)
        if element is not root:
            flow.add(element.tail)
    yield flow.flushed()


class _Flow:
    """The text of one block as it grows, with what its mark depends on: heading level and lists around it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._lists: list[int | None] = []  # the next number of an ordered one
        self._mark, self._level = "", 0

    @property
    def is_empty(self) -> bool:
        return not "".join(self._parts).strip()

    def add(self, text: str | None) -> None:
        if text:
            self._parts.append(re.sub(r"\s+", " ", re.sub("[\u00ad\u200b]", "", text)))

    def enter(self, element: Any) -> None:
        """Take up what the element means for its text, and the text it begins with."""
        tag = element.tag
        self._level = _HEADINGS.get(tag, self._level)
        if tag in ("ul", "ol", "dl"):
            start = element.get("start", "1")
            self._lists.append(None if tag != "ol" else int(start) if start.isdecimal() else 1)
        elif tag in ("li", "dt"):
            number = self._lists[-1] if self._lists else None
            self._mark = "  " * (len(self._lists) - 1) + ("- " if number is None or number > 999 else f"{number}. ")
            self._lists[-1:] = [number and number + 1] if self._lists else []
        elif tag == "br":
            self._parts.append("\n")
        self.add(element.text)

    def leave(self, tag: str) -> None:
        """End what `enter` took up."""
        if tag in _HEADINGS:
            self._level = 0
        elif tag in ("ul", "ol", "dl") and self._lists:
            self._lists.pop()
        self._mark = "" if tag in ("li", "dl", "ul", "ol") else self._mark

    def flushed(self, at: str = "") -> str:
        """The block that has grown, with its mark, at the start or end of a block element, such as "dd" or "/dt".

        It is "" if there is none, or only a term whose definition is to follow.
        """
        text = re.sub(r" ?\n ?", "\n", re.sub(" +", " ", "".join(self._parts))).strip()
        if at == "/dt" and text:
            self._term = text = text.rstrip(" :") + ":"
            self._parts = [f"{text} "]
        if text and text == self._term and at not in ("/dl", ""):
            return ""
        self._parts, self._term = [], ""
        line = " ".join(text.split())
        if not text or self._level:
            return paragraph(f"{'#' * self._level} {line}") if text else ""
        if not self._lists and not self._mark:
            return paragraph(text)
        mark, self._mark = self._mark or "  " * len(self._lists), ""
        return f"{mark}{line}\n"


def _blocks(element: Any) -> Iterator[str] | None:
    """The lines of an element that is a block of its own kind, or what is to stand before it; None for any other."""
    if element.tag == "pre":
        code = "".join(element.itertext()).strip("\n").expandtabs(4)
        fence = "~~~~" if "```" in code else "```"
        return iter([paragraph(f"{fence}\n{code}\n{fence}")] if code.strip() else [])
    if element.tag == "table" and not _is_layout(element):
        return _table(element)
    return None


def _words(element: Any, is_first: bool) -> str | None:
    """What an element within a line is spelled as; None where its own text says it. `is_first`: in its block."""
    if element.tag in ("head", "img", "hr"):
        return ""
    if element.tag not in ("a", "sub", "sup"):
        return None
    text = "".join(element.itertext()).strip()
    is_anchor = element.tag == "a" and "#" in element.get("href", "")
    if is_anchor and text in _BACK:
        return ""
    if is_anchor and text.isdecimal() and is_first:
        return f"[{text}] "
    if element.tag != "sup":
        return None
    if text.isalnum() and (element.find(".//a") is not None or element.getparent().tag == "a"):
        return f"[{text}]"
    return text.translate(_RAISED) if re.fullmatch(r"[+-]?\d+", text) else None


def _is_layout(table: Any) -> bool:
    cells = [cell for cell in table.iter("td", "th")]
    if table.get("role") in ("presentation", "none") or next(islice(table.iter("table"), 1, None), None) is not None:
        return True
    return not any(cell.tag == "th" for cell in cells) and any(
        len("".join(cell.itertext())) > _MAX_CELL_CHARS
        or cell.find(".//h1") is not None
        or cell.find(".//h2") is not None
        for cell in cells
    )


def _table(table: Any) -> Iterator[str]:
    """A table's lines; a cell that spans several rows or columns stands in each, or alone if it spans the table."""
    rows: list[list[str]] = []
    held: dict[int, tuple[int, str]] = {}  # by column: for how many more rows it holds a cell from above, and which
    heads, has_th = 0, False
    for tr in table.iter("tr"):
        row: list[str] = []
        cells = list(tr.iterchildren("td", "th"))
        for cell in [*cells, None]:
            while held.get(len(row), (0,))[0]:
                left, text = held[len(row)]
                held[len(row)] = left - 1, text
                row.append(text)
            if cell is not None:
                text = re.sub(r"\s*\n\s*(?:- |```|#+ )?", " ", "".join(markdown(cell)).strip().removeprefix("- "))
                for _ in range(_span(cell, "colspan") if len(cells) > 1 else 1):
                    held[len(row)] = _span(cell, "rowspan") - 1, text
                    row.append(text)
        named = [cell.tag == "th" for cell in cells if cell.tag == "th" or "".join(cell.itertext()).strip()]
        is_head = bool(named) and (tr.getparent().tag == "thead" or (all(named) and len(row) > 1))
        has_th |= any(named)
        heads += is_head and heads == len(rows) and any(row)
        rows += [row] if any(row) else []
    for caption in table.iterfind("caption"):
        yield from markdown(caption)
    yield "\n"
    yield from table_lines(rows, heads if heads or has_th else None)
    yield "\n"


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1")
    return min(max(int(value), 1), _MAX_SPAN) if value.isdecimal() and len(value) < 7 else 1


def _decoded(data: bytes) -> str:
    """The text of a page: by byte-order mark, or if it is UTF-8, or by what it says of itself, or as any text."""
    from rag.documents.readers import clean, decode

    if _MHTML.match(data.lstrip()):
        parts = (part for part in message_from_bytes(data).walk() if part.get_content_type() == "text/html")
        data = bytes(next((part.get_payload(decode=True) for part in parts), b""))
    found = _CHARSET.search(data[:4096])
    if found and (data.isascii() or not _is_utf8(data)) and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = found[1].decode("ascii").lower()
        try:
            text = data.decode(_CODECS.get(name, name), "replace")
        except LookupError:
            return clean(decode(data))
        if text.count("\ufffd") <= len(text) / 100:
            return clean(text)
    return clean(decode(data))


def _is_utf8(data: bytes) -> bool:
    try:
        return bool(data.decode()) or True
    except UnicodeDecodeError:
        return False


def _parsed(text: str) -> Any:
    """The page as a tree, without what nobody reads. Where it is nested too deeply to be one, its blocks are kept."""
    from lxml import etree, html

    text = re.sub(r"^\s*<\?xml[^>]*>", "", _CLOSED.sub(r"<\1\2></\1>", text) if "<" in text else text) or "<p>"
    for source in (text, _NESTED.sub("<p>", text)):
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
        root = html.document_fromstring(source.encode("utf-8", "replace"), parser=parser, ensure_head_body=True)
        if not any("xcessive depth" in entry.message for entry in parser.error_log):
            break
    etree.strip_elements(root, *_UNSEEN.split(), with_tail=False)
    return root


def _title(root: Any) -> str:
    """What the page calls itself; the heading alone, where a site's name is added to it."""
    metas = {meta.get("property", meta.get("name")): meta.get("content", "").strip() for meta in root.iter("meta")}
    named = " ".join((metas.get("og:title") or root.findtext(".//title") or "").split())
    heads = [" ".join(head.text_content().split()) for tag in ("h1", "h2") for head in islice(root.iter(tag), 9)]
    starts = [head for head in heads if len(head) > 2 and named.startswith(head)]
    ends = [head for head in heads if len(head) > 2 and named.endswith(head)]
    return next(iter([*starts, *ends, named]))


def _article(root: Any) -> Any:
    """The element that holds most of the page's words, without what stands around an article."""
    body = root.body
    sizes, heads = _sizes(body), list(body.iter("h1"))
    for element in list(body.iterdescendants()):
        is_small = 2 * sizes[element][0] < sizes[body][0]
        if _is_hidden(element) or (is_small and _is_beside(element, heads)):
            element.clear(keep_tail=True)
    for menu in _menus(body):
        menu.clear(keep_tail=True)
    sizes = _sizes(body)
    return next((e for e in body.iter() if _is_main(e) and 2 * sizes[e][0] >= sizes[body][0]), body)


def _sizes(body: Any) -> dict[Any, tuple[int, int, int]]:
    """Of each element: how many letters and digits it holds, how many of them in links, and how many links."""
    sizes: dict[Any, tuple[int, int, int]] = {}
    for element in reversed(list(body.iter())):
        inner = [sizes[child] for child in element]
        texts = [element.text, *(child.tail for child in element)]
        chars = sum(sum(map(str.isalnum, text)) for text in texts if text) + sum(size[0] for size in inner)
        is_link = element.tag == "a" and chars > 0
        linked, links = sum(size[1] for size in inner), sum(size[2] for size in inner)
        sizes[element] = (chars, chars, 1) if is_link else (chars, linked, links)
    return sizes


def _is_main(element: Any) -> bool:
    return element.tag in ("main", "article") or element.get("role") == "main"


def _is_hidden(element: Any) -> bool:
    return "hidden" in element.attrib or bool(_HIDDEN.search(element.get("style", "")))


def _is_beside(element: Any, heads: list[Any]) -> bool:
    """Whether an element says of itself that it is no part of the article; a header is one if it holds the heading."""
    role = element.get("role", "")
    if role.startswith("doc-") or element.get("epub:type"):
        return False
    if element.tag == "header" or role == "banner":
        holds_heading = len(heads) == 1 and element in heads[0].iterancestors()
        return not holds_heading and not any(map(_is_main, element.iterancestors()))
    named = f"{element.get('class', '')} {element.get('id', '')}"
    is_around = bool(_AROUND.search(named)) and all(element.find(f".//{tag}") is None for tag in ("h1", "h2"))
    return element.tag in _BESIDE or role in _BESIDE or element.get("aria-hidden") == "true" or is_around


def _menus(body: Any) -> list[Any]:
    """Blocks that hold nothing but short links, but for those in an article or right below a heading or a paragraph."""
    sizes = _sizes(body)
    spared: set[Any] = set()
    menus: list[Any] = []
    for element in body.iterdescendants():
        before = element.getprevious()
        chars, linked, links = sizes[element]
        led_in = before is not None and before.tag in {"p", *_HEADINGS} and sizes[before][0] > 0
        if element.getparent() in spared or _is_main(element):
            spared.add(element)
        elif element.tag in _MENUS and links > 2 and linked >= 0.9 * chars and 2 * chars < sizes[body][0]:
            (spared.add if led_in or chars > _MAX_MENU_ITEM * links else menus.append)(element)
    return menus
