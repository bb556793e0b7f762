"""Reading passages for a question: every sentence scored, and how likely it is that the answer is among them.

Also whether documents give different values for the same thing: then each is shown with its source, never a blend.

The weights are those of logistic regressions on dev questions (docs/answers.md has which, and what they give). Nothing
here knows what will be made of the sentences.
"""

import math
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rag.answering.guards import numbers
from rag.answering.intent import expected, offers
from rag.answering.lexicon import patterns
from rag.answering.pairs import MIN_ENGLISH, PairReader
from rag.answering.types import Evidence, Question, Reading, ScoredSentence
from rag.documents.types import Span
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import LexicalIndex, words
from rag.retrieval.types import Hit, Scores, Vectors
from rag.tuned import tuned

_TUNED = tuned("reading")
_MATCH_WEIGHTS, _READ_WEIGHTS = np.array(_TUNED.match_weights), np.array(_TUNED.read_weights)
_PATTERNS = patterns("reading")
SPEAKS: float = _TUNED.speaks  # late interaction: a passage that has more speaks of what is asked


class _Place(Evidence):
    """A sentence of a hit, with what is read of it for every question."""

    @cached_property
    def context(self) -> str:
        return self.hit.passage.in_context(self.text)

    @cached_property
    def words(self) -> set[str]:
        return set(words(self.context))


_Places = Sequence[_Place]
_Values = list[Span | None]  # the asked-for value in each of some sentences, where one stands out


class Reader:
    """Scores sentences with the index's own embedder and word statistics, and a model that reads pairs."""

    def __init__(self, embedder: Embedder, lexical: LexicalIndex, pairs: PairReader) -> None:
        self._embedder = embedder
        self._lexical = lexical
        self._pairs = pairs

    def read(self, question: Question, hits: Sequence[Hit]) -> Reading:
        """Score every sentence of the hits for the question; an overview asks for none in particular."""
        if question.kind == "overview":
            return Reading((), (), 1.0 if hits else 0.0, ())
        places = [_Place(hit, span) for hit in hits for span in hit.sentences]
        places = [place for place in places if words(_PATTERNS["idle"].sub(" ", place.text))]
        if not places:
            return Reading((), (), 0.0, self._unknown(question.query))
        vectors = self._embedder.sentences([place.context for place in places])
        english = self._embedder.reads(question.query) >= MIN_ENGLISH
        features, values = self._features(question.query, places, vectors, english)
        if question.alone:  # what was asked now counts as much as what it was asked about
            features = (features + self._features(question.alone, places, vectors, english)[0]) / 2
        scores = features @ (_READ_WEIGHTS if english else _MATCH_WEIGHTS)
        told = zip(places, scores, values, strict=True)
        sentences = [ScoredSentence(place.hit, place.span, float(score), value) for place, score, value in told]
        order = np.argsort(-scores, kind="stable")
        clauses = self._clauses(question.text, places, vectors, scores, english)
        confidence = _confidence(features[order[0]], hits, bool(clauses))
        found = tuple(sentences[i] for i in order), tuple(sentences[i] for i in clauses)
        return Reading(*found, confidence, self._unknown(question.query), () if clauses else conflict(found[0]))

    def _features(self, query: str, places: _Places, vectors: Vectors, english: bool) -> tuple[Scores, _Values]:
        """(n_sentences, 4), or 5 in English, in the order of the weights; and the value in each that is asked for."""
        matches = self._matches(query, places, vectors)
        if not english:
            return matches, [None] * len(places)
        logits, values = self._read_together(query, places)
        return np.column_stack([matches, logits]), values

    def _read_together(self, query: str, places: _Places) -> tuple[Scores, _Values]:
        """Logits, (n_sentences,): that a value in the sentence is asked for; and those values."""
        hits = {id(place.hit): place.hit for place in places}
        contexts = {key: hit.passage.in_context(hit.text) for key, hit in hits.items()}
        read = dict(zip(hits, self._pairs.read(query, list(contexts.values())), strict=True))
        logits: list[float] = []
        values: _Values = []
        for place in places:
            key = id(place.hit)
            shift = len(contexts[key]) - place.hit.end  # from offsets in the document to those in what was read
            span = Span(place.span.start + shift, place.span.end + shift)
            likelier, value = read[key].value(span)
            logits.append(likelier)
            values.append(Span(value.start - shift, value.end - shift) if likelier > _TUNED.min_value else None)
        return np.array(logits), values

    def _matches(self, query: str, places: _Places, vectors: Vectors) -> Scores:
        """(n_sentences, 4), in the order of `match_weights`."""
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

    def _clauses(self, question: str, places: _Places, vectors: Vectors, scores: Scores, english: bool) -> list[int]:
        """For "Who is X, and when did Y?", the best sentence for each half, none twice; [] for other questions."""
        halves = _PATTERNS["clause"].split(question)
        clauses = list({tuple(words(half)): half for half in halves if words(half)}.values())
        if not 2 <= len(clauses) <= _TUNED.max_clauses:
            return []
        chosen: list[int] = []
        for clause in clauses:
            features, _ = self._features(clause, places, vectors, english)
            own = features @ (_READ_WEIGHTS if english else _MATCH_WEIGHTS)
            order = np.argsort(-(own + scores) / 2, kind="stable")  # the whole question holds what a half leaves out
            chosen += [int(i) for i in order if int(i) not in chosen][:1]
        return chosen

    def _unknown(self, query: str) -> tuple[str, ...]:
        found = re.findall(r"[^\W_]{2,}", query)
        return tuple(dict.fromkeys(word for word in found if not self._lexical.knows(word)))


def _confidence(best: Scores, hits: Sequence[Hit], halves: bool) -> float:
    """How likely the hits hold the answer, from the features of the best sentence."""
    if len(best) == len(_READ_WEIGHTS):
        late = max(hit.late_score or 0.0 for hit in hits) or best[0]  # a foreign embedding model has no tokens to match
        logit = float(np.array([late, best[4]]) @ _TUNED.read_confidence) + _TUNED.read_bias
        lacking = late > SPEAKS and best[4] < _TUNED.lacks and not halves  # several halves ask for no one value
    else:
        logit, lacking = float(best[:2] @ _TUNED.match_confidence) + _TUNED.match_bias, False
    return (_TUNED.hardly if lacking else 1.0) / (1 + math.exp(-logit))


def _comparable(query: str, places: _Places) -> str:
    """A question; of a Chinese one about English passages its names and numbers: they carry it, or nothing does."""
    foreign = {word for word in words(query) if not word.isascii()}
    if not foreign or any(foreign & place.words for place in places):
        return query
    return " ".join(re.findall(r"[\x21-\x7e]+", query))


def conflict(sentences: Sequence[ScoredSentence]) -> tuple[ScoredSentence, ...]:
    """The best sentence for each of the values that different documents give, best first; () when they agree."""
    if not sentences or sentences[0].value is None:
        return ()
    best, chosen, seen = sentences[0], [sentences[0]], {sentences[0].hit.source}

    def own(one: ScoredSentence) -> float:
        return one.score - float(_TUNED.fused_weight) * one.hit.score

    for other in sentences[1 : _TUNED.max_sentences]:
        if other.value is None or other.hit.source in seen or own(other) < own(best) - _TUNED.max_behind:
            continue
        seen.add(other.hit.source)  # a document is taken at its best word
        if _alike(best, other) and all(_differ(other, one) for one in chosen):
            chosen.append(other)
    return tuple(chosen) if len(chosen) > 1 else ()


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
    return bool(len(first & second) >= _TUNED.min_alike * max(1, min(len(first), len(second))))
