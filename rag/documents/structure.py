"""The shape of a text: headings, paragraphs, list items, table rows and code, each as a span.

Reads Markdown's marks, and sees in plain text what blank lines and list marks tell.
Knows offsets only; knows nothing of sentences or sizes.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Literal

from rag.documents.types import Document, Span

Kind = Literal["heading", "paragraph", "item", "row", "code"]

_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)$")
_FENCE = re.compile(r" {0,3}(```+(?=[^`]*$)|~~~+)")
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022\u25cf]|\d{1,3}[.)])[ \t]+(?=\S)")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$|.*\S[ \t]\|[ \t]\S")  # with bars around it, or between its cells alone
_WIKI_HEADING = re.compile(r"[ \t]*(=(?: ?=){0,5}) ?([^=\s](?:.*[^=\s])?) ?=(?: ?=){0,5}[ \t]*$")  # MediaWiki's
_RULE = re.compile(r"[ \t|:\-=_*]+$")  # a table's line below its header, or a horizontal rule
_FIGURE = re.compile(
    r"\|\s*[$\u20ac\u00a3(]*\s*(?!(?:19|20)\d\d\s*(?:\||$))[\d.,]+\s*[%)]*\s*(?:\||$)"
)  # a cell, but a year
_MAX_LABEL_CHARS = 80  # of a line among rows that is none
_MARKUP = re.compile(r"[*`]+(?=\S)|(?<=\S)[*`]+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of one kind. For a list item, the span begins after its mark."""

    kind: Kind
    span: Span
    sections: tuple[str, ...]  # headings above, outermost first; for a heading, itself included


def blocks(document: Document) -> Iterator[Block]:
    """The blocks of a document in order; no block crosses a page."""
    markdown = not document.source.lower().endswith((".txt", ".pdf"))  # other readers write Markdown's marks
    edges = [*document.page_starts, len(document.text)] if document.page_starts else [0, len(document.text)]
    outline: list[tuple[int, str]] = []
    marked = dict(document.headings)
    for start, end in pairwise(edges):
        yield from _page_blocks(document.text, Span(start, end), outline, markdown, marked)


def table_heads(document: Document, found: Iterable[Block]) -> dict[int, str]:
    """The header of each table's row in a PDF, by where the row begins: the rows without figures above those with some.

    A line among the rows that is none, "Assets" for example, ends no table; a heading, a paragraph or a page does.
    """
    heads: dict[int, str] = {}
    header, is_open, page = "", False, None
    for block in found if document.page_starts else ():
        line, at = document.text[block.span.start : block.span.end], document.page_at(block.span.start)
        if block.kind != "row":
            header = "" if block.kind == "heading" or len(line) > _MAX_LABEL_CHARS else header
        elif _FIGURE.search(line):
            header = header if page == at else ""
            heads[block.span.start], is_open, page = header, False, at
        else:
            header, is_open, page = f"{header} {line}" if is_open else line, True, at
    return heads


def first_heading(text: str) -> str:
    """The text of the first Markdown heading, without marks, or ""."""
    for kind, span in _lines(text, Span(0, len(text)), markdown=True):
        if kind == "heading" and (title := _heading(text, span)[1]):
            return title
    return ""


def _page_blocks(
    text: str, page: Span, outline: list[tuple[int, str]], markdown: bool, marked: dict[int, int]
) -> Iterator[Block]:
    """Join the lines that belong together; `outline` holds the open headings with their levels."""
    open_kind: Kind | None = None
    open_span = Span(page.start, page.start)
    last: tuple[Kind | Literal["blank"], Span] = "blank", Span(page.end, page.end)
    for kind, span in chain(_lines(text, page, markdown, marked), [last]):
        level = marked.get(span.start)
        if level and open_kind == "heading" and outline[-1][0] == level:  # a heading of several lines
            open_span = Span(open_span.start, span.end)
            outline[-1] = level, " ".join(text[open_span.start : open_span.end].split())
            continue
        if (kind, open_kind) in (("paragraph", "paragraph"), ("paragraph", "item"), ("code", "code")):
            open_span = Span(open_span.start, span.end)
            continue
        if open_kind is not None:
            yield Block(open_kind, open_span, tuple(title for _, title in outline if title))
            open_kind = None
        if kind == "heading":
            level, title = (level, text[span.start : span.end]) if level else _heading(text, span)
            outline[:] = [*(held for held in outline if held[0] < level), (level, title)]
        if kind != "blank":
            open_kind, open_span = kind, span


def _lines(
    text: str, page: Span, markdown: bool, marked: Container[int] = ()
) -> Iterator[tuple[Kind | Literal["blank"], Span]]:
    """Each line with what it is; spans leave out surrounding white space and list marks."""
    fence = ""
    for match in _LINE.finditer(text, page.start, page.end):
        line = match.group().rstrip()
        start, end = match.start() + len(line) - len(line.lstrip()), match.start() + len(line)
        mark = _FENCE.match(line) if markdown else None
        if mark and (not fence or mark.group(1).startswith(fence)):
            fence = "" if fence else mark.group(1)
            yield "blank", Span(start, start)
        elif not line or (_RULE.match(line) and not fence):
            yield "blank", Span(start, start)
        elif fence:
            yield "code", Span(start, end)
        elif start in marked or _WIKI_HEADING.match(line) or (markdown and _HEADING.match(line)):
            yield "heading", Span(start, end)
        elif item := _ITEM.match(line):
            yield "item", Span(match.start() + item.end(), end)
        else:
            yield ("row" if _ROW.match(line) else "paragraph"), Span(start, end)


def _heading(text: str, span: Span) -> tuple[int, str]:
    line = text[span.start : span.end]
    if match := _WIKI_HEADING.match(line):
        return match.group(1).count("="), match.group(2)
    match = _HEADING.match(line)
    assert match is not None
    title = match.group(2).rstrip()
    bare = title.rstrip("#")  # a closing mark, if a space stands before it: "C#" has none
    return len(match.group(1)), _MARKUP.sub("", title if bare.rstrip() == bare and bare else bare.rstrip())
