"""Answers by a model of language: the one home of LangChain chat models.

What the model writes is cut into sentences here; whether they are true is not decided here.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable

from rag.answering.lexicon import texts
from rag.answering.prompts import numbered
from rag.answering.segments import Segmenter
from rag.answering.types import Declined, Draft, History, Question, Reading
from rag.errors import ConfigError, ModelError, ModelTimeout, ModelUnavailable
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit
from rag.settings import Settings

log = logging.getLogger(__name__)

_TEXTS = texts("prompts")
_PROMPT = ChatPromptTemplate.from_messages(
    [("system", _TEXTS["system"]), MessagesPlaceholder("history"), ("human", _TEXTS["user"])]
).partial(not_found=_TEXTS["not_found"])
_RESOLVING = ChatPromptTemplate.from_messages([("system", _TEXTS["resolve"]), ("human", _TEXTS["follow_up"])])
_MAX_HISTORY = 6  # turns that the model is shown
_MAX_RESOLVED_CHARS = 600  # longer is no question
_MAX_REPLY_CHARS = 20_000  # a model that repeats itself without end is left there
_THINKING, _THOUGHT = "<think>", "</think>"  # some models write what they think before what they say


class LLMAnswerer:
    """Any LangChain chat model, told to answer from numbered passages and to cite them."""

    def __init__(self, model: BaseChatModel, name: str) -> None:
        self.name = name
        self._chain = _PROMPT | model
        self._resolver = _RESOLVING | model

    def resolve(self, question: str, history: History) -> str:
        """The question, and in brackets as the model says it in full; "" where that is of no use. One short call."""
        turns = [f"{turn['role']}: {turn['content']}" for turn in history[-_MAX_HISTORY:]]
        pieces = _spoken(self._pieces(self._resolver, question=question, conversation="\n".join(turns)))
        try:
            said = "".join(islice(pieces, _MAX_RESOLVED_CHARS))  # a model that repeats itself without end is left there
        except ModelError as error:
            log.warning("A follow-up was resolved without the model: %s", error)
            return ""
        whole = " ".join(said.replace("[", "(").replace("]", ")").split())
        if not 0 < len(whole) < _MAX_RESOLVED_CHARS:
            log.warning("A follow-up was resolved without the model, which gave no question of usual length.")
            return ""
        return question if words(whole) == words(question) else f"{question} [{whole}]"

    def answer(self, question: Question, hits: Sequence[Hit], reading: Reading) -> Iterator[Draft | Declined]:
        """The model's sentences as it writes them, or that it found no answer; ModelError where the model fails."""
        if not hits:
            yield Declined("No passage was found.")
            return
        said = False
        for draft in self._drafts(question, hits):
            if not said and draft.text.strip(" .*_\"'`").upper().startswith(_TEXTS["not_found"]):
                yield Declined("The model found no answer in the passages.")
                return
            said = said or bool(draft.text)
            yield draft
        if not said:
            yield Declined("The model gave no answer.")

    def _drafts(self, question: Question, hits: Sequence[Hit]) -> Iterator[Draft]:
        segmenter, left = Segmenter(), _MAX_REPLY_CHARS
        history = [(turn["role"], turn["content"]) for turn in question.history[-_MAX_HISTORY:]]
        values = {"passages": numbered(hits), "question": question.text, "history": history}
        for piece in _spoken(self._pieces(self._chain, **values)):
            yield from segmenter.feed(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
        yield from segmenter.flush()
        if segmenter.tail:
            yield Draft("", lead=segmenter.tail)

    def _pieces(self, chain: Runnable[Any, Any], **values: Any) -> Iterator[str]:
        try:
            for chunk in chain.stream(values):
                yield str(chunk.text)
        except Exception as error:  # every provider's package raises kinds of its own
            raise _translated(error, self.name) from error


def chat_model(settings: Settings) -> BaseChatModel:
    """The chat model that the settings name, or a ConfigError: no such provider, no package, or no key."""
    from langchain.chat_models import init_chat_model

    given = {"base_url": settings.llm_base_url, "api_key": settings.llm_api_key}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings.llm_base_url and settings.llm_api_key is None:
        options["api_key"] = "none"  # local servers ask for none, but the client insists on one
    try:
        options |= {"timeout": settings.llm_timeout_s, "max_retries": 2, "temperature": 0}
        model: BaseChatModel = init_chat_model(settings.llm, **options)
        return model
    except ImportError as error:
        provider = settings.llm.partition(":")[0]
        raise ConfigError(
            f"RAG_LLM={settings.llm} needs a package that is not installed. Run `make install EXTRAS={provider}`."
        ) from error
    except Exception as error:  # each provider checks its own way, and a missing key is each one's own exception
        raise ConfigError(
            f"RAG_LLM={settings.llm} cannot be used: {_first_line(error)} "
            "Give provider:model, such as openai:gpt-5-mini, and its key (RAG_LLM_API_KEY or the provider's own "
            "variable); or leave RAG_LLM unset for answers without a model."
        ) from error


def _spoken(pieces: Iterator[str]) -> Iterator[str]:
    """A reply without the thoughts in front of it; a reply that is nothing but thoughts is empty."""
    held = ""
    for piece in pieces:
        held += piece
        begun = held.lstrip()
        if begun.startswith(_THINKING):
            if _THOUGHT not in begun[-len(piece) - len(_THOUGHT) :]:
                continue
            held = begun.partition(_THOUGHT)[2].lstrip()
        elif _THINKING.startswith(begun):
            continue
        yield held
        yield from pieces
        return
    if not held.lstrip().startswith(_THINKING):
        yield held


def _translated(error: Exception, name: str) -> ModelError:
    kind = type(error).__name__
    if isinstance(error, TimeoutError) or "timeout" in kind.lower():
        return ModelTimeout(f"The model {name} did not answer in time. Try again, or raise RAG_LLM_TIMEOUT_S.")
    return ModelUnavailable(
        f"The model {name} failed ({kind}: {_first_line(error)}) Check that its server runs and that RAG_LLM, "
        "RAG_LLM_BASE_URL and the key are right; or unset RAG_LLM for answers without a model."
    )


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return text if text.endswith((".", "!", "?")) else text + "."


def model_name(model: BaseChatModel) -> str:
    """What to call a model that was given as an object."""
    named = (getattr(model, attribute, None) for attribute in ("model_name", "model", "model_id"))
    return next((str(name) for name in named if name), type(model).__name__)
