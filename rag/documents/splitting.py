"""From a document to passages: whole sentences, up to a size, never across a heading or a page.

Offsets are carried through, never searched for: a passage is cut from its document, so it slices back.
"""

from collections.abc import Iterator
from itertools import groupby, zip_longest
from operator import itemgetter

from rag.documents.sentences import sentence_spans
from rag.documents.structure import Block, blocks, page_heads
from rag.documents.types import Document, Passage, Span

SPLITTER = "sentences-700-v3"  # goes into the manifest: another splitter means other passages
MAX_PASSAGE_WEIGHT = 700  # about 160 word pieces of English; chosen on Chroma's chunking evaluation (docs/retrieval.md)
_Place = tuple[int, tuple[str, ...], int | None]  # headings so far, as two sections may have one name; sections; page


def split(document: Document) -> list[Passage]:
    """The passages of a document in order, none overlapping, with all text but marks, and headings that head some."""
    passages: list[Passage] = []
    heads = page_heads(document)
    for (_, sections, page), group in groupby(_quotable(document), key=itemgetter(0)):
        sentences = [span for _, block in group for span in _sentences(document.text, block)]
        for at, run in enumerate(_packed(document.text, sentences)):
            passages.append(_passage(document, sections, run, heads.get(page, "") if at else ""))
    return passages


def _quotable(document: Document) -> Iterator[tuple[_Place, Block]]:
    """The blocks to quote, each with its place."""
    headings = 0
    for block, following in zip_longest(found := list(blocks(document)), found[1:]):
        headings += block.kind == "heading"
        bare = following is None or (following.kind == "heading" and len(following.sections) <= len(block.sections))
        if block.kind != "heading" or bare:
            yield (headings, block.sections, document.page_at(block.span.start)), block


def _sentences(text: str, block: Block) -> list[Span]:
    is_long = block.span.end - block.span.start > MAX_PASSAGE_WEIGHT
    return sentence_spans(text, block.span) if is_long or block.kind in ("paragraph", "item") else [block.span]


def _packed(text: str, sentences: list[Span]) -> Iterator[list[Span]]:
    """Runs of neighbouring sentences, each run as long as the size allows."""
    held: list[Span] = []
    weight = 0
    for span in sentences:
        added = _weight(text[span.start : span.end])
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
