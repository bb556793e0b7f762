"""A receipt: a file that shows an answer offline, and fails its check when documents or file are not what they were."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag import CorpusError, Rag, ReceiptError
from rag.surfaces.receipt import page, receipt, verify
from tests.conftest import MakeRag
from tests.surfaces.page_fixtures import chromium

QUESTION = "How many berths does the harbour have?"
EVIL = """The </script><script>document.title='owned'</script><img src=http://127.0.0.1:9/i onerror=alert(1)> quay \
has 14 cranes <b>and</b> "quotes" &lt; 'x' $data ${data} <!-- <style>*{display:none}</style>.
"""


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag(llm_api_key="a-secret")


@pytest.fixture
def saved(rag: Rag, tmp_path: Path) -> Path:
    path = tmp_path / "answer.html"
    path.write_text(receipt(rag, rag.ask(QUESTION)), "utf-8")
    return path


def states(rag: Rag, path: Path) -> set[str]:
    return {found.state for found in verify(rag, path)}


def edited(path: Path, old: str, new: str) -> Path:
    html = path.read_text("utf-8")
    assert old in html
    path.write_text(html.replace(old, new), "utf-8")
    return path


def test_an_untouched_receipt_holds_and_tells_no_key(rag: Rag, saved: Path) -> None:
    assert states(rag, saved) == {"holds"}
    assert "a-secret" not in saved.read_text("utf-8")


def test_an_abstention_has_a_receipt_with_the_nearest_passages(rag: Rag, saved: Path) -> None:
    answer = rag.ask("Which volcano erupted near Quito yesterday?")
    saved.write_text(receipt(rag, answer), "utf-8")
    assert answer.abstained and states(rag, saved) == {"holds"}
    assert "The nearest passages" in saved.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "state", "told"),
    [
        ("has 14 berths", "has 15 berths", "gone", "no longer says this"),
        ("## Ships\n", "## Ships\n\nOne more line.\n", "moved", "it says this at"),
        ("5 crowns", "6 crowns", "holds", "has changed, but not here"),
    ],
)
def test_a_changed_document_is_told(rag: Rag, saved: Path, old: str, new: str, state: str, told: str) -> None:
    edited(rag.settings.corpus_dir / "harbour.md", old, new)
    first = verify(rag, saved)[0]
    assert first.state == state and told in first.detail


def test_a_document_that_went_is_missed(rag: Rag, saved: Path) -> None:
    (rag.settings.corpus_dir / "harbour.md").rename(rag.settings.corpus_dir / "port.md")
    assert states(rag, saved) == {"gone"}


def test_a_sentence_that_its_quote_does_not_say_is_noticed(rag: Rag, saved: Path) -> None:
    """Even where page and data agree."""
    data = json.loads(saved.read_text("utf-8").rpartition(' id="receipt">')[2].partition("</script>")[0])
    saved.write_text(page(data | {"text": data["text"].replace("14", "15")}), "utf-8")
    assert [found.state for found in verify(rag, saved)] == ["holds", "gone"]


def test_values_that_differ_are_shown_with_their_quotes_and_only_settings_that_are_true(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    differing = [SimpleNamespace(value="14", citation=answer.citations[0])]
    fields = {name: getattr(answer, name) for name in (*answer.__slots__, "citations")}
    html = receipt(rag, SimpleNamespace(**{**fields, "conflict": differing}))  # type: ignore[arg-type]
    assert "The documents differ: 14 [1]" in html and "all-MiniLM" not in html


def test_an_edit_of_the_page_or_of_the_data_or_of_both_is_noticed(rag: Rag, saved: Path) -> None:
    html = saved.read_text("utf-8")
    shown, data = html.split('<script type="application/json"')
    for one in (shown.replace("14", "15") + '<script type="application/json"' + data, html.replace("14 b", "15 b")):
        assert one != html
        saved.write_text(one, "utf-8")
        assert "altered" in states(rag, saved)


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("<p>Hello", "is no receipt"),
        ('<script type="application/json" id="receipt">{"format": 1</script>', "damaged"),
        ('<script type="application/json" id="receipt">[1]</script>', "damaged"),
        ('<script type="application/json" id="receipt">{"format": 99, "version": "9"}</script>', "a later version"),
    ],
)
def test_what_is_no_receipt_is_told(rag: Rag, tmp_path: Path, html: str, told: str) -> None:
    (tmp_path / "x.html").write_text(html, "utf-8")
    with pytest.raises(ReceiptError, match=told):
        verify(rag, tmp_path / "x.html")


def test_no_receipt_of_what_changed_since(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    edited(rag.settings.corpus_dir / "harbour.md", "14 berths", "15 berths")
    with pytest.raises(CorpusError, match="Ask again"):
        receipt(rag, answer)


@pytest.mark.browser
def test_it_opens_offline_and_hostile_text_stays_text(rag: Rag, saved: Path) -> None:
    (rag.settings.corpus_dir / "evil.md").write_text(EVIL, "utf-8")
    answer = rag.ask("How many cranes has the quay?")
    assert any("onerror" in citation.quote for citation in answer.citations)
    saved.write_text(receipt(rag, answer), "utf-8")
    assert states(rag, saved) == {"holds"}
    asked_for: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto(saved.as_uri())
        assert "owned" != page.title() and page.locator("img, b b, main script").count() == 0
        quoted = page.locator("mark").all_text_contents()
        background = page.evaluate("getComputedStyle(document.querySelector('mark')).backgroundColor")
    assert asked_for == [saved.as_uri()]
    assert set(quoted) == {citation.quote for citation in answer.citations}
    assert not re.fullmatch(r"rgba\(0, 0, 0, 0\)|rgb\(255, 255, 0\)", background)  # the policy lets its own style in
