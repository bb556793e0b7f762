"""Does this text bear out this claim, and where exactly? The judge of every sentence that a model wrote.

A claim is supported by at most three neighbouring sentences that together hold its words and its sense, and that
agree with it in numbers, names and negation.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rag.answering.guards import names_agree, negation_agrees, numbers_agree, without_numbers
from rag.answering.types import Evidence, Guard, Support
from rag.documents.sentences import paragraphs, sentence_spans
from rag.documents.types import Span
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit

_MAX_WINDOW = 3  # sentences that may support a claim together
# A window bears a claim out by sense when the mean of two shares reaches this: the claim's words that it holds, and
# their cosine. It refuses more than it should and accepts less than a laxer one (benchmarks/grounding.py).
MIN_SUPPORT = 0.6
_LONGER_WINDOW = 0.03  # what each further sentence must bring: the shortest quote that carries the claim is wanted


class _Window(NamedTuple):
    """Neighbouring sentences of one text."""

    text: int  # which text
    span: Span
    size: int  # how many sentences
    cosine: float  # of its sentence nearest to the claim
    core: str  # that sentence


class Grounder:
    """Finds the span that supports a claim."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def check(self, claim: str, texts: Sequence[str]) -> Support:
        """Whether one of these texts supports the claim; the span is in the text that does best."""
        spans = [[s for block in paragraphs(text) for s in sentence_spans(text, block)] for text in texts]
        return self._best(claim, texts, spans, [""] * len(texts))

    def ground(self, claim: str, hits: Sequence[Hit]) -> Evidence | None:
        """The span of a hit that supports the claim, or None; a name may also stand in the title or the section."""
        spans = [[Span(s.start - hit.start, s.end - hit.start) for s in hit.sentences] for hit in hits]
        support = self._best(claim, [h.text for h in hits], spans, [f"{h.title} {h.section}" for h in hits])
        if not support.supported or support.span is None or support.text is None:
            return None
        hit = hits[support.text]
        return Evidence(hit, Span(hit.start + support.span.start, hit.start + support.span.end))

    def _best(self, claim: str, texts: Sequence[str], spans: Sequence[Sequence[Span]], heads: Sequence[str]) -> Support:
        """The window that passes with the highest score; if none does, the highest score and what failed there."""
        windows = list(self._windows(claim, texts, spans))
        if not windows or not words(claim):
            return Support(False, 0.0, None, None, "meaning")
        judged = [(w, *_judge(claim, w, texts[w.text], heads[w.text])) for w in windows]
        window, score, failed = max(judged, key=lambda one: (one[2] is None, one[1] - _LONGER_WINDOW * one[0].size))
        return Support(failed is None, score, window.text, window.span, failed)

    def _windows(self, claim: str, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Iterator[_Window]:
        sentences = [texts[i][s.start : s.end] for i, found in enumerate(spans) for s in found]
        if not sentences:
            return
        cosines = self._embedder.sentences(sentences) @ self._embedder.query(claim)
        offset = 0
        for i, found in enumerate(spans):
            for first in range(len(found)):
                for size in range(1, min(_MAX_WINDOW, len(found) - first) + 1):
                    at = offset + first
                    core = at + int(np.argmax(cosines[at : at + size]))
                    span = Span(found[first].start, found[first + size - 1].end)
                    yield _Window(i, span, size, float(cosines[core]), sentences[core])
            offset += len(found)


def _judge(claim: str, window: _Window, text: str, head: str) -> tuple[float, Guard | None]:
    """A score in [0, 1] for sense, and the first guard that failed."""
    quote = text[window.span.start : window.span.end]
    asked, held = set(words(without_numbers(claim))) or set(words(claim)), set(words(f"{quote} {head}"))
    score = (len(asked & held) / len(asked) + max(0.0, min(1.0, window.cosine))) / 2
    if score < MIN_SUPPORT:
        return score, "meaning"
    if not numbers_agree(claim, quote):
        return score, "number"
    if not names_agree(claim, f"{quote} {head}"):
        return score, "name"
    return score, None if negation_agrees(claim, window.core) else "negation"
