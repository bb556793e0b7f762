"""An answer as HTML for the chat: one line, every character of foreign text an entity.

Knows the types of an answer and nothing of Gradio or of the web. Gradio's chat reads messages as Markdown with HTML,
where a document could draw a form, fetch a picture or cover the page. One line that begins with `<div ` is an HTML
block to Markdown and stays as it is, and an entity is never markup; so foreign text is shown, and does nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape

from rag.answering.types import Answer, Citation, Sentence
from rag.documents.types import Span
from rag.retrieval.types import Hit
from rag.surfaces.page.markdown import CLOSE, OPEN, UNSUPPORTED, markdown_html
from rag.surfaces.page.markdown import escape as escape

NOT_FOUND = "not found in the documents"

_MORE = '<p class="working">Reading on &#8230;</p>'
_MARKS = re.compile(r"(?:[ \u00a0]?\[\d+\])+")  # what the answer writes after a cited sentence: " [1][2]"
_PLAIN = (  # what markup becomes in plain text; every "<" is markup, as those of foreign text are entities
    (re.compile(r'<span class="unfounded">.*?</span>'), ""),
    (re.compile(r'<a [^>]*class="cite"[^>]*>(\d+)</a>'), r" [\1]"),
    (re.compile(r"</(?:p|li|tr|pre|h\d|blockquote)>|<[bh]r ?/?>"), "\n"),
    (re.compile(r"</t[dh]>"), " "),
    (re.compile(r"<[^>]*>"), ""),
)
_SENTINEL = re.compile(f" ?{OPEN}([0-9]+|{UNSUPPORTED}){CLOSE}")


def asked(question: str) -> str:
    """The user's message, shown literally."""
    return f'<div class="asked">{escape(question)}</div>'


def working(words: str) -> str:
    """A reply that has nothing to show yet but what is being done."""
    return f'<div class="reply"><p class="working">{escape(words)}</p></div>'


def failed(message: str, shown: str = "") -> str:
    """A reply that says what went wrong, under what was said before, if anything was."""
    line = f'<p class="label">No answer could be made</p><p class="failure">{escape(message)}</p>'
    return _ended(shown, line, "reply failed")


def stopped(shown: str) -> str:
    """The same reply, ended where the user stopped it."""
    return _ended(shown, '<p class="note">Stopped.</p>', "reply")


def reply(
    answer: Answer, turn: int, passage: Callable[[Citation], tuple[str, str]], *, markdown: bool, done: bool = True
) -> str:
    """The answer, with what was searched where that differs from the question, and the passages behind its citations.

    :param turn: number of this question in the conversation; it keeps anchors apart: `#src-<turn>-<n>`.
    :param passage: what stands before and after a citation's quote in its document.
    :param markdown: whether a model wrote the text; text of documents is shown literally.
    """
    kind = "reply declined" if answer.abstained else "reply"
    untold = answer.abstained and answer.reason and answer.reason not in answer.text
    told = (answer.reason if untold else "", answer.note)
    note = "".join(f'<p class="note">{escape(one)}</p>' for one in told if one)
    cards = "".join(_quoted(citation, turn, *passage(citation)) for citation in answer.citations)
    near = "".join(map(_near, answer.nearest))
    note += f'<details class="near"><summary>The nearest passages</summary>{near}</details>' if near else ""
    sources = f'<div class="sources">{cards}</div>' if cards else ""
    said = _searched(answer) + _said(answer, turn, markdown) + note + ("" if done else _MORE)
    return f'<div class="{kind}">{said}{sources}</div>'


def _quoted(citation: Citation, turn: int, before: str, after: str) -> str:
    """A cited passage for the panel, the quote marked within what stands around it."""
    passage = f"{escape(before)}<mark>{_quote(citation)}</mark>{escape(after)}"
    page = f"page {citation.page}" if citation.page is not None else ""
    place = " · ".join(part for part in (citation.section, page, citation.source) if part)
    head = f'<h3 class="title">{escape(citation.title)}</h3><p class="place">{escape(place)}</p>'
    return f'<section class="source" id="src-{turn}-{citation.number}">{head}<p class="passage">{passage}</p></section>'


def _near(hit: Hit) -> str:
    """One passage that does not answer."""
    place = " · ".join(part for part in (hit.title, hit.section, hit.source) if part)
    return f'<p class="place">{escape(place)}</p><p>{escape(hit.text)}</p>'


def plain(shown: str) -> str:
    """What a message says, as plain text, citations as `[n]`; "" for one that only reports a failure or a stop."""
    said = "".join(re.findall(r'<div class="(?:asked|said [a-z]+)">(.*?)</div>', shown))
    for markup, text in _PLAIN:
        said = markup.sub(text, said)
    return re.sub(r"\n{3,}", "\n\n", unescape(said)).strip()


def _ended(shown: str, last: str, kind: str) -> str:
    begun = shown.replace(_MORE, "").removesuffix("</div>") if 'class="said' in shown else f'<div class="{kind}">'
    return f"{begun}{last}</div>"


def _searched(answer: Answer) -> str:
    if answer.query.split() == answer.question.split():
        return ""
    return f'<p class="searched">Searched for: <span class="query">{escape(answer.query)}</span></p>'


def _quote(citation: Citation) -> str:
    """The quote; the part that carries the claim stands out where it is not nearly the whole."""
    quote, (start, end) = citation.quote, citation.highlight
    if end <= start or end - start > 0.9 * len(quote):
        return escape(quote)
    return f"{escape(quote[:start])}<b>{escape(quote[start:end])}</b>{escape(quote[end:])}"


def _said(answer: Answer, turn: int, markdown: bool) -> str:
    links = {citation.number: _link(citation, turn) for citation in answer.citations}
    pieces = list(_pieces(answer.text, answer.sentences))
    if markdown and answer.sentences:
        marked = _SENTINEL.sub(lambda found: _mark(found[1], links), markdown_html(pieces))
        return f'<div class="said written">{marked}</div>'
    values = {sentence.text: sentence.value for sentence in answer.sentences}
    html = "".join(
        _literal(text, values.get(text)) + "".join(_mark(mark, links) for mark in marks) for text, marks in pieces
    )
    return f'<div class="said literal"><p>{html}</p></div>'


def _literal(text: str, value: Span | None) -> str:
    """The text, in it the asked-for value; a step to the next paragraph where the answer makes one."""
    if value:
        parts = text[: value.start], text[value.start : value.end], text[value.end :]
        return "{}<b>{}</b>{}".format(*map(escape, parts))
    if text.isspace() and "\n" in text:
        return "</p><p>"
    return f"</p><p>{escape(text[2:])}" if text.startswith("\n\n") else escape(text)


def _pieces(text: str, sentences: Sequence[Sentence]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text in order, each sentence with the marks that follow it; the answer's own `[n]` are left out."""
    cursor = 0
    for sentence in sentences:
        if gap := text[cursor : sentence.start]:
            yield gap, ()
        marks = tuple(dict.fromkeys(str(citation.number) for citation in sentence.citations))
        yield text[sentence.start : sentence.end], marks if sentence.supported else (*marks, UNSUPPORTED)
        written = _MARKS.match(text, sentence.end) if marks else None
        cursor = written.end() if written else sentence.end
    if rest := text[cursor:]:
        yield rest, ()


def _mark(mark: str, links: dict[int, str]) -> str:
    return f' <span class="unfounded">{NOT_FOUND}</span>' if mark == UNSUPPORTED else links.get(int(mark), "")


def _link(citation: Citation, turn: int) -> str:
    place = escape(", ".join(part for part in (citation.title, citation.section) if part))
    return f'<a href="#src-{turn}-{citation.number}" class="cite" title="{place}">{citation.number}</a>'
