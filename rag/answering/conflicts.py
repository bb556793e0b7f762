"""Whether documents give different values for the same thing: then each is shown with its source, never a blend."""

from collections.abc import Sequence

from rag.answering.guards import numbers
from rag.answering.types import ScoredSentence
from rag.retrieval.lexical import words

_MAX_BEHIND = 3.0  # in score, behind the best sentence: further down, other things are spoken of
_MIN_ALIKE = 0.5  # of the words of the shorter sentence, values apart, stand in the other one too
_MAX_SENTENCES = 12  # of a reading that are compared


def conflict(sentences: Sequence[ScoredSentence]) -> tuple[ScoredSentence, ...]:
    """The best sentence for each of the values that different documents give, best first; () when they agree."""
    if not sentences or sentences[0].value is None:
        return ()
    best, chosen, seen = sentences[0], [sentences[0]], {sentences[0].hit.source}
    for other in sentences[1:_MAX_SENTENCES]:
        if other.value is None or other.hit.source in seen or other.score < best.score - _MAX_BEHIND:
            continue
        seen.add(other.hit.source)  # a document is taken at its best word
        if _alike(best, other) and all(_differ(other.said, one.said) for one in chosen):
            chosen.append(other)
    return tuple(chosen) if len(chosen) > 1 else ()


def _differ(one: str, other: str) -> bool:
    """Whether two values cannot both be meant: other numbers, or no word in common."""
    if numbers(one) and numbers(other):
        return not numbers(one).keys() & numbers(other).keys()
    return not set(words(one)) & set(words(other))


def _alike(one: ScoredSentence, other: ScoredSentence) -> bool:
    """Whether two sentences say the same thing of two values."""
    first, second = (set(words(s.text)) - set(words(s.said)) for s in (one, other))
    shorter = min(len(first), len(second))
    return shorter > 0 and len(first & second) >= _MIN_ALIKE * shorter
