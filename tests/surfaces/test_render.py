"""What an answer becomes: HTML on one line, in which foreign text is only ever text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from rag.answering.types import Answer, Citation, Sentence
from rag.surfaces.page import render
from rag.surfaces.page.words import WORDS as ALL_WORDS
from rag.surfaces.page.words import words_in

TAGS = frozenset(
    "div p section h1 h2 h3 h4 h5 h6 span a mark b strong em code pre blockquote ul ol li "
    "table thead tbody tr th td hr br button details summary".split()
)
ATTRIBUTES = frozenset({"class", "id", "href", "title", "start", "type"})
WORDS = words_in("en")

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=http://evil.example/i onerror=alert(1)>",
    "![i](http://evil.example/i)",
    "![i][r]\n\n[r]: http://evil.example/i",
    "[click](javascript:alert(1))",
    "[click](http://evil.example 'title')",
    "<http://evil.example/auto> https://evil.example www.evil.example a@evil.example",
    "</div></section><form action=http://evil.example><input name=password></form>",
    "<div style='position:fixed;inset:0'>cover</div>",
    "<svg onload=alert(1)><style>*{background:url(http://evil.example)}</style>",
    '" onmouseover="alert(1)" x="',
    "<a href='#src-1-1' class='cite'>1</a> [1] [1](#src-1-1)",
    "\ue0001\ue001 \ue000x\ue001",
    "$$\\require{html}\\href{javascript:alert(1)}{x}$$ \\(x\\) $x$",
    "```mermaid\ngraph TD\n  A[<img src=x>]\n```",
    "```\n</code></pre><script>x</script>",
    "    indented <b>code</b>\n\n\n<b>bold</b>",
    "| a | <i>b</i> |\n|---|:-:|\n| ![i](http://evil.example) | `<u>` |",
    "&lt;script&gt; &#60;b&#62; &amp;",
    "{{ 7 * 7 }} ${7*7} <%= x %> %s {0}",
    "# heading\n===\n> quote <b>x</b>\n\n3. <i>three</i>\n- [ ] x",
    "<!-- comment --> <![CDATA[x]]> <?php x ?> <!DOCTYPE html>",
    "half a pair \ud800, null \x00, bell \x07, override \u202egnp.exe, line \u2028 end",
    "阿里巴巴<b>的</b>人工智能 [链接](http://evil.example)",
    "_a_ **b** ~~c~~ __d__ `e` ~f~",
)


class Outline(HTMLParser):
    """What a browser would see: elements, attributes and text; and whether they nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.other: list[str] = []  # comments, declarations and the like
        self.open: list[str] = []
        self.texts: dict[str, str] = {}  # by the class or tag around
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "hr"):
            self.open.append(dict(attrs).get("class") or tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for name in self.open:
            self.texts[name] = self.texts.get(name, "") + data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def cited(number: int, text: str = "quote", highlight: tuple[int, int] | None = None) -> Citation:
    place = (0, len(text)) if highlight is None else highlight
    return Citation(number, text, text, text, 2, 0, len(text), text, place)


def answer(*sentences: tuple[str, tuple[Citation, ...]], question: str = "q", query: str = "q") -> Answer:
    text, made = "", []
    for words, citations in sentences:
        text += " " if text else ""
        made.append(Sentence(words, len(text), len(text) + len(words), citations, bool(citations)))
        text += words + (" " + "".join(f"[{one.number}]" for one in citations) if citations else "")
    return Answer(question, query, text, False, "", 0.9, tuple(made), (), "m", 0.1)


def html_of(given: Answer, *, markdown: bool = False, around: str = "", turn: int = 1) -> str:
    by = given if markdown else replace(given, model="extractive")
    return render.reply(by, turn, lambda _: (around, around), WORDS)


def shown(text: str) -> str:
    """The text as it can be shown: what has no glyph is replaced, line ends are one character."""
    return "".join("\ufffd" if one in "\x00\x07\ud800\ue000\ue001" else one for one in text)


@pytest.mark.parametrize("markdown", [False, True], ids=["document", "model"])
@pytest.mark.parametrize("payload", HOSTILE)
def test_foreign_text_makes_no_markup(payload: str, markdown: bool) -> None:
    given = answer((payload, (cited(1, payload),)), (payload, ()), question=payload, query=payload + "x")
    place = {"source": payload, "start": 0, "end": len(payload), "page": 2}
    at = "#at?" + urlencode(place, errors="replace")
    for html in (
        html_of(given, markdown=markdown, around=payload),
        render.asked(payload, WORDS),
        render.failed(payload, WORDS),
    ):
        outline = Outline(html)
        assert "\n" not in html and html.startswith("<div ")
        assert outline.open == [] and outline.other == []
        assert outline.tags <= TAGS
        assert {name for name, _ in outline.attributes} <= ATTRIBUTES
        assert {value for name, value in outline.attributes if name == "href"} <= {"#src-1-1", at}
        html.encode("utf-8")


@pytest.mark.parametrize("payload", HOSTILE)
def test_text_of_documents_and_users_is_shown_literally(payload: str) -> None:
    html = html_of(answer((payload, (cited(1, payload),))), around=payload)
    assert Outline(html).texts["said literal"] == shown(payload) + "1"
    assert Outline(html).texts["passage"] == shown(payload) * 3
    assert Outline(html).texts["mark"] == shown(payload)
    assert Outline(render.asked(payload, WORDS)).texts["asked"] == shown(payload)


def test_a_model_may_format() -> None:
    text = "**Bold** and *so*:\n\n- one `x<y`\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx & y\n\nz\n```"
    html = html_of(answer((text, (cited(1),))), markdown=True)
    assert {"strong", "em", "li", "code", "table", "pre"} <= Outline(html).tags
    assert Outline(html).texts["pre"] == "x & y\n\nz\n"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("A sentence.", "p"),
        ("**A sentence.**", "p"),
        ("- an item", "li"),
        ("| a |\n|---|\n| cell |", "td"),
        ("```\ncode\n```", "p"),
    ],
)
def test_a_citation_stays_wherever_its_sentence_ends(text: str, inside: str) -> None:
    outline = Outline(html_of(answer((text, (cited(1),))), markdown=True))
    assert outline.texts[inside].endswith("1")
    assert ("href", "#src-1-1") in outline.attributes
    assert "**" not in outline.texts["said written"] and "```" not in outline.texts["said written"]


def test_numbers_in_brackets_that_a_document_wrote_are_no_citations() -> None:
    html = html_of(answer(("As shown [1] before [2].", (cited(1),))))
    assert html.count('class="cite"') == 1
    assert Outline(html).texts["said literal"] == "As shown [1] before [2].1"


def test_anchors_of_different_turns_differ() -> None:
    given = answer(("x", (cited(1), cited(2))))
    html = html_of(given, turn=1) + html_of(given, turn=2)
    anchors = [value for name, value in Outline(html).attributes if name == "id"]
    assert anchors == ["src-1-1", "src-1-2", "src-2-1", "src-2-2"]


def test_the_part_that_carries_the_claim_stands_out_within_the_quote() -> None:
    outline = Outline(html_of(answer(("x", (cited(1, "before claim after", (7, 12)),)))))
    assert (outline.texts["mark"], outline.texts["b"]) == ("before claim after", "claim")


def test_a_sentence_without_support_carries_a_word_mark() -> None:
    html = html_of(answer(("Known.", (cited(1),)), ("Invented.", ())))
    assert Outline(html).texts["said literal"] == f"Known.1 Invented. {WORDS['unfounded']}"


def test_what_was_searched_is_shown_only_where_it_differs() -> None:
    assert "searched" not in html_of(answer(("x", ())))
    assert Outline(html_of(answer(("x", ()), query="q of otters"))).texts["query"] == "q of otters"


def test_an_abstention_is_told_apart_and_gives_its_reason() -> None:
    told = "The documents do not say. Nothing was found."
    outline = Outline(html_of(Answer("q", "q", told, True, "Nothing was found.", 0.1, (), (), "m", 0.1)))
    assert ("class", "reply declined") in outline.attributes and told in outline.texts["reply declined"]


def test_what_went_wrong_on_the_way_stands_below_the_answer_and_is_not_said() -> None:
    html = html_of(replace(answer(("One.", (cited(1),))), note="The model <m> failed."))
    assert Outline(html).texts["note"] == "The model <m> failed."
    assert Outline(html).texts["said literal"] == "One.1"


def test_a_stopped_or_broken_reply_keeps_what_was_said() -> None:
    half = render.reply(answer(("One.", (cited(1),))), 1, lambda _: ("", ""), WORDS, done=False)
    for html in (render.stopped(WORDS, half), render.failed("It went down.", WORDS, half)):
        assert Outline(html).open == []
        assert Outline(html).texts["said written"] == "One.1"
        assert "working" not in html
    assert "It went down." in Outline(render.failed("It went down.", WORDS, half)).texts["failure"]
    assert "Stopped." in Outline(render.stopped(WORDS, half)).texts["note"]
    assert Outline(render.stopped(WORDS, render.working("Searching"))).texts["note"] == "Stopped."


def test_a_badge_counts_the_sentences_that_the_documents_bear_out() -> None:
    given = answer(("Known.", (cited(1),)), ("Invented.", ()))
    assert Outline(html_of(given, markdown=True)).texts["badge some"].startswith("1 of 2 sentences supported")
    assert Outline(html_of(answer(("Known.", (cited(1),))))).texts["support"] == "1 of 1 sentence supported"
    declined = Answer("q", "q", "No.", True, "No.", 0.1, (), (), "extractive", 0.1)
    assert Outline(html_of(declined)).texts["badge none"] == "Not in the documents 0.10 s"


def test_a_quote_that_the_document_no_longer_has_says_so_and_leads_nowhere() -> None:
    html = render.reply(answer(("x", (cited(1),))), 1, lambda _: None, WORDS)
    assert "changed since" in Outline(html).texts["note"]
    assert 'class="at"' not in html


def test_both_languages_have_the_same_words_to_fill_in() -> None:
    forms = {language: {k: set(re.findall(r"{(\w+)}", v)) for k, v in of.items()} for language, of in ALL_WORDS.items()}
    assert forms["en"] == forms["zh"]
