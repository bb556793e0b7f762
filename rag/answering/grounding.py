"""Does this text bear out this claim, and where exactly? The judge of every sentence that a model wrote.

A claim is supported by neighbouring sentences that together hold its words and its sense, that the model which reads
pairs takes to bear it out, and that agree with it in numbers, names and negation: three at most, and those between them
and the numbers that they lack.
"""

from collections.abc import Iterator, Sequence, Set
from itertools import product
from typing import NamedTuple

import numpy as np

from rag.answering.guards import names_agree, negation_agrees, numbers_agree, without_numbers
from rag.answering.pairs import MIN_ENGLISH, PairReader
from rag.answering.types import Evidence, Guard, Support
from rag.documents.splitting import paragraphs, sentence_spans
from rag.documents.types import Span
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit, Scores
from rag.tuned import tuned

_TUNED = tuned("grounding")


class _Window(NamedTuple):
    """Neighbouring sentences of one text."""

    text: int  # which text
    span: Span
    quote: str
    size: int  # how many sentences
    cosine: float  # of its sentence nearest to the claim
    core: str  # that sentence


class Grounder:
    """Finds the span that supports a claim."""

    def __init__(self, embedder: Embedder, pairs: PairReader) -> None:
        self._embedder = embedder
        self._pairs = pairs

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
        asked = set(words(without_numbers(claim))) or set(words(claim))
        matches = np.array([_match(asked, window, heads[window.text]) for window in windows])
        failed = [_failed(claim, window, heads[window.text]) for window in windows]
        shorter = _TUNED.longer_window * np.array([window.size for window in windows])
        likely = sorted(range(len(windows)), key=lambda i: (failed[i] is not None, shorter[i] - matches[i].mean()))
        likely = likely[: _TUNED.read]
        quotes = [windows[i].quote for i in likely]
        scores = dict(zip(likely, self._scores(claim, quotes, matches[likely]), strict=True))
        for i in likely:
            if failed[i] == "number":
                windows[i] = _with_numbers(claim, windows[i], texts[windows[i].text], spans[windows[i].text])
                failed[i] = _failed(claim, windows[i], heads[windows[i].text])
        best = max(likely, key=lambda i: (scores[i] >= 0.5 and failed[i] is None, scores[i] - shorter[i]))
        close = scores[best] >= 0.5 or matches[best].mean() >= _TUNED.min_match  # and the guard, if any, tells why
        guard = (failed[best] if close else None) or (None if scores[best] >= 0.5 else "meaning")
        return Support(guard is None, scores[best], windows[best].text, windows[best].span, guard)

    def _scores(self, claim: str, quotes: Sequence[str], matches: Scores) -> list[float]:
        """How likely each quote bears the claim out, in [0, 1]."""
        if self._embedder.reads(claim) < MIN_ENGLISH:
            return [float(mean * 0.5 / _TUNED.min_match) for mean in matches.mean(axis=1)]
        read = [pair.supports for pair in self._pairs.read(claim, quotes)]
        logits = np.column_stack([matches, read]) @ _TUNED.weights + _TUNED.bias
        return [float(score) for score in 1 / (1 + np.exp(-logits))]

    def _windows(self, claim: str, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Iterator[_Window]:
        sentences = [texts[i][s.start : s.end] for i, found in enumerate(spans) for s in found]
        if not sentences:
            return
        cosines = self._embedder.sentences(sentences) @ self._embedder.query(claim)
        offset = 0
        for i, found in enumerate(spans):
            for first in range(len(found)):
                for size in range(1, min(_TUNED.max_window, len(found) - first) + 1):
                    at = offset + first
                    core = at + int(np.argmax(cosines[at : at + size]))
                    span = Span(found[first].start, found[first + size - 1].end)
                    quote = texts[i][span.start : span.end]
                    yield _Window(i, span, quote, size, float(cosines[core]), sentences[core])
            offset += len(found)


def _match(asked: Set[str], window: _Window, head: str) -> tuple[float, float]:
    """The share of the claim's words that the window holds, and the cosine, each in [0, 1]."""
    held = set(words(f"{window.quote} {head}"))
    return len(asked & held) / len(asked), max(0.0, min(1.0, window.cosine))


def _failed(claim: str, window: _Window, head: str) -> Guard | None:
    """The first guard that fails, but for meaning."""
    if not numbers_agree(claim, window.quote):
        return "number"
    if not names_agree(claim, f"{window.quote} {head}"):
        return "name"
    return None if negation_agrees(claim, window.core) else "negation"


def _with_numbers(claim: str, window: _Window, text: str, spans: Sequence[Span]) -> _Window:
    """The window, grown over its neighbours until it holds the claim's numbers; as it was where it cannot."""
    first = next(i for i, span in enumerate(spans) if span.start == window.span.start)
    last = next(i for i, span in enumerate(spans) if span.end == window.span.end)
    before = range(first, max(-1, first - _TUNED.reach - 1), -1)
    after = range(last, min(len(spans), last + _TUNED.reach + 1))
    for i, j in sorted(product(before, after), key=lambda ends: ends[1] - ends[0]):
        if numbers_agree(claim, quote := text[spans[i].start : spans[j].end]):
            return window._replace(span=Span(spans[i].start, spans[j].end), quote=quote, size=j - i + 1)
    return window
