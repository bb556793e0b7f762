"""Whatever documents, users, models, file names and addresses say, the page shows it as text and does nothing.

One browser goes through everything that shows foreign text, with all payloads at once; the tests look at what came.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from rag.answering.types import Answer, Citation, Done, Event, ModelState, Sentence
from rag.conversations import Conversations
from rag.errors import CorpusError, ModelUnavailable, StoreError
from rag.surfaces.page.words import WORDS
from tests.surfaces.page_fixtures import Line, Listed, ScriptedRag, chromium, served
from tests.surfaces.test_page import finished

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

FAR = "http://127.0.0.1:9"  # nobody listens there
PAYLOADS = (
    "<script>owned=1</script>",
    "</script><script>owned=1</script>",
    "</style><script>owned=1</script><style>*{display:none}",
    f"<img src={FAR}/img onerror=owned=1>",
    f'"><img src="{FAR}/quoted" onerror="owned=1">',
    "' onmouseover='owned=1' onfocus='owned=1' autofocus='",
    '" style="position:fixed;inset:0" onclick="owned=1" x="',
    f"<svg onload=owned=1><use href={FAR}/use></svg>",
    "<svg><animate onbegin=owned=1 attributeName=x></svg>",
    f"<svg><style>*{{background:url({FAR}/svg)}}</style></svg>",
    f"<math><mtext><mglyph><style><img src={FAR}/mxss onerror=owned=1>",
    f"<style>body{{background:url({FAR}/css)}}</style>",
    f"<div style='background:url({FAR}/inline);position:fixed;inset:0'>cover</div>",
    f"<link rel=stylesheet href={FAR}/link><link rel=preload as=image href={FAR}/preload>",
    f"<iframe src={FAR}/frame></iframe>",
    '<iframe srcdoc="<script>parent.owned=1</script>"></iframe>',
    f"<object data={FAR}/object></object><embed src={FAR}/embed>",
    f"<video src={FAR}/video poster={FAR}/poster autoplay></video><audio src={FAR}/audio autoplay>",
    f"<meta http-equiv=refresh content='0;url={FAR}/refresh'>",
    f"<base href={FAR}/base/>",
    f"<form action={FAR}/form><input name=password autofocus><button>Sign in</button></form>",
    "<template><script>owned=1</script></template><noscript><p title='</noscript><img src=x onerror=owned=1>'>",
    "<!-- --!><img src=x onerror=owned=1> <!",
    "<![CDATA[><script>owned=1</script>]]><?xml version='1.0'?>",
    "<a href=javascript:owned=1>press</a> [press](javascript:owned=1) <javascript:owned=1>",
    "[press](data:text/html;base64,PHNjcmlwdD5vd25lZD0xPC9zY3JpcHQ+) data:text/html,<script>owned=1</script>",
    f"![x]({FAR}/markdown) ![y][z]\n\n[z]: {FAR}/reference",
    f"[here]({FAR}/link 'title') <{FAR}/auto> {FAR}/bare www.example.com",
    f"$$\\require{{html}}\\href{{javascript:owned=1}}{{x}}$$ \\(x\\) $\\includegraphics{{{FAR}/tex}}$",
    '```mermaid\ngraph TD; A["<img src=x onerror=owned=1>"]; click A "javascript:owned=1"\n```',
    "```html\n<script>owned=1</script>\n```\n~~~\n| a | b |\n|---|---|\n| <b>1</b> | 2 |",
    "# Heading\n- [ ] task\n> quote\n***bold*** <b>b</b> `code` ~~gone~~",
    "<p id=chat>1</p><a id=page name=body>2</a><form id=body name=querySelector><input name=attributes></form>",
    '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
    "__proto__[polluted]=1&constructor.prototype.polluted=1&{count}&$&&$1&%s&{title}",
    "{{constructor.constructor('owned=1')()}} ${owned=1} <%= owned=1 %> #{owned=1}",
    "&lt;script&gt;owned=1&lt;/script&gt; &#60;img src=x onerror=owned=1&#62; \\u003cscript\\u003e",
    "a\r\nContent-Type: text/html\r\n\r\n<script>owned=1</script>",
    "gnp.\u202eexe.\u2066harmless\u2069\u200b\u200d\ufeff\u0000\u001b[31m\u2028owned=1",
    "\uff1cscript\uff1eowned=1\uff1c/script\uff1e \u02c2img src=x onerror=owned=1\u02c3 e" + "\u0301" * 40,
    "\ue00099\ue001 [1] <a href='#src-1-1' class='cite'>1</a> <span class=unfounded> ../../../etc/passwd%00",
)
ALL = "\n\n".join(PAYLOADS)
NAMES = [f"{payload}.md" for payload in PAYLOADS]
TEXTS = {name: f"Before it. {payload} And after." for name, payload in zip(NAMES, PAYLOADS, strict=True)}
CANARY = "for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = () => { window.owned = name; };"
SCOPE = ":is(.asked, .reply, .welcome, .shelf, .tools, #side, dialog)"
FOREIGN = f"""(title) => {{ // what came of a payload: elements that are not ours, and traces of scripts
  const odd = "script, style, link, meta, base, title, template, noscript, [style], [name]:not(dialog *)"
    + ", img, svg, math, picture, video, audio, object, embed, iframe, frame, canvas, marquee"
    + ", form:not(dialog > form), input:not(.shelf input, dialog input), a:not(.cite, .at)";
  const wrong = (one) => [...one.attributes].some(({{ name }}) => /^(on|src|formaction|ping|xlink)/.test(name))
    || (one.id && !/^(left|side|src-\\d+-\\d+)$/.test(one.id));
  const traces = [window.owned, ({{}}).polluted, document.title === title ? undefined : document.title];
  return [...document.querySelectorAll('{SCOPE}, {SCOPE} *')]
    .filter((one) => one.matches(odd) || wrong(one)).map((one) => one.outerHTML.slice(0, 100))
    .concat(traces.filter((one) => one));
}}"""
OPENED = """(all, part) => all.map((link) => { // what the panel shows of each citation
  link.click();
  return document.querySelector(`#side .opened ${part}`).textContent;
})"""
READ = """async (all) => { // what it shows of each document
  const found = [];
  for (const one of all) {
    await window.page.openAt(one);
    found.push(document.querySelector("#side .passage").textContent);
  }
  return found;
}"""


class HostileRag(ScriptedRag):
    """All that it says is a payload."""

    def documents(self) -> list[Listed]:
        return [Listed(name, payload, 1, 1) for name, payload in zip(NAMES, PAYLOADS, strict=True)]

    def models(self) -> list[ModelState]:
        return [ModelState(self.model), *(ModelState(one, "unreachable", one) for one in PAYLOADS)]

    def delete(self, source: str) -> None:
        raise StoreError(ALL)

    def ingest(self, paths: Sequence[Any] = ()) -> None:
        raise CorpusError(ALL)

    def stream(self, *asked: Any, **given: Any) -> Iterator[Event]:
        for event in super().stream(*asked, **given):
            done = isinstance(event, Done)
            yield Done(replace(event.answer, query=ALL, note=ALL, suggestions=PAYLOADS)) if done else event


@dataclass
class Walk:
    """What was seen on the way: texts by where they were shown, and what should not have been."""

    shown: dict[str, list[str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def saved_answer(payload: str, name: str, model: str) -> Answer:
    start = TEXTS[name].index(payload)
    cited = Citation(1, name, payload, payload, None, start, start + len(payload), payload, (0, 3))
    sentence = Sentence(payload, 0, len(payload), (cited,), True)
    return Answer(kept(payload), payload + "?", payload + " [1]", False, "", 0.9, (sentence,), (), model, 0.1, payload)


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    rag = HostileRag(TEXTS, {}, questions=PAYLOADS, unreadable=dict(zip(NAMES, PAYLOADS, strict=True)))
    lines = [Line(payload, ((name, payload),)) for name, payload in zip(NAMES, PAYLOADS, strict=True)]
    rag.script = {"Say it": lines, "Fail": ModelUnavailable(ALL), "Crash": KeyError(ALL), "Decline": ALL}
    saved = Conversations(rag.settings.data_dir)
    for number, (payload, name) in enumerate(zip(PAYLOADS, NAMES, strict=True), 1):
        saved.ask("", f"title-{number}", 1, payload)
        for model in ("extractive", "tiny"):
            saved.ask("", model, number, payload)
            saved.answer("", model, number, saved_answer(payload, name, model))
    walked = Walk()
    with served(rag) as address, chromium() as browser:
        page = browser.new_page()
        page.add_init_script(CANARY)
        page.on("request", lambda request: _note(request.url, address, walked))
        for event in ("dialog", "popup", "pageerror", "download"):
            page.on(event, lambda it, event=event: walked.events.append(f"{event}: {it}"))  # type: ignore[call-overload]
        _go(page, address, walked)
    yield walked


def _note(url: str, address: str, walked: Walk) -> None:
    if not url.startswith((f"{address}/", "data:")):
        walked.requests.append(url)


def _go(page: Page, address: str, walked: Walk) -> None:
    page.goto(f"{address}/?c=extractive")

    def see(**shown: str) -> None:
        walked.foreign += page.evaluate(FOREIGN, WORDS["en"]["title"])
        walked.shown |= {name: page.locator(selector).all_text_contents() for name, selector in shown.items()}

    expect(page.locator(".asked")).to_have_count(len(PAYLOADS))
    expect(page.locator(".talks li")).not_to_have_count(0)
    expect(page.locator(".files li .name")).not_to_have_count(0)
    see(question=".asked", sentence=".said", note=".reply .note", query=".query", conversation=".talks .name")
    see(model="#tools option:disabled", failed=".failed .name", reason=".failed .place")
    see(document=".files li:not(.failed) .name")
    for name, part in (("quote", "mark"), ("title", ".title"), ("place", ".place"), ("passage", ".passage")):
        walked.shown[name] = page.locator("#chat a.cite").evaluate_all(OPENED, part)
    see()
    walked.shown["text"] = page.evaluate(READ, [f"#at?source={quote(name)}" for name in NAMES])
    _delete_and_upload(page, see)
    page.evaluate("window.page.open('tiny')")
    expect(page.locator(".said.written")).to_have_count(len(PAYLOADS))
    see()
    page.locator(".talks .new").click()
    expect(page.locator(".welcome .ask")).to_have_count(len(PAYLOADS))
    see(starter=".welcome .ask")
    for number, question in enumerate(("Say it", "Fail", "Crash", "Decline", ALL), 1):
        page.get_by_label("Your question").fill(question)
        page.keyboard.press("Enter")
        expect(page.locator(".reply")).to_have_count(number)
        finished(page)
        see(**{question[:7]: ".reply >> nth=-1"}, suggestion=".further >> nth=0 >> .ask")
    page.locator(".reply .act.bad").first.click()
    page.locator("dialog textarea").fill(ALL)
    see()
    page.locator("dialog .strong").click()
    for payload in PAYLOADS[::14]:
        named = quote(payload)
        page.goto(f"{address}/?c={named}&source={named}&start={named}&__theme={named}&__lang={named}&{named}#{named}")
        expect(page.get_by_role("dialog")).to_be_visible()  # such a document there is not
        see()


def _delete_and_upload(page: Page, see: Any) -> None:
    page.locator(".files .act.delete").last.click()
    page.locator("dialog .strong").click()
    expect(page.locator("dialog p")).to_contain_text("owned")
    see(error="dialog p")
    page.keyboard.press("Escape")
    files = [{"name": f"{name}.exe", "mimeType": "text/html", "buffer": b"x"} for name in NAMES]
    page.locator(".pick").set_input_files([*files, {"name": "a.md", "mimeType": "text/html", "buffer": b"x"}])
    expect(page.locator(".files .list .failed")).to_have_count(len(PAYLOADS) + 1)
    see(upload=".coming .name", problem=".files .list .failed >> nth=0")


def shown(text: str) -> str:
    """What a message shows of a text: all of it, with U+FFFD for what no font has."""
    text = text.replace("\r\n", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\ue000\ue001]", "\ufffd", text)


def kept(text: str) -> str:
    """What is kept of a question: no control or format characters, one space between words."""
    text = re.sub(r"\x1b\[\d*m", "", text)
    unseen = {one for one in text if unicodedata.category(one) in ("Cc", "Cf") and one not in "\r\n"}
    return " ".join("".join(one for one in text if one not in unseen).split())


def test_nothing_was_asked_of_any_other_place(walk: Walk) -> None:
    assert walk.requests == []


def test_no_script_ran_and_no_element_came_of_a_payload(walk: Walk) -> None:
    assert walk.foreign == [] and walk.events == []


LITERAL = {  # what each place shows, for the payloads one after the other
    "question": [shown(kept(one)) for one in PAYLOADS],
    "conversation": [kept(one) if len(kept(one)) <= 80 else kept(one)[:79].rstrip() + "…" for one in PAYLOADS[::-1]],
    "sentence": [shown(one) + "1" for one in PAYLOADS],
    "query": [shown(one) + "?" for one in PAYLOADS],
    "note": list(map(shown, PAYLOADS)),
    "title": list(map(shown, PAYLOADS)),
    "place": [shown(f"{one} · {one}.md") for one in PAYLOADS],
    "quote": list(map(shown, PAYLOADS)),
    "passage": list(map(shown, TEXTS.values())),
    "text": list(TEXTS.values()),
    "document": list(PAYLOADS),
    "failed": NAMES,
    "reason": [f"Left out: {one}" for one in PAYLOADS],
    "model": [f"{one} (not reachable)" for one in PAYLOADS],
    "starter": list(PAYLOADS),
    "suggestion": list(map(shown, PAYLOADS)),
    "error": [ALL],
    "problem": [ALL],
}


@pytest.mark.parametrize("place", LITERAL)
def test_every_payload_is_shown_literally(walk: Walk, place: str) -> None:
    assert walk.shown[place][-len(LITERAL[place]) :] == LITERAL[place]


@pytest.mark.parametrize("place", ["Say it", "Fail", "Decline"])
def test_every_payload_is_shown_literally_in_a_live_reply(walk: Walk, place: str) -> None:
    (found,) = walk.shown[place]
    assert [payload for payload in PAYLOADS if shown(payload) not in found] == []


def test_an_unexpected_failure_shows_nothing_of_it(walk: Walk) -> None:
    assert "owned" not in walk.shown["Crash"][0]


def test_names_of_uploads_are_shown_literally(walk: Walk) -> None:
    assert [name for name in NAMES if f"{name}.exe" not in walk.shown["upload"]] == []
