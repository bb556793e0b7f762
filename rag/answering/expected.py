"""What kind of value a question asks for, and whether a sentence offers one that the question did not hold."""

import re
from collections.abc import Set

from rag.answering.lexicon import patterns, word_set
from rag.retrieval.lexical import words

_KINDS = patterns("expected")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+")
_YEAR = re.compile(r"1\d{3}|20\d\d|\d{1,4}s|\d{1,2}(?:st|nd|rd|th)")
_NUMBER_WORDS, _DATE_WORDS = word_set("number"), word_set("date")
_PROPER = re.compile(r"(?<=[^.!?\s]\s)[A-Z][\w'\u2019-]+")  # a capital inside a sentence


def expected(question: str) -> str | None:
    """The kind of value that is asked for: number, date or name; None when the wording does not tell."""
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(question)), None)


def offers(kind: str | None, sentence: str, known: Set[str]) -> float:
    """1.0 when the sentence holds a value of this kind beyond the `known` words of the question; 0.5 for no kind."""
    if kind is None:
        return 0.5
    if kind == "name":
        return float(any(set(words(name)) - known for name in _PROPER.findall(sentence)))
    new = [token.lower() for token in _TOKEN.findall(sentence) if not set(words(token)) & known]
    if kind == "number":
        return float(any(token[0].isdigit() or token in _NUMBER_WORDS for token in new))
    return float(any(token in _DATE_WORDS or _YEAR.fullmatch(token) for token in new))
