"""The page as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from rag.errors import ModelUnavailable
from tests.surfaces.page_fixtures import Line, ScriptedRag, held, served

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

TEXT = """Otters are mammals. They hold hands while they sleep, so that they do not drift apart.

Their fur has up to a million hairs per square inch. It keeps the water out.
"""
HANDS = "They hold hands while they sleep, so that they do not drift apart."
FUR = "Their fur has up to a million hairs per square inch."
EVIL = (
    "<script>document.title='owned'</script><img src=http://127.0.0.1:9/img onerror=\"document.title='owned'\"> "
    "![x](http://127.0.0.1:9/md) [click](javascript:alert(1)) $$\\require{html}\\href{javascript:alert(1)}{x}$$ "
    '<div style="position:fixed;inset:0;background:url(http://127.0.0.1:9/css)">cover</div> `code` **bold** '
    "<form action=http://127.0.0.1:9/f><input></form> &lt;b&gt; https://example.com/auto <a href='#src-1-1'>9</a> [1]"
)
MARKDOWN = "See [here](http://127.0.0.1:9/a) and ![i](http://127.0.0.1:9/b) <img src=http://127.0.0.1:9/c> **strong**."
SCRIPT = {
    "What do otters do?": [Line(HANDS, (("otters.md", HANDS),)), Line(FUR, (("otters.md", FUR),))],
    "And their fur?": [Line(FUR, (("otters.md", FUR),)), Line("It is the thickest of all.")],
    "Is it down?": ModelUnavailable("The model tiny at localhost cannot be reached. Start it."),
    "Does it crash?": KeyError("a secret detail"),
    "What is hostile?": [Line(EVIL, (("evil.md", EVIL),))],
    EVIL: [Line(HANDS, (("otters.md", HANDS),))],
}


@pytest.fixture(scope="module")
def rag() -> ScriptedRag:
    return ScriptedRag({"otters.md": TEXT, "evil.md": EVIL}, SCRIPT, questions=("What do otters do?",))


@pytest.fixture(scope="module")
def address(rag: ScriptedRag) -> Iterator[str]:
    with served(rag) as address:
        yield address


@pytest.fixture
def requests() -> list[str]:
    """The addresses that the page asked for."""
    return []


@pytest.fixture
def page(browser: Browser, rag: ScriptedRag, address: str, requests: list[str]) -> Iterator[Page]:
    rag.heard.clear()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened(page, address)
    yield page
    context.close()
    assert complaints == []


def opened(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


def ask(page: Page, question: str) -> None:
    """Ask, and wait until the reply is whole."""
    replies = page.locator(".reply").count()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".reply")).to_have_count(replies + 1)
    finished(page)


def finished(page: Page) -> None:
    expect(page.locator(".reply").last).to_be_visible()
    expect(page.locator(".working")).to_have_count(0)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


def said(page: Page) -> str:
    return page.locator(".said").last.inner_text()


def test_a_starter_question_is_asked_by_a_click(page: Page) -> None:
    page.get_by_role("button", name="What do otters do?").click()
    finished(page)
    assert said(page) == f"{HANDS}1 {FUR}2"


def test_a_citation_opens_its_exact_quote_within_its_passage(page: Page) -> None:
    ask(page, "What do otters do?")
    page.locator("a.cite").nth(1).click()
    panel = page.get_by_label("Sources")
    expect(panel.locator("mark")).to_have_text(FUR)
    expect(panel.locator("mark")).to_be_in_viewport()
    assert panel.locator(".passage").text_content() == TEXT
    expect(panel).to_contain_text("Title of otters.md")


def test_a_citation_opens_with_the_keyboard_and_escape_goes_back(page: Page) -> None:
    ask(page, "What do otters do?")
    page.get_by_label("Your question").focus()
    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.className").startswith("cite"):
            break
    chosen = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("#side mark")).to_have_text({"1": HANDS, "2": FUR}[chosen])
    page.keyboard.press("Escape")
    expect(page.locator("#side mark")).to_be_hidden()
    assert page.evaluate("document.activeElement.textContent") == chosen


def test_a_pointer_that_rests_on_a_citation_shows_its_passage_and_takes_no_focus(page: Page) -> None:
    ask(page, "What do otters do?")
    page.get_by_label("Your question").focus()
    page.locator("a.cite").nth(1).hover()
    expect(page.locator("#side mark")).to_have_text(FUR)
    expect(page.get_by_label("Your question")).to_be_focused()


def test_each_turns_citations_open_their_own_passages(page: Page) -> None:
    ask(page, "What do otters do?")
    ask(page, "And their fur?")
    page.locator("a.cite").nth(0).click()
    expect(page.locator("#side mark")).to_have_text(HANDS)
    page.locator("a.cite").nth(2).click()
    expect(page.locator("#side mark")).to_have_text(FUR)
    ids = page.locator("[id^=src-]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids)) == 3


def test_a_follow_up_brings_the_conversation_as_plain_text(page: Page, rag: ScriptedRag) -> None:
    ask(page, "What do otters do?")
    ask(page, "And their fur?")
    assert rag.heard[-1] == (
        "And their fur?",
        [
            {"role": "user", "content": "What do otters do?"},
            {"role": "assistant", "content": f"{HANDS} [1] {FUR} [2]"},
        ],
    )
    expect(page.locator(".searched .query")).to_have_text("And their fur? (resolved)")


def test_what_the_page_adds_and_what_got_no_answer_is_no_part_of_the_conversation(page: Page, rag: ScriptedRag) -> None:
    ask(page, "Is it down?")
    ask(page, "And their fur?")
    ask(page, "What do otters do?")
    asked, said = rag.heard[-1][1]
    assert asked == {"role": "user", "content": "And their fur?"}
    assert said["content"].endswith("It is the thickest of all.")


def test_a_sentence_without_support_says_so_in_words(page: Page) -> None:
    ask(page, "And their fur?")
    assert said(page).endswith("It is the thickest of all. not found in the documents")


def test_an_abstention_says_why_and_cites_nothing(page: Page) -> None:
    ask(page, "Who is on the moon?")
    expect(page.locator(".declined")).to_contain_text("nothing was found about it")
    assert page.locator("a.cite").count() == 0


def test_retry_answers_the_same_question_again(page: Page, rag: ScriptedRag) -> None:
    ask(page, "What do otters do?")
    ask(page, "And their fur?")
    first = rag.heard[-1]
    with held(rag):
        page.locator(".reply").last.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
    finished(page)
    assert rag.heard[-1] == first and len(rag.heard) == 3
    assert page.locator(".asked").all_inner_texts() == ["What do otters do?", "And their fur?"]
    page.locator("a.cite").last.click()
    expect(page.locator("#side mark")).to_have_text(FUR)


def test_stop_keeps_what_was_said_and_takes_the_next_question_at_once(page: Page, rag: ScriptedRag) -> None:
    with held(rag, after=1):
        page.get_by_label("Your question").fill("What do otters do?")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_have_text(f"{HANDS}1")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".note", has_text="Stopped.")).to_be_visible()
        finished(page)
        ask(page, "Who is on the moon?")
    expect(page.locator(".said").first).to_have_text(f"{HANDS}1")
    conversation = [("user", "What do otters do?"), ("assistant", f"{HANDS} [1]")]
    assert rag.heard[-1][1] == [{"role": role, "content": content} for role, content in conversation]


def test_copy_gives_text_not_html(page: Page) -> None:
    ask(page, "What do otters do?")
    page.locator(".reply").last.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"{HANDS} [1] {FUR} [2]"


def test_what_is_typed_while_an_answer_comes_stays_in_the_box(page: Page, rag: ScriptedRag) -> None:
    box = page.get_by_label("Your question")
    with held(rag, after=1):
        box.fill("What do otters do?")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_have_text(f"{HANDS}1")
        box.fill("And their fur?")
        page.keyboard.press("Enter")
    finished(page)
    expect(box).to_have_value("And their fur?")
    assert [question for question, _ in rag.heard] == ["What do otters do?"]


def test_a_new_chat_forgets_the_old_one_even_while_it_answers(page: Page, rag: ScriptedRag) -> None:
    ask(page, "What do otters do?")
    page.locator("a.cite").first.click()
    with held(rag):
        page.get_by_label("Your question").fill("And their fur?")
        page.keyboard.press("Enter")
        expect(page.locator(".working")).to_have_text("Reading what was found …")
        page.get_by_role("button", name="New chat").click()
        expect(page.locator(".asked")).to_have_count(0)
        expect(page.locator("#side mark")).to_be_hidden()
    ask(page, "And their fur?")
    assert page.locator(".asked").all_inner_texts() == ["And their fur?"]
    assert rag.heard[-1] == ("And their fur?", [])


def test_a_failure_of_the_world_is_told_in_its_own_words(page: Page) -> None:
    ask(page, "Is it down?")
    expect(page.locator(".failure")).to_have_text("The model tiny at localhost cannot be reached. Start it.")
    ask(page, "What do otters do?")
    assert said(page) == f"{HANDS}1 {FUR}2"


def test_an_unexpected_failure_shows_no_detail(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    ask(page, "Does it crash?")
    expect(page.locator(".failure")).to_contain_text("Something went wrong")
    assert "secret" not in page.locator("body").inner_text()
    assert "a secret detail" in caplog.text


def test_an_empty_message_asks_nothing(page: Page, rag: ScriptedRag) -> None:
    page.get_by_label("Your question").fill("   ")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_have_value("")
    ask(page, "What do otters do?")
    assert [question for question, _ in rag.heard] == ["What do otters do?"]


@pytest.mark.parametrize("question", ["What is hostile?", EVIL])
def test_hostile_text_is_shown_and_does_nothing(page: Page, address: str, requests: list[str], question: str) -> None:
    title = page.title()
    ask(page, question)
    page.locator("a.cite").first.click()
    expect(page.locator("#side mark")).to_be_visible()
    assert page.locator(".asked").text_content() == question
    if question != EVIL:
        assert said(page).removesuffix("1") == EVIL
        assert page.locator("#side mark").text_content() == EVIL
    assert page.title() == title
    assert page.locator(":is(.asked, .said, .opened, #left .list) :is(img, script, form, iframe, svg)").count() == 0
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


def test_a_models_markdown_formats_and_fetches_nothing(browser: Browser) -> None:
    rag = ScriptedRag({"otters.md": TEXT}, {"q": [Line(MARKDOWN, (("otters.md", FUR),))]}, model="tiny")
    asked_for: list[str] = []
    with served(rag) as address, browser.new_page() as page:
        page.on("request", lambda request: asked_for.append(request.url))
        opened(page, address)
        expect(page.get_by_label("Answers by")).to_have_value("tiny")
        ask(page, "q")
        assert said(page) == MARKDOWN.replace("**", "") + "1"
        expect(page.locator(".said strong")).to_have_text("strong")
        assert page.locator(".said a:not(.cite), .said img").count() == 0
        assert [url for url in asked_for if not url.startswith((address, "data:"))] == []


def test_a_repair_of_the_index_is_told_once(browser: Browser, rag: ScriptedRag, address: str) -> None:
    with closing(browser.new_page()) as first:  # the first to come is told, so no page may be loading already
        rag.damaged = ["data_level0.bin is missing"]
        first.goto(address)
        expect(first.get_by_text("The index was damaged and has been put right")).to_be_visible(timeout=20_000)
    assert rag.damaged == []
    with closing(browser.new_page()) as second:
        second.goto(address)
        expect(second.get_by_role("heading", name="Ask the documents")).to_be_visible()
        second.wait_for_timeout(1000)
        expect(second.get_by_text("The index was damaged")).to_have_count(0)


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, "What is hostile?")
    page.locator("a.cite").first.click()
    expect(page.locator("#side mark")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Chat", exact=True).click()
    expect(page.get_by_label("Your question")).to_be_in_viewport()


def test_nothing_of_gradio_is_on_show(page: Page) -> None:
    shown = page.locator("body").inner_text()
    assert not re.search("gradio|chatbot|share|use via api", shown, re.IGNORECASE)
    expect(page.locator(".about")).to_have_text("2 documents")
