"""Words of a question that are in no document and in no dictionary, taken for the documents' word they resemble."""

import re
from collections.abc import Callable, Collection
from functools import cache

from rag.retrieval.language import ENGLISH, language_of
from rag.retrieval.lexical import words
from rag.retrieval.minilm import bundled_model_folder

_LETTERS = re.compile(r"\b[A-Za-z]{5,}\b")  # shorter words resemble too many others


def corrected(query: str, vocabulary: Collection[str], knows: Callable[[str], bool]) -> str:
    """The query with its misspelt words replaced by words of the documents; others stay as they are.

    A word is misspelt if no document `knows` it, it is no common English word, and a word of the vocabulary lies
    within one edit (two from eight letters on), neighbouring letters swapped counting as one.
    """
    if language_of(re.findall(r"\w+", query.lower())) != ENGLISH:  # of which no list of common words is there
        return query

    def correct(match: re.Match[str]) -> str:
        word = match.group().lower()
        if knows(word) or set(words(word)) <= _english():
            return match.group()
        return _nearest(word, vocabulary) or match.group()

    return _LETTERS.sub(correct, query)


def _nearest(word: str, vocabulary: Collection[str]) -> str | None:
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import extractOne

    reach = 1 if len(word) < 8 else 2
    alike = [known for known in vocabulary if abs(len(known) - len(word)) <= reach and known[:1] == word[:1]]
    found = extractOne(word, alike, scorer=OSA.distance, score_cutoff=reach)
    return found[0] if found else None


@cache
def _english() -> frozenset[str]:
    """The stems of the 22,000 whole words that the embedding model's tokenizer knows: those that are common."""
    lines = (bundled_model_folder() / "vocab.txt").read_text("utf-8").splitlines()
    return frozenset(words(" ".join(line for line in lines if line.isalpha())))
