"""The gate in front of everything: under which names, from which pages, how much, and what errors tell."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from rag.surfaces.gate import BodyLimit, Gate, SecurityHeaders


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body that came."""
    body, more = b"", True
    while more:
        message: Message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def client_of(app: object, host: str = "http://127.0.0.1") -> TestClient:
    return TestClient(app, base_url=host)  # type: ignore[arg-type]


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


def test_bodies_up_to_the_limit_arrive_whole() -> None:
    client = client_of(BodyLimit(echo, limit=10))
    assert client.post("/", content=b"0123456789").content == b"0123456789"
    assert client.post("/", content=iter([b"01234", b"56789"])).content == b"0123456789"


@pytest.mark.parametrize("body", [b"0123456789X", [b"0123456789", b"X"]], ids=["declared", "in pieces"])
def test_larger_bodies_are_refused(body: bytes | list[bytes]) -> None:
    answer = client_of(BodyLimit(echo, limit=10)).post("/", content=body if isinstance(body, bytes) else iter(body))
    assert answer.status_code == 413
    assert set(answer.json()["error"]) == {"message", "type", "param"}


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


@pytest.mark.parametrize("host", ["192.168.1.5:7860", "10.0.0.1", "[fe80::1]:7860", "127.0.0.1", "chat.example"])
def test_where_other_machines_are_served_addresses_are_own_names_too(host: str) -> None:
    own, outside = (client_of(Gate(echo, {"chat.example"}, outside=far)) for far in (False, True))
    assert outside.get("/", headers={"Host": host}).status_code == 200
    assert own.get("/", headers={"Host": host}).status_code == (200 if host in ("127.0.0.1", "chat.example") else 400)
    same = {"Host": host, "Origin": f"http://{host}"}
    assert outside.post("/", headers=same).status_code == 200
    assert outside.post("/", headers=same | {"Origin": "http://192.168.1.6"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.5.evil.example", "192.168.1", ""])
def test_where_other_machines_are_served_other_names_are_refused_still(host: str) -> None:
    client = client_of(Gate(echo, {"0.0.0.0", "chat.example"}, outside=True))
    assert client.get("/", headers={"Host": host}).status_code == 400


def test_what_a_browser_says_another_site_sent_is_refused_without_an_origin_too() -> None:
    client = client_of(Gate(echo))
    assert client.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link
    assert client.post("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/", headers={"Sec-Fetch-Site": "cross-site"}):
        pass


def test_a_path_may_take_more_or_less_than_the_others() -> None:
    client = client_of(BodyLimit(echo, limit=10, of_paths={"/more": 20, "/less": 5}))
    for path, largest in [("/", 10), ("/more", 20), ("/less", 5), ("/more/", 10)]:
        assert client.post(path, content=b"x" * largest).status_code == 200
        assert client.post(path, content=b"x" * (largest + 1)).status_code == 413


def test_an_unexpected_error_is_logged_and_told_without_detail(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("the text of a document")

    with caplog.at_level(logging.ERROR):
        answer = client_of(SecurityHeaders(broken)).get("/page/documents%0Aforged")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert "document" not in answer.text and answer.headers["x-content-type-options"] == "nosniff"
    assert r"GET '/page/documents\nforged' failed" in caplog.text and "RuntimeError" in caplog.text


def test_an_error_after_the_answer_began_is_not_hidden() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        client_of(SecurityHeaders(broken)).get("/")
