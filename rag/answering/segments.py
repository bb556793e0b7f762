"""A model's answer cut into sentences while it streams, with the citations that belong to each.

Feed it text as it comes; it gives out what is complete. Marks of lists, headings and the head of a table are kept
apart from the sentences, so that they can be shown without being taken for claims. A code block is one claim.
"""

import re
from collections.abc import Generator, Iterator

from rag.answering.lexicon import patterns
from rag.answering.types import Draft

_PATTERNS = patterns("segments")
_MARK = _PATTERNS["mark"]  # of a citation


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
        if not (self._block or "|" in self._held or "`" in self._held or _PATTERNS["heading_begun"].match(self._held)):
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
        is_rule = bool(_PATTERNS["table_rule"].match(line))
        if is_rule:
            self._lead, self._head = self._lead + self._head, ""
        yield from self._release_head()
        if self._block or _PATTERNS["fence"].match(line):
            yield from self._code(line, end)
        elif _PATTERNS["table_head"].match(line) and not is_rule:
            self._head = line + end
        elif _PATTERNS["heading"].match(line) or _PATTERNS["no_words"].match(_MARK.sub("", line)):
            self._lead += _MARK.sub("", line) + end
        else:
            rest = yield from self._complete(line)
            if not _PATTERNS["no_words"].match(rest):
                yield self._draft(rest, "")
            self._lead += end

    def _code(self, line: str, end: str) -> Iterator[Draft]:
        closes = bool(self._block) and bool(_PATTERNS["fence"].match(line))
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
        for match in _PATTERNS["end"].finditer(text):
            following, space = match["next"], match["space"]
            chinese = match.group()[0] in "\u3002\uff01\uff1f"
            if following in "[\u3010" or following.islower() or not (space or chinese):
                continue
            if match.group()[0] == "." and _PATTERNS["abbreviation"].search(text[start : match.start()]):
                continue
            yield self._draft(text[start : match.end()], space)
            start = match.end() + len(space)
        return text[start:]

    def _draft(self, raw: str, space: str) -> Draft:
        marks = None if _PATTERNS["fence"].match(raw) else _PATTERNS["lead"].match(raw)
        lead = marks.group() if marks else ""
        body = raw[len(lead) :]
        end = _PATTERNS["row_end"].search(body)
        trail = end.group() if end and "|" in end.group() else ""
        cited = [int(n) for mark in _MARK.findall(body) for n in re.findall(r"\d+", _PATTERNS["target"].sub("", mark))]
        text = _MARK.sub("", body[: len(body) - len(trail)] if trail else body).strip()
        draft = Draft(text, cited=tuple(dict.fromkeys(cited)), lead=self._lead + lead)
        self._lead = trail + space
        return draft
