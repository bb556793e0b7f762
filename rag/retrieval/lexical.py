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

# Numbers keep their points and commas inside ("1.07", "6,000"); other words are letters and digits.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['\u2019][a-z]+)?")
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
        if _SPACELESS.search(word):
            found += _pairs(word)
        elif (bare := re.sub(r"['\u2019]\w+$", "", word)) not in _STOP_WORDS:
            found.append(bare.replace(",", "") if bare[0].isdigit() else bare)
    stems: list[str] = Stemmer.Stemmer("english").stemWords(found)  # a stemmer is not thread-safe, and cheap to make
    return stems


def _plain(text: str) -> str:
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

    Postings lie one term after the other: `rows[starts[t]:starts[t + 1]]` are the passages that hold term t, in order,
    and `counts` how often each does.

    :param vocabulary: every word of the passages as it is written, in lower case.
    """

    def __init__(self, terms: Sequence[str], postings: Postings, vocabulary: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self._terms = {term: number for number, term in enumerate(terms)}
        self._postings = postings
        self._starts = np.searchsorted(postings.terms, np.arange(len(terms) + 1))
        lengths = np.bincount(postings.rows, postings.counts, minlength=postings.size)
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
        terms = {**known._terms} if known else {}
        for counts in counted.values():
            for term in counts:
                terms.setdefault(term, len(terms))
        pairs = [(terms[term], row, n) for row, counts in counted.items() for term, n in counts.items()]
        postings = Postings.of(np.array(pairs, dtype=np.int32).reshape(-1, 3), len(texts))
        if known:
            postings = postings.joined(known._postings.moved(old))
        used = np.unique(postings.terms)
        names = list(terms)
        postings = postings.renumbered(used)
        vocabulary = frozenset(form for text in texts for form in _FORM.findall(text.lower()))
        return LexicalIndex([names[number] for number in used.tolist()], postings, vocabulary)

    def save(self, path: Path) -> None:
        """Write it to a new folder."""
        path.mkdir(parents=True)
        np.save(path / _POSTINGS, self._postings.table)
        (path / _TERMS).write_text("\n".join([str(self._postings.size), *self._terms]), "utf-8")
        (path / _VOCABULARY).write_text("\n".join(sorted(self.vocabulary)), "utf-8")

    @staticmethod
    def load(path: Path) -> LexicalIndex:
        """What `save` wrote."""
        size, *terms = (path / _TERMS).read_text("utf-8").split("\n")
        vocabulary = frozenset((path / _VOCABULARY).read_text("utf-8").split("\n"))
        return LexicalIndex(terms, Postings(np.load(path / _POSTINGS), int(size)), vocabulary - {""})

    def search(self, query: str, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """The `k` best passages that share a word with the query: (position, score above 0), best first."""
        scores = np.zeros(self._postings.size)
        for word, times in Counter(words(query)).items():
            found = self._of(word)
            counts = self._postings.counts[found]
            rows = self._postings.rows[found]
            scores[rows] += times * self.idf(word) * counts / (counts + self._damping[rows])
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(i), float(scores[i])) for i in order if scores[i] > 0]

    def idf(self, word: str) -> float:
        """How telling a word of `words` is: log(1 + (N - n + 0.5) / (n + 0.5)), n the passages that hold it."""
        found = self._of(word)
        n = found.stop - found.start
        return math.log(1 + (self._postings.size - n + 0.5) / (n + 0.5))

    def knows(self, text: str) -> bool:
        """Whether every word of `words` in this text is in some passage."""
        return all(word in self._terms for word in words(text))

    def _of(self, word: str) -> slice:
        """Where the postings of a word lie."""
        number = self._terms.get(word)
        return slice(0, 0) if number is None else slice(int(self._starts[number]), int(self._starts[number + 1]))


class Postings:
    """Which terms are in which passages, how often: rows of (term, passage, count), in that order."""

    def __init__(self, table: NDArray[np.int32], size: int) -> None:
        self.table = table  # (postings, 3)
        self.size = size  # passages
        self.terms, self.rows, self.counts = table.T

    @staticmethod
    def of(table: NDArray[np.int32], size: int) -> Postings:
        """With its rows put in order."""
        return Postings(table[np.lexsort((table[:, 1], table[:, 0]))], size)

    def moved(self, old: NDArray[np.int64]) -> NDArray[np.int32]:
        """The table for passages of which number i was number old[i] here, or none where that is negative."""
        new = np.full(self.size, -1, dtype=np.int32)
        new[old[old >= 0]] = np.flatnonzero(old >= 0)
        table = np.stack([self.terms, new[self.rows], self.counts], axis=1)
        kept: NDArray[np.int32] = table[table[:, 1] >= 0]
        return kept

    def joined(self, table: NDArray[np.int32]) -> Postings:
        """With more rows, for the same passages."""
        return Postings.of(np.concatenate([self.table, table]), self.size)

    def renumbered(self, terms: NDArray[np.int32]) -> Postings:
        """With these terms, all that there are, in ascending order, counted from 0."""
        table = np.column_stack([np.searchsorted(terms, self.terms), self.rows, self.counts]).astype(np.int32)
        return Postings(table, self.size)
