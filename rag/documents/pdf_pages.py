"""What only all pages of a PDF tell together: which rows are running heads or page numbers, and which are headings."""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import zip_longest

from rag.documents.pdf_lines import LARGER, Page, Text, edge

_EDGE = 0.09  # of the page's height: where running heads and feet are
_NUMBERED_EDGE = 0.15  # those that count the pages may stand so far in
_ISOLATED = 1.6  # sizes of the font from a head to what is none
_LABEL = re.compile(
    r"(?i)[^\w\s]*\s*(?:(?:page|seite|p\u00e1gina|p\.|\u7b2c)\s*)?(?:[a-z]-)?(\d{1,4}|[ivxl]+)"
    r"(?:\s*(?:of|von|de|/)\s*\d{1,4}|\s*\u9875)?\s*[^\w\s]*"
)
_COUNT = re.compile(r"(\d{1,4})\b|.*\b(\d{1,4})$")  # a number that begins or ends a line
_HEADING = re.compile(r"[\w(\[\"'\u00a7\u2018\u201c\u300a\u3010].*[^\W\d].*(?<![.,;:\u3002])", re.DOTALL)
_MAX_HEADING_CHARS, _MAX_HEADING_LINES, _MAX_LEVEL = 150, 3, 6


def _usual_size(pages: Sequence[Page]) -> float:
    """The size of the font that most text has."""
    sizes = Counter[float]()
    for piece in (piece for page in pages for row in page.rows for piece in row):
        sizes[piece.size] += (piece.end - piece.start) ** 2  # full lines, rather than cells
    return sizes.most_common(1)[0][0] if sizes else 0


class Running:
    """The running heads, running feet and page numbers of a document."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages, self.usual = pages, _usual_size(pages)
        self._times = Counter[Hashable]()
        self._slots = Counter[Hashable]()  # of places, how often what stands there is found again
        seen = [
            (number, row, is_top)
            for number in range(len(pages))
            for is_top in (True, False)
            for row in edge(pages[number], is_top)[:-1]
        ]
        for one in seen:
            self._times.update(self._keys(*one))
        for one in seen:
            slot, text, *_ = self._keys(*one)
            self._slots[slot] += self._times[text] > 1

    def rows(self, number: int) -> tuple[int, int]:
        """How many rows at the top and at the bottom of a page, counted from 0, are such."""
        return self._outer(number, True), self._outer(number, False)

    def _outer(self, number: int, is_top: bool) -> int:
        page, found = self._pages[number], 0
        order = edge(page, is_top)
        for at, row in enumerate(order, 1):
            if not (sure := self._sure(number, row, is_top)):
                break
            one, following = page.rows[row][0], page.rows[order[at]][0] if at < len(order) else None
            if sure > 1 or not following or abs(following.base - one.base) > _ISOLATED * one.size:
                found = at
        return found

    def _sure(self, number: int, row: int, is_top: bool) -> int:
        """2 where a row is a running head for sure, 1 where it is one if it stands apart, 0 where it is none."""
        page = self._pages[number]
        slot, text, *counts = self._keys(number, row, is_top)
        times, large = self._times[text], page.rows[row][0].size > LARGER * self.usual
        in_edge = self._height(page, row, is_top) < _EDGE * page.height
        if in_edge and times >= max(3, len(self._pages) / 2):
            return 2
        again = times > 1 or (self._times[slot] >= 4 and self._slots[slot] > self._times[slot] / 2)
        labelled = _LABEL.fullmatch(page.text(page.rows[row])) is not None
        counted = any(self._times[count] > 2 for count in counts)
        return int(not large and (counted or (in_edge and (again or labelled))))

    def _keys(self, number: int, row: int, is_top: bool) -> list[Hashable]:
        """What a row may have in common with those of other pages: its place, its words there, how it counts pages."""
        page = self._pages[number]
        text, height = page.text(page.rows[row]), self._height(page, row, is_top)
        place = is_top, round(height / 3)
        letters = any(char.isalpha() for char in text) or text.isdecimal()
        keys: list[Hashable] = [
            (place, page.rows[row][0].size),
            (place, re.sub(r"\d+", "#", text) if letters else text),
        ]
        if label := _LABEL.fullmatch(text):
            keys += [(is_top, int(label[1]) - number)] if label[1].isdecimal() else []
        elif height < _NUMBERED_EDGE * page.height and (count := _COUNT.match(text)):
            keys.append((place, int(count[1] or count[2]) - number))
        return keys

    def _height(self, page: Page, row: int, is_top: bool) -> float:
        base = page.rows[row][0].base
        return base if is_top else page.height - base


def headings(texts: Sequence[Text], usual: float) -> Iterator[tuple[int, int, int]]:
    """The lines that are headings: page from 0, where in its text the line begins, level from 1."""
    found = [(page, *one) for page, text in enumerate(texts) for one in _headings(text, usual)]
    sizes = sorted({size for *_, size in found if size > usual}, reverse=True)
    ranks = {size: min(rank, _MAX_LEVEL) for rank, size in enumerate(sizes, 1)}
    for page, start, size in found:
        yield page, start, ranks.get(size, min(len(sizes) + 1, _MAX_LEVEL))


def _headings(text: Text, usual: float) -> Iterator[tuple[int, float]]:
    """Where headings begin on a page, and the size of each, or the usual one where they are but bold."""
    written = text.whole
    groups: list[list[int]] = []
    for at, (_, line, apart) in enumerate(text.lines):
        before = text.lines[at - 1][1] if at else line
        alike = (line.bold, line.first.size, line.is_row) == (before.bold, before.first.size, before.is_row)
        groups[-1].append(at) if groups and alike and not apart else groups.append([at])
    for group, following in zip_longest(groups, groups[1:]):
        first = text.lines[group[0]][1]
        start, end = text.lines[group[0]][0], text.lines[following[0]][0] if following else len(written)
        title, after = written[start:end].strip(), written[end : end + 1]
        large = first.first.size > LARGER * usual
        stands = following is None or text.lines[following[0]][2] or not after.islower()
        is_short = len(group) <= _MAX_HEADING_LINES and 2 < len(title) <= _MAX_HEADING_CHARS
        if is_short and not first.is_row and (large or (first.bold and stands and not _in_table(text, group))):
            if _HEADING.fullmatch(title):
                size = first.first.size if large else usual
                yield from ((text.lines[at][0], size) for at in group)


def _in_table(text: Text, group: list[int]) -> bool:
    """Whether a table goes on around these lines."""
    lines = text.lines
    before, after = lines[max(0, group[0] - 3) : group[0]], lines[group[-1] + 1 : group[-1] + 4]
    touches = bool(after) and after[0][1].is_row and not after[0][2]
    return touches or (any(line.is_row for _, line, _ in before) and any(line.is_row for _, line, _ in after))
