"""A scripted Rag and a served page, for tests that drive the page."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import pytest
import uvicorn
from playwright.sync_api import Browser, Playwright, sync_playwright

from rag.answering.types import Answer, Citation, Done, Event, ModelState, Retrieved, Said, Searching, Sentence, Turn
from rag.documents.types import Passage
from rag.retrieval.types import Hit
from rag.settings import Settings
from rag.surfaces.server import build_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Listed:
    """What Rag.documents() lists."""

    source: str
    title: str
    passages: int
    characters: int
    pages: int | None = None
    bytes: int | None = 2_000
    modified: float | None = 1_700_000_000.0


@dataclass(frozen=True)
class Line:
    """A sentence to say, with the quotes that it cites."""

    text: str
    quotes: tuple[tuple[str, str], ...] = ()  # (source, exact quote)
    lead: str = " "


Script = Sequence[Line] | str | Exception  # sentences, a reason to decline, or a failure


@dataclass
class ScriptedRag:
    """Answers as it was told to. While `gate` is closed it says `free` sentences and waits."""

    texts: Mapping[str, str]
    script: Mapping[str, Script]
    model: str = "extractive"
    questions: tuple[str, ...] = ()
    ready: bool = True
    settings: Settings = field(default_factory=lambda: Settings(_env_file=None, data_dir=Path(mkdtemp()) / "data"))
    gate: threading.Event = field(default_factory=threading.Event)
    free: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[str, list[Turn]]] = field(default_factory=list)
    limits: list[Sequence[str] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def starters(self) -> tuple[str, ...]:
        return self.questions

    def repairs(self) -> list[str]:
        found, self.damaged = self.damaged, []
        return found

    def wait_at_most(self, seconds: float) -> None:
        """It brings nothing in."""

    def documents(self) -> list[Listed]:
        return [Listed(source, f"Title of {source}", 1, len(text)) for source, text in self.texts.items()]

    def failed(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.unreadable.items())

    def notes(self) -> tuple[tuple[str, str], ...]:
        return ()

    def doing(self) -> None:
        """Nothing: it brings nothing in."""

    def models(self) -> list[ModelState]:
        return [ModelState(self.model)]

    def with_model(self, name: str) -> ScriptedRag:
        return self

    def document_text(self, source: str) -> str:
        return self.texts[source]

    def health(self) -> dict[str, object]:
        return {"ready": self.ready, "generation": "g1", "documents": len(self.texts), "passages": len(self.texts)}

    def stream(
        self, question: str, history: Sequence[Turn] = (), sources: Sequence[str] | None = None
    ) -> Iterator[Event]:
        self.heard.append((question, list(history)))
        self.limits.append(sources)
        told = self.script.get(question, "nothing was found about it")
        if isinstance(told, Exception):
            raise told
        query = f"{question} (resolved)" if history else question
        yield Searching(query)
        hits = tuple(self._hit(source) for source in self.texts)
        yield Retrieved(hits)
        yield from self._say(question, query, hits, told)

    def _say(self, question: str, query: str, hits: tuple[Hit, ...], told: Sequence[Line] | str) -> Iterator[Event]:
        if isinstance(told, str):
            text = f"The documents do not answer this: {told}."
            yield Done(Answer(question, query, text, True, told, 0.1, (), hits, self.model, 0.1))
            return
        text, said, numbers = "", [], dict[tuple[str, str], int]()
        for line in told:
            if len(said) >= self.free:
                self.gate.wait(60)
            text += line.lead if text else ""
            cited = tuple(self._cite(*quote, numbers.setdefault(quote, len(numbers) + 1)) for quote in line.quotes)
            said.append(Sentence(line.text, len(text), len(text) + len(line.text), cited, bool(cited)))
            text += line.text + (" " + "".join(f"[{one.number}]" for one in cited) if cited else "")
            yield Said(said[-1], text)
        yield Done(Answer(question, query, text, False, "", 0.9, tuple(said), hits, self.model, 0.1))

    def _cite(self, source: str, quote: str, number: int) -> Citation:
        start, title = self.texts[source].index(quote), f"Title of {source}"
        return Citation(number, source, title, "Section", None, start, start + len(quote), quote, (0, len(quote)))

    def _hit(self, source: str) -> Hit:
        text, title = self.texts[source], f"Title of {source}"
        passage = Passage(source, title, "Section", text, 0, len(text), None, ())
        return Hit(text, source, title, "Section", 0, len(text), None, 0.9, passage, 1, 0.5, 1, 3.0)


@contextmanager
def held(rag: ScriptedRag, after: int = 0) -> Iterator[None]:
    """Within, only so many sentences of an answer are said."""
    rag.free = after
    rag.gate.clear()
    try:
        yield
    finally:
        rag.gate.set()


@contextmanager
def served(rag: object) -> Iterator[str]:
    """The address of a server in a thread of this process."""
    started: Future[uvicorn.Server] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(rag, started)), daemon=True)
    thread.start()
    server = started.result()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


async def _serve(rag: object, started: Future[uvicorn.Server]) -> None:
    """Build within the loop: without one, Gradio makes loops that it never closes."""
    try:
        app = build_app(rag)  # type: ignore[arg-type]
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        started.set_result(server)
    except BaseException as error:
        started.set_exception(error)
        raise
    await serving


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. Without one the tests are skipped, which continuous integration does not accept."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install it to run the tests of the page")
    with sync_playwright() as playwright, closing(_launch(playwright)) as browser:
        yield browser


def _launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
