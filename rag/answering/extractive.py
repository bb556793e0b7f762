"""Answers without a model of language: the documents' own sentences, chosen and put in order."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from rag.answering.lexicon import patterns
from rag.answering.phrases import said
from rag.answering.types import Declined, Draft, Evidence, History, Question, Reading, ScoredSentence
from rag.retrieval.embedding import Embedder
from rag.retrieval.types import Hit

MAX_SENTENCES = 3
_MAX_BEHIND = 4.0  # a further sentence may score this much below the best one
# On SQuAD 2.0's dev half this declines 1 % of the answerable questions and 92 % of those about another article
# (benchmarks/answers.py); of the adversarial ones, which this reading cannot tell from answerable, 2 %.
MIN_CONFIDENCE = 0.083
_LEAD_BONUS = 0.05  # for an overview, a section's first sentence is more often its point
_LEANS = patterns("overview")["leans"]
_WHOLE = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]*_]*$")
_LONG = 300  # characters
_HARD_COST = 0.15  # for a sentence that leans on what it does not name, is cut off, or long


class ExtractiveAnswerer:
    """At most three sentences that answer, each one its own evidence; for an overview, one of each hit."""

    name = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def resolve(self, question: str, history: History) -> str:
        """Nothing, as it has no model to ask."""
        return ""

    def answer(self, question: Question, hits: Sequence[Hit], reading: Reading) -> Iterator[Draft | Declined]:
        """The sentences that answer, or why there are none."""
        if not hits:
            yield Declined("No passage was found.")
        elif question.kind == "overview":
            yield from (self._key_sentence(hit) for hit in hits)
        elif reading.confidence < MIN_CONFIDENCE or not reading.sentences:
            yield Declined(_why(question, reading))
        else:
            yield from (_draft(sentence, " ") for sentence in _chosen(reading))

    def _key_sentence(self, hit: Hit) -> Draft:
        """The sentence nearest to the passage as a whole."""
        texts = [hit.quote(span) for span in hit.sentences]
        whole = self._embedder.query(hit.passage.embedding_text)
        nearness = self._embedder.sentences(texts) @ whole
        nearness[0] += _LEAD_BONUS
        nearness -= _HARD_COST * np.array([hardness(text) for text in texts])
        return _draft(Evidence(hit, hit.sentences[int(np.argmax(nearness))]), "\n")


def hardness(text: str) -> int:
    """How hard a sentence is to read alone, from 0 to 3."""
    return bool(_LEANS.match(text)) + (not _WHOLE.search(text)) + (len(text) > _LONG)


def _chosen(reading: Reading) -> list[ScoredSentence]:
    """The best sentence for each half of a question, or those near enough to the best; in their passage's order."""
    best = reading.sentences[0]
    near = [sentence for sentence in reading.sentences if sentence.score >= best.score - _MAX_BEHIND]
    chosen = (reading.clauses or near)[:MAX_SENTENCES]
    passages = list(dict.fromkeys((s.hit.source, s.hit.start) for s in chosen))
    return sorted(chosen, key=lambda s: (passages.index((s.hit.source, s.hit.start)), s.span.start))


def _draft(sentence: Evidence, lead: str) -> Draft:
    return Draft(" ".join(sentence.text.split()), (sentence,), lead=lead)


def _why(question: Question, reading: Reading) -> str:
    if reading.unknown:
        words = ", ".join(f"\u201c{word}\u201d" for word in reading.unknown[:5])
        why = "They do not mention {}, and no passage comes close to the question."
        return said(why, question.text).format(words)
    return "No passage comes close enough to the question."
