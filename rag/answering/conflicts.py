"""Whether documents give different values for the same thing: then each is shown with its source, never a blend."""

from collections.abc import Sequence

from rag.answering.guards import numbers
from rag.answering.types import ScoredSentence
from rag.retrieval.lexical import words

FUSED_WEIGHT = 3.7  # of its passage's fused score in that of a sentence; here it has no say, as it ranks documents
# On RGB both values are shown in 32 of 47 cases, with a notice in 4 of 47 where nothing was falsified; 3.0 behind, with
# the fused score, and 0.5 alike gave 37 and 20 (docs/answers.md). On SQuAD, each paragraph a document: none of 500.
_MAX_BEHIND = 1.0  # in score, behind the best sentence: further down, other things are spoken of
_MIN_ALIKE = 0.7  # of the words of the shorter sentence, values apart, stand in the other one too
_MAX_SENTENCES = 12  # of a reading that are compared


def conflict(sentences: Sequence[ScoredSentence]) -> tuple[ScoredSentence, ...]:
    """The best sentence for each of the values that different documents give, best first; () when they agree."""
    if not sentences or sentences[0].value is None:
        return ()
    best, chosen, seen = sentences[0], [sentences[0]], {sentences[0].hit.source}
    for other in sentences[1:_MAX_SENTENCES]:
        if other.value is None or other.hit.source in seen or _own(other) < _own(best) - _MAX_BEHIND:
            continue
        seen.add(other.hit.source)  # a document is taken at its best word
        if _alike(best, other) and all(_differ(other, one) for one in chosen):
            chosen.append(other)
    return tuple(chosen) if len(chosen) > 1 else ()


def _own(sentence: ScoredSentence) -> float:
    return sentence.score - FUSED_WEIGHT * sentence.hit.score


def _differ(one: ScoredSentence, other: ScoredSentence) -> bool:
    """Whether two values cannot both be meant: other numbers, or no word in common, and neither sentence has both."""
    first, second = set(words(one.said)), set(words(other.said))
    if first <= set(words(other.text)) or second <= set(words(one.text)):
        return False
    if numbers(one.said) and numbers(other.said):
        return not numbers(one.said).keys() & numbers(other.said).keys()
    return not first & second


def _alike(one: ScoredSentence, other: ScoredSentence) -> bool:
    """Whether two sentences say the same thing of two values."""
    first, second = (set(words(s.text)) - set(words(s.said)) for s in (one, other))
    return len(first & second) >= _MIN_ALIKE * max(1, min(len(first), len(second)))
