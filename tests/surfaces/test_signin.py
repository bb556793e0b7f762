"""Who may come in: each way in, each way that is none, and what is told to whom."""

from __future__ import annotations

import asyncio
import base64
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import openai
import pytest
from fastapi import FastAPI
from playwright.sync_api import expect
from starlette.responses import PlainTextResponse
from starlette.routing import Router
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from rag.errors import ConfigError
from rag.settings import Settings, credentials
from rag.surfaces import signin
from rag.surfaces.server import build_app
from rag.surfaces.signin import SESSION_S, WRONG_TRIES, Keys, SignIn, kept_secret
from tests.surfaces.page_fixtures import Line, ScriptedRag, chromium, served

slow = pytest.mark.slow
pytestmark = pytest.mark.filterwarnings("default")  # Gradio's own warnings are not ours

SECRET = b"s" * 32
ONE, USERS = "open sesame", "ann:pw:1, ben:größe à"
PLACES = [
    "/",
    "/?view=a.md",
    "/healthz/",
    "/signin/",
    "/signin/x",
    "/signout",
    "/config",
    "/openapi.json",
    "/v1/models",
]
PLACES += ["/mcp", "/page/documents", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x", "//healthz", "/none"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "PAUSE_S", 0)


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells who is asking."""
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await socket.send_text(scope["rag.user"])
        return await socket.close()
    await PlainTextResponse(f"user={scope['rag.user']}")(scope, receive, send)


def keys(auth: str = ONE, secret: bytes = SECRET) -> Keys:
    return Keys(credentials(auth), secret)


def client_of(
    auth: str | None = ONE, *, outside: bool = False, address: str = "192.0.2.7", **headers: str | bytes
) -> TestClient:
    guarded = SignIn(who, keys(auth) if auth else None, outside=outside)
    return TestClient(guarded, headers=headers, follow_redirects=False, client=(address, 1))


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


# --- Who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "shown", "user"),
    [
        (ONE, f"Bearer {ONE}", ""),
        (ONE, f"bearer  {ONE}", ""),
        (ONE, basic(f"anyone:{ONE}"), ""),
        (ONE, basic(f":{ONE}"), ""),
        (USERS, "Bearer ann:pw:1", "ann"),
        (USERS, basic("ann:pw:1"), "ann"),
        (USERS, basic("ben:größe à"), "ben"),
        (USERS, "Bearer ben:größe à", "ben"),
    ],
)
def test_programs_come_in_by_each_way(auth: str, shown: str, user: str) -> None:
    headers = {"Authorization": shown.encode()}
    for path in PLACES:
        assert client_of(auth).request("PUT", path, headers=headers).text == f"user={user}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        (ONE, None),
        (ONE, ""),
        (ONE, "Bearer"),
        (ONE, "Bearer "),
        (ONE, "Bearer open"),
        (ONE, f"Bearer {ONE}x"),
        (ONE, f"Digest {ONE}"),
        (ONE, ONE),
        (ONE, "Basic ???"),
        (ONE, basic(ONE)),
        (ONE, basic(f"anyone:{ONE}\0")),
        (USERS, "Bearer pw:1"),
        (USERS, "Bearer ann:größe à"),
        (USERS, "Bearer ann:"),
        (USERS, "Bearer :pw:1"),
        (USERS, "Bearer ANN:pw:1"),
        (USERS, f"Bearer {USERS}"),
        (USERS, basic("ben:pw:1")),
        (USERS, basic("ann")),
    ],
)
def test_whatever_else_is_shown_lets_nobody_in(auth: str, shown: str | None) -> None:
    client = client_of(auth)
    headers = {} if shown is None else {"Authorization": shown.encode()}
    for path in PLACES:
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS"):
            if (method, path) == ("POST", "/signout"):
                continue  # whoever leaves need not be known
            answer = client.request(method, path, headers=headers)  # type: ignore[arg-type]
            assert answer.status_code == 401 and "user=" not in answer.text
            assert answer.headers["www-authenticate"] == "Bearer"  # Basic would have browsers ask, over the page
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/", headers=headers):  # type: ignore[arg-type]
        pass


def test_the_refusal_has_the_form_of_all_errors_and_says_what_to_do() -> None:
    error = client_of().get("/v1/models").json()["error"]
    assert set(error) == {"message", "type", "param"} and "Bearer" in error["message"] and "/signin" in error["message"]


def test_health_is_told_to_everyone() -> None:
    assert client_of().get("/healthz").text == "user="
    assert client_of().post("/healthz").status_code == 401


def test_websockets_come_in_as_requests_do() -> None:
    headers = {"Authorization": "Bearer ann:pw:1"}
    with client_of(USERS).websocket_connect("/", headers=headers) as socket:
        assert socket.receive_text() == "ann"


def test_without_a_sign_in_this_machine_is_let_in_and_others_are_not() -> None:
    assert client_of(None).get("/config").text == "user="
    other = client_of(None, outside=True)
    assert other.get("/healthz").text == "user="
    for path in [*PLACES, "/signin"]:
        refused = other.get(path, headers={"Accept": "text/html", "Authorization": "Bearer x"})
        assert refused.status_code == 403 and "set RAG_AUTH" in refused.json()["error"]["message"]
    with pytest.raises(WebSocketDisconnect), other.websocket_connect("/"):
        pass


# --- Browsers -----------------------------------------------------------------------------------------------------


def signed_in(client: TestClient, **form: str) -> httpx.Response:
    return client.post("/signin", data={"password": ONE} | form)


def test_a_browser_is_sent_to_sign_in_and_then_to_where_it_was_going() -> None:
    client = client_of(Accept="text/html,*/*")
    sent = client.get("/page/a b?x=1&y=%2F")
    assert sent.status_code == 303 and sent.headers["location"].startswith("/signin?next=")
    form = client.get(sent.headers["location"])
    assert form.status_code == 200 and 'value="/page/a%20b?x=1&amp;y=%2F"' in form.text
    back = signed_in(client, next="/page/a%20b?x=1&y=%2F")
    assert (back.status_code, back.headers["location"]) == (303, "/page/a%20b?x=1&y=%2F")
    assert client.get(back.headers["location"]).text == "user="


def test_only_opening_a_page_is_redirected() -> None:
    assert client_of(Accept="application/json").get("/").status_code == 401
    assert client_of(Accept="text/html").post("/").status_code == 401


OUTSIDE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "///evil",
]
OUTSIDE += [
    "",
    "evil",
    "/\n/evil.example",
    "/a\r\nSet-Cookie: x=1",
    "http:/\\evil.example",
    "/a\\b",
    " /a",
    "javascript:1",
]


@pytest.mark.parametrize("onward", OUTSIDE)
def test_signing_in_never_leads_to_another_site(onward: str) -> None:
    client = client_of()
    assert signed_in(client, next=onward).headers["location"] == "/"
    assert client.get("/signin", params={"next": onward}).headers["location"] == "/"  # signed in already


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    told = signed_in(client_of()).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_S}"} <= set(told.split("; "))
    assert "Secure" not in told
    behind = client_of(**{"X-Forwarded-Proto": "https"})
    assert "Secure" in signed_in(behind).headers["set-cookie"].split("; ")


def test_named_users_sign_in_with_both() -> None:
    client = client_of(USERS)
    assert signed_in(client, name=" ben ", password="größe à").status_code == 303
    assert client.get("/config").text == "user=ben"
    for name, password in [("ann", "größe à"), ("", "pw:1"), ("ann", ""), ("", "ann:pw:1")]:
        assert signed_in(client_of(USERS), name=name, password=password).status_code == 401


def test_leaving_forgets_the_cookie() -> None:
    client = client_of()
    signed_in(client)
    left = client.post("/signout")
    assert (left.status_code, left.headers["location"]) == (303, "/signin")
    assert client.get("/config").status_code == 401


def cookie_of(shown: Keys, value: str, seen_by: str = ONE) -> int:
    return client_of(seen_by, Cookie=f"{shown.cookie}={value}".encode()).get("/config").status_code


def test_a_cookie_is_taken_as_it_was_given_only() -> None:
    mine, later = keys(), int(time.time()) + 60
    value = mine.opened("", later)
    assert cookie_of(mine, value) == 200
    for at in range(len(value)):  # each place changed
        assert cookie_of(mine, value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]) == 401
    told, _, sign = value.partition(".")
    for other in ("", ".", told, f"{told}.", f".{sign}", f"{told}=.{sign}", value + "x", "é", "." * 5000):
        assert cookie_of(mine, other) == 401


def test_a_session_ends() -> None:
    mine, now = keys(), int(time.time())
    assert cookie_of(mine, mine.opened("", now + 60)) == 200
    assert cookie_of(mine, mine.opened("", now)) == cookie_of(mine, mine.opened("", -1)) == 401


def test_a_changed_password_or_secret_ends_sessions_and_another_users_does_not() -> None:
    now, later = keys(USERS), int(time.time()) + 60
    ann, ben = now.opened("ann", later), now.opened("ben", later)
    changed = "ann:other,ben:größe à,eve:x"
    assert (cookie_of(now, ann, changed), cookie_of(now, ben, changed)) == (401, 200)
    assert cookie_of(now, ben, "ann:pw:1") == 401  # no user any more
    assert now.holder(keys(USERS, b"t" * 32).opened("ann", later)) is None
    forged = ann.partition(".")[0] + "." + ben.partition(".")[2]
    assert cookie_of(now, forged, USERS) == 401


def test_the_secret_outlives_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    made = kept_secret(tmp_path / "data")
    assert len(made) == 32 and made == kept_secret(tmp_path / "data") != kept_secret(tmp_path / "other")
    assert stat.S_IMODE((tmp_path / "data" / "sign-in.key").stat().st_mode) == 0o600
    (tmp_path / "data" / "sign-in.key").write_bytes(b"torn")
    assert len(kept_secret(tmp_path / "data")) == 32
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="RAG_DATA_DIR"):
        kept_secret(tmp_path / "file")


# --- The page to sign in on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "lang"), [("zh-CN,zh;q=0.9", "zh"), ("en-US", "en"), ("fr", "en"), ("", "en")])
def test_the_form_speaks_the_readers_language(language: str, lang: str) -> None:
    client = client_of(USERS, **{"Accept-Language": language})
    assert f'<html lang="{lang}">' in client.get("/signin").text
    wrong = signed_in(client, name='"><script>alert(1)</script>', next='"><script>')
    said = {"zh": "不正确", "en": "not right"}[lang]
    assert wrong.status_code == 401 and said in wrong.text.partition('role="alert"')[2].partition("</p>")[0]
    assert "<script>" not in wrong.text and ONE not in wrong.text


def test_a_link_on_another_site_is_looked_at_again_with_the_cookie() -> None:
    """Browsers leave the cookie out there; who has signed in is not to do so again."""
    client = client_of()
    for said in ({"Sec-Fetch-Site": "cross-site"}, {}):  # over plain HTTP, browsers do not say it
        first = client.get("/signin?next=/%3Fa=1", headers=said).text
        assert 'http-equiv="refresh" content="0;url=/signin?next=%2F%3Fa%3D1&amp;again=1"' in first
    assert "http-equiv" not in client.get("/signin?next=/", headers={"Sec-Fetch-Site": "same-origin"}).text
    again = {"next": "/?a=1", "again": "1"}
    assert "http-equiv" not in client.get("/signin", params=again, headers={"Sec-Fetch-Site": "cross-site"}).text
    signed_in(client)
    assert client.get("/signin", params=again).headers["location"] == "/?a=1"


# --- Guessing -----------------------------------------------------------------------------------------------------


def test_after_too_many_wrong_ones_none_is_looked_at_until_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    client, now = client_of(), time.monotonic()
    for number in range(WRONG_TRIES):
        wrong = {"Authorization": f"Bearer {number}"}
        assert client.get("/config", headers=wrong).status_code == 401
    right = {"Authorization": f"Bearer {ONE}"}
    refused = client.get("/config", headers=right)
    assert refused.status_code == 429 and refused.headers["retry-after"] == "60" and "error" in refused.json()
    form = signed_in(client)
    assert form.status_code == 429 and "Too many wrong tries" in form.text and "set-cookie" not in form.headers
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert client.get("/config", headers=right).status_code == 200


def test_a_program_with_one_wrong_key_locks_nobody_out() -> None:
    client = client_of()
    for _ in range(3 * WRONG_TRIES):
        assert client.get("/config", headers={"Authorization": "Bearer old key"}).status_code == 401
    assert signed_in(client).status_code == 303


def test_who_has_signed_in_is_not_held_up_by_others_tries() -> None:
    client = client_of()
    signed_in(client)
    for number in range(2 * WRONG_TRIES):
        signed_in(client, password=str(number))
    assert client.get("/config", headers={"Authorization": "Bearer of a proxy"}).text == "user="


def test_addresses_are_told_apart_and_only_so_many_are_kept_in_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "ADDRESSES", 5)
    guarded = SignIn(who, keys())

    def tried(address: str, shown: str) -> int:
        client = TestClient(guarded, client=(address, 1))
        return client.get("/config", headers={"Authorization": f"Bearer {shown}"}).status_code

    for number in range(WRONG_TRIES):
        assert tried("192.0.2.1", str(number)) == tried(f"2001:db8::{number}", str(number)) == 401
    assert tried("192.0.2.1", ONE) == tried("2001:db8::ffff", ONE) == 429  # all that one customer has
    assert tried("192.0.2.2", ONE) == tried("2001:db8:0:1::1", ONE) == 200
    for number in range(10):
        tried(f"198.51.100.{number}", "wrong")
    assert len(guarded._wrong) == 5


def test_each_wrong_one_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(signin, "PAUSE_S", 0.5)
    monkeypatch.setattr(signin.asyncio, "sleep", sleep)
    client = client_of()
    for shown in ("a", "b", "b", "c", ONE):
        client.get("/config", headers={"Authorization": f"Bearer {shown}"})
    assert waited == [0.5, 1.0, 1.5]


# --- The whole server ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rag(tmp_path_factory: pytest.TempPathFactory) -> ScriptedRag:
    settings = Settings(_env_file=None, auth=USERS, data_dir=tmp_path_factory.mktemp("data"))
    return ScriptedRag({"a.md": "A."}, {"Why?": [Line("So.", (("a.md", "A."),))]}, settings=settings)


@pytest.fixture(scope="module")
def address(rag: ScriptedRag) -> Iterator[str]:
    with served(rag) as address:
        yield address


def everything(app: Router) -> Iterator[tuple[str, str]]:
    """Every method and path that the application and the page in it answer."""
    for route in app.routes:
        for inner in (getattr(route, "app", None), getattr(route, "original_router", None)):
            if hasattr(inner, "routes"):
                yield from everything(inner)
        for method in getattr(route, "methods", None) or ("GET",):
            yield method, re.sub(r"{(\w+)(:\w+)?}", "x", getattr(route, "path", "")) or "/"


@slow
def test_every_route_of_the_server_is_behind_the_sign_in(address: str, rag: ScriptedRag) -> None:
    async def built() -> FastAPI:  # within a loop: without one, Gradio makes loops that it never closes
        return build_app(rag)  # type: ignore[arg-type]

    routes = {one for one in everything(asyncio.run(built())) if one != ("GET", "/healthz")}
    assert {("GET", "/config"), ("GET", "/openapi.json"), ("POST", "/gradio_api/queue/join")} < routes and len(
        routes
    ) > 40
    with httpx.Client(base_url=address) as client:
        for method, path in sorted(routes):
            answer = client.request(method, path)
            assert answer.status_code == 401, f"{method} {path}"
        assert client.get("/healthz").json()["ready"]
        assert USERS.partition(",")[0] not in client.get("/healthz").text
        known = {"Authorization": "Bearer ann:pw:1"}
        assert client.get("/config", headers=known).json()["dependencies"]


@slow
def test_the_openai_package_comes_in_by_its_key(address: str) -> None:
    """There is no such route here; what matters is who is told so."""
    for key, refusal in [("ann:pw:1", openai.NotFoundError), ("ann:wrong", openai.AuthenticationError)]:
        with openai.OpenAI(base_url=f"{address}/nowhere", api_key=key, max_retries=0) as client:
            with pytest.raises(refusal):
                client.models.list()


@slow
def test_what_signs_in_must_come_from_the_page_itself_and_be_short(address: str) -> None:
    form = {"name": "ann", "password": "pw:1"}
    for foreign in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert httpx.post(f"{address}/signin", data=form, headers=foreign).status_code == 403
    assert httpx.post(f"{address}/signin", data=form | {"next": "x" * 20_000}).status_code == 413
    assert httpx.post(f"{address}/signin", data=form).status_code == 303


@slow
def test_handlers_of_the_page_are_told_who_asks() -> None:
    """Through Gradio's queue, as the page's own are called."""
    import gradio as gr

    seen: list[str] = []

    def heard(text: str, request: object) -> str:
        seen.append(request.request.scope["rag.user"])  # type: ignore[attr-defined]
        return text

    heard.__annotations__["request"] = gr.Request  # what Gradio goes by; its name is not known outside of the test

    async def built() -> FastAPI:
        with gr.Blocks() as blocks:
            box = gr.Textbox()
            box.submit(heard, box, box)
        app = FastAPI()
        gr.mount_gradio_app(app, blocks.queue(), path="/")
        return app

    with TestClient(SignIn(asyncio.run(built()), keys(USERS)), headers={"Authorization": "Bearer ann:pw:1"}) as client:
        call = {"data": ["x"], "fn_index": 0, "session_hash": "tab"}
        client.post("/gradio_api/queue/join", json=call).raise_for_status()
        assert "process_completed" in client.get("/gradio_api/queue/data?session_hash=tab").text
    assert seen == ["ann"]


@slow
@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False])
def test_a_reader_signs_in_with_the_keyboard_and_comes_to_the_page(address: str, script: bool) -> None:
    with chromium() as browser:
        context = browser.new_context(java_script_enabled=script)
        page = context.new_page()
        page.goto(f"{address}/?a=1")
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.type("ann")
        page.keyboard.press("Tab")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That is not right. Please try again.")
        page.get_by_label("Password").fill("pw:1")
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{address}/?a=1")
        if script:
            page.get_by_label("Your question").fill("Why?")
            page.keyboard.press("Enter")
            expect(page.locator(".said")).to_contain_text("So.")
        page.goto(f"data:text/html,<a href='{address}/?a=2'>a link elsewhere</a>")
        page.get_by_role("link").click()
        expect(page).to_have_url(f"{address}/?a=2")


@slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_can_be_read_by_weak_eyes(address: str, scheme: Literal["light", "dark"]) -> None:
    """WCAG 2.2 AA: text 4.5 to 1, the edges of fields 3 to 1."""
    with chromium() as browser:
        page = browser.new_context(color_scheme=scheme).new_page()
        page.goto(f"{address}/signin")
        colours = page.evaluate(COLOURS)
    assert len(colours) == 6
    for text, ground, least in colours:
        assert contrast(text, ground) >= least, (text, ground)


COLOURS = """() => {
  const style = (name) => getComputedStyle(document.querySelector(name));
  const paper = style('body').backgroundColor;
  return [[style('h1').color, paper, 4.5], [style('label').color, paper, 4.5],
    [style('[role=alert]').color, paper, 4.5],
    [style('input').color, style('input').backgroundColor, 4.5], [style('input').borderTopColor, paper, 3],
    [style('button').color, style('button').backgroundColor, 4.5]];
}"""


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, of two CSS colours."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)
