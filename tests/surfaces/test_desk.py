"""What page.js asks for, as anyone could ask it: every answer is JSON, and no request reaches beyond the documents."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from rag import Rag
from tests.conftest import MakeRag
from tests.surfaces.page_fixtures import served

pytestmark = pytest.mark.filterwarnings("default")  # Gradio's own warnings are not ours


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    rag = make_rag(max_file_mb=1)
    rag.ingest()
    return rag


@pytest.fixture
def client(rag: Rag) -> Iterator[httpx.Client]:
    with served(rag) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def brought_in(client: httpx.Client, *names: str, data: bytes = b"The ferryman is called Ivo Brandt.") -> list[str]:
    """The sources after these files were sent and taken in."""
    batches = [client.post("/page/documents", params={"name": name}, content=data).json()["batch"] for name in names]
    assert client.post("/page/ingest", json={"batches": batches}).json() == {"begun": True}
    while (shelf := client.get("/page/shelf").json())["busy"]:
        time.sleep(0.02)
    return [one["source"] for one in shelf["documents"]]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("notes.txt", "uploads/notes.txt"),
        ("../../../etc/notes.txt", "uploads/etc/notes.txt"),
        ("/etc/notes.txt", "uploads/etc/notes.txt"),
        ("..\\..\\notes.txt", "uploads/_.._notes.txt"),
        ("a\r\nSet-Cookie: x.txt", "uploads/a__Set-Cookie_ x.txt"),
        (".hidden.txt", "uploads/hidden.txt"),
        ("文件 🎈.txt", "uploads/文件 🎈.txt"),
        ("folder/below/it.md", "uploads/folder/below/it.md"),
        ("x" * 500 + ".txt", "uploads/" + "x" * 196 + ".txt"),
        ("灯塔" * 100 + ".txt", "uploads/塔" + "灯塔" * 32 + ".txt"),
    ],
)
def test_whatever_a_file_is_called_it_lands_among_the_uploads(
    client: httpx.Client, rag: Rag, name: str, source: str
) -> None:
    assert source in brought_in(client, name)
    assert (rag.settings.corpus_dir / source).is_file()
    assert list((rag.settings.data_dir / "incoming").iterdir()) == []


def test_two_files_of_one_name_are_both_kept(client: httpx.Client) -> None:
    brought_in(client, "note.txt", data=b"The first note says that the gate is green.")
    sources = brought_in(client, "note.txt", data=b"The second note says that the gate is red.")
    assert {"uploads/note.txt", "uploads/note-2.txt"} <= set(sources)


def test_what_cannot_be_taken_is_refused_with_a_reason(client: httpx.Client, rag: Rag) -> None:
    program = client.post("/page/documents", params={"name": "tool.exe"}, content=b"MZ")
    assert program.status_code == 415 and ".pdf" in program.json()["error"]["message"]
    large = client.post("/page/documents", params={"name": "large.txt"}, content=b"x" * 3_000_000)
    assert large.status_code == 413 and "larger than" in large.json()["error"]["message"]
    incoming = rag.settings.data_dir / "incoming"
    assert not incoming.exists() or list(incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "text?source=../secret.md", 404),
        ("GET", "text?source=harbour.md&start=-1", 422),
        ("GET", "sheet?source=harbour.md&start=0&end=5", 400),
        ("GET", "sheet.png?source=/etc/passwd&page=1", 404),
        ("GET", "sheet.png?source=harbour.md&page=1&width=99999", 422),
        ("DELETE", "documents?source=../../etc/passwd", 404),
        ("GET", "conversations/a%20b/markdown", 400),
        ("GET", "conversations/none/receipt?turn=1", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, f"/page/{path}")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_an_empty_title_is_refused(client: httpx.Client) -> None:
    answer = client.patch("/page/conversations/one", json={"title": "  "})
    assert answer.status_code == 400 and "empty" in answer.json()["error"]["message"]


def test_batches_that_were_never_sent_bring_nothing_in(client: httpx.Client, rag: Rag) -> None:
    (rag.settings.data_dir / "incoming").mkdir(parents=True)
    for name in ("../../corpus", "..", ".", "/etc", ""):
        assert client.post("/page/ingest", json={"batches": [name]}).status_code == 200
    while client.get("/page/shelf").json()["busy"]:
        time.sleep(0.02)
    assert len(rag.documents()) == 3


def test_a_document_is_read_at_any_span(client: httpx.Client, rag: Rag) -> None:
    text = rag.document_text("harbour.md")
    shown = client.get("/page/text", params={"source": "harbour.md", "start": 10, "end": 30, "around": 5}).json()
    assert shown == {"before": text[5:10], "quote": text[10:30], "after": text[30:35], "whole": False}


def test_the_models_tell_which_is_used_and_no_key(make_rag: MakeRag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    rag = make_rag(llms=("openai:gpt-5-mini",))
    with served(rag) as address:
        told = httpx.get(f"{address}/page/models", timeout=60)
    assert told.json()["used"] == "extractive"
    assert [one["name"] for one in told.json()["models"]] == ["extractive", "openai:gpt-5-mini"]
    assert "canary" not in told.text
