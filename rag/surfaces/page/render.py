"""An answer as HTML for the chat: one line, every character of foreign text an entity.

Knows the types of an answer and nothing of Gradio or of the web. Gradio's chat reads messages as Markdown with HTML,
where a document could draw a form, fetch a picture or cover the page. One line that begins with `<div ` is an HTML
block to Markdown and stays as it is, and an entity is never markup; so foreign text is shown, and does nothing.
The markup is in reply.html; what buttons and links do is in page.js, which knows them by their class.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

from markupsafe import Markup

from rag.answering.types import Answer, Citation, Sentence
from rag.surfaces.forms import form
from rag.surfaces.page.markdown import CLOSE, OPEN, UNSUPPORTED, escape, markdown_html
from rag.surfaces.page.words import Words

Around = Callable[[Citation], tuple[str, str] | None]

_HTML = form(re.sub(r"\n\s*", "", Path(__file__).with_name("reply.html").read_text("utf-8")), escape)
_MORE = '<p class="working">'
_MARKS = re.compile(r"(?:[ \u00a0]?\[\d+\])+")  # what the answer writes after a cited sentence: " [1][2]"
_SENTINEL = re.compile(f" ?{OPEN}([0-9]+|{UNSUPPORTED}){CLOSE}")


def asked(question: str, words: Words) -> str:
    """The user's message, shown literally."""
    return str(_HTML.asked(question, words))


def working(told: str) -> str:
    """A reply that has nothing to show yet but what is being done."""
    return str(_HTML.working(told))


def failed(message: str, words: Words, shown: str = "") -> str:
    """A reply that says what went wrong, under what was said before, if anything was."""
    return _ended(shown, _HTML.failure(message, words), words, "reply failed")


def stopped(words: Words, shown: str = "") -> str:
    """The same reply, ended where the user stopped it."""
    return _ended(shown, _HTML.note(words["stopped" if shown else "interrupted"]), words, "reply")


def reply(
    answer: Answer,
    turn: int,
    around: Around,
    words: Words,
    *,
    done: bool = True,
    liked: bool | None = None,
    note: str = "",
) -> str:
    """The answer: its sentences, and the passages they cite; once done, how many are borne out, and what can be done.

    :param turn: number of this question in the conversation; it keeps anchors apart: `#src-<turn>-<n>`.
    :param around: what stands before and after a citation's quote in its document; None where that has changed.
    :param note: what else the reader is to know.
    """
    quotes = [(citation, around(citation), _address(citation)) for citation in answer.citations]
    said = Markup(_said(answer, turn, words))
    return str(_HTML.reply(answer, said, quotes, turn, words, done, liked, (answer.note, note)))


def _ended(shown: str, last: str, words: Words, kind: str) -> str:
    begun, more, rest = shown.partition(_MORE)
    if not more:
        return str(_HTML.ended(kind, last, words))
    return f"{begun}{last}{_HTML.actions(('copy', 'retry'), words)}{rest.partition('</p>')[2]}"


def _said(answer: Answer, turn: int, words: Words) -> str:
    """The sentences with their marks: a model's with its Markdown, those of the documents literally."""
    links = {str(citation.number): _HTML.link(citation, turn) for citation in answer.citations}
    links[UNSUPPORTED] = _HTML.unfounded(words)
    found = list(pieces(answer.text, answer.sentences))
    if answer.model != "extractive" and answer.sentences:
        return _SENTINEL.sub(lambda mark: links.get(mark[1], ""), markdown_html(found))
    return str(_HTML.literal(found, {sentence.text: sentence.value for sentence in answer.sentences}, links))


def _address(citation: Citation) -> str:
    span = {"source": citation.source, "start": citation.start, "end": citation.end, "page": citation.page or ""}
    return urlencode(span, errors="replace")


def pieces(text: str, sentences: Sequence[Sentence]) -> Iterator[tuple[str, tuple[str, ...]]]:
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
