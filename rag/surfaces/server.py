"""One port for the page and the health check, and the gate in front of all of it.

Knows HTTP and Rag. What is served here are somebody's own documents, on their own machine: a request is let in only
under a name of this machine, and a change only from a page that this server sent. There is no sign-in, so nothing but
loopback is listened on.
"""

import errno
import ipaddress
import logging
import os
import socket
import tomllib
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.engine import Rag
from rag.errors import ConfigError, RagError, in_words

MAX_BODY_BYTES = 8 * 2**20  # a long conversation with its passages; files are not sent
SHUTDOWN_S = 2  # an open tab holds a stream that never ends by itself
PATIENCE_S = 5  # for changed documents; while more of them are brought in, questions are answered without them
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_GIVEN: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("server.toml").read_text("utf-8"))


def build_app(rag: Rag) -> FastAPI:
    """The whole application: `GET /healthz`, the page at "/", and the gate around both."""
    os.environ.update(_GIVEN["environment"])
    from rag.surfaces.page.layout import mount

    app = FastAPI(title="rag", docs_url=None, redoc_url=None)
    errors_as_json(app)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """Whether questions can be answered, and from how much."""
        health = rag.health()
        return JSONResponse(health, 200 if health["ready"] else 503)

    @app.post("/gradio_api/upload", include_in_schema=False)
    def upload() -> JSONResponse:
        """Gradio would take any file from anyone; the page sends none."""
        return _error(404, "Files cannot be sent here.", "not_found")

    mount(app, rag)  # last: what is added after it is not reached
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    app.add_middleware(Gate, hosts={rag.settings.host, *rag.settings.allowed_hosts})
    app.add_middleware(SecurityHeaders)
    return app


def errors_as_json(app: FastAPI) -> None:
    """Have every error of the app's own routes answered as `{"error": {"message", "type", "param"}}`."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return _error(422, str(first["msg"]), "invalid_request_error", place)

    app.exception_handler(HTTPException)(lambda _, error: _http_error(error))
    app.exception_handler(RagError)(lambda _, error: _error(503, str(error), type(error).__name__))


def serve(
    rag: Rag, host: str | None = None, port: int | None = None, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until interrupted, on loopback only; `on_ready` is called with the address once the page is made."""
    host = rag.settings.host if host is None else host
    rag.documents()  # builds the index, or says why it cannot be, before anyone connects
    rag.wait_at_most(PATIENCE_S)
    with _listen(host, rag.settings.port if port is None else port) as listener:
        name = f"[{host.strip('[]')}]" if ":" in host else host
        url = f"http://{name}:{listener.getsockname()[1]}"

        def made() -> FastAPI:  # within the loop: without one, Gradio makes loops that it never closes
            app = build_app(rag)
            if on_ready:  # who comes at once is kept waiting for a moment, as the port is open already
                on_ready(url)
            return app

        config = uvicorn.Config(
            made, factory=True, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=SHUTDOWN_S
        )
        # a stream that ends because the server does leaves a trace that tells nothing
        logging.getLogger("uvicorn.error").addFilter(lambda record: "CancelledError" not in record.getMessage())
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Puts the security headers on every response."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_GIVEN["headers"])
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Gate:
    """Lets in what was asked for under a name of loopback or of `hosts`, and changes only from its own pages.

    The first stops DNS rebinding, the second requests that another site's page makes a browser send. Programs other
    than browsers send no Origin and are not hindered.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._named = frozenset(host.lower() for host in hosts if not _is_loopback(host))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        refused = None if scope["type"] == "lifespan" else self._refusal(scope, Headers(scope=scope))
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        name = _hostname(f"//{host}")
        if not (_is_loopback(name) or name in self._named):
            message = "This server is not known under this name. RAG_ALLOWED_HOSTS can add it."
            return _error(400, message, "invalid_request_error", "Host")
        origin = headers.get("origin")
        if origin is None or scope.get("method") in SAFE_METHODS or self._same(origin, host):
            return None
        return _error(403, "Requests from other sites' pages are refused.", "forbidden", "Origin")

    def _same(self, origin: str, host: str) -> bool:
        """Whether the page came from here: from this very address, or from a name that a proxy serves us under."""
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and (place == host.lower() or _hostname(origin) in self._named)


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Refuses bodies above `limit` bytes, by the length that they declare or else by what comes."""

    app: ASGIApp
    limit: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        left = self.limit
        too_large = HTTPException(413, f"The request is larger than {self.limit:,} bytes.")

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise too_large
            return message

        declared = Headers(raw=scope.get("headers", [])).get("content-length", "0")
        try:
            if not declared.isdecimal() or int(declared) > self.limit:
                raise too_large
            await self.app(scope, counted, send)
        except HTTPException as error:  # an app with handlers of its own has answered by then
            await _http_error(error)(scope, receive, send)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; a ConfigError if that is not loopback, or not to be had."""
    if not _is_loopback(host):
        raise ConfigError(in_words("not_loopback", host=host))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        why = "is in use" if getattr(error, "errno", None) == errno.EADDRINUSE else f"cannot be used ({error})"
        raise ConfigError(in_words("port_taken", port=port, host=host, why=why)) from error


def _hostname(url: str) -> str:
    with suppress(ValueError):  # such as an unclosed bracket
        return urlsplit(url).hostname or ""
    return ""


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):  # any other name
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def _error(status: int, message: str, kind: str, param: str | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": param}}, status)


def _http_error(error: HTTPException) -> JSONResponse:
    kind = "not_found" if error.status_code == 404 else "invalid_request_error"
    return _error(error.status_code, str(error.detail), kind)
