"""The gate in front of the page: who may ask, under which name, how much at once; and how serving starts and fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from rag.errors import ConfigError, IndexMissing
from rag.settings import Settings
from rag.surfaces.server import MAX_BODY_BYTES, BodyLimit, Gate, SecurityHeaders, errors_as_json, serve
from tests.surfaces.page_fixtures import ScriptedRag, served

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

ROOT = Path(__file__).parents[2]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body that came."""
    body, more = b"", True
    while more:
        message: Message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def rag() -> ScriptedRag:
    settings = Settings(_env_file=None, allowed_hosts=("chat.example",))
    return ScriptedRag({"a.md": "A."}, {}, settings=settings)


@pytest.fixture(scope="module")
def address(rag: ScriptedRag) -> Iterator[str]:
    with served(rag) as address:
        yield address


def client_of(app: object, host: str = "http://127.0.0.1") -> TestClient:
    return TestClient(app, base_url=host)  # type: ignore[arg-type]


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
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/monitoring/summary", "/gradio_api/runs"])
def test_nothing_more_than_needed_is_offered(address: str, path: str) -> None:
    assert httpx.get(address + path).status_code >= 400


def test_the_schema_is_offered(address: str) -> None:
    assert "/healthz" in httpx.get(f"{address}/openapi.json").json()["paths"]


def test_files_cannot_be_sent(address: str) -> None:
    answer = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.txt", b"x")})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "127.0.0.2:80", "chat.example", "CHAT.example:80"]
)
def test_own_names_are_answered(host: str) -> None:
    client = client_of(Gate(echo, {"chat.example"}))
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "[", "testserver"]
)
def test_other_names_are_refused(host: str) -> None:
    client = client_of(Gate(echo, {"chat.example"}))
    answer = client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Host")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/", headers={"Host": host}):
        pass


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1:9999",
        "https://chat.example.evil",
        "file://",
        "http://localhost",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_changes_from_foreign_pages_are_refused(origin: str, method: str) -> None:
    client = client_of(Gate(echo, {"chat.example"}), "http://127.0.0.1:7860")
    answer = client.request(method, "/", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "forbidden")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:7860", "https://chat.example", None])
def test_changes_from_own_pages_and_from_programs_are_taken(origin: str | None) -> None:
    client = client_of(Gate(echo, {"chat.example"}), "http://127.0.0.1:7860")
    assert client.post("/", headers={"Origin": origin} if origin else {}).status_code == 200


def test_reading_from_a_foreign_page_gets_no_permission(address: str) -> None:
    headers = httpx.get(f"{address}/config", headers={"Origin": "http://evil.example"}).headers
    assert "access-control-allow-origin" not in headers


def test_bodies_up_to_the_limit_arrive_whole() -> None:
    client = client_of(BodyLimit(echo, limit=10))
    assert client.post("/", content=b"0123456789").content == b"0123456789"
    assert client.post("/", content=iter([b"01234", b"56789"])).content == b"0123456789"


@pytest.mark.parametrize("body", [b"0123456789X", [b"0123456789", b"X"]], ids=["declared", "in pieces"])
def test_larger_bodies_are_refused(body: bytes | list[bytes]) -> None:
    answer = client_of(BodyLimit(echo, limit=10)).post("/", content=body if isinstance(body, bytes) else iter(body))
    assert answer.status_code == 413
    assert set(answer.json()["error"]) == {"message", "type", "param"}


def test_the_served_app_has_the_limit_and_the_gate(address: str) -> None:
    join = f"{address}/gradio_api/queue/join"
    assert httpx.post(join, content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert httpx.post(join, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 400


def test_headers_do_not_hold_back_a_stream() -> None:
    """Each piece is passed on as it comes; nothing is gathered."""
    sent: list[str] = []

    async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": number < 2})
            sent.append(f"after {number}")

    assert client_of(SecurityHeaders(BodyLimit(Gate(pieces), 10))).get("/").content == b"xxx"
    assert sent == ["after 0", "after 1", "after 2"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com"])
def test_only_loopback_is_served(rag: ScriptedRag, host: str) -> None:
    with pytest.raises(ConfigError, match="reverse proxy"):
        serve(rag, host=host, port=0)  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_an_error_that_says_so(rag: ScriptedRag) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"is in use.*--port"):
            serve(rag, port=taken.getsockname()[1])  # type: ignore[arg-type]


SERVE = """
from rag.surfaces.server import serve
from tests.surfaces.page_fixtures import ScriptedRag
serve(ScriptedRag({"a.md": "A."}, {}), port=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.mark.slow
def test_interrupting_ends_it_quietly_even_with_an_open_stream() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment) as server:
        assert server.stdout and server.stderr
        address = server.stdout.readline().strip()
        assert address, server.stderr.read()
        with httpx.stream("GET", f"{address}/gradio_api/heartbeat/abc", timeout=60) as stream:
            next(stream.iter_raw())
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0
        assert "Traceback" not in server.stderr.read()


def test_errors_of_own_routes_are_json() -> None:
    app = FastAPI()
    errors_as_json(app)

    @app.get("/passages/{number}")
    def passage(number: int) -> int:
        if number > 1:
            raise IndexMissing("There is no index. Run `rag ingest`.")
        raise HTTPException(404, "no such passage")

    client = client_of(app)
    answers = [client.get(f"/passages/{number}") for number in ("1", "2", "x")]
    assert [answer.status_code for answer in answers] == [404, 503, 422]
    told = [answer.json()["error"] for answer in answers]
    assert [error["type"] for error in told] == ["not_found", "IndexMissing", "invalid_request_error"]
    assert told[1]["message"] == "There is no index. Run `rag ingest`."
    assert told[2]["param"] == "number"
