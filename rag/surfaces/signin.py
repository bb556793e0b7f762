"""Who may come in: a password or named users, shown by programs in each request and by browsers once.

Knows HTTP and nothing of documents. What a browser has shown is remembered in a cookie, signed under the credential it
was shown: sessions outlive a restart, and end when that password is changed.
"""

import asyncio
import hmac
import os
import re
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import ConfigError, in_words
from rag.surfaces.forms import form
from rag.surfaces.gate import GIVEN, address_of, error

SESSION_S = 30 * 24 * 3600
WRONG_TRIES, WITHIN_S = 10, 60  # different ones, from one address
PAUSE_S = 0.5  # after the first wrong try, twice that after the second, and so on
ADDRESSES = 1000  # whose tries are kept in mind
INSIDE = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # a path of this server; browsers take "//" and "/\" for another's

_FORM = form(Path(__file__).with_suffix(".html").read_text("utf-8"), escape)


class Keys:
    """What is known of each user: a digest that checks the credential, and signs the sessions opened by it."""

    def __init__(self, credentials: Mapping[str, str], secret: bytes) -> None:
        self._secret = secret
        self._of = {user: self.digest(shown.encode()) for user, shown in credentials.items()}
        self.named = "" not in self._of
        self.cookie = f"rag_{self.digest(b'').hex()[:8]}"  # another server's on this machine is left alone

    def digest(self, credential: bytes) -> bytes:
        """What a credential is compared and remembered by."""
        return hmac.digest(self._secret, credential, "sha256")

    def user(self, credential: bytes) -> str | None:
        """Whose it is; all are compared, so that the time it takes tells nothing."""
        given = self.digest(credential)
        return next(iter([user for user, key in self._of.items() if hmac.compare_digest(key, given)]), None)

    def opened(self, user: str, until: int) -> str:
        """The cookie's value for a session of this user."""
        told = urlsafe_b64encode(f"{until}:{user}".encode()).decode().rstrip("=")  # which cookies would have to quote
        return f"{told}.{hmac.digest(self._of[user], told.encode(), 'sha256').hex()}"

    def holder(self, cookie: str) -> str | None:
        """Whose session it is; None for one that has ended or was not opened here."""
        with suppress(ValueError, KeyError):
            until, _, user = urlsafe_b64decode(cookie.partition(".")[0] + "==").decode().partition(":")
            genuine = hmac.compare_digest(self.opened(user, int(until)).encode(), cookie.encode())
            return user if genuine and time.time() < int(until) else None
        return None

    def shown(self, authorization: str) -> bytes | None:
        """The credential in a header: after Bearer all, of Basic the password and, where users have names, theirs."""
        scheme, _, text = authorization.partition(" ")
        given = text.strip(" ").encode("latin-1")  # which headers are read as
        with suppress(ValueError):
            if scheme.lower() == "basic":
                return b64decode(given) if self.named else b64decode(given).partition(b":")[2]
        return given if scheme.lower() == "bearer" else None


class SignIn:
    """Lets in whom `keys` know, and tells who that is in `scope["rag.user"]`; without keys everyone, or no one.

    No one, but for `GET /healthz`, where other machines are served (`outside`).
    """

    def __init__(self, app: ASGIApp, keys: Keys | None = None, *, outside: bool = False) -> None:
        self._app, self._keys, self._outside = app, keys, outside
        self._wrong: dict[bytes, dict[bytes, float]] = {}  # by address: what was tried, and when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        answer: Response | None = None
        scope["rag.user"] = ""
        if scope["type"] != "lifespan" and (scope.get("method"), scope["path"]) != ("GET", "/healthz"):
            if self._keys:
                answer = await self._judge(self._keys, scope, receive)
            elif self._outside:
                answer = error(403, GIVEN["messages"]["closed"], "forbidden")
        await (answer or self._app)(scope, receive, send)

    async def _judge(self, keys: Keys, scope: Scope, receive: Receive) -> Response | None:
        """What to answer instead; None lets it in."""
        asking, status = HTTPConnection(scope), 401
        user = keys.holder(asking.cookies.get(keys.cookie, ""))
        match scope.get("method"), scope["path"]:
            case "POST", "/signin":
                return await self._opened(keys, Request(scope, receive))
            case "GET", "/signin":
                return _form(keys, asking, user)
            case "POST", "/signout":
                answer = RedirectResponse("/signin", 303)
                answer.delete_cookie(keys.cookie)
                return answer
        if user is None and (shown := keys.shown(asking.headers.get("authorization", ""))):
            user, status = await self._tried(keys, asking, shown)
        if user is None:
            return _refused(asking, status)
        scope["rag.user"] = user
        return None

    async def _opened(self, keys: Keys, asking: Request) -> Response:
        """What the form is answered with: a session, or the form again."""
        given = {name: values[0] for name, values in parse_qs((await asking.body()).decode("utf-8", "replace")).items()}
        name, password, onward = given.get("name", "").strip(), given.get("password", ""), given.get("next", "/")
        shown = f"{name}:{password}" if keys.named else password
        user, status = await self._tried(keys, asking, shown.encode())
        if user is None:
            return HTMLResponse(_page(keys, asking, onward, name=name, status=str(status)), status)
        answer, session = _onward(onward), keys.opened(user, int(time.time()) + SESSION_S)
        secure = asking.headers.get("x-forwarded-proto", asking.url.scheme).startswith("https")
        answer.set_cookie(keys.cookie, session, SESSION_S, secure=secure, httponly=True, samesite="strict")
        return answer

    async def _tried(self, keys: Keys, asking: HTTPConnection, shown: bytes) -> tuple[str | None, int]:
        """Whose credential it is, with a status if nobody's; after too many wrong ones none is looked at.

        A wrong one takes a while, unless it was tried before: it teaches nothing and counts once.
        """
        address = address_of(asking.client.host if asking.client else "")
        network = address.packed[:8] if address else b""  # of IPv6, all that one customer has
        now, digest = time.monotonic(), keys.digest(shown)
        tries = {one: at for one, at in self._wrong.get(network, {}).items() if now - at < WITHIN_S}
        if len(tries) >= WRONG_TRIES:
            return None, 429
        user = keys.user(shown)
        if user is None and digest not in tries:
            self._wrong[network] = tries | {digest: now}
            if len(self._wrong) > ADDRESSES:
                del self._wrong[next(iter(self._wrong))]
            await asyncio.sleep(PAUSE_S * (len(tries) + 1))
        return user, 401


def kept_secret(folder: Path) -> bytes:
    """32 random bytes of this installation, made once; a ConfigError if they cannot be kept."""
    path = folder / "sign-in.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)  # before there is anything to read in it
        if path.stat().st_size != 32:
            path.write_bytes(os.urandom(32))
        return path.read_bytes()
    except OSError as failed:
        raise ConfigError(in_words("no_secret", path=path, why=failed.strerror)) from failed


def _refused(asking: HTTPConnection, status: int) -> Response:
    """A browser that opens a page is sent to sign in; whatever else asks is told what to send."""
    if asking.scope.get("method") == "GET" and "text/html" in asking.headers.get("accept", ""):
        place = quote(asking.scope["path"]) + (asking.url.query and f"?{asking.url.query}")
        return RedirectResponse(f"/signin?{urlencode({'next': place})}", 303)
    answer = error(status, GIVEN["messages"][str(status)], "authentication_error", "Authorization")
    answer.headers.update({"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": str(WITHIN_S)})
    return answer


def _form(keys: Keys, asking: HTTPConnection, user: str | None) -> Response:
    """The page to sign in on. A link on another site brings no cookie along, so the page has itself asked for again."""
    query = asking.query_params
    if user is not None and "next" in query:
        return _onward(query["next"])
    foreign = asking.headers.get("sec-fetch-site", "cross-site") == "cross-site" and "again" not in query
    return HTMLResponse(_page(keys, asking, query.get("next", "/"), again=foreign))


def _page(keys: Keys, asked: HTTPConnection, onward: str, name: str = "", status: str = "", again: bool = False) -> str:
    words = GIVEN["signin"]["zh" if asked.headers.get("accept-language", "").lower().startswith("zh") else "en"]
    url = f"/signin?{urlencode({'next': onward, 'again': 1})}" if again else ""
    return str(_FORM.page(words, onward, name, status, url, keys.named))


def _onward(place: str) -> RedirectResponse:
    """To where the reader was going, if that is on this server."""
    return RedirectResponse(place if INSIDE.fullmatch(place) else "/", 303)
