"""From rows of cells to lines that are understood alone: each holds its header with every cell. Also reads CSV.

Knows nothing of where the cells come from. Every line ends with newline; one that is no row has blank lines around it.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import groupby

from rag.documents.types import Limits
from rag.errors import UnreadableDocument, in_words

Row = Sequence[str]

# A number, a date, an amount: "1,200.50", "2024-03-01 10:30", "320 t", "12 km/h", "EUR 40", "7 %"
_DATUM = re.compile(r"(?:[A-Z]{3}\s)?[^\w]*\d[\d\s.,:/'\u2019+-]*(?:[^\W\d][/.]?){0,8}\W*")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_MAX_HEAD_CHARS = 80  # a longer cell is a sentence, not the name of a column
_MAX_KEY_CHARS = 60
_MIN_NUMERIC = 0.6  # of a column's cells, for it to be one of numbers
_DELIMITERS = ",;\t|"
_SNIFFED_LINES = 100


def table_lines(rows: Iterable[Row], heads: int | None = None) -> Iterator[str]:
    """The lines of a table: `Header: cell | Header: cell`; `- Key: value` for pairs; titles as paragraphs.

    :param heads: how many rows, not counting empty ones, are its header; None to judge by what the cells look like,
        where a blank row may end one table and begin another.
    """
    for table in map(_filled, _tables(rows) if heads is None else [rows]):
        named = heads
        while table and sum(map(bool, table[0])) == 1 < len(table[0]):
            yield paragraph("".join(table.pop(0)))
            named = named and named - 1
        named = int(_has_head(table)) if named is None else named
        named = named if named < len(table) else 0
        head = [
            " ".join(dict.fromkeys(filter(None, names)))[:120].rstrip(" :")
            for names in zip(*table[:named], strict=True)
        ]
        for line in (_line(row, head) for row in table[named:]):
            yield f"{line}\n" if " | " in line or line.startswith("- ") else paragraph(line)
        yield "\n"


def paragraph(text: str) -> str:
    """A line of text with blank lines around it."""
    return f"\n{text}\n\n"


def _tables(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The tables of a sheet: where a row is blank one ends, unless what follows goes on in the same columns."""
    found: list[Row] = []
    for is_blank, group in groupby(rows, key=lambda row: not any(row)):
        run = [] if is_blank else list(group)
        columns = _columns(run)
        is_other = columns - _columns(found) or len(columns) == 1 < len(_columns(found))
        if found and run and (is_other or _has_head(_filled(run))):
            yield found
            found = []
        found += run
    if found:
        yield found


def _has_head(table: Sequence[Row]) -> bool:
    """Whether a table's first row names its columns, as far as the cells tell."""
    if len(table) < 2 or len(table[0]) < 2:
        return False
    head, columns = table[0], [[cell for cell in column if cell] for column in zip(*table[1:], strict=True)]
    named = [name for name in head if name]
    if len(named) < 2 or len({*named}) < len(named) or max(map(len, named)) > _MAX_HEAD_CHARS or head[0][-1:] == ":":
        return False
    if any(name in cells for name, cells in zip(head, columns, strict=True)):
        return False
    numeric = [bool(cells) and sum(map(_is_datum, cells)) >= _MIN_NUMERIC * len(cells) for cells in columns]
    if years := [at for at, name in enumerate(head) if _is_datum(name)]:  # at most years may be names
        are_years = years[0] > 0 and all(_YEAR.fullmatch(head[at]) and numeric[at] for at in years)
        is_clear = len(years) > 1 or len(head) == 2
        return are_years and is_clear and not all(_YEAR.fullmatch(cell) for at in years for cell in columns[at])
    if len(head) > 2:
        return True
    units = {re.sub(r"[\d\W]+", "", cell) for cell in columns[1]}  # of pairs they differ
    return (numeric[1] and len(units) == 1) or (head[0].islower() and not all(map(str.islower, columns[0])))


def read_csv(data: bytes, limits: Limits) -> tuple[str, list[str]]:
    """No title, and the text: one line for each row."""
    from rag.documents.readers import decode

    csv.field_size_limit(len(data) + 1)  # none of its own: what is too long is found out below
    text = decode(data).replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    sep, _, rest = text.partition("\n")
    named = sep.lower().startswith("sep=") and len(sep) == 5  # Excel's own mark
    delimiter, text = (sep[4], rest) if named else (_delimiter(text), text)
    try:
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:  # a quote that never ends: it shall cost its line, not all that follow
        rows = [row for line in text.splitlines() for row in csv.reader([line], delimiter=delimiter)]
    return "", [bounded(table_lines(rows), limits)]


def bounded(pieces: Iterable[str], limits: Limits) -> str:
    """The pieces as one text without superfluous blank lines; refused as soon as it is longer than the limit."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > limits.chars + 10_000:  # the blank lines that go
            raise UnreadableDocument(in_words("too_long", limit=limits.chars))
    return re.sub(r"\n{3,}", "\n\n", "".join(held)).strip("\n") + "\n"


def _filled(rows: Iterable[Row]) -> list[list[str]]:
    """The table without empty rows and columns, all rows equally long."""
    table = [[" ".join(cell.split()).replace(" | ", " / ") for cell in row] for row in rows]
    kept = sorted(_columns(table))
    width = max(map(len, table), default=0)
    table = [row + [""] * (width - len(row)) for row in table if any(row)]
    return [[row[column] for column in kept] for row in table]


def _columns(table: Iterable[Row]) -> set[int]:
    return {column for row in table for column, cell in enumerate(row) if cell}


def _line(row: Row, head: Row) -> str:
    if head and (any(row[1:]) or len(row) < 3):  # else it is the name of a group of rows
        return " | ".join(f"{name}: {cell}" if name else cell for name, cell in zip(head, row, strict=True) if cell)
    if len(row) == 2 and all(row) and not head and len(row[0]) <= _MAX_KEY_CHARS:
        return f"- {row[0].rstrip(' :')}: {row[1]}"
    return " | ".join(filter(None, row))


def _is_datum(cell: str) -> bool:
    return bool(_DATUM.fullmatch(cell))


def _delimiter(text: str) -> str:
    """What most lines agree on, at the beginning; a comma where they agree on nothing."""
    lines = [line for line in text[:100_000].split("\n")[:_SNIFFED_LINES] if line.strip()]
    best = {}
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, times = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
        best[delimiter] = (times / len(lines), width) if width > 1 else (0, 0)
    return max(_DELIMITERS, key=lambda delimiter: best[delimiter])
