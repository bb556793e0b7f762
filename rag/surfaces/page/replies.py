"""`respond`: a question becomes replies that grow sentence by sentence, as HTML."""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from rag.answering.types import Answer, Citation, Done, Retrieved, Said, Searching, Sentence, Turn
from rag.engine import Rag
from rag.errors import RagError
from rag.retrieval.types import Hit
from rag.surfaces.page import render

logger = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong here, and no answer was made. The server's log says what; please try again."


def respond(rag: Rag, message: str, history: Sequence[Turn], turn: int = 1) -> Generator[str, None, None]:
    """The reply to question number `turn` as it grows, each time whole; what goes wrong is said in it."""
    shown = ""
    try:
        for shown in _grow(rag, message, history, turn):
            yield shown
    except (RagError, ValueError) as error:
        message = str(error)
        yield render.failed(message[:1].upper() + message[1:], shown)
    except Exception:  # a bug of ours, whatever it is: the log gets it, and the reader a line
        logger.exception("The page could not answer")
        yield render.failed(UNEXPECTED, shown)


def _grow(rag: Rag, message: str, history: Sequence[Turn], turn: int) -> Iterator[str]:
    said: list[Sentence] = []
    yield render.working("Searching the documents …")
    with closing(rag.stream(message, history=list(history))) as events:
        for event in events:
            match event:
                case Searching(query):
                    yield render.working("Searching the documents …")
                case Retrieved(hits):
                    yield render.working("Reading what was found …")
                case Said(sentence, so_far):
                    said.append(sentence)
                    partly = Answer(message, query, so_far, False, "", 0, tuple(said), hits, rag.model, 0)
                    yield _shown(partly, turn, done=False)
                case Done(answer):
                    yield _shown(answer, turn, done=True)


def _shown(answer: Answer, turn: int, *, done: bool) -> str:
    written = answer.model != "extractive"
    return render.reply(answer, turn, lambda cited: _around(answer.hits, cited), markdown=written, done=done)


def _around(hits: Sequence[Hit], citation: Citation) -> tuple[str, str]:
    """What stands before and after the quote in the passage that it is from."""
    for hit in hits:
        if hit.source == citation.source and hit.start <= citation.start and citation.end <= hit.end:
            return hit.text[: citation.start - hit.start], hit.text[citation.end - hit.start :]
    return "", ""
