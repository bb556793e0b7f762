"""Answers by a model of language: the one home of LangChain chat models.

It gets to read as much as fits, the passages fenced and unable to close the fence. What it writes is cut into sentences
here; whether they are true is not decided here.
"""

import logging
import os
import re
import socket
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any
from urllib.parse import urlsplit

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable

from rag.answering.compose import seen
from rag.answering.lexicon import patterns, texts
from rag.answering.segments import Segmenter
from rag.answering.types import Answerer, Declined, Draft, History, ModelState, Question, Reading
from rag.errors import ConfigError, ModelError, ModelTimeout, ModelUnavailable
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit
from rag.settings import Settings
from rag.tuned import tuned

log = logging.getLogger(__name__)

_TEXTS, _FAILURES = texts("prompts"), texts("failures")
_PROMPT = ChatPromptTemplate.from_messages(
    [("system", _TEXTS["system"]), MessagesPlaceholder("history"), ("human", _TEXTS["user"])]
).partial(not_found=_TEXTS["not_found"])
_RESOLVING = ChatPromptTemplate.from_messages([("system", _TEXTS["resolve"]), ("human", _TEXTS["follow_up"])])
_TUNED = tuned("llm")
_PATTERNS = patterns("unspoken")

_ASCII = re.compile(r"[\x00-\x7f]+")


class LLMAnswerer:
    """Any LangChain chat model, told to answer from numbered passages and to cite them.

    Where it fails, `spare` answers. LangChain's own `with_fallbacks` hands the same prompt to another model, and can
    be given as `model`; an answerer without a model needs the hits instead, and the reader a word about the change.
    """

    def __init__(self, model: BaseChatModel, name: str, spare: Answerer, max_tokens: int) -> None:
        self.name = name
        self._spare = spare
        self._max_tokens = max_tokens  # of a prompt
        self._chain = _PROMPT | model
        self._resolver = _RESOLVING | model

    def resolve(self, question: str, history: History) -> str:
        """The question, and in brackets as the model says it in full; "" where that is of no use. One short call."""
        room = self._max_tokens - tokens(_TEXTS["resolve"] + _TEXTS["follow_up"] + question)
        turns = [f"{turn['role']}: {turn['content']}" for turn in recent(history, room)]
        pieces = _spoken(self._pieces(self._resolver, question=question, conversation="\n".join(turns)))
        try:
            said = "".join(islice(pieces, _TUNED.max_resolved_chars))  # of a model that repeats itself without end
        except ModelError as error:
            log.warning("A follow-up was resolved without the model: %s", error)
            return ""
        whole = " ".join(said.replace("[", "(").replace("]", ")").split())
        if not 0 < len(whole) < _TUNED.max_resolved_chars:
            log.warning("A follow-up was resolved without the model, which gave no question of usual length.")
            return ""
        return question if words(whole) == words(question) else f"{question} [{whole}]"

    def answer(self, question: Question, hits: Sequence[Hit], reading: Reading) -> Iterator[Draft | Declined]:
        """The model's sentences as it writes them, or that it found no answer; the spare's where the model fails."""
        if not hits:
            yield Declined("No passage was found.")
            return
        try:
            yield from self._said(question, hits)
        except ModelError as error:
            yield Declined(str(error), self._spare.name)
            yield from self._spare.answer(question, hits, reading)

    def _said(self, question: Question, hits: Sequence[Hit]) -> Iterator[Draft | Declined]:
        """What the model says, each sentence once; last, that it found nothing, for the case that none of it holds."""
        said, reason = set[str](), ""
        for draft in self._drafts(question, hits):
            told = (draft.lead + draft.text).strip(" \n.*_\"'`#>-")
            if told.upper().startswith(_TEXTS["not_found"]) or _TEXTS["not_found"] in told:
                reason = "The model found no answer in the passages."
                if not said:
                    break
            elif draft.text not in said:
                yield draft
                said |= {draft.text} - {""}
        if reason or not said:
            yield Declined(reason or "The model gave no answer.")

    def _drafts(self, question: Question, hits: Sequence[Hit]) -> Iterator[Draft]:
        segmenter, left = Segmenter(), _TUNED.max_reply_chars
        room = self._max_tokens - tokens(_TEXTS["system"] + _TEXTS["user"] + question.text)
        history = [(turn["role"], turn["content"]) for turn in recent(question.history, room // 3)]
        passages = numbered(hits, room - sum(tokens(content) for _, content in history))
        for piece in _spoken(self._pieces(self._chain, passages=passages, question=question.text, history=history)):
            yield from segmenter.feed(piece[:left])
            left -= len(piece)
            if left <= 0:
                return
        yield from segmenter.flush()

    def _pieces(self, chain: Runnable[Any, Any], **values: Any) -> Iterator[str]:
        try:
            for chunk in chain.stream(values):
                yield str(chunk.text)
        except Exception as error:  # every provider's package raises kinds of its own
            kind = type(error).__name__
            if isinstance(error, TimeoutError) or "timeout" in kind.lower():
                raise ModelTimeout(_FAILURES["late"].format(model=self.name)) from error
            told = _FAILURES["failed"].format(model=self.name, kind=kind, error=_first_line(error))
            raise ModelUnavailable(told) from error


def chat_model(settings: Settings) -> BaseChatModel:
    """The chat model that the settings name, or a ConfigError: no such provider, no package, or no key."""
    from langchain.chat_models import init_chat_model

    key = settings.llm_api_key or ("none" if settings.llm_base_url else None)  # local servers ask for none, clients do
    given = {"base_url": settings.llm_base_url, "api_key": key}
    # clients try again after a timeout too: both tries together take as long as was set
    fixed = {"timeout": settings.llm_timeout_s / 2, "max_retries": 1, "temperature": 0}
    options: dict[str, Any] = fixed | {name: value for name, value in given.items() if value is not None}
    try:
        model: BaseChatModel = init_chat_model(settings.llm, **options)
        return model
    except ImportError as error:
        provider = settings.llm.partition(":")[0]
        raise ConfigError(_FAILURES["package"].format(model=settings.llm, provider=provider)) from error
    except Exception as error:  # each provider checks its own way, and a missing key is each one's own exception
        raise ConfigError(_FAILURES["unusable"].format(model=settings.llm, error=_first_line(error))) from error


def state(settings: Settings) -> ModelState:
    """Whether the model that the settings name could answer now. A server of one's own is called, no provider is."""
    name = settings.llm
    try:
        model = chat_model(settings)
    except ConfigError as error:
        if isinstance(error.__cause__, ImportError):
            return ModelState(name, "package missing", str(error))
        if found := _PATTERNS["key"].search(str(error.__cause__)):
            return ModelState(name, "key missing", _FAILURES["key"].format(model=name, variable=found[0]))
        return ModelState(name, "unreachable", _FAILURES["unknown"].format(model=name))
    for attribute, variable in model.lc_secrets.items():  # some providers do without a key until they are asked
        if _PATTERNS["key"].fullmatch(variable) and not getattr(model, attribute, None):
            return ModelState(name, "key missing", _FAILURES["key"].format(model=name, variable=variable))
    ollama = os.environ.get("OLLAMA_HOST") or "127.0.0.1:11434" if name.startswith("ollama:") else None
    address = settings.llm_base_url or ollama
    if address and not _answers(address):
        return ModelState(name, "unreachable", _FAILURES["silent"].format(model=name))
    return ModelState(name)


def _answers(address: str) -> bool:
    """Whether a connection can be made there, within a second."""
    try:
        place = urlsplit(address if "//" in address else f"//{address}")
        port = place.port or (443 if place.scheme == "https" else 80)
        socket.create_connection((place.hostname or "", port), timeout=1).close()
        return True
    except (OSError, ValueError):  # refused, too late, no such name; or no address at all
        return False


def _spoken(pieces: Iterator[str]) -> Iterator[str]:
    """What a model says to the user: without thoughts, calls of tools and marks of control, wherever they stand."""
    held, end = "", None  # what is not decided yet; the end of the block that is open
    for piece in chain(filter(None, pieces), [""]):
        held += piece
        while found := (end or _PATTERNS["block"]).search(held):
            if end:
                end = None
            else:
                yield _PATTERNS["mark"].sub("", held[: found.start()])
                named = re.compile(rf"</{found['tag']}\s*>", re.IGNORECASE)
                end = named if found["tag"] else _PATTERNS["end"]
            held = held[found.end() :]
        if end:
            held = held[-60:]  # no mark is longer
            continue
        begun = _PATTERNS["begun"].search(held) if piece else None
        cut = begun.start() if begun else len(held)
        yield _PATTERNS["mark"].sub("", held[:cut])
        held = held[cut:]


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0][:200]
    return text if text.endswith((".", "!", "?")) else text + "."


def tokens(text: str) -> int:
    """About how many tokens a text has: one for four ASCII characters, or for any other, which is rather too high."""
    others = len(_ASCII.sub("", text))
    return others + (len(text) - others) // 4 + 1


def recent(history: History, max_tokens: int) -> History:
    """The last turns that fit, oldest first, from a question on."""
    turns = history[-_TUNED.max_turns :]  # and where the assistant's came first, some providers would refuse them
    while turns and (turns[0]["role"] == "assistant" or sum(tokens(turn["content"]) for turn in turns) > max_tokens):
        turns = turns[1:]
    return turns


def numbered(hits: Sequence[Hit], max_tokens: int) -> str:
    """The passages, numbered from 1, the weakest left out until the rest fits; the best one always stays."""
    written = [
        f'<passage number="{i}" source="{_inert(_heading(hit))}">\n{_inert(seen(hit.text))}\n</passage>'
        for i, hit in enumerate(hits, 1)
    ]
    while len(written) > 1 and sum(map(tokens, written)) > max_tokens:
        written.pop()
    return "\n\n".join(written)


def _heading(hit: Hit) -> str:
    parts = [hit.title, hit.section, f"page {hit.page}" if hit.page else ""]
    return " > ".join(part for part in parts if part).replace('"', "'").replace("\n", " ")


def _inert(text: str) -> str:
    return _PATTERNS["fence"].sub(r"<\1_\2", text)
