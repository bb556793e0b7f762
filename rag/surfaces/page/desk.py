"""What page.js asks the server for, as JSON under `/page/`: documents, conversations, sources, models, feedback.

Knows Rag, the saved conversations and HTTP; nothing of Gradio. A document is named by a source that the index knows;
no path of a request is ever opened.
"""

import logging
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import HTTPException

from rag.answering.types import Answer
from rag.conversations import Conversations
from rag.documents.readers import SUFFIXES
from rag.engine import Rag
from rag.errors import CorpusError, RagError
from rag.surfaces.page.export import as_markdown
from rag.surfaces.page.words import words_in
from rag.surfaces.receipt import receipt

log = logging.getLogger(__name__)

UPLOADS = "uploads"  # the folder of the corpus that uploads go into
AROUND_CHARS = 1500  # shown on each side of a span, unless more is asked for
MAX_AROUND_CHARS = 200_000
_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*]')  # in names of files, on one system or another


def user_of(request: Request) -> str:
    """Who asks, by the sign-in; "" without one."""
    return str(request.scope.get("rag.user", ""))


User = Annotated[str, Depends(user_of)]
Number = Annotated[int, Query(ge=0)]


def add_routes(app: FastAPI, rag: Rag, saved: Conversations) -> None:
    """Add what is below to the app, under the paths that page.js knows."""
    shelf, talks, sources = Shelf(rag), Talks(rag, saved), Sources(rag)
    routes: dict[str, Callable[..., Any]] = {
        "GET shelf": shelf.shown,
        "POST documents": shelf.receive,
        "POST ingest": shelf.ingest,
        "DELETE documents": shelf.delete,
        "GET starters": lambda: rag.starters(),
        "GET models": lambda: {"used": rag.model, "models": [asdict(model) for model in rag.models()]},
        "GET conversations": talks.listed,
        "PATCH conversations/{conversation}": talks.rename,
        "DELETE conversations/{conversation}": talks.delete,
        "GET conversations/{conversation}/markdown": talks.markdown,
        "GET conversations/{conversation}/receipt": talks.receipt,
        "POST conversations/{conversation}/feedback": talks.judge,
        "GET text": sources.text,
        "GET sheet": sources.sheet,
        "GET sheet.png": sources.picture,
    }
    for name, endpoint in routes.items():
        method, path = name.split()
        app.add_api_route(f"/page/{path}", endpoint, methods=[method], include_in_schema=False)


class Shelf:
    """The documents: what is there, what comes in and what goes."""

    def __init__(self, rag: Rag) -> None:
        self._rag, self._incoming = rag, rag.settings.data_dir / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)  # what a server that was killed left
        self._coming = 0  # how many batches are being brought in
        self._last: dict[str, Any] = {}  # what was shown
        self._problem = ""  # why the last one could not be
        self._lock = threading.Lock()

    def shown(self, user: User) -> dict[str, Any]:
        """All documents, the files that were left out and why, and what is being done; and who asks."""
        doing = self._rag.doing()
        busy = self._coming > 0 or doing is not None
        if not (busy and self._last):  # to ask for them now would be to wait for those that come in
            self._last = self._documents()
        return {**self._last, "doing": doing, "busy": busy, "user": user}

    def _documents(self) -> dict[str, Any]:
        try:
            documents, problem = [asdict(one) for one in self._rag.documents()], self._problem
        except RagError as error:  # where nothing is there to read, the page has words of its own
            documents, problem = [], "" if isinstance(error, CorpusError) else str(error)
        told = {"failed": self._rag.failed(), "notes": self._rag.notes()}
        listed = {name: [{"source": source, "reason": why} for source, why in rows] for name, rows in told.items()}
        return {"documents": documents, **listed, "problem": problem}

    async def receive(self, request: Request, name: str) -> dict[str, str]:
        """Take one file in, as the body of the request; `ingest` makes it a document."""
        parts = [_fitting(part) for part in name.split("/")]
        below = Path(*[part for part in parts if part][-8:] or ["file"])
        if below.suffix.lower() not in SUFFIXES:
            raise HTTPException(415, f"Only {', '.join(SUFFIXES)} can be read.")
        self._incoming.mkdir(parents=True, exist_ok=True)
        batch = Path(mkdtemp(dir=self._incoming))
        file = batch / UPLOADS / below
        try:
            file.parent.mkdir(parents=True)
            with file.open("wb") as opened:
                async for chunk in request.stream():
                    opened.write(chunk)
        except BaseException:
            shutil.rmtree(batch, ignore_errors=True)
            raise
        return {"batch": batch.name}

    def ingest(self, batches: Annotated[list[str], Body(embed=True)]) -> dict[str, bool]:
        """Begin to bring in what was received; `shown` tells how far that is."""
        known = {batch.name for batch in self._incoming.iterdir()} if self._incoming.is_dir() else set()
        paths = [self._incoming / batch for batch in batches if batch in known]
        with self._lock:
            self._coming, self._problem = self._coming + 1, ""
        threading.Thread(target=self._bring_in, args=(paths,), daemon=True).start()  # must not hold up the server's end
        return {"begun": True}

    def delete(self, source: str) -> None:
        """Move a document to the trash."""
        self._rag.delete(source)

    def _bring_in(self, batches: list[Path]) -> None:
        try:
            self._rag.ingest([batch / UPLOADS for batch in batches])
        except RagError as error:
            log.warning("%s", error)
            self._problem = str(error)
        except Exception:  # whatever it is: the log gets it, and the page a line
            log.exception("Files that were sent could not be brought in")
            self._problem = "The files could not be brought in; the server's log says why."
        finally:
            for batch in batches:
                shutil.rmtree(batch, ignore_errors=True)
            with self._lock:
                self._coming -= 1


class Talks:
    """The conversations of whoever asks, and what was thought of their answers."""

    def __init__(self, rag: Rag, saved: Conversations) -> None:
        self._rag, self._saved = rag, saved

    def listed(self, user: User, search: str = "") -> list[dict[str, Any]]:
        """Names and dates, newest first; with `search`, those that hold all its words."""
        return [asdict(one) for one in self._saved.listed(user, search)]

    def rename(self, user: User, conversation: str, title: Annotated[str, Body(embed=True)]) -> None:
        """Give a conversation another name."""
        self._saved.rename(user, conversation, title)

    def delete(self, user: User, conversation: str) -> None:
        """Forget a conversation."""
        self._saved.delete(user, conversation)

    def markdown(self, user: User, conversation: str, turn: int | None = None, language: str = "en") -> Response:
        """A conversation, or one turn of it, as a file of Markdown."""
        turns = [one for one in self._saved.turns(user, conversation) if turn in (None, one.position)]
        if not turns:
            raise HTTPException(404, "There is no such conversation any more.")
        return _file(
            as_markdown(turns, words_in(language)), "text/markdown", "answer.md" if turn else "conversation.md"
        )

    def receipt(self, user: User, conversation: str, turn: int) -> Response:
        """The receipt of one answer."""
        return _file(receipt(self._rag, self._answer(user, conversation, turn)), "text/html", "receipt.html")

    def judge(
        self,
        user: User,
        conversation: str,
        turn: Annotated[int, Body(ge=1, lt=2**31)],
        liked: Annotated[bool | None, Body()],
        reason: Annotated[str, Body(max_length=2000)] = "",
    ) -> None:
        """Note whether an answer was good, and why."""
        self._answer(user, conversation, turn)
        settings = self._rag.settings.model_dump(mode="json", include={"passages", "reranker", "unsupported"})
        self._saved.judge(user, conversation, turn, liked, reason, settings)

    def _answer(self, user: str, conversation: str, turn: int) -> Answer:
        for one in self._saved.turns(user, conversation):
            if one.position == turn and one.answer is not None:
                return one.answer
        raise HTTPException(404, "There is no such answer any more.")


class Sources:
    """The documents' text and pages, at a span."""

    def __init__(self, rag: Rag) -> None:
        self._rag = rag

    def text(self, source: str, start: Number = 0, end: Number = 0, around: Number = AROUND_CHARS) -> dict[str, Any]:
        """The text at a span, and what stands around it."""
        text, reach = self._rag.document_text(source), min(around, MAX_AROUND_CHARS)
        left, right = max(0, start - reach), end + reach
        shown = {"before": text[left:start], "quote": text[start:end], "after": text[end:right]}
        return {**shown, "whole": left == 0 and right >= len(text)}

    def sheet(self, source: str, start: Number, end: Number) -> list[dict[str, Any]]:
        """Where a span of a PDF stands: boxes, each with its page, in shares of the page's width and height."""
        return [asdict(box) for box in self._rag.boxes(source, start, end)]

    def picture(self, source: str, page: int, width: Annotated[int, Query(ge=100, le=2000)] = 1000) -> Response:
        """A page of a PDF as a picture."""
        return Response(self._rag.picture(source, page, width), media_type="image/png")


def _fitting(name: str) -> str:
    """A name that every file system takes, a suffix added to it included: its last 200 bytes."""
    seen = _UNFIT.sub("_", name).strip(" .")
    return seen.encode("utf-8", "replace")[-200:].decode("utf-8", "ignore")


def _file(text: str, kind: str, name: str) -> Response:
    return Response(text, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
