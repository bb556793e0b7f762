"""Answers without a model of language: the documents' own sentences, chosen and put in order.

And questions of sides, "Compare A and B" or "What does it say about A?": searched and read for each side of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rag.answering.intent import expected
from rag.answering.lexicon import patterns, said, texts
from rag.answering.reading import SPEAKS, Reader
from rag.answering.types import Declined, Draft, Evidence, History, Question, Reading, ScoredSentence
from rag.documents.types import Span
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import words
from rag.retrieval.retriever import HybridRetriever, outline
from rag.retrieval.types import Hit, Sources
from rag.tuned import tuned

_TUNED = tuned("extractive")
_REASONS, _SHAPES = texts("reasons"), patterns("overview")


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
        elif reading.confidence < _TUNED.min_confidence or not reading.sentences:
            yield Declined(_why(question, reading))
        else:
            chosen, best = _chosen(reading), reading.sentences[0]
            clear = [_made_clear(s, question, chosen) if s is best else s for s in chosen]
            yield from (Draft(s.line, (s, *_twins(s, reading)), lead="\n" if " | " in s.line else " ") for s in clear)

    def _key_sentence(self, hit: Hit) -> Draft:
        """The sentence nearest to the passage as a whole."""
        sentences = [hit.quote(span) for span in hit.sentences]
        whole = self._embedder.query(hit.passage.embedding_text)
        nearness = self._embedder.sentences(sentences) @ whole
        nearness[0] += _TUNED.lead_bonus
        nearness -= _TUNED.hard_cost * np.array([hardness(text) for text in sentences])
        return Draft.copied(Evidence(hit, hit.sentences[int(np.argmax(nearness))]), "\n")


def hardness(text: str) -> int:
    """How hard a sentence is to read alone, from 0 to 3."""
    return bool(_SHAPES["leans"].match(text)) + (not _SHAPES["whole"].search(text)) + bool(len(text) > _TUNED.long)


def _chosen(reading: Reading) -> list[ScoredSentence]:
    """The best sentence for each half of a question, or those near enough to the best; in their passage's order.

    What other documents say otherwise is not among them: it is said as such, behind them.
    """
    best, otherwise = reading.sentences[0], reading.conflict[1:]
    near = [s for s in reading.sentences if s.score >= best.score - _TUNED.max_behind and s not in otherwise]
    once = {s.line: s for s in reversed(reading.clauses or near)}  # of several documents that say it, the first
    chosen = list(reversed(once.values()))[: _TUNED.max_sentences]
    passages = list(dict.fromkeys((s.hit.source, s.hit.start) for s in chosen))
    return sorted(chosen, key=lambda s: (passages.index((s.hit.source, s.hit.start)), s.span.start))


def _twins(sentence: ScoredSentence, reading: Reading) -> list[ScoredSentence]:
    """The same words in other documents, which bear it out too."""
    others = [s for s in reading.sentences if s.line == sentence.line and s.hit.source != sentence.hit.source]
    return list({s.hit.source: s for s in others}.values())[: _TUNED.max_sentences - 1]


def _made_clear(sentence: ScoredSentence, question: Question, chosen: Sequence[ScoredSentence]) -> ScoredSentence:
    """The sentence; with the one before it where it leans on that for what was asked about."""
    at = sentence.hit.sentences.index(sentence.span)
    if at == 0 or not _SHAPES["leans"].match(sentence.text):
        return sentence
    before = sentence.hit.sentences[at - 1]
    text = sentence.hit.quote(before)
    lacking = set(words(question.query)) - set(words(sentence.text))
    if hardness(text) or before in [other.span for other in chosen] or not lacking & set(words(text)):
        return sentence
    return replace(sentence, span=Span(before.start, sentence.span.end))


def _why(question: Question, reading: Reading) -> str:
    """The reason, without a figure of any passage: what was not found, and whether anything came near."""
    near = any((sentence.hit.late_score or 0.0) > SPEAKS for sentence in reading.sentences)
    if reading.unknown and not near:
        why = said("They do not mention {}, and no passage comes close to the question.", question.text)
        return why.format(", ".join(f"\u201c{word}\u201d" for word in reading.unknown[:5]))
    return _REASONS[expected(question.text) or "other"] if near else "No passage comes close enough to the question."


def retrieve(retriever: HybridRetriever, question: Question, k: int, sources: Sources = None) -> list[Hit]:
    """One hit for each main part for an overview; else the `k` best ones, as many for each side, none twice."""
    if question.kind == "overview":
        return outline(retriever.generation, sources)
    asked = question.sides or (question.query,)
    found = [hit for query in asked for hit in retriever.search(query, max(1, k // len(asked)), sources)]
    return list({(hit.source, hit.start): hit for hit in found}.values())


def read_sides(reader: Reader, question: Question, hits: Sequence[Hit]) -> Reading:
    """A reading whose clauses are the best sentences that name each side; the plain one where none does."""
    reading, clauses = reader.read(question, hits), list[ScoredSentence]()
    for side in question.sides:
        own, others = reader.read(Question(f"What is {side}?", side), hits), {*question.sides} - {side}
        named = [one for one in own.sentences if _share(side, one.hit.passage.in_context(one.text)) > _TUNED.named]
        named = [one for one in named if one.span not in [held.span for held in clauses]]
        named.sort(key=lambda one: _rank(one, side, " ".join(others)), reverse=True)
        clauses += named[: _TUNED.max_sentences // len(question.sides)]
        reading = replace(reading, confidence=max(reading.confidence, own.confidence if named else 0.0))
    return replace(reading, clauses=tuple(clauses) or reading.clauses)


def lacking(question: Question, hits: Sequence[Hit]) -> list[Declined]:
    """Why two sides cannot be compared: that one of them is not spoken of; else nothing."""
    why = said("They say nothing of {}, so there is nothing to compare.", question.text)
    texts = [hit.passage.embedding_text for hit in hits]
    missing = [side for side in question.sides if all(_share(side, text) <= _TUNED.named for text in texts)]
    return [Declined(why.format(f"\u201c{side}\u201d")) for side in missing[:1] if len(question.sides) > 1]


def _rank(sentence: ScoredSentence, side: str, others: str) -> tuple[float, ...]:
    """How well a sentence tells of a side alone: by its heading, its words, and what it begins with."""
    text, heading = sentence.text, 0.0 if others else _share(side, sentence.hit.section)
    return heading, _share(side, text), -_share(others, text), -hardness(text), _share(side, text[: _TUNED.beginning])


def _share(side: str, text: str) -> float:
    return len((asked := set(words(side))) & set(words(text))) / max(1, len(asked))
