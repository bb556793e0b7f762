"""Sparse search: BM25 over stemmed words, and over pairs of characters where a script has no spaces.

Words of a question that are in no document and in no dictionary are taken for the documents' word that they resemble.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.retrieval.language import ENGLISH, language_of, stems
from rag.retrieval.minilm import bundled_model_folder
from rag.retrieval.types import Scores

Table = NDArray[np.int32]
Rows = NDArray[np.int32]  # positions of passages

_SPACELESS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"  # and Hangul, whose words grow
# Numbers keep their points and commas inside ("1.07", "6,000"); other words are letters and digits, without the
# English endings that an apostrophe cuts off. What other languages put before one ("l'eau") is a word.
_WORD = re.compile(rf"([{_SPACELESS}]+)|(\d+(?:[.,]\d+)+|[^\W_{_SPACELESS}]+)(?:['\u2019](?:s|t|d|m|ll|re|ve)\b)?")
_YEAR = re.compile(r"^[a-z][a-z0-9]?[a-z]?((?:19|20)\d\d)$")  # in "FY2022", "Q12022": the year counts as well
_FORM = re.compile(r"\b[a-z]{3,}\b")
_K1, _B = 0.9, 0.4  # better than 1.5 and 0.75 on SciFact (train), Cranfield, SQuAD 2 and MuSiQue's dev parts
_WHOLE = 0.5  # of the score of the whole document, added to its passages'; from 0.25 to 1 it makes no difference
_FILES = "postings.npy", "owners.npy", "terms.txt", "vocabulary.txt"
_SIGNS = re.compile("[\u2120\u2122]")  # service mark, trade mark: NFKC would make letters of them
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")  # that fuse with no letter

_LETTERS = re.compile(r"\b[A-Za-z]{5,}\b")  # shorter words resemble too many others


def words(text: str) -> list[str]:
    """The words of a text in order, as they are matched: lower case, no accents, no function words, stemmed.

    English is assumed. A run of Chinese, Japanese or Korean becomes its overlapping pairs of characters.
    """
    return [stem for stem in stems(forms_of(text)) if stem]


def forms_of(text: str) -> list[str]:
    """The words of a text in order as they are written, in lower case."""
    found: list[str] = []
    for run, word in _WORD.findall(plain(text)):
        if run:
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        else:
            found.append(word.replace(",", "") if word[0].isdigit() else word)
            found += _YEAR.findall(word)
    return found


def plain(text: str) -> str:
    """A text in lower case, its characters in their usual form."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFKC", _SIGNS.sub(" ", text)).casefold()
    return _MARKS.sub("", unicodedata.normalize("NFKC", composed).casefold())


def _terms(forms: Sequence[str], language: str) -> list[str]:
    """What words are indexed as: their stems, marked by the language where it is not English; "" as in `stems`."""
    found = stems(forms, language)
    return found if language == ENGLISH else [stem and f"{stem}:{language}" for stem in found]


class LexicalIndex:
    """BM25 (Lucene's form, k1 0.9, b 0.4) over passages, known by their position, and over their documents.

    :param table: the postings, (postings, 3): a term's number, a passage, how often it holds the term; in that order.
    :param owners: the number of the document that each passage is of.
    :param vocabulary: every word of the passages as it is written, in lower case.
    """

    def __init__(self, terms: Sequence[str], table: Table, owners: Rows, vocabulary: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self._numbers = {term: number for number, term in enumerate(terms)}
        self._languages = (ENGLISH, *sorted({term.partition(":")[2] for term in terms} - {""}))
        self._table = table
        self._owners = owners
        self._size = len(owners)  # passages
        self._starts = np.searchsorted(table[:, 0], np.arange(len(terms) + 1))
        lengths = np.bincount(table[:, 1], table[:, 2], minlength=self._size)
        self._damping = _damping(lengths)  # (passages,)
        self._whole_damping = _damping(np.bincount(owners, lengths))  # (documents,)

    @staticmethod
    def build(
        texts: Sequence[str],
        owners: Sequence[int] | None = None,
        known: "LexicalIndex | None" = None,
        places: Sequence[int | None] = (),
    ) -> "LexicalIndex":
        """Index these texts.

        :param owners: the number of the document that each is of; where not given, each is one of its own.
        :param known: an index that holds some of them already.
        :param places: for each text its position in `known`, or None.
        """
        old = np.array([-1 if place is None else place for place in places or [None] * len(texts)], dtype=np.int64)
        counted = {
            row: Counter(filter(None, _terms(forms := forms_of(texts[row]), language_of(forms))))
            for row in np.flatnonzero(old < 0).tolist()
        }
        numbers = dict(known._numbers) if known else {}
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
        numbered = np.arange(len(texts)) if owners is None else np.array(owners)
        return LexicalIndex([terms[number] for number in used.tolist()], table, numbered.astype(np.int32), vocabulary)

    def save(self, path: Path) -> None:
        """Write it to a new folder."""
        path.mkdir(parents=True)
        postings, owners, terms, vocabulary = (path / name for name in _FILES)
        np.save(postings, self._table)
        np.save(owners, self._owners)
        terms.write_text("\n".join(self._numbers), "utf-8")
        vocabulary.write_text("\n".join(sorted(self.vocabulary)), "utf-8")

    @staticmethod
    def load(path: Path) -> "LexicalIndex":
        """What `save` wrote."""
        postings, owners, terms, vocabulary = (path / name for name in _FILES)
        table, forms = np.load(postings), frozenset(vocabulary.read_text("utf-8").split("\n"))
        held = terms.read_text("utf-8").split("\n") if len(table) else []
        return LexicalIndex(held, table, np.load(owners), forms - {""})

    def scores(self, query: str) -> Scores:
        """The score of each passage, (passages,), 0 where it shares no word with the query.

        Half the score of the document as a whole is added: what a passage is about often stands beside it.
        """
        own, whole = np.zeros(self._size), np.zeros(len(self._whole_damping))
        for terms, times in Counter(self._asked(query)).items():
            _, rows, counts = self._of(terms).T
            own[rows] += times * _idf(len(rows), self._size) * counts / (counts + self._damping[rows])
            held = np.bincount(self._owners[rows], counts, minlength=len(whole))
            documents = np.flatnonzero(held)
            counts, idf = held[documents], _idf(len(documents), len(whole))
            whole[documents] += times * idf * counts / (counts + self._whole_damping[documents])
        return np.where(own > 0, own + _WHOLE * whole[self._owners], 0.0)

    def holding(self, found: Iterable[str]) -> Rows:
        """The positions of the passages that hold every one of some words of `words`, in order."""
        first, *others = sorted((self._of(self._meant(word))[:, 1] for word in found), key=len)
        return reduce(lambda rows, held: rows[_places(rows, held) >= 0], others, first)

    def parts(self, query: str, rows: Rows) -> Scores:
        """What each word of a query adds to the own scores of some passages, (words, rows)."""
        asked = Counter(self._asked(query))
        parts = np.zeros((len(asked), len(rows)))
        for part, (terms, times) in zip(parts, asked.items(), strict=True):
            _, held, counts = self._of(terms).T
            at = _places(rows, held)
            tf = counts[at[at >= 0]]
            part[at >= 0] = times * _idf(len(held), self._size) * tf / (tf + self._damping[rows[at >= 0]])
        return parts

    def idf(self, word: str) -> float:
        """How telling a word of `words` is: log(1 + (N - n + 0.5) / (n + 0.5)), n the passages that hold it."""
        return _idf(len(self._of(self._meant(word))), self._size)

    def _meant(self, word: str) -> list[str]:
        """The terms of a word of `words`, in each language of the passages."""
        return [word, *(_terms([word], other)[0] for other in self._languages[1:])]

    def knows(self, text: str) -> bool:
        """Whether every word of `words` in this text is in some passage."""
        return all(any(term in self._numbers for term in terms) for terms in self._asked(text))

    def _asked(self, query: str) -> list[tuple[str, ...]]:
        """For each word of a query the terms that stand for it: its stem in each language of the passages."""
        forms = forms_of(query)
        own = stems(forms, language_of(forms, self._languages))
        stemmed = [_terms(forms, language) for language in self._languages]
        return [tuple(filter(None, terms)) for kept, *terms in zip(own, *stemmed, strict=True) if kept and any(terms)]

    def _of(self, terms: Iterable[str]) -> Table:
        """The postings of a word, by passage; each of its terms is of another language, hence of other passages."""
        numbers = [number for term in terms if (number := self._numbers.get(term)) is not None]
        found = [self._table[self._starts[number] : self._starts[number + 1]] for number in numbers]
        if len(found) < 2:
            return (found or [self._table[:0]])[0]
        joined = np.concatenate(found)
        return joined[np.argsort(joined[:, 1], kind="stable")]

    def _moved(self, old: NDArray[np.int64]) -> Table:
        """The postings for passages of which number i is number old[i] here, or none where that is negative."""
        new = np.full(self._size, -1, dtype=np.int32)
        new[old[old >= 0]] = np.flatnonzero(old >= 0)
        terms, rows, counts = self._table.T
        table = np.column_stack([terms, new[rows], counts])
        return table[table[:, 1] >= 0]


def _places(rows: Rows, held: Rows) -> NDArray[np.int64]:
    """Where each row is among some that are in order, or -1."""
    at = np.searchsorted(held, rows)
    at[at == len(held)] = -1
    return np.where(held[at] == rows, at, -1) if len(held) else at


def best(scores: Scores, k: int) -> list[int]:
    """The positions of the `k` highest scores above 0, highest first; of equals the first."""
    found = np.flatnonzero(scores)
    if len(found) > k:  # sorting only what can be among the best: half the time of a search of 100,000 passages
        found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
    return list(found[np.argsort(-scores[found], kind="stable")[:k]].tolist())


def _damping(lengths: NDArray[Any]) -> Scores:
    return _K1 * (1 - _B + _B * lengths / (lengths.mean() or 1.0))


def _idf(n: int, size: int) -> float:
    return math.log(1 + (size - n + 0.5) / (n + 0.5))


def corrected(query: str, lexical: LexicalIndex) -> str:
    """The query with its misspelt words replaced by words of the documents; others stay as they are.

    A word is misspelt if no document holds it, it is no common English word, and a word of the vocabulary lies
    within one edit (two from eight letters on), neighbouring letters swapped counting as one.
    """
    if language_of(re.findall(r"\w+", query.lower())) != ENGLISH:  # of which no list of common words is there
        return query

    def correct(match: re.Match[str]) -> str:
        word = match.group().lower()
        if lexical.knows(word) or set(words(word)) <= _english():
            return match.group()
        return _nearest(word, lexical.vocabulary) or match.group()

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
