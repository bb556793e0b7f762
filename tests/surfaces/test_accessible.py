"""The page for those who use a keyboard, a screen reader, large type, less motion, the dark or Chinese.

The rules of WCAG that a program can check are checked by axe-core, in every state that the page can be in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from rag.answering.types import Done, Event
from rag.errors import ModelUnavailable
from rag.settings import Settings
from rag.surfaces.page.words import WORDS
from tests.surfaces.page_fixtures import Line, ScriptedRag, held, served
from tests.surfaces.test_page import ask, finished

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

AXE = str(files("axe_playwright_python") / "axe.min.js")
HANDS = "They hold hands while they sleep, so that they do not drift apart."
FUR = "Their fur has up to a million hairs per square inch."
TEXT = f"Otters are mammals. {HANDS}\n\n{FUR} It keeps the water out.\n"
WIDE = "```\n" + "x" * 400 + "\n```"
LONG = "word " * 1500 + "end?"
OTTERS = [Line(HANDS, (("otters.md", HANDS),)), Line(FUR, (("otters.md", FUR),)), Line("It is the thickest of all.")]
SCRIPT = {
    "What do otters do?": OTTERS,
    LONG: [*OTTERS, Line(WIDE, lead="\n\n")],
    "Is it down?": ModelUnavailable("The model tiny cannot be reached. Start it."),
}
FIGURE = """() => { // what is seen of the one in focus, and where it stands
  const one = document.activeElement;
  if (one === document.body) return null;
  const place = one.closest("#left, #side")?.id ?? "talk";
  const name = one.ariaLabel || one.title || one.textContent || one.id;
  let opacity = 1;
  for (let at = one; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
  const style = getComputedStyle(one), frame = one.closest(".input-container");
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const framed = frame && getComputedStyle(frame).borderColor !== window.unfocused;
  one.dataset.visits = 1 + Number(one.dataset.visits ?? 0);
  return { place, name: name.trim().slice(0, 40), seen: opacity > 0.9 && (ring || !!framed) };
}"""
UNVISITED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.dataset.visits !== "1")
  .map((one) => one.outerHTML.slice(0, 80))"""
BEYOND = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1) && !one.closest("pre, table, .live");
}).map((one) => one.outerHTML.slice(0, 80))"""
LISTEN = """() => {
  const live = document.querySelector("#tools .live");
  window.heard = [];
  new MutationObserver(() => window.heard.push(live.textContent)).observe(live, { childList: true });
}"""


class Suggesting(ScriptedRag):
    """Goes on with a suggestion after each answer."""

    def stream(self, *asked: Any, **given: Any) -> Iterator[Event]:
        for event in super().stream(*asked, **given):
            found = isinstance(event, Done) and not event.answer.abstained
            yield Done(replace(event.answer, suggestions=("And their fur?",))) if found else event


@pytest.fixture(scope="module")
def rag() -> ScriptedRag:
    texts = {"otters.md": TEXT, "seals.md": "Seals bark.", f"{'long' * 30}.md": "A name without a space."}
    return Suggesting(texts, SCRIPT, "tiny", ("What do otters do?",), unreadable={"broken.pdf": "It holds no text."})


@pytest.fixture(scope="module")
def address(rag: ScriptedRag) -> Iterator[str]:
    with served(rag) as address:
        yield address


@contextmanager
def visit(browser: Browser, address: str, width: int = 1400, **settings: Any) -> Iterator[Page]:
    settings = {"viewport": {"width": width, "height": 800}, "reduced_motion": "reduce", **settings}
    context = browser.new_context(**settings)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#tools .about")).not_to_be_empty()
    yield page
    context.close()


def go(page: Page, place: str) -> None:
    """Go there, where one place at a time is in sight."""
    button = page.locator(f".places button[data-place={place}]")
    if button.is_visible():
        button.click()


def open_source(page: Page) -> None:
    page.locator("#chat a.cite").first.click()
    expect(page.locator("#side mark")).to_be_visible()


def decline(page: Page) -> None:
    go(page, "talk")
    ask(page, "Who is on the moon?")
    page.locator("details.near summary").click()


def ask_for_feedback(page: Page) -> None:
    page.locator(".reply .act.bad").last.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def ask_for_deletion(page: Page) -> None:
    page.keyboard.press("Escape")
    go(page, "left")
    page.locator(".files .list .act.delete").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("trash")


def refuse_upload(page: Page) -> None:
    page.keyboard.press("Escape")
    page.locator(".files .pick").set_input_files({"name": "a.exe", "mimeType": "x/y", "buffer": b"x"})
    expect(page.locator(".coming .failed")).to_be_visible()


STATES: dict[str, Callable[[Page], None]] = {
    "at the start": lambda page: expect(page.locator(".welcome .ask")).to_have_count(1),
    "after an answer": lambda page: ask(page, LONG),
    "with a source open": open_source,
    "after an abstention": decline,
    "after a failure": lambda page: ask(page, "Is it down?"),
    "with the feedback form": ask_for_feedback,
    "with a question to confirm": ask_for_deletion,
    "after a refused upload": refuse_upload,
}


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_axe_finds_nothing_serious_in_any_state(browser: Browser, address: str, width: int) -> None:
    with visit(browser, address, width) as page:
        page.add_script_tag(path=AXE)
        found = [line for state, enter in STATES.items() for line in _violations(page, state, enter)]
    assert found == []


def _violations(page: Page, state: str, enter: Callable[[Page], None]) -> list[str]:
    """What axe finds by day; by night only colours differ."""
    enter(page)
    by_day = page.evaluate("axe.run()")["violations"]
    page.evaluate("document.body.classList.add('dark')")
    by_night = page.evaluate("axe.run({ runOnly: ['color-contrast'] })")["violations"]
    page.evaluate("document.body.classList.remove('dark')")
    serious = [one for one in by_day + by_night if one["impact"] in ("serious", "critical")]
    return [f"{state}: {one['id']}: {node['target']}" for one in serious for node in one["nodes"]]


def test_axe_finds_nothing_serious_where_one_signs_in(browser: Browser, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, auth="ann:one,ben:two")
    with served(ScriptedRag({}, {}, settings=settings)) as address, closing(browser.new_page()) as page:
        page.goto(address)
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.add_script_tag(path=AXE)
            assert _violations(page, scheme, lambda page: None) == []


def test_by_night_the_page_is_dark(browser: Browser, address: str) -> None:
    with visit(browser, address, color_scheme="dark") as page:
        assert page.evaluate("document.body.classList.contains('dark')")


def test_the_keyboard_reaches_everything_once_and_in_order(browser: Browser, address: str) -> None:
    with visit(browser, address) as page:
        ask(page, LONG)
        decline(page)
        open_source(page)
        page.locator("#side .close").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")  # beyond the last one, where the browser's own buttons are
        page.evaluate("window.unfocused = getComputedStyle(document.querySelector('.input-container')).borderColor")
        stops = []
        while len(stops) < 100 and (page.keyboard.press("Tab") or (stop := page.evaluate(FIGURE))):
            stops.append(stop)
        assert [stop["name"] for stop in stops if not stop["seen"]] == []
        places = [stop["place"] for stop in stops]
        assert places == sorted(places, key=["left", "talk", "side"].index) and set(places) == {"left", "talk", "side"}
        assert page.evaluate(UNVISITED) == []


@pytest.mark.parametrize("opener", ["#chat .act.bad", ".files .act.delete", ".talks .act.delete", ".talks .act.rename"])
def test_a_dialog_keeps_the_focus_and_gives_it_back(browser: Browser, address: str, opener: str) -> None:
    with visit(browser, address) as page:
        ask(page, "What do otters do?")
        expect(page.locator(".talks li")).not_to_have_count(0)
        page.evaluate(f"document.querySelector('{opener}').closest('li')?.querySelector('button').focus()")
        page.locator(opener).first.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert all(page.keyboard.press("Tab") or page.evaluate(inside) for _ in range(12))
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(opener).first).to_be_focused()


def test_a_screen_reader_hears_each_sentence_once(browser: Browser, rag: ScriptedRag, address: str) -> None:
    told = f"{HANDS} [1] {FUR} [2] It is the thickest of all. not found in the documents"
    with visit(browser, address) as page:
        page.evaluate(LISTEN)
        with held(rag, after=1):
            page.get_by_label("Your question").fill("What do otters do?")
            page.keyboard.press("Enter")
            expect(page.locator("#tools .live")).to_have_text(f"{HANDS} [1]")
        finished(page)
        assert _heard(page) == told
        ask(page, "What do otters do?")  # all at once, and the same again
        assert _heard(page) == told
        page.reload()
        expect(page.locator(".reply")).to_have_count(2)
        page.evaluate(LISTEN)
        ask(page, "Who is on the moon?")
        assert HANDS not in _heard(page)


def _heard(page: Page) -> str:
    """What was said since the last time, without what is being done."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    doing = {WORDS["en"][name] for name in ("searching", "reading")}
    said: list[str] = page.evaluate("window.heard.splice(0)")
    return "".join(one for one in said if one not in doing)


def test_nothing_moves_for_who_wants_less_motion(browser: Browser, rag: ScriptedRag, address: str) -> None:
    with visit(browser, address) as page, held(rag, after=1):
        page.get_by_label("Your question").fill("What do otters do?")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_be_visible()
        page.locator(".files .act").first.hover()
        assert page.evaluate("document.getAnimations().map((one) => one.effect.target.outerHTML.slice(0, 80))") == []


@pytest.mark.parametrize("size", [{"width": 360, "height": 640}, {"width": 640, "height": 400}])
def test_nothing_lies_beyond_the_edge_of_a_phone_or_at_twice_the_size(
    browser: Browser, address: str, size: dict[str, int]
) -> None:
    with visit(browser, address, viewport=size, device_scale_factor=2) as page:
        ask(page, LONG)
        open_source(page)
        for place in ("side", "talk", "left"):
            go(page, place)
            assert page.evaluate(BEYOND) == []
            assert page.evaluate("document.scrollingElement.scrollWidth") == size["width"]


def test_a_chinese_browser_shows_no_word_of_english_but_the_documents(browser: Browser, address: str) -> None:
    with visit(browser, address, locale="zh-CN") as page:
        shown = _words(page)
        page.get_by_label("您的问题").fill("What do otters do?")
        page.keyboard.press("Enter")
        expect(page.locator(".badge")).to_be_visible()
        open_source(page)
        shown |= _words(page)
        page.locator(".act.bad").last.click()
        shown |= _words(page)
    texts = [*WORDS["zh"].values(), TEXT, str(SCRIPT), LONG, "Title of seals.md, Section"]
    texts += ["broken.pdf: It holds no text.", "And their fur?"]
    assert shown - set(re.findall("[A-Za-z]{2,}", " ".join(texts))) - {"kB", "tiny", "long" * 30} == set()


def _words(page: Page) -> set[str]:
    """The words in Latin letters that are shown, or read out."""
    names = "(one) => [one.ariaLabel, one.title, one.placeholder, one.alt]"
    named = page.locator("body *").evaluate_all(f"(all) => all.flatMap({names}).join(' ')")
    return set(re.findall("[A-Za-z]{2,}", f"{page.title()} {page.locator('body').inner_text()} {named}"))


def test_the_language_of_the_page_is_named(browser: Browser, address: str) -> None:
    for locale, language in (("zh-TW", "zh"), ("de-DE", "en")):
        with visit(browser, address, locale=locale) as page:
            assert page.evaluate("document.documentElement.lang") == language
            assert page.title() == WORDS[language]["title"]
