"""Sparse search: BM25 over stemmed words, and over pairs of characters where a script has no spaces."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import Stemmer
from numpy.typing import NDArray

Table = NDArray[np.int32]

# Numbers keep their points and commas inside ("1.07", "6,000"); other words are letters and digits.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['\u2019][a-z]+)?")
_APOSTROPHE = re.compile("['\u2019]")
_FORM = re.compile(r"[a-z]{3,}")
_POSTINGS, _TERMS, _VOCABULARY = "postings.npy", "terms.txt", "vocabulary.txt"
_K1, _B = 1.5, 0.75
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_MARKS = re.compile("[\u2120\u2122]")  # service mark, trade mark: NFKD would make letters of them
_STOP_WORDS = frozenset(
    "a about am an and any are as at be been being but by can could did do does doing for from had has have"
    " having he her hers him his how i if in into is it its itself just many me much my no nor not of off on or"
    " our ours out own shall she should so some such than that the their theirs them then there these they this"
    " those through to too us very was we were what when where which while who whom whose why will with would"
    " you your yours".split()
)


def words(text: str) -> list[str]:
    """The words of a text in order, as they are matched: lower case, no accents, no stop words, stemmed.

    A run of Chinese or Japanese becomes its overlapping pairs of characters.
    """
    found: list[str] = []
    for match in _WORD.finditer(_plain(text)):
        word = match.group()
        if not word.isascii() and _SPACELESS.search(word):
            found += _pairs(word)
        elif (bare := _APOSTROPHE.split(word)[0]) not in _STOP_WORDS:
            found.append(bare.replace(",", "") if bare[0].isdigit() else bare)
    stems: list[str] = Stemmer.Stemmer("english").stemWords(found)  # a stemmer is not thread-safe, and cheap to make
    return stems


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", _MARKS.sub(" ", text.casefold())).casefold()  # bold capitals too
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))


def _pairs(word: str) -> list[str]:
    parts: list[str] = []
    at = 0
    for run in _SPACELESS.finditer(word):
        parts += [word[at : run.start()]] if run.start() > at else []
        chars = run.group()
        parts += [chars[i : i + 2] for i in range(len(chars) - 1)] or [chars]
        at = run.end()
    return [*parts, word[at:]] if at < len(word) else parts


class LexicalIndex:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over passages, known by their position.

    :param table: the postings, (postings, 3): a term's number, a passage, how often it holds the term; in that order.
    :param vocabulary: every word of the passages as it is written, in lower case.
    """

    def __init__(self, terms: Sequence[str], table: Table, size: int, vocabulary: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self._terms = {term: number for number, term in enumerate(terms)}
        self._table = table
        self._size = size  # passages
        self._starts = np.searchsorted(table[:, 0], np.arange(len(terms) + 1))
        lengths = np.bincount(table[:, 1], table[:, 2], minlength=size)
        self._damping = _K1 * (1 - _B + _B * lengths / (lengths.mean() or 1.0))  # (passages,)

    @staticmethod
    def build(
        texts: Sequence[str], known: LexicalIndex | None = None, places: Sequence[int | None] = ()
    ) -> LexicalIndex:
        """Index these texts.

        :param known: an index that holds some of them already.
        :param places: for each text its position in `known`, or None.
        """
        old = np.array([-1 if place is None else place for place in places or [None] * len(texts)], dtype=np.int64)
        counted = {row: Counter(words(texts[row])) for row in np.flatnonzero(old < 0).tolist()}
        numbers = dict(known._terms) if known else {}
        for term in (term for counts in counted.values() for term in counts):
            numbers.setdefault(term, len(numbers))
        new = [(numbers[term], row, count) for row, counts in counted.items() for term, count in counts.items()]
        table = np.array(new, dtype=np.int32).reshape(-1, 3)
        if known:
            table = np.concatenate([table, known._moved(old)])
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        used, table[:, 0] = np.unique(table[:, 0], return_inverse=True)
        terms = list(numbers)
        vocabulary = frozenset(form for text in texts for form in _FORM.findall(text.lower()))
        return LexicalIndex([terms[number] for number in used.tolist()], table, len(texts), vocabulary)

    def save(self, path: Path) -> None:
        """Write it to a new folder."""
        path.mkdir(parents=True)
        np.save(path / _POSTINGS, self._table)
        (path / _TERMS).write_text("\n".join([str(self._size), *self._terms]), "utf-8")
        (path / _VOCABULARY).write_text("\n".join(sorted(self.vocabulary)), "utf-8")

    @staticmethod
    def load(path: Path) -> LexicalIndex:
        """What `save` wrote."""
        size, *terms = (path / _TERMS).read_text("utf-8").split("\n")
        vocabulary = frozenset((path / _VOCABULARY).read_text("utf-8").split("\n"))
        return LexicalIndex(terms, np.load(path / _POSTINGS), int(size), vocabulary - {""})

    def search(self, query: str, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """The `k` best passages that share a word with the query: (position, score above 0), best first."""
        scores = np.zeros(self._size)
        for word, times in Counter(words(query)).items():
            _, rows, counts = self._of(word).T
            scores[rows] += times * self.idf(word) * counts / (counts + self._damping[rows])
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(i), float(scores[i])) for i in order if scores[i] > 0]

    def idf(self, word: str) -> float:
        """How telling a word of `words` is: log(1 + (N - n + 0.5) / (n + 0.5)), n the passages that hold it."""
        n = len(self._of(word))
        return math.log(1 + (self._size - n + 0.5) / (n + 0.5))

    def knows(self, text: str) -> bool:
        """Whether every word of `words` in this text is in some passage."""
        return all(word in self._terms for word in words(text))

    def _of(self, word: str) -> Table:
        """The postings of a word."""
        number = self._terms.get(word)
        return self._table[:0] if number is None else self._table[self._starts[number] : self._starts[number + 1]]

    def _moved(self, old: NDArray[np.int64]) -> Table:
        """The postings for passages of which number i is number old[i] here, or none where that is negative."""
        new = np.full(self._size, -1, dtype=np.int32)
        new[old[old >= 0]] = np.flatnonzero(old >= 0)
        terms, rows, counts = self._table.T
        table = np.column_stack([terms, new[rows], counts])
        kept: Table = table[table[:, 1] >= 0]
        return kept
