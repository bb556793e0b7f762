"""HTML files, and EPUBs, which hold some: their titles and texts. The one home of lxml.

Of a web page the article is kept; what stands around it, and what its readers never see, is left out.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes
from itertools import islice
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote

from rag.documents.archive import opened
from rag.documents.markup import markdown
from rag.documents.tables import bounded
from rag.documents.types import Limits

# Names of encodings that stand for what browsers take them for.
_CODECS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_CHARSET = re.compile(rb"""<(?:meta\s[^>]*charset|\?xml\s[^>]*encoding)\s*=\s*["']?\s*([\w.-]+)""", re.IGNORECASE)
_MHTML = re.compile(rb"(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*?){0,20}?content-type:\s*multipart/related", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")
# In XML any element may be closed as it is opened; in HTML that only opens it.
_CLOSED = re.compile(r"<(?!area|base|br|col|embed|hr|img|input|link|meta|source|wbr)([\w:-]+)((?:\s[^<>]*)?)/>")
# No page has so many attributes in a tag, and the parser would take a minute over them.
_PILED = re.compile(
    r"""(<[a-z]\w*)(?:\s++[^\s=<>"']++(?:=(?:"[^"]*+"|'[^']*+'|[^\s"'<>]*+))?+){1000,}+""", re.IGNORECASE
)
_NESTED = re.compile(r"</?(?!(?:h[1-6]|li|p|pre|t[dhr]|title|script|style)\b)[a-z][^<>]*>", re.IGNORECASE)

_UNSEEN = (
    "button canvas datalist dialog iframe input nav noscript object script select style svg template textarea".split()
)
_BESIDE = set("aside footer form banner complementary contentinfo dialog navigation search".split())  # tags and roles
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_AROUND = re.compile(  # how classes and ids name what is no part of an article
    r"(?:^|[\s_-])(?:nav|navbar|navigation|breadcrumbs?|sidebar|footer|skip-?link|toc|editsection|headerlink"
    r"|ads?|advert(?:isement)?|cookie-?(?:banner|notice|consent|bar))(?:$|[\s_-])"
)
_LEADS = {"p", "h1", "h2", "h3", "h4", "h5", "h6"}
_MENUS = {"ul", "ol", "div", "p", "section", "table"}
_MAX_MENU_ITEM = 40  # letters of a link, on average; where the links are longer, they may be read
_MIN_ARTICLE = 200  # letters beside a cell of links, for it to be a margin
_NCX = "application/x-dtbncx+xml"
_FIRST = "(ancestor-or-self::p | descendant::*[normalize-space()])"
_MAIN = "self::main | self::article | self::*[@role='main']"


def read_html(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title, or "", and the text of the page's article."""
    root = _parsed(_decoded(data))
    return _title(root), [bounded(markdown(_article(root.body)), limits)]


def read_epub(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """The title in the metadata, or "", and the text of all chapters in their order."""
    with opened(data, ".epub", limits) as archive:
        package = xml_root(archive.read("META-INF/container.xml")).find(".//{*}rootfile").get("full-path")
        root = xml_root(archive.read(package))
        folder, here = dirname(package), set(archive.namelist())
        items = {item.get("id"): item for item in root.iterfind(".//{*}manifest/{*}item")}
        contents = {guide.get("href") for guide in root.iterfind(".//{*}reference[@type='toc']")}
        spine = [items[ref.get("idref")] for ref in root.iterfind(".//{*}itemref") if ref.get("idref") in items]
        tocs = [item for item in items.values() if item.get("media-type") == _NCX or _is_nav(item)]
        hrefs = [item.get("href", "") for item in spine if not _is_nav(item)]
        paths = [_path(folder, href) for href in hrefs if href not in contents]
        labels = [
            (_path(dirname(toc), target), *label)
            for toc in (_path(folder, item.get("href", "")) for item in tocs[:1])
            for target, *label in (_labels(xml_root(archive.read(toc))) if toc in here else ())
        ]
        chapters = (_named(_parsed(_decoded(archive.read(path))), path, labels) for path in paths if path in here)
        text = bounded((piece for chapter in chapters for piece in markdown(chapter)), limits)
        return (root.findtext(".//{*}metadata/{*}title") or "").strip(), [text]


def _is_nav(item: Any) -> bool:
    return "nav" in item.get("properties", "").split()


def _path(folder: str, href: str) -> str:
    return normpath(join(folder, unquote(href)))


def _labels(root: Any) -> Iterator[tuple[str, str, int]]:
    """Where each entry of a table of contents leads, what it is called, and how deep it stands."""
    for entry in root.iter("{*}content", "{*}a"):
        named = entry if entry.get("src") is None else entry.getparent().find("{*}navLabel")
        is_other = any(nav.tag.endswith("}nav") and "toc" not in nav.values() for nav in entry.iterancestors())
        if named is not None and not is_other:
            depth = sum(1 for _ in entry.iterancestors("{*}navPoint", "{*}ol"))
            yield entry.get("src") or entry.get("href", ""), " ".join("".join(named.itertext()).split()), depth


def _named(chapter: Any, path: str, labels: list[Any]) -> Any:
    """A chapter, in which what only the table of contents calls by a name has it as its heading."""
    if next(chapter.body.iter("h1", "h2", "h3", "h4", "h5", "h6"), None) is None:
        for target, label, depth in labels:
            file, _, place = target.partition("#")
            start = chapter.get_element_by_id(place, None) if place else chapter.body
            if file == path and label and start is not None:
                first = next(iter(start.xpath(_FIRST)), chapter.body[0])
                if " ".join(first.text_content().split()).casefold() != label.casefold():
                    first.addprevious(first := first.makeelement("p"))
                    first.text = label
                first.tag = f"h{min(max(depth, 1), 6)}"
    return chapter


def html_text(html: str, limits: Limits) -> str:
    """HTML that holds nothing but an article, as Markdown."""
    return bounded(markdown(_parsed(html)), limits)


def xml_root(data: bytes) -> Any:
    """The root of an XML file. Nothing is fetched for it, and its entities are not filled in."""
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))


def _decoded(data: bytes) -> str:
    """The text of a page: by byte-order mark, or as UTF-8, or by what it says of itself, or as any text is."""
    from rag.documents.readers import clean, decode

    if _MHTML.match(data.lstrip()):
        parts = (part for part in message_from_bytes(data).walk() if part.get_content_type() == "text/html")
        data = bytes(next((part.get_payload(decode=True) for part in parts), b""))
    found = _CHARSET.search(data[:4096])
    if found and (data.isascii() or "\ufffd" in data.decode("utf-8", "replace")):
        name = found[1].decode("ascii").lower()
        name = "utf-8" if name.startswith(("utf", "ucs")) else name  # the others could not be read as ASCII
        with suppress(LookupError, UnicodeError):
            text = data.decode(_CODECS.get(name, name), "replace")
            if 10 * text.count("\ufffd") <= len(re.findall(r"[^\x00-\x7f]", text)):  # else it says so wrongly
                return clean(text)
    return clean(decode(data))


def _parsed(text: str) -> Any:
    """The page as a tree, without what nobody reads; one without its nesting, if that is too deep for any page."""
    from lxml import etree, html

    text = _CLOSED.sub(r"<\1\2></\1>", _PILED.sub(r"\1", _DECLARATION.sub("", text)))
    for source in (text, _NESTED.sub("<p>", text)):
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
        try:
            root = html.document_fromstring(
                f"{source}<p>".encode("utf-8", "replace"), parser=parser, ensure_head_body=True
            )
        except etree.XMLSyntaxError as error:  # any markup can be parsed: what was lacking is memory
            raise MemoryError from error
        if not any("depth" in entry.message for entry in parser.error_log):
            break
    etree.strip_elements(root, *_UNSEEN, with_tail=False)
    return root


def _title(root: Any) -> str:
    """What the page calls itself; its heading alone, where that stands beside a site's name."""
    metas = {meta.get("property"): meta.get("content", "") for meta in root.iter("meta")}
    named = " ".join((metas.get("og:title") or root.findtext(".//title") or "").split())
    heads = [" ".join(head.text_content().split()) for tag in ("h1", "h2") for head in islice(root.iter(tag), 9)]
    told = [head for head in heads if len(head) > 2 and (named.startswith(head) or named.endswith(head))]
    return max(told, key=named.startswith, default=named)


def _article(body: Any) -> Any:
    """The element that holds most of the page's words, without what stands around an article."""
    size, heads = _size(body), list(body.iter("h1"))
    for element in list(body.iterdescendants()):
        hidden = "hidden" in element.attrib or _HIDDEN.search(element.get("style", ""))
        if hidden or (_is_beside(element, heads) and 2 * _size(element) < size):
            element.clear(keep_tail=True)
    for element in _menus(body):
        element.clear(keep_tail=True)
    return next((e for e in body.xpath(f".//*[{_MAIN}]") if 2 * _size(e) >= _size(body)), body)


def _size(element: Any) -> int:
    return int(element.xpath("string-length(normalize-space())"))


def _is_beside(element: Any, heads: list[Any]) -> bool:
    """Whether an element says of itself that it is no part of the article; a header with the only heading is one."""
    role = element.get("role", "")
    if element.tag == "header" or role == "banner":
        holds_heading = len(heads) == 1 and element in heads[0].iterancestors()
        return not holds_heading and bool(element.xpath(f".//a and not(ancestor::*[{_MAIN}])"))
    named = f"{element.get('class', '')} {element.get('id', '')}"
    is_around = _AROUND.search(named) is not None and not element.xpath(".//h1 | .//h2")
    is_named = element.tag in _BESIDE or role in _BESIDE or element.get("aria-hidden") == "true" or is_around
    return is_named and not role.startswith("doc-")


def _is_row_of_links(element: Any) -> bool:
    """Whether there are only links, one beside or below the other, for sharing or in the margin of an old page."""
    if element.tag not in ("div", "td") or len(element) < 2 or any(child.tag not in ("a", "br") for child in element):
        return False
    row = element.getparent()
    is_beside = element.tag == "div" or (len(row) < 9 and _size(row) > _MIN_ARTICLE + _size(element))
    return is_beside and len(element.findall("a")) > 1 and re.search(r"\w", "".join(element.xpath("text()"))) is None


def _menus(body: Any) -> Iterator[Any]:
    """Blocks that hold nothing but short links, but for those in an article or right below a heading or a paragraph."""
    size, spared = _size(body), {*body.xpath(f".//*[{_MAIN}]")}
    for element in list(body.iterdescendants()):
        before = element.getprevious()
        if _is_row_of_links(element):
            yield element
        elif element.getparent() in spared:
            spared.add(element)
        elif element.tag in _MENUS and len(links := list(element.iter("a"))) > 2:
            linked, chars = sum(map(_size, links)), _size(element)
            if before is not None and before.tag in _LEADS:
                spared.add(element)
            elif chars <= linked + 4 * len(links) and linked < _MAX_MENU_ITEM * len(links) and 2 * chars < size:
                yield element
