"""Rag: the one object that users hold. Ingest, search, ask, stream; every other module serves these.

Safe to use from many threads. Loads no model before the first question needs it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rag.answering.compose import Composition
from rag.answering.extractive import ExtractiveAnswerer, lacking, read_sides, retrieve
from rag.answering.grounding import Grounder
from rag.answering.intent import condense, intent_of, sides_of, turns_of, visible
from rag.answering.lexicon import said
from rag.answering.pairs import PairReader
from rag.answering.reading import Reader
from rag.answering.starters import Suggester, small_talk

from rag.answering.types import (  # isort: skip
    Answer, Answerer, Done, Event, History, ModelState, Question, Retrieved, Searching, Support, Turn,
)  # fmt: skip
from rag.document_store import DocumentStore, check_sources
from rag.retrieval.embedding import CrossEncoderReranker
from rag.retrieval.generation import Generation
from rag.retrieval.ingest import matching
from rag.retrieval.intake import Progress
from rag.retrieval.lexical import corrected
from rag.retrieval.retriever import HybridRetriever, Why, trace
from rag.retrieval.types import Hit, Sources
from rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable


class Rag(DocumentStore):
    """Questions and answers over one folder of documents.

    Use it as a context manager, or call `close`. All methods raise RagError for what the world does wrong, and
    ValueError for what the caller does.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        llm: BaseChatModel | None = None,
        embeddings: Embeddings | None = None,
        progress: Progress | None = None,
    ) -> None:
        """:param settings: read from the environment and `.env` when not given.
        :param llm: any LangChain chat model; beats `settings.llm`.
        :param embeddings: any LangChain Embeddings; beats `settings.embedding_model`.
        :param progress: told what an ingest is doing, how much is done and of how much.
        """
        super().__init__(settings, embeddings, progress)
        self._given = {} if llm is None else {_name_of(llm): llm}
        self._named = next(iter(self._given), self.settings.llm)
        self._reranker = CrossEncoderReranker(self.settings.reranker) if self.settings.reranker else None
        self._pairs = PairReader()
        self._tried: WeakKeyDictionary[Generation, dict[str, bool]] = WeakKeyDictionary()

    # --- Asking ---------------------------------------------------------------------------------------------------

    def ask(self, question: str, history: History = (), sources: Sources = None) -> Answer:
        """The answer; an abstention is an answer too.

        :param history: the conversation so far, oldest first; what the question leaves out is filled in from it.
        :param sources: answer from these documents only.
        """
        return next(event.answer for event in self.stream(question, history, sources) if isinstance(event, Done))

    def stream(self, question: str, history: History = (), sources: Sources = None) -> Generator[Event, None, None]:
        """The answer as it comes: Searching, Retrieved, Said for each sentence once it is checked, Done."""
        started = time.perf_counter()
        text, turns, generation = self._question(question), turns_of(history), self._keeper.ready()
        check_sources(generation, sources)
        intent = intent_of(text, bool(turns))
        if intent not in ("fact", "overview"):
            yield from (Searching(text), Retrieved(()))
            reply = small_talk(text, intent, self._suggester(generation).starters(self._keeper.corpus.path))
            yield Done(Answer(text, text, reply, False, "", 0.0, (), (), self.model, time.perf_counter() - started))
            return
        if intent == "overview":
            asked = Question(text, text, "overview", turns)
        else:
            whole = self._resolved(text, turns, generation)
            alone = "" if whole == text else corrected(text, generation.lexical)
            query = corrected(whole, generation.lexical)
            asked = Question(text, query, "fact", turns, alone, () if alone else sides_of(query))
        yield Searching(asked.query)
        hits = retrieve(self._retriever(generation), asked, self.settings.passages, sources)
        yield Retrieved(tuple(hits))
        reading = read_sides(self._reader(generation), asked, hits)
        composition = Composition(Grounder(self._embedder, self._pairs), hits, self.settings.unsupported)
        yield from composition.add(lacking(asked, hits) or self._answerer.answer(asked, hits, reading))
        yield from composition.add_conflict(said("Another document says otherwise:", text), reading.conflict)
        answer = self._answer(asked, composition, hits, reading.confidence, started)
        yield Done(replace(answer, suggestions=self._suggester(generation).near(answer, turns)))

    def search(self, query: str, k: int = 5, history: History = (), sources: Sources = None) -> list[Hit]:
        """The `k` best passages, best first; fewer only where the documents hold fewer."""
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be a whole number of at least 1, not {k!r}")
        text, turns, generation = self._question(query), turns_of(history), self._keeper.ready()
        check_sources(generation, sources)
        found = corrected(self._resolved(text, turns, generation), generation.lexical)
        return self._retriever(generation).search(found, k, sources)

    def why(self, query: str, expected: str) -> Why:
        """Where a passage with the expected words was lost on its way to the answer, and its ranks and scores."""
        text, generation = self._question(query), self._keeper.ready()
        found = corrected(text, generation.lexical)
        seen = trace(self._retriever(generation), generation, found, expected, self.settings.passages)
        if seen.stage != "answer" or seen.hit is None:
            return seen
        answer = self.ask(text)
        cited = [c for c in answer.citations if c.source == seen.hit.source]
        if any(c.start < seen.hit.end and seen.hit.start < c.end for c in cited):
            return replace(seen, stage="nowhere", detail=f"{seen.detail} The answer quotes it.")
        told = answer.text if answer.abstained else "Other sentences were nearer to the question than those in it."
        return replace(seen, detail=f"{seen.detail} {told}")

    def check(self, claim: str, texts: Sequence[str]) -> Support:
        """Whether one of the texts bears out the claim, where, and if not, which guard failed."""
        if not claim.strip():
            raise ValueError("the claim is empty")
        if isinstance(texts, str):
            raise ValueError("texts must be a list of texts, not one text")
        return Grounder(self._embedder, self._pairs).check(claim, texts)

    # --- For surfaces and LangChain -------------------------------------------------------------------------------

    @property
    def model(self) -> str:
        """What writes the answers: "extractive", or the name of the model of language."""
        return self._answerer.name

    def models(self) -> list[ModelState]:
        """Every model that is configured, the extractive one first, and whether it could answer now."""
        states = {name: ModelState(name) for name in (ExtractiveAnswerer.name, *self._given)}
        for name in (next(iter(self._given), self.settings.llm), *self.settings.llms):
            if name not in states:
                from rag.answering.llm import state

                states[name] = state(self.settings.with_llm(name))
        return list(states.values())

    def with_model(self, name: str) -> Rag:
        """The same documents and open index, with answers by another: one of `models`, or what `llm` may name."""
        other = copy(self)
        other._named, other._owns_index = name, False
        other.__dict__.pop("_answerer", None)
        return other

    def starters(self) -> tuple[str, ...]:
        """Three questions to begin with, about the documents."""
        return self._suggester(self._keeper.ready()).starters(self._keeper.corpus.path)

    def as_retriever(self, k: int = 5) -> BaseRetriever:
        """The index as a LangChain retriever; offsets and scores are in each document's metadata."""
        from rag.langchain import Retriever

        return Retriever(search=self.search, k=k)

    def as_runnable(self) -> Runnable[Any, Answer]:
        """`ask` as a LangChain Runnable; takes a question, or a dict of `ask`'s arguments."""
        from rag.langchain import runnable

        return runnable(self.ask)

    # --- Inside ---------------------------------------------------------------------------------------------------

    @cached_property
    def _answerer(self) -> Answerer:
        spare = ExtractiveAnswerer(self._embedder)
        if self._named == spare.name:
            return spare
        from rag.answering.llm import LLMAnswerer, chat_model

        model = self._given.get(self._named) or chat_model(self.settings.with_llm(self._named))
        return LLMAnswerer(model, self._named, spare, self.settings.llm_context_tokens)

    def _question(self, text: str) -> str:
        """The question without what cannot be seen or printed."""
        if not isinstance(text, str):
            raise ValueError(f"a question must be text, not {type(text).__name__}")
        seen = visible(text)
        if not seen:
            raise ValueError("the question is empty; type one")
        if len(seen) > (limit := self.settings.max_question_chars):
            raise ValueError(f"the question has {len(seen):,} characters, more than {limit:,}; shorten it")
        return seen

    def _resolved(self, text: str, turns: Sequence[Turn], generation: Generation) -> str:
        """A question with what it leaves out: by the model of language where there is one, else by words alone."""
        return (turns and self._answerer.resolve(text, turns)) or condense(text, turns, generation.lexical)

    def _retriever(self, generation: Generation) -> HybridRetriever:
        return HybridRetriever(generation, matching(generation, self._embedder), self._reranker)

    def _suggester(self, generation: Generation) -> Suggester:
        plain = HybridRetriever(generation, matching(generation, self._embedder))  # a reranker would take too long
        answerer, tried = ExtractiveAnswerer(self._embedder), self._tried.setdefault(generation, {})
        return Suggester(generation, plain, self._reader(generation), answerer, tried)

    def _reader(self, generation: Generation) -> Reader:
        return Reader(self._embedder, generation.lexical, self._pairs)

    def _answer(
        self, question: Question, made: Composition, hits: Sequence[Hit], confidence: float, started: float
    ) -> Answer:
        declined, reason = made.declined is not None, said(made.declined or "", question.text)
        text = f"{said('Not in the documents.', question.text)} {reason}" if declined else made.text
        sentences = () if declined else tuple(made.sentences)
        told = question.text, question.query, text, declined, reason, confidence
        by, took = made.model or self.model, time.perf_counter() - started
        return Answer(*told, sentences, tuple(hits), by, took, made.note(question.text), made.conflict)


def _name_of(model: BaseChatModel) -> str:
    """What to call a model that was given as an object."""
    named = (getattr(model, attribute, None) for attribute in ("model_name", "model", "model_id"))
    return next((str(name) for name in named if name), type(model).__name__)
