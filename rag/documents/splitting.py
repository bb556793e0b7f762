"""From a document to passages: whole sentences, up to a size, never across a heading or a page.

Sentences are told apart in English, Chinese and languages with the same marks. Offsets are carried through,
never searched for: a passage is cut from its document, so it slices back.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path

from rag.documents.structure import Block, blocks, table_heads
from rag.documents.types import Document, Passage, Span

SPLITTER = "sentences-700-v4"  # goes into the manifest: another splitter means other passages
MAX_PASSAGE_WEIGHT = 700  # about 160 word pieces of English; chosen on Chroma's chunking evaluation (docs/retrieval.md)
_USUAL_GAP = 8  # characters between two sentences: a blank line and the mark of an item
_Place = tuple[int, tuple[str, ...], int | None]  # headings so far, as two sections may have one name; sections; page
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


def split(document: Document) -> list[Passage]:
    """The passages of a document in order, none overlapping, with all text but marks, and headings that head some."""
    passages: list[Passage] = []
    heads = table_heads(document, (block for _, block in _quotable(document)))
    for (_, sections, _), group in groupby(_quotable(document), key=itemgetter(0)):
        sentences = (span for _, block in group for span in _sentences(document.text, block))
        for run in _packed(document.text, sentences):
            passages.append(_passage(document, sections, run, heads.get(run[0].start, "")))
    return passages


def _quotable(document: Document) -> Iterator[tuple[_Place, Block]]:
    """The blocks to quote, each with its place."""
    headings = 0
    for block, following in pairwise(chain(blocks(document), [None])):
        assert block
        headings += block.kind == "heading"
        bare = following is None or (following.kind == "heading" and len(following.sections) <= len(block.sections))
        if block.kind != "heading" or bare:
            yield (headings, block.sections, document.page_at(block.span.start)), block


def _sentences(text: str, block: Block) -> list[Span]:
    is_long = block.span.end - block.span.start > MAX_PASSAGE_WEIGHT
    return sentence_spans(text, block.span) if is_long or block.kind in ("paragraph", "item") else [block.span]


def _packed(text: str, sentences: Iterable[Span]) -> Iterator[list[Span]]:
    """Runs of neighbouring sentences, each run as long as the size allows."""
    held: list[Span] = []
    weight = 0
    for span in sentences:
        desert = span.start - held[-1].end - _USUAL_GAP if held else 0  # white space and marks fill a passage too
        added = _weight(text[span.start : span.end]) + max(0, desert)
        if held and weight + added > MAX_PASSAGE_WEIGHT:
            yield held
            held, weight = [], 0
        held.append(span)
        weight += added
    if held:
        yield held


def _weight(text: str) -> int:
    """Characters, with those that are a token each (Chinese, Japanese, Korean) counted fourfold."""
    return len(text) if text.isascii() else len(text) + 3 * sum("\u2e80" <= char <= "\uffef" for char in text)


def _passage(document: Document, sections: tuple[str, ...], sentences: list[Span], head: str) -> Passage:
    start, end = sentences[0].start, sentences[-1].end
    section = " > ".join(sections[1:] if sections[:1] == (document.title,) else sections)
    heads, text = (document.source, document.title, section), document.text[start:end]
    return Passage(*heads, text, start, end, document.page_at(start), tuple(sentences), head)


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
