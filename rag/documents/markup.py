"""A tree of HTML to Markdown: headings, lists, tables row by row, code; all else are paragraphs.

Knows lxml's elements, not what page they come from.
"""

import re
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any

from rag.documents.tables import paragraph, table_lines

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {*_HEADINGS, *"address article aside blockquote body caption center dd details div dl dt fieldset".split()}
_BLOCKS |= set(
    "figcaption figure footer form header hr html li main ol p pre section summary table td th tr ul".split()
)
_BACK = set(
    "\u2191 \u21a9 \u21a9\ufe0e ^ \u00b6 # \u00a7".split()
)  # from a note to its place, from a heading to itself
_NOTE = re.compile(r"(?:footnote|endnote|fn)[-:_]?\w*\d")  # what the first of a list of notes is called
_RAISED = str.maketrans("0123456789+-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b")
_MAX_SPAN, _MAX_CELL_CHARS = 100, 1000  # a table with longer cells and no header is there for its looks


def markdown(root: Any) -> Iterator[str]:
    """What an element holds as Markdown, block by block; each ends with newline."""
    flow, ahead = _Flow(), [("start", root)]
    while ahead:  # no recursion: pages may be nested deeply
        event, element = ahead.pop()
        if element.tag in _BLOCKS:
            yield flow.flushed(element.tag if event == "start" else f"/{element.tag}")
        if event == "start":
            ahead.append(("end", element))
            if element.tag == "ol" and _NOTE.match(next(element.iterchildren("li"), element).get("id", "")):
                yield paragraph("# Notes")  # lest they be taken for part of the last section
            blocks, words = _blocks(element), _words(element, flow)
            if blocks is None and words is None:
                flow.enter(element)
                ahead.extend(("start", child) for child in reversed(element))
            else:
                yield from blocks or ()
                flow.add(words)
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
        self._mark, self._term, self._level = "", "", 0

    @property
    def is_empty(self) -> bool:
        return not any(map(str.strip, self._parts))

    def add(self, text: str | None) -> None:
        if text:
            self._parts.append(re.sub(r"\s+", " ", re.sub("[\u00ad\u200b]", "", text)))

    def enter(self, element: Any) -> None:
        """Take up what the element means for its text, and the text it begins with."""
        tag = element.tag
        self._level = _HEADINGS.get(tag, self._level)
        if tag in ("ul", "ol", "dl"):
            self._lists.append(_number(element, "start") if tag == "ol" else None)
        elif tag in ("li", "dt"):
            number = self._lists[-1] if self._lists else None
            self._mark = "  " * (len(self._lists) - 1) + (
                f"{number}. " if number is not None and number < 1000 else "- "
            )
            self._lists[-1:] = [number if number is None else number + 1] * bool(self._lists)
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
        if not text or (text == self._term and at not in ("/dl", "")):
            return ""
        self._parts, self._term = [], ""
        line = " ".join(text.split())
        if self._level:
            return paragraph(f"{'#' * self._level} {line}")
        if not self._lists and not self._mark:
            return paragraph(text)
        mark, self._mark = self._mark or "  " * len(self._lists), ""
        return f"{mark}{line}\n"


def _blocks(element: Any) -> Iterator[str] | None:
    """The lines of a block that is read in its own way; None for any other."""
    if element.tag == "pre":
        for line_end in element.iter("br"):
            line_end.text = "\n"
        code = "".join(element.itertext()).strip("\n")
        fence = "~~~~" if "```" in code else "```"
        return iter([paragraph(f"{fence}\n{code}\n{fence}")] if code.strip() else [])
    return _table(element) if element.tag == "table" and not _is_layout(element) else None


def _words(element: Any, flow: _Flow) -> str | None:
    """What an element within a line is spelled as, where its own text does not say it."""
    if element.tag in ("head", "img"):
        return ""
    if element.tag not in ("a", "sup"):
        return None
    text = "".join(element.itertext()).strip()
    is_anchor = element.tag == "a" and "#" in element.get("href", "")
    if is_anchor and text in _BACK:
        return ""
    is_note = element.tag == "sup" and (element.find(".//a") is not None or element.getparent().tag == "a")
    is_note |= "noteref" in element.get("role", "") + element.get("epub:type", "")
    if text.isalnum() and (is_note or (is_anchor and text.isdecimal() and flow.is_empty)):
        return f"[{text}] " if flow.is_empty else f"[{text}]"
    return text.translate(_RAISED) if element.tag == "sup" and re.fullmatch(r"[+-]?\d+", text) else None


def _is_layout(table: Any) -> bool:
    """Whether a table is there for its looks: it holds another, or, without header cells, headings or long texts."""
    cells = table.xpath(".//tr/td | .//tr/th | ./caption")  # what stands elsewhere would be lost
    if table.get("role") in ("presentation", "none") or next(islice(table.iter("table"), 1, None), None) is not None:
        return True
    sizes = [len("".join("".join(cell.itertext()).split())) for cell in (table, *cells)]
    is_long = max(sizes[1:], default=0) > _MAX_CELL_CHARS or next(table.iter(*_HEADINGS), None) is not None
    return sizes[0] != sum(sizes[1:]) or (is_long and table.find(".//th") is None)


def _table(table: Any) -> Iterator[str]:
    """A table's lines; a cell that spans several rows or columns stands in each, or alone if it spans the table."""
    trs = list(table.iter("tr"))
    grid: dict[tuple[int, int], str] = {}
    for at, tr in enumerate(trs):
        cells, column = list(tr.iterchildren("td", "th")), 0
        for cell in cells:
            while (at, column) in grid:
                column += 1
            text = re.sub(r"\n\s*(?:[-#]+ |\d+\. |```)?", " ", "".join(markdown(cell)).strip().removeprefix("- "))
            for row in range(at, min(at + _number(cell, "rowspan"), len(trs))):
                for extra in range(min(_number(cell, "colspan"), _MAX_SPAN) if len(cells) > 1 else 1):
                    grid[row, column + extra] = text
    rows: list[list[str]] = [[] for _ in trs]
    for row, column in sorted(grid):
        rows[row] += [""] * (column - len(rows[row])) + [grid[row, column]]
    heads = len(list(takewhile(_is_head, (tr for tr in trs if "".join(tr.itertext()).strip()))))
    for caption in table.iterchildren("caption"):
        yield from markdown(caption)
    yield from ("\n", *table_lines(rows, heads if heads or table.find(".//th") is not None else None))


def _is_head(tr: Any) -> bool:
    cells = [cell for cell in tr.iterchildren("td", "th") if cell.tag == "th" or "".join(cell.itertext()).strip()]
    return tr.getparent().tag == "thead" or all(cell.tag == "th" for cell in cells)


def _number(element: Any, name: str) -> int:
    value = element.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 7 else 1
