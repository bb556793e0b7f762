"""The gate in front of everything that is served: headers, hosts, origins, and how much may be sent.

Knows HTTP and nothing of documents. A request is let in only under a name of this machine, and a change only from a
page that this server sent.
"""

import ipaddress
import logging
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GIVEN: dict[str, Any] = tomllib.loads(Path(__file__).with_name("server.toml").read_text("utf-8"))
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ASSETS = tuple(GIVEN["assets"])  # the page's own scripts, styles and fonts: all else may carry a document's text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Puts the security headers on every response, the one to an unexpected error among them."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        begun = scope["type"] != "http"

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun, headers = True, MutableHeaders(scope=message)
                headers.update(GIVEN["headers"])
                del headers["access-control-allow-origin"]  # Gradio would let any site read, under a name of ours
                if not scope["path"].startswith(ASSETS):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if begun:  # too late to say anything
                raise
            logger.exception("%s %r failed", scope["method"], scope["path"])
            await error(500, GIVEN["messages"]["unexpected"], "server_error")(scope, receive, send_with_headers)


class Gate:
    """Lets in what was asked for under a name of loopback or of `hosts`, and changes only from its own pages.

    The first stops DNS rebinding, the second requests that another site's page makes a browser send. Rebinding needs a
    name, so where other machines are served (`outside`), any address is let in. Programs other than browsers send
    neither Origin nor Sec-Fetch-Site and are not hindered.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), *, outside: bool = False) -> None:
        self._app, self._outside = app, outside
        self._named = frozenset(host.lower() for host in hosts if not is_loopback(host))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        refused = None if scope["type"] == "lifespan" else self._refusal(scope, Headers(scope=scope))
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        name = _hostname(f"//{host}")
        if not (is_loopback(name) or name in self._named or (self._outside and address_of(name))):
            return error(400, GIVEN["messages"]["host"], "invalid_request_error", "Host")
        origin = headers.get("origin")
        own = headers.get("sec-fetch-site") != "cross-site" and (origin is None or self._same(origin, host))
        if own or scope.get("method") in SAFE_METHODS:
            return None
        return error(403, GIVEN["messages"]["origin"], "forbidden", "Origin")

    def _same(self, origin: str, host: str) -> bool:
        """Whether the page came from here: from this very address, or from a name that a proxy serves us under."""
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and (place == host.lower() or _hostname(origin) in self._named)


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Refuses bodies above `limit` bytes, or that of their path, by the length they declare or else by what comes."""

    app: ASGIApp
    limit: int
    of_paths: Mapping[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        left = limit = self.of_paths.get(scope.get("path", ""), self.limit)
        too_large = HTTPException(413, f"The request is larger than {limit:,} bytes.")

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise too_large
            return message

        declared = Headers(raw=scope.get("headers", [])).get("content-length", "0")
        try:
            if not declared.isdecimal() or int(declared) > limit:
                raise too_large
            await self.app(scope, counted, send)
        except HTTPException as refused:  # an app with handlers of its own has answered by then
            await http_error(refused)(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there, as far as its name tells."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def error(status: int, message: str, kind: str, param: str | None = None) -> JSONResponse:
    """The answer to what went wrong, in the form that all of them have."""
    return JSONResponse({"error": {"message": message, "type": kind, "param": param}}, status)


def http_error(refused: HTTPException) -> JSONResponse:
    """The same for an exception of the framework."""
    kind = "not_found" if refused.status_code == 404 else "invalid_request_error"
    return error(refused.status_code, str(refused.detail), kind)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is given by; None for a name."""
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]"))
    return None


def _hostname(url: str) -> str:
    with suppress(ValueError):  # such as an unclosed bracket
        return urlsplit(url).hostname or ""
    return ""
