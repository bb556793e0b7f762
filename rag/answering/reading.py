"""Reading passages for a question: every sentence scored, and how likely it is that the answer is among them.

The weights are those of a logistic regression on the dev half of SQuAD 2.0, one article at a time
(benchmarks/answers.py measures what they give). Nothing here knows what will be made of the sentences.
"""

import math
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rag.answering.expected import expected, offers
from rag.answering.lexicon import patterns
from rag.answering.types import Evidence, Question, Reading, ScoredSentence
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import LexicalIndex, words
from rag.retrieval.types import Hit, Vectors

# For a sentence, with title and section in front: cosine, share of the question's words that it holds (by idf); then
# the fused score of its passage, and whether it offers the kind of value that is asked for.
_SENTENCE_WEIGHTS = np.array([8.8, 6.3, 3.7, 0.8])
# For the question as a whole, from the best sentence: cosine and share of words; then the constant.
_CONFIDENCE_WEIGHTS = np.array([5.78, 1.45])
_CONFIDENCE_BIAS = -4.65

_CLAUSE = patterns("reading")["clause"]
_MAX_CLAUSES = 3  # a question with more halves is answered as a whole
# Images, bare addresses, markup and endless runs of letters: a sentence without a word besides says nothing.
_MARKUP = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])|^\s*\[[^\]]+\]:.*|<[^>]*>|\bhttps?://\S+|[A-Za-z0-9]{80,}")


class _Place(Evidence):
    """A sentence of a hit, with what is read of it for every question."""

    @cached_property
    def context(self) -> str:
        return self.hit.passage.in_context(self.text)

    @cached_property
    def words(self) -> set[str]:
        return set(words(self.context))


class Reader:
    """Scores sentences with the index's own embedder and word statistics."""

    def __init__(self, embedder: Embedder, lexical: LexicalIndex) -> None:
        self._embedder = embedder
        self._lexical = lexical

    def read(self, question: Question, hits: Sequence[Hit]) -> Reading:
        """Score every sentence of the hits for the question; an overview asks for none in particular."""
        if question.kind == "overview":
            return Reading((), (), 1.0 if hits else 0.0, ())
        places = [_Place(hit, span) for hit in hits for span in hit.sentences]
        places = [place for place in places if words(_MARKUP.sub(" ", place.text))]
        if not places:
            return Reading((), (), 0.0, self._unknown(question.query))
        vectors = self._embedder.sentences([place.context for place in places])
        features = self._features(question.query, places, vectors)
        if question.alone:  # what was asked now counts as much as what it was asked about
            features = (features + self._features(question.alone, places, vectors)) / 2
        scores = features @ _SENTENCE_WEIGHTS
        sentences = [ScoredSentence(p.hit, p.span, float(score)) for p, score in zip(places, scores, strict=True)]
        order = np.argsort(-scores, kind="stable")
        confidence = 1 / (1 + math.exp(-float(features[order[0]][:2] @ _CONFIDENCE_WEIGHTS) - _CONFIDENCE_BIAS))
        ranked = tuple(sentences[i] for i in order)
        clauses = tuple(sentences[i] for i in self._clauses(question.text, places, vectors, scores))
        return Reading(ranked, clauses, confidence, self._unknown(question.query))

    def _features(self, query: str, places: Sequence[_Place], vectors: Vectors) -> NDArray[np.float64]:
        """(n_sentences, 4), in the order of _SENTENCE_WEIGHTS."""
        whole, query = query, _comparable(query, places)
        asked = list(dict.fromkeys(words(query)))
        idf = np.array([self._lexical.idf(word) for word in asked])
        kind, total = expected(whole), float(idf.sum()) or 1.0
        rows = []
        vector = self._embedder.query(query) if query else np.zeros(vectors.shape[1])
        for place, cosine in zip(places, vectors @ vector, strict=True):
            shared = sum(weight for word, weight in zip(asked, idf, strict=True) if word in place.words) / total
            offered = offers(kind, place.text, set(asked))
            rows.append((float(cosine), shared, place.hit.score, offered))
        return np.array(rows)

    def _clauses(
        self, question: str, places: Sequence[_Place], vectors: Vectors, scores: NDArray[np.float64]
    ) -> list[int]:
        """For "Who is X, and when did Y?", the best sentence for each half, none twice; [] for other questions."""
        clauses = list({tuple(words(clause)): clause for clause in _CLAUSE.split(question) if words(clause)}.values())
        if not 2 <= len(clauses) <= _MAX_CLAUSES:
            return []
        chosen: list[int] = []
        for clause in clauses:
            own = self._features(clause, places, vectors) @ _SENTENCE_WEIGHTS
            order = np.argsort(-(own + scores) / 2, kind="stable")  # the whole question holds what a half leaves out
            chosen += [int(i) for i in order if int(i) not in chosen][:1]
        return chosen

    def _unknown(self, query: str) -> tuple[str, ...]:
        found = re.findall(r"[^\W_]+", query)
        return tuple(dict.fromkeys(word for word in found if not self._lexical.knows(word)))


def _comparable(query: str, places: Sequence[_Place]) -> str:
    """A question; of a Chinese one about English passages its names and numbers: they carry it, or nothing does."""
    foreign = {word for word in words(query) if not word.isascii()}
    if not foreign or any(foreign & place.words for place in places):
        return query
    return " ".join(re.findall(r"[\x21-\x7e]+", query))
