"""Where sentences begin and end, in English, Chinese and languages with the same marks. Offsets only."""

import re
from pathlib import Path

from rag.documents.types import Span

MAX_SENTENCE_CHARS = 700  # beyond it, text without an end is cut at a space: it must fit a passage

_END = re.compile(
    r"""(?:(?<![.!?\u2026])[.!?\u2026]++["'\u201d\u2019)\]*_]*+(?:\[\d+\])*+(?=\s)
            # Western: all marks of a run, closing quotes, notes, then space; never tried again from within the run
        |[\u3002\uff01\uff1f\uff1b]+["'\u201d\u2019\u300d\u300f\uff09)]*)  # Chinese, Japanese: no space needed
    \s*""",
    re.VERBOSE,
)
_WORDS = "|".join(Path(__file__).with_name("abbreviations.txt").read_text("ascii").split())
# J. Smith; e.g., U.S.; Dr
_ABBREVIATION = re.compile(rf"""(?:^|[\s("'\u201c\u2018])(?:[A-Z]|[A-Za-z](?:\.[A-Za-z])+|{_WORDS})$""")
_COMPANY = re.compile(r"(?:Inc|Ltd|Co|Corp|Bros|etc|al|[ap]\.m|U\.S|U\.K|Ph\.D|D\.C)$")
_OPENER = re.compile(r"(?:The|A|An|It|In|He|She|They|We|This|That|These|On|At|But|And|By|For)\b")


def sentence_spans(text: str, span: Span) -> list[Span]:
    """The sentences of a stretch of running text, in order, without the space between them.

    Every character that is not white space lies in exactly one span, and none is longer than MAX_SENTENCE_CHARS.
    """
    spans, start = [], span.start
    for match in _END.finditer(text, span.start, span.end):
        if match.end() < span.end and not _is_boundary(text, start, match):
            continue
        spans.append(Span(start, match.end()))
        start = match.end()
    spans.append(Span(start, span.end))
    return [piece for found in spans for piece in _pieces(text, found)]


def paragraphs(text: str) -> list[Span]:
    """The stretches of a text between blank lines."""
    return [Span(*match.span()) for match in re.finditer(r"\S(?:[^\n]|\n(?![ \t]*\n))*", text)]


def _is_boundary(text: str, start: int, match: re.Match[str]) -> bool:
    following = text[match.end()]
    if match.group()[0] not in ".\u2026":
        return not (match.group()[0] in "!?" and following.islower())
    if following.islower():
        return False
    before = text[max(start, match.start() - 12) : match.start()]
    if not _ABBREVIATION.search(before):
        return True
    # "Foo Inc. The" ends a sentence and "Foo Inc. Boston" does not; a short function word tells them apart.
    return bool(_COMPANY.search(before) and _OPENER.match(text, match.end()))


def _pieces(text: str, span: Span) -> list[Span]:
    """The span without surrounding white space, cut at spaces where it is too long; [] when nothing is left."""
    body = text[span.start : span.end]
    start = span.start + len(body) - len(body.lstrip())
    end = span.start + len(body.rstrip())
    pieces = []
    while end - start > MAX_SENTENCE_CHARS:
        cut = max(text.rfind(space, start, start + MAX_SENTENCE_CHARS) for space in " \n")
        cut = cut if cut > start else start + MAX_SENTENCE_CHARS
        pieces.append(Span(start, start + len(text[start:cut].rstrip())))
        start = cut
        while text[start].isspace():
            start += 1
    return [*pieces, Span(start, end)] if end > start else pieces
