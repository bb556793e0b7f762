"""Questions of sides, "Compare A and B" or "What does it say about A?": searched and read for each side of its own."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from rag.answering.extractive import MAX_SENTENCES, hardness
from rag.answering.lexicon import said
from rag.answering.reading import Reader
from rag.answering.types import Declined, Question, Reading, ScoredSentence
from rag.retrieval.lexical import words
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.types import Hit

Sources = Collection[str] | None
_NAMED = 0.5  # of a side's words; what holds no more does not speak of it
_BEGINNING = 40  # characters, among them the subject


def retrieve(retriever: HybridRetriever, question: Question, k: int, sources: Sources = None) -> list[Hit]:
    """One hit for each main part for an overview; else the `k` best ones, as many for each side, none twice."""
    if question.kind == "overview":
        return retriever.outline(sources)
    asked = question.sides or (question.query,)
    found = [hit for query in asked for hit in retriever.search(query, max(1, k // len(asked)), sources)]
    return list({(hit.source, hit.start): hit for hit in found}.values())


def read_sides(reader: Reader, question: Question, hits: Sequence[Hit]) -> Reading:
    """A reading whose clauses are the best sentences that name each side; the plain one where none does."""
    reading, clauses = reader.read(question, hits), list[ScoredSentence]()
    for side in question.sides:
        own, others = reader.read(Question(f"What is {side}?", side), hits), {*question.sides} - {side}
        named = [one for one in own.sentences if _share(side, one.hit.passage.in_context(one.text)) > _NAMED]
        named = [one for one in named if one.span not in [held.span for held in clauses]]
        named.sort(key=lambda one: _rank(one, side, " ".join(others)), reverse=True)
        clauses += named[: MAX_SENTENCES // len(question.sides)]
        reading = replace(reading, confidence=max(reading.confidence, own.confidence if named else 0.0))
    return replace(reading, clauses=tuple(clauses) or reading.clauses)


def lacking(question: Question, hits: Sequence[Hit]) -> list[Declined]:
    """Why two sides cannot be compared: that one of them is not spoken of; else nothing."""
    why = said("They say nothing of {}, so there is nothing to compare.", question.text)
    missing = [side for side in question.sides if all(_share(side, h.passage.embedding_text) <= _NAMED for h in hits)]
    return [Declined(why.format(f"\u201c{side}\u201d")) for side in missing[:1] if len(question.sides) > 1]


def _rank(sentence: ScoredSentence, side: str, others: str) -> tuple[float, ...]:
    """How well a sentence tells of a side alone: by its heading, its words, and what it begins with."""
    text, heading = sentence.text, 0.0 if others else _share(side, sentence.hit.section)
    return heading, _share(side, text), -_share(others, text), -hardness(text), _share(side, text[:_BEGINNING])


def _share(side: str, text: str) -> float:
    return len((asked := set(words(side))) & set(words(text))) / max(1, len(asked))
