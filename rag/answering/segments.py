"""A model's answer cut into sentences while it streams, with the citations that belong to each.

Feed it text as it comes; it gives out what is complete. Marks of lists, headings and the head of a table are kept
apart from the sentences, so that they can be shown without being taken for claims. A code block is one claim.
"""

import re
from collections.abc import Generator, Iterator

from rag.answering.types import Draft

_NUMBERS = (
    r"[\[\u3010]\s*(?:\^|[Pp]assages?\s)?\d+(?:\s*[,;\u2013-]\s*\d+)*\s*[\]\u3011](?:\((?:https?:|#|/)[^()\s]*\))?"
)
_ROW = rf"{_NUMBERS}(?:\s*[,;]\s*{_NUMBERS})*"  # "[1]", "[1, 2]", "[1], [2]", also as notes and links
_MARK = re.compile(rf"(?<!\s)\s*(?:{_ROW}|\(\s*{_ROW}\s*\))")  # never tried again from within the space
_TARGET = re.compile(r"\]\([^()]*\)")  # where a mark that is a link leads
_LEAD = re.compile(r"[ \t]*(?:(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+|>[ \t]?|\|[ \t]*)*")
# A line that ends like a sentence is a claim, however large or bold it is written.
_HEADING = re.compile(
    r"[ \t]*(?:#{1,6}[ \t](?!.*[.!\u3002\uff01][*_]*[ \t]*$)|\*\*[^*]*[^*.!\u3002\uff01]\*\*:?[ \t]*$)"
)
_HEADING_BEGUN = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\*\*[^*]*\*{0,2}:?[ \t]*$)")
_NO_WORDS = re.compile(r"[\W_]*$")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_TABLE_HEAD = re.compile(r"[ \t]*\|[^\d]*\|[ \t]*$")  # a row without figures; with the rule below it, a table's head
_TABLE_RULE = re.compile(r"[ \t]*\|[-:| \t]+\|?[ \t]*$")
_END = re.compile(
    r"(?:[.!?][\"'\u201d\u2019)*_]*|[\u3002\uff01\uff1f][\u201d\u2019\u300d\uff09]*)"
    rf"(?P<marks>(?:{_MARK.pattern})*)(?=(?P<space>\s*)(?P<next>\S))"
)
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Inc|Ltd|Co|Corp|approx|e\.g|i\.e)|\d)$")


class Segmenter:
    """Takes pieces of text and gives the drafts that they complete."""

    def __init__(self) -> None:
        self._held = ""  # the line that is being written, less what was given out of it
        self._lead = ""  # goes in front of the next draft
        self._block = ""  # an open code block
        self._head = ""  # a row that may be a table's head: the next line will tell

    def feed(self, piece: str) -> Iterator[Draft]:
        """The sentences that are complete with this piece."""
        self._held += piece
        while "\n" in self._held:
            line, self._held = self._held.split("\n", 1)
            yield from self._line(line, "\n")
        if not (self._block or "|" in self._held or "`" in self._held or _HEADING_BEGUN.match(self._held)):
            self._held = yield from self._complete(self._held)

    def flush(self) -> Iterator[Draft]:
        """What is left when the stream ends."""
        line, self._held = self._held, ""
        yield from self._line(line, "")
        yield from self._release_head()
        if self._block:
            yield self._draft(self._block, "")
        if tail := self._lead.rstrip():  # such as the end of a table row
            yield Draft("", lead=tail)

    def _line(self, line: str, end: str) -> Iterator[Draft]:
        if self._block or _FENCE.match(line):
            yield from self._code(line, end)
            return
        if _TABLE_RULE.match(line):
            self._lead, self._head = self._lead + self._head, ""
        yield from self._release_head()
        if _TABLE_HEAD.match(line) and not _TABLE_RULE.match(line):
            self._head = line + end
            return
        if _HEADING.match(line) or _NO_WORDS.match(_MARK.sub("", line)):
            self._lead += _MARK.sub("", line)
        else:
            rest = yield from self._complete(line)
            if not _NO_WORDS.match(rest):
                yield self._draft(rest, "")
        self._lead += end

    def _code(self, line: str, end: str) -> Iterator[Draft]:
        yield from self._release_head()
        closes = bool(self._block) and bool(_FENCE.match(line))
        self._block += line if closes else line + end
        if closes:
            block, self._block = self._block, ""
            yield self._draft(block, end)

    def _release_head(self) -> Iterator[Draft]:
        """A row that turned out to be no head is a claim like any other."""
        if self._head:
            row, self._head = self._head, ""
            yield self._draft(row.rstrip("\n"), "\n" if row.endswith("\n") else "")

    def _complete(self, text: str) -> Generator[Draft, None, str]:
        """Give out the sentences that are followed by the beginning of another; return what is left."""
        start = 0
        for match in _END.finditer(text):
            following, space = match["next"], match["space"]
            chinese = match.group()[0] in "\u3002\uff01\uff1f"
            if following in "[\u3010" or following.islower() or not (space or chinese):
                continue
            if match.group()[0] == "." and _ABBREVIATION.search(text[start : match.start()]):
                continue
            yield self._draft(text[start : match.end()], space)
            start = match.end() + len(space)
        return text[start:]

    def _draft(self, raw: str, space: str) -> Draft:
        marks = None if _FENCE.match(raw) else _LEAD.match(raw)
        lead = marks.group() if marks else ""
        body = raw[len(lead) :]
        end = re.search(r"(?<![ \t])[ \t]*(?:\|[ \t]*)?$", body)
        trail = end.group() if end and "|" in end.group() else ""
        cited = [int(n) for mark in _MARK.findall(body) for n in re.findall(r"\d+", _TARGET.sub("", mark))]
        text = _MARK.sub("", body[: len(body) - len(trail)] if trail else body).strip()
        draft = Draft(text, cited=tuple(dict.fromkeys(cited)), lead=self._lead + lead)
        self._lead = trail + space
        return draft
