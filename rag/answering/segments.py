"""A model's answer cut into sentences while it streams, with the citations that belong to each.

Feed it text as it comes; it gives out what is complete. Marks of lists, headings and tables are kept apart from
the sentences, so that they can be shown without being taken for claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.answering.types import Draft

_MARK = re.compile(r"\s*[\[\u3010]\s*\d+(?:\s*[,;]\s*\d+)*\s*[\]\u3011]")
_LEAD = re.compile(r"[ \t]*(?:(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+|>[ \t]?|\|[ \t]*)*")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]|[ \t]*\*\*[^*]+\*\*:?[ \t]*$")
_NO_WORDS = re.compile(r"[\W_]*$")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_END = re.compile(
    r"(?:[.!?][\"'\u201d\u2019)*_]*|[\u3002\uff01\uff1f][\u201d\u2019\u300d\uff09]*)"
    rf"(?P<marks>(?:{_MARK.pattern})*)(?=(?P<space>\s*)(?P<next>\S))"
)
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Inc|Ltd|Co|Corp|approx|e\.g|i\.e)|\d)$")


class Segmenter:
    """Takes pieces of text and gives the drafts that they complete."""

    def __init__(self) -> None:
        self._held = ""  # not yet given out
        self._lead = ""  # goes in front of the next draft
        self._fenced = False

    def feed(self, piece: str) -> Iterator[Draft]:
        """The sentences that are complete with this piece."""
        self._held += piece
        while "\n" in self._held:
            line, self._held = self._held.split("\n", 1)
            yield from self._line(line)
            self._lead += "\n"
        if not (self._fenced or "|" in self._held or "`" in self._held or _HEADING.match(self._held)):
            yield from self._complete()

    def flush(self) -> Iterator[Draft]:
        """What is left when the stream ends."""
        line, self._held = self._held, ""
        yield from self._line(line)

    @property
    def tail(self) -> str:
        """What stands after the last sentence: the end of a table row, a code fence."""
        return self._lead.rstrip()

    def _line(self, line: str) -> Iterator[Draft]:
        if _FENCE.match(line):
            self._fenced = not self._fenced
            self._lead += line
        elif _HEADING.match(line) or _NO_WORDS.match(_MARK.sub("", line)):
            self._lead += _MARK.sub("", line)
        elif self._fenced:
            yield self._draft(line, "")
        else:
            self._held, rest = line, self._held
            yield from self._complete()
            line, self._held = self._held, rest
            if not _NO_WORDS.match(line):
                yield self._draft(line, "")

    def _complete(self) -> Iterator[Draft]:
        """Give out the sentences of the held text that are followed by the beginning of another."""
        start = 0
        for match in _END.finditer(self._held):
            following, space = match["next"], match["space"]
            chinese = match.group()[0] in "\u3002\uff01\uff1f"
            if following in "[\u3010" or following.islower() or not (space or chinese):
                continue
            if match.group()[0] == "." and _ABBREVIATION.search(self._held[start : match.start()]):
                continue
            yield self._draft(self._held[start : match.end()], space)
            start = match.end() + len(space)
        self._held = self._held[start:]

    def _draft(self, raw: str, space: str) -> Draft:
        marks = None if self._fenced else _LEAD.match(raw)
        lead = marks.group() if marks else ""
        body = raw[len(lead) :]
        end = re.search(r"[ \t]*\|?[ \t]*$", body)
        trail = end.group() if end and "|" in end.group() else ""
        cited = [int(n) for mark in _MARK.findall(body) for n in re.findall(r"\d+", mark)]
        text = _MARK.sub("", body[: len(body) - len(trail)] if trail else body).strip()
        draft = Draft(text, cited=tuple(dict.fromkeys(cited)), lead=self._lead + lead)
        self._lead = trail + space
        return draft
