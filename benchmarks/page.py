"""How long the page takes to load, and to show the first sentence of an answer, next to a bare Gradio echo chat.

    python -m benchmarks.page [--rounds N] [--json FILE] [--pictures FOLDER]

Both are served by uvicorn from this process, the page over the shipped article with the real embedding model, and
opened in turns by one Chromium, which has everything in its cache: no figure is of a first visit. A page is loaded
once a question can be sent. A first sentence takes from the Enter key until it stands on the page; the echo chat has
nothing to look for, so what `Rag.stream` takes for it without a page is measured in the same turns. Times are taken in
the browser, to the next frame; medians. With --pictures nothing is measured: it writes page.png and page-phone.png
into the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from rag import Rag, Settings
from rag.answering.types import Said
from rag.surfaces.server import build_app
from tests.surfaces.page_fixtures import chromium

ROOT = Path(__file__).parent.parent
MOST_TIMES = 1.2  # as long as the echo chat, to load
MOST_MORE_MS = 150  # than the echo chat, until the first sentence
QUESTIONS = (
    "Who created Quark?",
    "How many merchants does 1688 have?",
    "How many downloads did Quark get in the year?",
    "Over how many years will Alibaba invest in the Four Little Dragons?",
    "Who does Xu Zhuhong report to?",
)
ALONE = "without a page"
PICTURED = "Who created Quark, and how many downloads did Quark get in the year?"
SETTLED_MS = 500  # between loading and asking: what is still fetched then is no part of either time
_CLOCK = """
document.addEventListener("keydown", (event) => { if (event.key === "Enter") window.sent = performance.now(); }, true);
"""


@dataclass(frozen=True, slots=True)
class Surface:
    """A served page, and how a browser can tell that it is ready and that it answers; both JavaScript."""

    name: str
    address: str
    box: str  # a selector
    ready: str
    answering: str


def main() -> None:
    """Print the table, or write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write every time there, in milliseconds")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write pictures of the page there instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _article(Path(name)) as rag, chromium() as browser:
        if options.pictures:
            with _served(lambda: build_app(rag)) as address:
                pictures(browser, address, options.pictures)
            return
        with _served(lambda: build_app(rag)) as ours, _served(_echo_app) as bare:
            surfaces = (
                Surface("page", ours, "#box textarea", "window.page?.state.trigger", ".said"),
                Surface("echo chat", bare, "textarea", "document.querySelector('textarea')", ".bot.message"),
            )
            times = measured(browser, surfaces, rag, options.rounds)
    print(table(times))
    if options.json:
        options.json.write_text(json.dumps(times, indent=1), "utf-8")


Times = dict[str, dict[str, list[float]]]  # by what was measured and whose it is, in milliseconds


def measured(browser: Browser, surfaces: tuple[Surface, ...], rag: Rag, rounds: int) -> Times:
    """The times of all rounds but the first, which fills the caches."""
    times: Times = defaultdict(lambda: defaultdict(list))
    contexts = {surface.name: browser.new_context(viewport={"width": 1280, "height": 800}) for surface in surfaces}
    for number in range(rounds + 1):
        question = QUESTIONS[number % len(QUESTIONS)]
        if number:
            times["first sentence"][ALONE].append(_alone(rag, question))
        for surface in surfaces if number % 2 else reversed(surfaces):
            page = contexts[surface.name].new_page()
            page.add_init_script(_CLOCK)
            load, sentence = _visit(page, surface, question)
            page.close()
            if number:
                times["load"][surface.name].append(load)
                times["first sentence"][surface.name].append(sentence)
    return times


def table(times: Times) -> str:
    """The medians, and how they compare with what is aimed at."""
    lines = ["| ms, median | page | echo chat | ratio | difference | aim |", "|---|---|---|---|---|---|"]
    aims = {"load": f"{MOST_TIMES} times", "first sentence": f"{MOST_MORE_MS} ms more"}
    for what, aim in aims.items():
        ours, bare = median(times[what]["page"]), median(times[what]["echo chat"])
        lines.append(f"| {what} | {ours:.0f} | {bare:.0f} | {ours / bare:.2f} | {ours - bare:+.0f} | {aim} |")
    alone = median(times["first sentence"][ALONE])
    rounds = len(times["load"]["page"])
    return "\n".join([*lines, f"The first sentence {ALONE}: {alone:.0f} ms. {rounds} rounds, in turns."])


def pictures(browser: Browser, address: str, folder: Path) -> None:
    """An answer with a source open, on a desk by day and on a phone by night."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, height, scheme in (("page", 1280, 800, "light"), ("page-phone", 390, 844, "dark")):
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", locale="en-GB"
        )
        page.goto(address)
        page.get_by_label("Your question").fill(PICTURED)
        page.keyboard.press("Enter")
        page.locator(".reply .badge").wait_for()
        page.locator("#chat a.cite").first.click()
        page.locator("#side mark").wait_for()
        page.mouse.move(0, 0)
        page.screenshot(path=folder / f"{name}.png")
        page.close()


def _visit(page: Page, surface: Surface, question: str) -> tuple[float, float]:
    """The milliseconds that loading and the first sentence took."""
    page.goto(surface.address, wait_until="commit")
    load = page.wait_for_function(f"({surface.ready}) && performance.now()", polling="raf").json_value()
    page.wait_for_timeout(SETTLED_MS)
    page.locator(surface.box).fill(question)
    page.keyboard.press("Enter")
    shown = f"document.querySelector('{surface.answering}')?.textContent.trim() && performance.now() - window.sent"
    sentence = page.wait_for_function(shown, polling="raf").json_value()
    return float(load), float(sentence)


def _alone(rag: Rag, question: str) -> float:
    """The milliseconds until the first sentence of the answer is made."""
    started = time.perf_counter()
    with closing(rag.stream(question)) as events:
        next(event for event in events if isinstance(event, Said))
    return 1000 * (time.perf_counter() - started)


@contextmanager
def _article(folder: Path) -> Iterator[Rag]:
    places = {"corpus_dir": ROOT / "corpus", "index_dir": folder / "index", "data_dir": folder / "data"}
    with Rag(Settings(_env_file=None, llm="extractive", **places)) as rag:
        rag.ingest()
        yield rag


def _echo_app() -> FastAPI:
    """The least that Gradio offers as a chat."""
    import gradio as gr

    chat = gr.ChatInterface(lambda message, history: message)
    return gr.mount_gradio_app(FastAPI(), chat, path="/")


@contextmanager
def _served(make: Callable[[], FastAPI]) -> Iterator[str]:
    """The address of an app that is served in a thread of this process."""
    started: Future[uvicorn.Server] = Future()

    async def serve() -> None:
        server = uvicorn.Server(uvicorn.Config(make(), port=0, log_config=None, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        started.set_result(server)
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    server = started.result(timeout=120)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
