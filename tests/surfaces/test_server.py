"""What is served, that the gate is around all of it, and how serving starts, fails and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.testclient import TestClient

from rag.errors import ConfigError, IndexMissing
from rag.settings import Settings
from rag.surfaces.server import MAX_BODY_BYTES, errors_as_json, serve
from tests.fakes import OpenAIServer
from tests.surfaces.page_fixtures import ScriptedRag, served

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rag() -> ScriptedRag:
    settings = Settings(_env_file=None, allowed_hosts=("chat.example",))
    return ScriptedRag({"a.md": "A."}, {}, settings=settings)


@pytest.fixture(scope="module")
def address(rag: ScriptedRag) -> Iterator[str]:
    with served(rag) as address:
        yield address


def test_the_page_and_its_health_are_on_one_port(address: str) -> None:
    assert "<!doctype html>" in httpx.get(address).text.lower()
    health = httpx.get(f"{address}/healthz")
    assert health.status_code == 200
    assert health.json() == {"ready": True, "generation": "g1", "documents": 1, "passages": 1}


def test_health_is_503_when_not_ready(address: str, rag: ScriptedRag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag, "ready", False)
    health = httpx.get(f"{address}/healthz")
    assert (health.status_code, health.json()["ready"]) == (503, False)


def test_every_response_carries_the_security_headers(address: str) -> None:
    for path, host in [("/", "127.0.0.1"), ("/healthz", "localhost"), ("/none", "127.0.0.1"), ("/", "evil.example")]:
        headers = httpx.get(address + path, headers={"Host": host}).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "base-uri 'self'" in policy
        assert "http" not in policy and "*" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]


def test_what_may_hold_a_documents_text_is_kept_by_no_browser(address: str) -> None:
    for path in ("/", "/config", "/healthz", "/none", "/gradio_api/info"):
        assert httpx.get(address + path).headers["cache-control"] == "no-store", path
    assert httpx.get(f"{address}/static/img/logo.svg").headers.get("cache-control") != "no-store"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/monitoring/summary", "/gradio_api/runs"])
def test_nothing_more_than_needed_is_offered(address: str, path: str) -> None:
    assert httpx.get(address + path).status_code >= 400


def test_the_schema_is_offered(address: str) -> None:
    assert "/healthz" in httpx.get(f"{address}/openapi.json").json()["paths"]


def test_files_cannot_be_sent(address: str) -> None:
    answer = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.txt", b"x")})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")


def test_reading_from_a_foreign_page_gets_no_permission(address: str) -> None:
    for host in ("127.0.0.1", "chat.example"):
        foreign = {"Origin": "http://evil.example", "Host": host}
        assert "access-control-allow-origin" not in httpx.get(f"{address}/config", headers=foreign).headers


def test_the_served_app_has_the_limit_and_the_gate(address: str) -> None:
    join = f"{address}/gradio_api/queue/join"
    assert httpx.post(join, content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert httpx.post(join, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 400


def test_a_document_may_be_as_large_as_the_setting_says(address: str, rag: ScriptedRag) -> None:
    def status(path: str, size: int) -> int:
        with socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))) as caller:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
            caller.sendall(head.encode())
            caller.shutdown(socket.SHUT_WR)
            return int((caller.recv(100) or b"x 0").split()[1])

    largest = rag.settings.max_file_mb * 1_000_000
    assert status("/page/documents", largest + 2**20 + 1) == 413
    assert status("/page/documents", largest) != 413
    assert status("/page/other", largest) == 413


def test_a_port_that_is_taken_is_an_error_that_says_so(rag: ScriptedRag) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"is in use.*--port"):
            serve(rag, port=taken.getsockname()[1])  # type: ignore[arg-type]


SERVE = """
import logging, sys
from rag.settings import Settings
from rag.surfaces.server import serve
from tests.surfaces.page_fixtures import ScriptedRag
logging.basicConfig(level=logging.WARNING, format="%(message)s")
rag = ScriptedRag({"a.md": "A."}, {}, settings=Settings(_env_file=None, host=sys.argv[1]))
serve(rag, port=0, on_ready=lambda url: print(url, flush=True))
print("let go", flush=True)
"""


@contextmanager
def serving(*command: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    with subprocess.Popen([sys.executable, *command], stdout=-1, stderr=-1, text=True, env=environment) as server:
        try:
            yield server
        finally:
            server.kill()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_ends_quietly_even_with_an_open_stream(told: signal.Signals) -> None:
    with serving("-c", SERVE, "127.0.0.1") as server:
        address = server.stdout.readline().strip()
        with httpx.stream("GET", f"{address}/gradio_api/heartbeat/abc", timeout=60) as stream:
            pieces = stream.iter_raw()  # held, as without it the stream is closed
            next(pieces)
            server.send_signal(told)
            assert server.wait(60) == 0
        assert "let go" in server.stdout.read() and "Traceback" not in server.stderr.read()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_within_three_seconds_whatever_is_under_way(told: signal.Signals, tmp_path: Path) -> None:
    """An open tab, an answer whose model never comes back, and a body that never comes whole."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "harbour.md").write_text("The harbour has 14 berths. It was built in 1931.", "utf-8")
    folders = {f"RAG_{name}_DIR": str(tmp_path / name.lower()) for name in ("CORPUS", "INDEX", "DATA")}
    with OpenAIServer("", hangs=True) as model:
        llm = {"RAG_LLM": "openai:local", "RAG_LLM_BASE_URL": model.base_url, "RAG_LLM_API_KEY": "key", "RAG_PORT": "0"}
        with (
            serving("-c", "from rag.surfaces.cli import main; main()", "serve", **folders, **llm) as server,
            ExitStack() as under_way,
        ):
            lines = iter(server.stderr.readline, "")
            address = next(line.split()[1] for line in lines if line.startswith("Open "))
            streams = ask(under_way, address, "How many berths does the harbour have?")
            body = under_way.enter_context(socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))))
            body.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
            for _ in range(600):
                if model.requests:
                    break
                time.sleep(0.1)
            assert model.requests and len(streams) == 2
            begun = time.monotonic()
            server.send_signal(told)
            assert server.wait(60) == 0
            assert time.monotonic() - begun < 3
            assert "Cancel 3 running" in server.stderr.read()  # all of it was under way


def ask(under_way: ExitStack, address: str, question: str) -> list[Iterator[bytes]]:
    """Ask as a tab does. Both of its streams are open for as long as what is returned is held."""
    events = httpx.get(f"{address}/config").json()["dependencies"]
    asked = next(one["id"] for one in events if any(target[1] == "submit" for target in one["targets"]))
    picks = {"conversation": "tab", "language": "en"}
    call = {"data": [question, [], picks], "fn_index": asked, "session_hash": "tab"}
    httpx.post(f"{address}/gradio_api/queue/join", json=call).raise_for_status()
    streams = []
    for path in ("heartbeat/tab", "queue/data?session_hash=tab"):
        stream = under_way.enter_context(httpx.stream("GET", f"{address}/gradio_api/{path}", timeout=60))
        streams.append(stream.iter_raw())
        assert next(streams[-1])
    return streams


def test_to_other_machines_nothing_is_served_without_a_sign_in() -> None:
    with serving("-c", SERVE, "0.0.0.0") as server:
        address = server.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}/healthz").status_code == 200
        for path in ("/", "/config", "/openapi.json", "/signin", "/healthz/"):
            answer = httpx.get(address + path, headers={"Accept": "text/html"})
            assert answer.status_code == 403 and "set RAG_AUTH" in answer.json()["error"]["message"], path
        server.terminate()
        told = server.stderr.read().splitlines()
        assert [line for line in told if "RAG_AUTH" in line] == told[:1] and "0.0.0.0" in told[0]


def test_to_other_machines_it_serves_who_signs_in(tmp_path: Path) -> None:
    with serving("-c", SERVE, "0.0.0.0", RAG_AUTH="hush 1", RAG_DATA_DIR=str(tmp_path / "data")) as server:
        address = server.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
        known = {"Authorization": "Bearer hush 1"}
        for host, status in [("192.168.1.5:7860", 200), ("[fe80::1]", 200), ("localhost", 200), ("evil.example", 400)]:
            assert httpx.get(f"{address}/config", headers=known | {"Host": host}).status_code == status
            assert httpx.get(f"{address}/config", headers={"Host": host}).status_code == (401 if status == 200 else 400)
        wrong = httpx.post(f"{address}/signin", data={"password": "hush 2"})
        assert wrong.status_code == 401 and "hush" not in wrong.text
        server.terminate()
        assert "hush" not in server.stderr.read() and "RAG_AUTH" not in server.stdout.read()


def test_errors_of_own_routes_are_json() -> None:
    app = FastAPI()
    errors_as_json(app)

    @app.get("/passages/{number}")
    def passage(number: int) -> int:
        if number > 1:
            raise IndexMissing("There is no index. Run `rag ingest`.")
        raise HTTPException(404, "no such passage")

    client = TestClient(app)
    answers = [client.get(f"/passages/{number}") for number in ("1", "2", "x")]
    assert [answer.status_code for answer in answers] == [404, 503, 422]
    told = [answer.json()["error"] for answer in answers]
    assert [error["type"] for error in told] == ["not_found", "IndexMissing", "invalid_request_error"]
    assert told[1]["message"] == "There is no index. Run `rag ingest`."
    assert told[2]["param"] == "number"
