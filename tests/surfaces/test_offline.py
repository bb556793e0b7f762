"""The shipped chat, started as its user starts it, with every way out of the machine closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ARTICLE, ROOT
from tests.surfaces.page_fixtures import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Python imports this at its start. It refuses, and writes down, every attempt to reach or to look up another machine.
WATCH = """
import os, sys

def watch(event, args):
    if event == "socket.connect" or event == "socket.sendto":
        place = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        place = args
    else:
        return
    if not isinstance(place, tuple):  # a path: a socket of this machine
        return
    host = place[0].decode() if isinstance(place[0], bytes) else place[0]
    if host not in (None, "", "localhost", "127.0.0.1", "::1"):
        log(f"{event} {host}")
        raise OSError(f"no way out: {event} {host}")

def log(line):
    with open(os.environ["WATCH_LOG"], "a") as file:
        print(line, file=file)

log("watching")
sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Chat:
    """A running chat, and what was written about its attempts to get out."""

    address: str
    log: Path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("chat")
    (home / "watch").mkdir()
    (home / "watch" / "sitecustomize.py").write_text(WATCH)
    (home / "corpus").mkdir()
    (home / "corpus" / ARTICLE.name).write_text(ARTICLE.read_text("utf-8"), "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    folders = {f"RAG_{name.upper()}_DIR": str(home / name) for name in ("corpus", "index", "data")}
    path = os.pathsep.join([str(home / "watch"), str(ROOT)])
    return kept | folders | {"RAG_PORT": "0", "PYTHONPATH": path, "WATCH_LOG": str(home / "log"), "PWD": str(home)}


@pytest.fixture(scope="module")
def chat(environment: dict[str, str]) -> Iterator[Chat]:
    home = Path(environment["PWD"])
    with (home / "stderr").open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py")], cwd=home, env=environment, stdout=-1, stderr=errors, text=True
        )
        with server:
            assert server.stdout
            told = server.stdout.readline()
            assert told.startswith("Open http://127.0.0.1:"), (home / "stderr").read_text()
            yield Chat(told.split()[1], home / "log")
            server.send_signal(signal.SIGINT)
            assert server.wait() == 0
    assert "Traceback" not in (home / "stderr").read_text()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


def answered(page: Page, count: int) -> str:
    """The text of the reply with this number, once it is whole."""
    expect(page.locator(".said")).to_have_count(count, timeout=120_000)
    expect(page.locator(".working")).to_have_count(0)
    return page.locator(".said").last.inner_text()


def test_the_watch_refuses_and_records(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80))"
    watched = environment | {"WATCH_LOG": str(tmp_path / "log")}
    run = subprocess.run([sys.executable, "-c", code], env=watched, capture_output=True, check=False)
    assert b"no way out" in run.stderr
    assert (tmp_path / "log").read_text() == "watching\nsocket.getaddrinfo 192.0.2.1\n"


def test_a_conversation_with_no_way_out(chat: Chat, page: Page) -> None:
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(chat.address)
    page.locator("#chat .welcome .ask").first.click()
    answered(page, 1)
    text = ARTICLE.read_text("utf-8")
    for link in page.locator(".said a.cite").all():
        link.click()
        quote = page.locator("#side mark").text_content()
        assert quote and quote in text
    expect(page.locator("#side")).to_contain_text(ARTICLE.name)
    page.get_by_label("Your question").fill("What did the weather do in Lisbon in 1755?")
    page.keyboard.press("Enter")
    assert "Not in the documents" in answered(page, 2)
    expect(page.locator(".declined")).to_have_count(1)
    assert [url for url in asked_for if not url.startswith((chat.address, "data:"))] == []
    assert set(chat.log.read_text().splitlines()) == {"watching"}
