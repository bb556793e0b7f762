"""What only all pages of a PDF tell together: which rows are running heads or page numbers, and which are headings."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import zip_longest

from rag.documents.pdf_lines import LARGER, MAX_OUTER, Page, Text, edge

_EDGE = 0.09  # of the page's height: where running heads and feet are
_NUMBERED_EDGE = 0.15  # those that count the pages may stand so far in
_ISOLATED = 1.6  # sizes of the font from a head to what is none
_LABEL = re.compile(
    r"(?i)[^\w\s]*\s*(?:(?:page|seite|p\u00e1gina|p\.|\u7b2c)\s*)?(?:[a-z]-)?(\d{1,4}|[ivxl]+)"
    r"(?:\s*(?:of|von|de|/)\s*\d{1,4}|\s*\u9875)?\s*[^\w\s]*"
)
_COUNT = re.compile(r"(\d{1,4})\b|.*\b(\d{1,4})$")  # a number that begins or ends a line
_HEADING = re.compile(r"[\w(\[\"'\u00a7\u2018\u201c\u300a\u3010].*[^\W\d].*(?<![.,;:\u3002])", re.DOTALL)
_NUMBER = re.compile(r"\d{1,4}")
_MAX_NUMBERS = 4
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
        self._seen: defaultdict[Hashable, set[int]] = defaultdict(set)  # pages on which the same is found
        self._heads: defaultdict[Hashable, dict[int, str]] = defaultdict(dict)  # by their place: what is found again
        outer = [
            (number, row, is_top)
            for number, page in enumerate(pages)
            for is_top in (True, False)
            for row in edge(page, is_top)[:MAX_OUTER]
        ]
        for number, row, is_top in outer:
            place, texts, counts = self._keys(number, row, is_top)
            for key in (place, *texts, *counts):
                self._seen[key].add(number)
        for number, row, is_top in outer:
            place, texts, _ = self._keys(number, row, is_top)
            if self._is_again(number, texts):
                self._heads[place][number] = pages[number].text(pages[number].rows[row])

    def rows(self, number: int) -> tuple[int, int]:
        """How many rows at the top and at the bottom of a page, counted from 0, are such."""
        return self._outer(number, True), self._outer(number, False)

    def _outer(self, number: int, is_top: bool) -> int:
        page, found = self._pages[number], 0
        order = edge(page, is_top)
        for at, row in enumerate(order[:MAX_OUTER], 1):
            if not (sure := self._sure(number, row, is_top)):
                break
            one, following = page.rows[row][0], page.rows[order[at]][0] if at < len(order) else None
            if sure > 1 or not following or abs(following.base - one.base) > _ISOLATED * one.size:
                found = at
        return found

    def _sure(self, number: int, row: int, is_top: bool) -> int:
        """2 where a row is a running head for sure, 1 where it is one if it stands apart, 0 where it is none."""
        page, count = self._pages[number], len(self._pages)
        place, texts, counts = self._keys(number, row, is_top)
        if any(len(self._seen[text]) >= max(3, count / 2) for text in texts):
            return 2
        if page.rows[row][0].size > LARGER * self.usual:
            return 0
        if any(len(self._seen[key]) > 2 for key in counts):
            return 1
        there, heads = len(self._seen[place]), Counter(self._heads[place].values())
        often = there >= 0.4 * count or any(len(self._seen[text]) >= max(8, count / 10) for text in texts)
        usual = often and heads.total() >= there / 2  # a place of heads, not where the text begins
        changes = len(heads) > 2 and max(heads.values()) <= there / 2  # as heads of chapters do
        again = usual and (changes or self._is_again(number, texts))
        return int(bool(texts) and (again or _LABEL.fullmatch(page.text(page.rows[row])) is not None))

    def _is_again(self, number: int, texts: Sequence[Hashable]) -> bool:
        """Whether the same is found on a page near by: that of titles and tables is further away."""
        return any(number + step in self._seen[text] for text in texts for step in (-2, -1, 1, 2))

    def _keys(self, number: int, row: int, is_top: bool) -> tuple[Hashable, list[Hashable], list[Hashable]]:
        """What a row may have in common with those of other pages: its place, its words there, how it counts pages."""
        page = self._pages[number]
        text, first = page.text(page.rows[row]), page.rows[row][0]
        height = first.base if is_top else page.height - first.base
        place = is_top, round(height / 3), first.size
        counts: list[Hashable] = []
        if (label := _LABEL.fullmatch(text)) and label[1].isdecimal():
            counts = [(is_top, int(label[1]) - number)]
        elif height < _NUMBERED_EDGE * page.height and (found := _COUNT.match(text)):
            counts = [(place, int(found[1] or found[2]) - number)]
        if height > _EDGE * page.height:
            return place, [], counts
        numbers = [*_NUMBER.finditer(text)][:_MAX_NUMBERS]
        told = [(text[: one.start()], int(one[0]) - number, text[one.end() :]) for one in numbers]
        return place, [(place, one) for one in (text, *told)], counts


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
