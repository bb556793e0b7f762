"""From the words of a PDF's page, and where they stand, to its text: lines in reading order, paragraphs, table rows.

Knows places in points from a page's top left, and offsets into the raw text of a page; knows nothing of files.
A page's text depends on that page alone, and on how many of its outermost rows are left out.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

BROKEN = "\x02\ufffe"  # pdfium's mark in place of the hyphen of a word that it saw broken
_BULLETS = str.maketrans("\uf0b7\uf0a7\uf076\uf0d8\uf0fc", "\u2022" * 5)  # Symbol's and Wingdings', which have no names
_MARK = re.compile(r"\(?\w{1,3}[.)]")  # of an item: what begins a row so belongs to the cell behind it
_SIGN = re.compile(r"[^\w\s\u2010-\u2015-]{1,2}")  # so do these, but a dash, which is a cell: nothing
_CLOSING = re.compile(r"[)%\]]+")  # and to the one before it
WORD_GAP, _CELL_GAP = 0.8, 2  # in sizes of the font; what is less is a space between words
_SAME_LINE = 0.6  # as large a shift is that of a footnote's mark, or of a column set a little lower
LARGER = 1.15
MAX_OUTER = 5  # rows at an edge of a page that may be left out
_ENDS = ".!?:;\u3002"  # of sentences
_INDENT = 50  # points; where lines begin less far apart, they are of one column
_APART = 1.3  # times the usual distance of lines


class Piece(NamedTuple):
    """Words of a line that stand close together: `start` to `end` of the raw text."""

    start: int
    end: int
    left: float
    right: float
    base: float  # what the letters stand on
    size: float  # of the font; 0 where the text is turned
    bold: bool


Row = Sequence[Piece]  # on one line
Part = tuple[str, int]  # some text, and where it begins in the raw one; -1 for what is put between


class Line(NamedTuple):
    """A line as it is written out: its cells, and whether they are a table's row."""

    cells: list[Row]
    is_row: bool

    @property
    def first(self) -> Piece:
        """From the left."""
        return self.cells[0][0]

    @property
    def last(self) -> Piece:
        """From the left."""
        return self.cells[-1][-1]

    @property
    def bold(self) -> bool:
        """Whether all of it is, but marks in front."""
        return all(piece.bold for cell in self.cells for piece in cell[-1:])


class Page(NamedTuple):
    """What is written on a page, in the file's order."""

    raw: str
    rows: list[Row]
    height: float

    def text(self, row: Row) -> str:
        """What is written in a row."""
        return " ".join(self.raw[piece.start : piece.end] for piece in row)


class Text(NamedTuple):
    """A page's text in parts, and its lines: where each begins, and whether it is set apart from the one before."""

    parts: list[Part]
    lines: list[tuple[int, Line, bool]]

    @property
    def whole(self) -> str:
        """All of it."""
        return "".join(part for part, _ in self.parts)

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where a part of the text is in the raw one, line by line."""
        ends = [*(at for at, *_ in self.lines[1:]), end]
        offsets = accumulate((len(part) for part, _ in self.parts), initial=0)
        within = [
            (at, raw + max(start - at, 0), raw + min(end - at, len(part)))
            for at, (part, raw) in zip(offsets, self.parts, strict=False)
            if raw >= 0 and at < end and start < at + len(part)
        ]
        for _, line in groupby(within, key=lambda one: bisect_right(ends, one[0])):
            _, first, last = zip(*line, strict=True)
            yield min(first), max(last)


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """Neighbouring pieces that stand on one line, joined."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        last = rows[-1][-1] if rows else piece
        on = 0 < last.size and abs(piece.base - last.base) < _SAME_LINE * last.size and last.right - 1 <= piece.left
        rows[-1].append(piece) if rows and piece.size and on else rows.append([piece])
    return [*rows]


def edge(page: Page, is_top: bool) -> list[int]:
    """The outermost rows of a page, by their place in it, the outermost first, and one within."""
    upright = [(row[0].base if is_top else -row[0].base, at) for at, row in enumerate(page.rows) if row[0].size]
    return [at for _, at in nsmallest(MAX_OUTER + 1, upright)]


def written(page: Page, top: int = 0, bottom: int = 0) -> Text:
    """The text of a page, without so many of its outermost rows at the top and at the bottom."""
    out = {*edge(page, True)[:top], *edge(page, False)[:bottom]}
    rows = _in_order(page, [row for number, row in enumerate(page.rows) if number not in out])
    cells = [_cells(page, row) for row in rows]
    many = [len(found) > 1 for found in cells]
    near = [sum(many[max(0, at - 2) : at + 3]) > 1 for at in range(len(many))]
    lines = [
        Line(found, len(found) > 2 or (is_near and len(found) > 1)) for found, is_near in zip(cells, near, strict=True)
    ]
    compounds = set(re.findall(r"\b\w++-\w+", page.raw))
    pitch, reach = _pitch(lines), _reach(lines)
    text, length = Text([], []), 0
    for before, line in zip([None, *lines], lines, strict=False):
        apart = before is None or _are_apart(page, before, line, pitch) or _ends_early(page, before, line, reach)
        parts = [(_between(page.raw, before, line, apart, compounds), -1)] if before else []
        length += len(parts[0][0]) if before else 0
        text.lines.append((length, line, apart))
        parts += _parts(page.raw, line)
        length += sum(len(part) for part, _ in parts[before is not None :])
        text.parts.extend(parts)
    return text


def _parts(raw: str, line: Line) -> Iterator[Part]:
    for number, cell in enumerate(line.cells):
        if number:
            yield (" | " if line.is_row else " "), -1
        for before, piece in zip([None, *cell], cell, strict=False):
            if before and not _is_broken(raw, before):
                yield " ", -1
            yield raw[piece.start : piece.end].translate(_BULLETS), piece.start


def _is_broken(raw: str, piece: Piece) -> bool:
    return raw[piece.end : piece.end + 1] in {*BROKEN}


def _between(raw: str, before: Line, line: Line, apart: bool, compounds: set[str]) -> str:
    """What stands between two lines: nothing or a hyphen where a word is broken, else one line's end or two."""
    if not _is_broken(raw, before.last):
        return "\n\n" if apart else "\n"
    begin = re.search(r"\w*$", raw[max(before.last.start, before.last.end - 40) : before.last.end])
    end = re.match(r"\w*", raw[line.first.start : line.first.end])
    return "-" if begin and end and f"{begin.group()}-{end.group()}" in compounds else ""


def _cells(page: Page, row: Row) -> list[Row]:
    """A row's cells, if some stand far apart: signs and marks go with what they belong to."""
    if not any(piece.left - last.right > _CELL_GAP * last.size for last, piece in pairwise(row)):
        return [row]
    cells: list[list[Piece]] = [[row[0]]]
    for piece in row[1:]:
        before = page.text(cells[-1])
        is_mark = _SIGN.fullmatch(before) or (len(cells) == 1 and _MARK.fullmatch(before))
        cells[-1].append(piece) if is_mark or _CLOSING.fullmatch(page.text([piece])) else cells.append([piece])
    return [*cells]


def _pitch(lines: list[Line]) -> float:
    """From a line to the next within a paragraph, in sizes of the font: what a quarter of them keep below."""
    steps = [
        (b.first.base - a.first.base) / a.first.size for a, b in pairwise(lines) if a.first.size == b.first.size > 0
    ]
    usual = sorted(step for step in steps if 0.8 < step < 3)
    return usual[len(usual) // 4] if usual else 1.2


def _are_apart(page: Page, before: Line, line: Line, pitch: float) -> bool:
    """Whether a new paragraph begins: by the distance, by the size of the font, or after a sentence in a new column."""
    last, first = before.first, line.first
    if not (last.size and first.size):
        return False
    if not 1 / LARGER < first.size / last.size < LARGER:
        return True
    ended = page.raw[before.last.start : before.last.end]
    if (down := first.base - last.base) < 0:
        return ended[-1] in _ENDS
    if down < _APART * pitch * last.size:
        return False
    goes_on = len(ended) > 30 and (ended[-1].isalnum() or ended[-1] == ",") and page.raw[first.start].islower()
    return not (goes_on and abs(first.left - last.left) < last.size)


def _reach(lines: list[Line]) -> dict[int, float]:
    """How far to the right the lines of a column reach, by about where they begin."""
    reach: dict[int, float] = {}
    for line in lines:
        place = round(line.first.left / _INDENT)
        for near in (place - 1, place, place + 1):
            reach[near] = max(line.last.right, reach.get(near, 0))
    return reach


def _ends_early(page: Page, before: Line, line: Line, reach: dict[int, float]) -> bool:
    """Whether the next word would still have fitted: what follows then is another item, or a caption."""
    last, first = before.last, line.first
    written, following = page.raw[last.start : last.end], page.raw[first.start : first.end]
    if written[-1] in _ENDS or before.is_row or line.is_row or following[0].islower() or _is_broken(page.raw, last):
        return False
    needed = (first.right - first.left) / len(following) * (len(following.split(maxsplit=1)[0]) + 2)
    return last.right + needed < reach[round(before.first.left / _INDENT)]


# --- Columns ------------------------------------------------------------------------------------------------------


def _in_order(page: Page, rows: list[Row]) -> list[Row]:
    """The rows; where those of two columns of prose are mixed, first the left ones, then the right ones."""
    gutter = _gutter(rows)
    if gutter is None:
        return rows
    ordered: list[Row] = []
    held: list[Row] = []
    for row in [*rows, None]:
        if row and not any(piece.left < gutter < piece.right for piece in row):
            held.append(row)
            continue
        ordered += _unmixed(page, held, gutter)
        held = []
        ordered += [row] if row else []
    return ordered


def _gutter(rows: list[Row]) -> float | None:
    """A place in the middle third that is in the gaps of most rows; None if it is in those of few."""
    left = min((row[0].left for row in rows), default=0)
    third = (max((row[-1].right for row in rows), default=0) - left) / 3
    gaps = [(a.right, b.left) for row in rows for a, b in pairwise(row) if b.left - a.right > WORD_GAP * a.size]
    within = [(max(a, left + third), min(b, left + 2 * third)) for a, b in gaps]
    ends = sorted(end for a, b in within if a < b for end in ((a, 1), (b, -1)))
    at_once = accumulate(step for _, step in ends)
    between = [(a + b) / 2 for (a, _), (b, _) in pairwise(ends)]
    most, place = max(zip(at_once, between, strict=False), default=(0, 0))
    return place if most >= 4 else None


def _unmixed(page: Page, rows: list[Row], gutter: float) -> list[Row]:
    sides = [[[p for p in row if (p.left < gutter) == is_left] for row in rows] for is_left in (True, False)]
    left, right = ([row for row in side if row] for side in sides)
    both = sum(bool(a and b) for a, b in zip(*sides, strict=True))
    return [*left, *right] if both >= 4 and _is_prose(page, left) and _is_prose(page, right) else rows


def _is_prose(page: Page, lines: Sequence[Row]) -> bool:
    """Whether most lines fill their column, and hold words, not figures."""
    left, right = min(line[0].left for line in lines), max(line[-1].right for line in lines)
    wide, size = right - left, lines[0][0].size
    full = sum(line[-1].right - line[0].left > 0.75 * wide for line in lines)
    written = "".join(page.text(line) for line in lines)
    words = sum(char.isalpha() or char.isspace() for char in written)
    return wide > 10 * size and full > 0.6 * len(lines) and words > 0.85 * len(written)
