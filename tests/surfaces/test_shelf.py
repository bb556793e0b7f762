"""What stands beside the chat, in a real browser over a real index: documents, conversations, PDF pages, feedback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rag import Rag
from rag.conversations import Conversations
from tests.conftest import BAKERY, MakeRag
from tests.surfaces.page_fixtures import Line, ScriptedRag, held, served
from tests.surfaces.test_page import ask, finished, opened, said

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]  # Gradio's own warnings are not ours

LIGHTHOUSE = "The lighthouse of Port Elver is 41 metres tall and was lit in 1873."
SLEEP = 40_000  # ms that files may take to come in on a busy machine


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag()


@pytest.fixture
def address(rag: Rag) -> Iterator[str]:
    with served(rag) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    opened(page, address)
    expect(page.locator(".files .list li")).to_have_count(3)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def pdf(browser: Browser, tmp_path: Path) -> Path:
    """A PDF of two pages, as a browser prints it."""
    paragraphs = "".join(f"<p>Filler sentence number {number} about nothing at all.</p>" for number in range(40))
    sheet = browser.new_page()
    sheet.set_content(f"<title>Lights</title><h1>Lights</h1>{paragraphs}<p>{LIGHTHOUSE}</p>")
    file = tmp_path / "lights of the coast.pdf"
    sheet.pdf(path=file)
    sheet.close()
    return file


def sources(page: Page) -> list[str]:
    names = page.locator(".files .list li .name")
    return [name.get_attribute("title") or name.inner_text() for name in names.all()]


def test_a_pdf_that_is_dropped_in_is_asked_and_its_line_is_marked_on_its_page(page: Page, pdf: Path) -> None:
    page.locator(".files .pick").set_input_files(pdf)
    expect(page.locator(".files .list li")).to_have_count(4, timeout=SLEEP)
    expect(page.locator(".coming li")).to_have_count(0)
    assert "uploads/lights of the coast.pdf" in sources(page)
    page.locator(".files .pick").set_input_files(pdf)
    expect(page.locator(".coming li")).to_contain_text("Already here", timeout=SLEEP)
    ask(page, "How many metres tall is the lighthouse of Port Elver?")
    assert "The lighthouse of Port Elver is 41 metres tall" in said(page)
    page.locator("a.cite").first.click()
    expect(page.locator("#side mark")).to_contain_text("The lighthouse of Port Elver")
    picture, box = page.locator("#side .sheet img"), page.locator("#side .sheet .box")
    expect(box).to_have_count(1)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("one => one.naturalWidth") > 500
    within, around = box.bounding_box(), picture.bounding_box()
    assert within and around
    assert around["y"] < within["y"] < within["y"] + within["height"] < around["y"] + around["height"]
    assert within["width"] > 0.3 * around["width"]
    expect(box).to_be_in_viewport()
    page.locator("#side .small").click()
    expect(page.locator("dialog .sheet .box")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_file_that_cannot_be_read_is_listed_with_its_reason_and_spoils_nothing(page: Page, tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"MZ this is no PDF")
    (tmp_path / "notes.txt").write_text("The ferryman is called Ivo Brandt.", "utf-8")
    (tmp_path / "tool.exe").write_bytes(b"MZ")
    files = [tmp_path / name for name in ("broken.pdf", "notes.txt", "tool.exe")]
    page.locator(".files .pick").set_input_files(files)
    failed = page.locator(".files .list .failed")
    expect(failed).to_contain_text("broken.pdf", timeout=SLEEP)
    expect(failed).to_contain_text("it is not a PDF")
    expect(page.locator(".coming .failed")).to_contain_text("can be read")
    assert "uploads/notes.txt" in sources(page)
    failed.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(failed).to_have_count(0)


def test_a_file_that_is_there_already_is_one_document_and_a_note_says_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "copy.txt").write_text(BAKERY, "utf-8")
    page.locator(".files .pick").set_input_files([tmp_path / "copy.txt"])
    note = page.locator(".files .list .noted")
    expect(note).to_contain_text("uploads/copy.txt", timeout=SLEEP)
    expect(note).to_contain_text("it is the same file as bakery.txt")
    expect(page.locator(".files .list li:not(.noted)")).to_have_count(3)


def test_a_file_dropped_on_the_chat_can_be_asked_at_once(page: Page) -> None:
    page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["The ferryman is called Ivo Brandt."], "crew.txt", { type: "text/plain" }));
        const chat = document.querySelector("#chat");
        chat.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }""")
    expect(page.locator(".files .list li")).to_have_count(4, timeout=SLEEP)
    assert "uploads/crew.txt" in sources(page)
    ask(page, "What is the ferryman called?")
    assert "Ivo Brandt" in said(page)


def test_a_document_goes_to_the_trash_only_after_a_yes(page: Page, rag: Rag) -> None:
    row = page.locator(".files .list li", has_text="The clock museum")
    row.hover()
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".files .list li")).to_have_count(3)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".files .list li")).to_have_count(2)
    assert [one.source for one in rag.documents()] == ["bakery.txt", "harbour.md"]
    assert list((rag.settings.data_dir / "trash").rglob("museum.md"))


def test_only_ticked_documents_are_asked(page: Page) -> None:
    question = "Who took over the harbour from her brother in 2019?"
    ask(page, question)
    assert "Maud Ferrier" in said(page)
    page.get_by_label("The harbour of Port Elver").uncheck()
    expect(page.locator(".about")).to_have_text("2 of 3 documents")
    ask(page, question)
    assert "Maud Ferrier" not in said(page)
    page.get_by_label("All documents").check()
    page.get_by_label("All documents").uncheck()
    ask(page, question)
    expect(page.locator(".failure")).to_have_text("No document is chosen: tick one to ask.")
    page.get_by_label("All documents").check()
    expect(page.locator(".about")).to_have_text("3 documents")


def test_a_conversation_survives_the_server_and_the_browser(browser: Browser, make_rag: MakeRag) -> None:
    question = "How many berths does the harbour have?"
    with served(make_rag()) as address, browser.new_context() as context:
        first = context.new_page()
        opened(first, address)
        ask(first, question)
        text = said(first)
        expect(first).to_have_url(re.compile(r"/\?c=\w+$"))
        path = first.url.removeprefix(address)
    with served(make_rag()) as address, browser.new_context() as context:
        again = context.new_page()
        opened(again, address)
        again.locator(".talks li .name", has_text=question).click()
        expect(again.locator(".said")).to_have_text(text)
        again.locator("a.cite").first.click()
        expect(again.locator("#side mark")).to_contain_text("14 berths")
        ask(again, "And how much does a sailing boat pay?")
        opened(again, address + path)
        expect(again.locator(".asked")).to_have_count(2)


def test_conversations_are_renamed_searched_and_deleted(page: Page, rag: Rag) -> None:
    asked = "Who opened the bakery?", "How many clocks are shown?", "What does water cost?", "Who made the oldest?"
    for question in asked:
        page.get_by_role("button", name="New chat").click()
        expect(page.locator(".asked")).to_have_count(0)
        ask(page, question)
    talks = page.locator(".talks .list li")
    expect(talks).to_have_count(4)
    talks.first.hover()
    talks.first.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Old clocks <b>")
    page.keyboard.press("Enter")
    expect(talks.first).to_contain_text("Old clocks <b>")
    page.get_by_label("Search conversations").fill("bakery opened")
    expect(talks).to_have_count(1)
    page.get_by_label("Search conversations").fill("submarine")
    expect(page.get_by_text("No conversation has these words.")).to_be_visible()
    page.get_by_label("Search conversations").fill("")
    expect(talks).to_have_count(4)
    talks.first.hover()
    talks.first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(talks).to_have_count(3)
    expect(page.locator(".asked")).to_have_count(0)


def test_what_is_thought_of_an_answer_is_kept_with_it(page: Page, rag: Rag) -> None:
    ask(page, "How many berths does the harbour have?")
    page.get_by_role("button", name="Bad answer").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Something is missing").check()
    form.get_by_label("In your own words").fill("Where are they?")
    with page.expect_response("**/feedback"):
        form.get_by_role("button", name="Send").click()
    expect(page.locator(".bad.on")).to_have_count(1)
    kept = Conversations(rag.settings.data_dir).feedback()
    assert [(one.liked, one.reason, one.question) for one in kept] == [
        (False, "Something is missing; Where are they?", "How many berths does the harbour have?")
    ]
    page.reload()
    expect(page.locator(".bad.on")).to_have_count(1)


def test_an_answer_is_saved_as_markdown_and_as_a_receipt_that_verifies(page: Page, tmp_path: Path, rag: Rag) -> None:
    from rag.surfaces.receipt import verify

    ask(page, "How many berths does the harbour have?")
    with page.expect_download() as markdown:
        page.get_by_role("button", name="Save as Markdown").last.click()
    text = markdown.value.path().read_text("utf-8")
    assert text.startswith("## How many berths") and "> The harbour has 14 berths" in text
    with page.expect_download() as receipt:
        page.get_by_role("button", name="Save a receipt").click()
    file = tmp_path / "receipt.html"
    receipt.value.save_as(file)
    assert {finding.state for finding in verify(rag, file)} == {"holds"}


def test_an_edited_question_replaces_what_followed_it(page: Page) -> None:
    ask(page, "How many berths does the harbour have?")
    ask(page, "Who opened the bakery?")
    page.locator(".asked").first.hover()
    page.get_by_role("button", name="Edit").first.click()
    box = page.get_by_label("Your question")
    expect(box).to_have_value("How many berths does the harbour have?")
    expect(page.locator(".editing")).to_be_visible()
    box.fill("How many clocks does the museum show?")
    page.keyboard.press("Enter")
    expect(page.locator(".asked")).to_have_text(["How many clocks does the museum show?"])
    finished(page)
    assert "212 clocks" in said(page)
    expect(page.locator(".editing")).to_be_hidden()
    page.reload()
    expect(page.locator(".asked")).to_have_text(["How many clocks does the museum show?"])


def test_a_page_at_rest_does_nothing(page: Page) -> None:
    ask(page, "How many berths does the harbour have?")
    page.evaluate("""() => {
        window.seen = 0;
        const all = { subtree: true, childList: true, characterData: true, attributes: true };
        setTimeout(() => new MutationObserver((found) => { window.seen += found.length; }).observe(document, all), 500);
    }""")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.seen") == 0


def test_two_windows_on_one_conversation_lose_nothing(page: Page, address: str) -> None:
    ask(page, "How many berths does the harbour have?")
    expect(page).to_have_url(re.compile(r"/\?c=\w+$"))
    other = page.context.new_page()
    opened(other, page.url)
    expect(other.locator(".said")).to_have_count(1)
    ask(page, "Who opened the bakery?")
    ask(other, "How many clocks does the museum show?")
    expect(other.locator(".failure")).to_contain_text("went on in another window")
    other.reload()
    expect(other.locator(".asked").last).to_have_text("Who opened the bakery?")


def test_a_question_never_lands_in_a_conversation_that_is_not_shown(page: Page, rag: Rag) -> None:
    ask(page, "How many berths does the harbour have?")
    page.locator(".talks .new").click()
    expect(page.locator(".asked")).to_have_count(0)
    ask(page, "Who opened the bakery?")
    page.route("**/gradio_api/run/**", lambda route: (page.wait_for_timeout(1500), route.continue_()))
    page.route("**/queue/join*", lambda route: (page.wait_for_timeout(1500), route.continue_()))
    page.get_by_label("Your question").fill("How many clocks does the museum show?")
    page.locator(".talks li .name", has_text="berths").click()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".asked")).to_have_text(["How many berths does the harbour have?"], timeout=10_000)
    expect(page.get_by_label("Your question")).to_have_value("How many clocks does the museum show?")
    saved = Conversations(rag.settings.data_dir)
    assert sorted(saved.last("", one.id) for one in saved.listed("")) == [1, 1]


def test_what_was_said_before_a_stop_is_kept(browser: Browser) -> None:
    first = "They hold hands while they sleep, so that they do not drift apart."
    script = {"What do otters do?": [Line(first, (("otters.md", first),)), Line("They swim.")]}
    rag = ScriptedRag({"otters.md": first}, script)
    with served(rag) as address, browser.new_context() as context:
        page = context.new_page()
        opened(page, address)
        with held(rag, after=1):
            page.get_by_label("Your question").fill("What do otters do?")
            page.keyboard.press("Enter")
            expect(page.locator(".said")).to_have_text(f"{first}1")
            page.get_by_role("button", name="Stop").click()
            expect(page.locator(".note", has_text="Stopped.")).to_be_visible()
        page.wait_for_timeout(300)
        page.reload()
        expect(page.locator(".said")).to_contain_text(first)
        expect(page.locator(".note", has_text="Stopped.")).to_be_visible()


def test_the_first_document_of_an_empty_folder_brings_questions(page: Page, rag: Rag, tmp_path: Path) -> None:
    for source in ("bakery.txt", "harbour.md", "deep/museum.md"):
        rag.delete(source)
    page.reload()
    expect(page.get_by_text("No documents yet. Drop some in.")).to_be_visible()
    ask(page, "How many berths does the harbour have?")
    expect(page.locator(".failure")).to_have_text("No documents yet. Drop some in.")
    page.locator(".talks .new").click()
    (tmp_path / "ferry.md").write_text("# The ferry\n\nThe ferry was built by Ada Morrow in 1874.\n", "utf-8")
    page.locator(".files .pick").set_input_files(tmp_path / "ferry.md")
    expect(page.locator(".welcome .ask")).not_to_have_count(0, timeout=SLEEP)


def test_when_the_server_is_gone_the_page_says_so(browser: Browser, make_rag: MakeRag) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        with served(make_rag()) as address:
            opened(page, address)
            expect(page.locator(".files .list li")).to_have_count(3)
        page.get_by_label("Your question").fill("Who opened the bakery?")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Connection to the server was lost")).to_be_visible(timeout=20_000)
        expect(page.get_by_label("Your question")).to_have_value("Who opened the bakery?")


def test_an_earlier_question_is_asked_again_only_after_a_yes(page: Page) -> None:
    ask(page, "How many berths does the harbour have?")
    ask(page, "Who opened the bakery?")
    page.locator(".reply").first.hover()
    page.locator(".reply").first.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".asked")).to_have_count(2)
    page.locator(".reply").first.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.locator(".asked")).to_have_count(1)
    finished(page)


def test_an_edit_that_is_given_up_puts_back_what_was_typed(page: Page) -> None:
    ask(page, "How many berths does the harbour have?")
    box = page.get_by_label("Your question")
    box.fill("a draft")
    page.locator(".asked").first.hover()
    page.get_by_role("button", name="Edit").first.click()
    expect(box).to_have_value("How many berths does the harbour have?")
    page.get_by_role("button", name="Cancel").click()
    expect(box).to_have_value("a draft")


def test_the_whole_document_opens_from_the_list_and_at_a_span_from_an_address(page: Page, address: str) -> None:
    page.locator(".files .name", has_text="The clock museum").click()
    expect(page.locator("#side .passage")).to_contain_text("A guided tour costs 8 crowns.")
    page.goto("about:blank")
    opened(page, f"{address}/?source=bakery.txt&start=0&end=24")
    expect(page.locator("#side mark")).to_have_text("The bakery on Mill Lane\n")
