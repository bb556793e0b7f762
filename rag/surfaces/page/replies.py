"""`respond`: a question becomes replies that grow sentence by sentence, as HTML; what was saved becomes them again."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from rag.answering.types import Answer, Citation, Done, Retrieved, Said, Searching, Sentence, Turn
from rag.conversations import Conversations
from rag.engine import Rag
from rag.errors import CorpusError, RagError, StoreError
from rag.retrieval.types import Hit
from rag.surfaces.page import render
from rag.surfaces.page.words import Words

logger = logging.getLogger(__name__)

CONTEXT_CHARS = 400  # shown around a quote that was saved


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way: who asks it, where, of what, and in which language the page speaks."""

    question: str
    turn: int  # its number in the conversation, from 1
    again: bool  # whether it takes the place of a question that was asked before
    history: Sequence[Turn]
    conversation: str
    user: str
    sources: tuple[str, ...] | None  # the documents to ask; None for all
    words: Words


def respond(rag: Rag, saved: Conversations, asked: Asked) -> Generator[str, None, None]:
    """The reply as it grows, each time whole; what goes wrong is said in it. The answer is saved once it is whole."""
    shown = ""
    try:
        if asked.sources == ():
            raise ValueError(asked.words["chosen_none"])
        unsaved = _told(partial(_begin, saved, asked), asked.words)
        for shown in _grow(rag, saved, asked, unsaved):
            yield shown
    except (RagError, ValueError) as error:
        message = _in_words(rag, error, asked.words)
        yield render.failed(message[:1].upper() + message[1:], asked.words, shown)
    except Exception:  # a bug of ours, whatever it is: the log gets it, and the reader a line
        logger.exception("The page could not answer")
        yield render.failed(asked.words["unexpected"], asked.words, shown)


def restored(rag: Rag, saved: Conversations, user: str, conversation: str, words: Words) -> list[tuple[str, str]]:
    """The questions and replies of a saved conversation, with their sources as far as the documents still hold them."""
    shown = []
    for turn in saved.turns(user, conversation):
        reply = render.stopped(words)
        if turn.answer is not None:
            reply = render.reply(turn.answer, turn.position, partial(_still, rag), words, liked=turn.liked)
        shown.append((render.asked(turn.question, words), reply))
    return shown


def _grow(rag: Rag, saved: Conversations, asked: Asked, unsaved: str) -> Iterator[str]:
    words, query = asked.words, asked.question
    keep = partial(saved.answer, asked.user, asked.conversation, asked.turn)
    hits: tuple[Hit, ...] = ()
    said: list[Sentence] = []
    with closing(rag.stream(asked.question, history=list(asked.history), sources=asked.sources)) as events:
        for event in events:
            match event:
                case Searching(query):
                    pass
                case Retrieved(hits):
                    yield render.working(words["reading"])
                case Said(sentence, so_far):
                    said.append(sentence)
                    partly = Answer(asked.question, query, so_far, False, "", 0, tuple(said), hits, rag.model, 0)
                    try:
                        yield render.reply(partly, asked.turn, partial(_around, hits), words, done=False)
                    except GeneratorExit:  # it was stopped, or the page was left
                        _told(partial(keep, replace(partly, note=words["stopped"])), words)
                        raise
                case Done(answer):
                    why = unsaved or _told(partial(keep, answer), words)
                    note = words["not_saved"].format(why=why) if why else ""
                    yield render.reply(answer, asked.turn, partial(_around, answer.hits), words, note=note)


def _begin(saved: Conversations, asked: Asked) -> None:
    if not asked.again and saved.last(asked.user, asked.conversation) >= asked.turn:
        raise ValueError(asked.words["went_on"])
    saved.ask(asked.user, asked.conversation, asked.turn, asked.question)


def _told(save: Callable[[], None], words: Words) -> str:
    """Why something could not be saved, in words; an answer is worth showing all the same."""
    try:
        save()
    except StoreError as error:
        logger.warning("%s", error)
        return words["on_disk"]
    return ""


def _in_words(rag: Rag, error: Exception, words: Words) -> str:
    """What went wrong, as the page tells it: no path of the server, which is for its log."""
    if isinstance(error, StoreError):
        logger.warning("%s", error)
        return words["on_disk"]
    nothing = isinstance(error, CorpusError) and not rag.health()["documents"]
    return words["no_documents"] if nothing else str(error)


def _around(hits: Sequence[Hit], citation: Citation) -> tuple[str, str]:
    """What stands before and after the quote in the passage that it is from."""
    for hit in hits:
        if hit.source == citation.source and hit.start <= citation.start and citation.end <= hit.end:
            return hit.text[: citation.start - hit.start], hit.text[citation.end - hit.start :]
    return "", ""


def _still(rag: Rag, citation: Citation) -> tuple[str, str] | None:
    """What stands around the quote in the document as it is now; None where the document no longer has it there."""
    try:
        text = rag.document_text(citation.source)
    except RagError:
        return None
    start, end = citation.start, citation.end
    if text[start:end] != citation.quote:
        return None
    return text[max(0, start - CONTEXT_CHARS) : start], text[end : end + CONTEXT_CHARS]
