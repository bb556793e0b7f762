"""Sparse search: BM25 over stemmed words, and over pairs of characters where a script has no spaces."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import Stemmer
from numpy.typing import NDArray

if TYPE_CHECKING:
    import bm25s

# Numbers keep their points and commas inside ("1.07", "6,000"); other words are letters and digits.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['\u2019][a-z]+)?")
_FORM = re.compile(r"[a-z]{3,}")
_VOCABULARY = "vocabulary.txt"
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


def _bm25s() -> Any:
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG, and tells of every build
    return bm25s


class LexicalIndex:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over passages, known by their position.

    :param vocabulary: every word of the passages as it is written, in lower case.
    """

    def __init__(self, bm25: bm25s.BM25, vocabulary: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self._bm25 = bm25
        self._size = int(bm25.scores["num_docs"])
        self._document_frequency = np.diff(bm25.scores["indptr"])  # passages that hold a word, by the word's number

    @staticmethod
    def build(texts: Sequence[str]) -> LexicalIndex:
        """Index these texts."""
        bm25 = _bm25s().BM25(method="lucene")
        found = [words(text) for text in texts]
        bm25.index(found if any(found) else [[""]] * len(texts), show_progress=False)  # it divides by the mean length
        return LexicalIndex(bm25, frozenset(form for text in texts for form in _FORM.findall(text.lower())))

    def save(self, path: Path) -> None:
        """Write it to a folder."""
        self._bm25.save(str(path))
        (path / _VOCABULARY).write_text("\n".join(sorted(self.vocabulary)), "utf-8")

    @staticmethod
    def load(path: Path) -> LexicalIndex:
        """What `save` wrote."""
        return LexicalIndex(
            _bm25s().BM25.load(str(path)), frozenset((path / _VOCABULARY).read_text("utf-8").splitlines())
        )

    def search(self, query: str, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """The `k` best passages that share a word with the query: (position, score above 0), best first."""
        known = [word for word in words(query) if word in self._bm25.vocab_dict]
        if not known:
            return []
        scores = self._bm25.get_scores(known)
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        order = np.argsort(-scores, kind="stable")[:k]
        return [(int(i), float(scores[i])) for i in order if scores[i] > 0]

    def idf(self, word: str) -> float:
        """How telling a word of `words` is: log(1 + (N - n + 0.5) / (n + 0.5)), n the passages that hold it."""
        id = self._bm25.vocab_dict.get(word)
        n = 0 if id is None or id >= len(self._document_frequency) else int(self._document_frequency[id])
        return float(np.log(1 + (self._size - n + 0.5) / (n + 0.5)))

    def knows(self, text: str) -> bool:
        """Whether every word of `words` in this text is in some passage."""
        return all(word in self._bm25.vocab_dict for word in words(text))
