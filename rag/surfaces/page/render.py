"""An answer as HTML for the chat: one line, every character of foreign text an entity.

Knows the types of an answer and nothing of Gradio or of the web. Gradio's chat reads messages as Markdown with HTML,
where a document could draw a form, fetch a picture or cover the page. One line that begins with `<div ` is an HTML
block to Markdown and stays as it is, and an entity is never markup; so foreign text is shown, and does nothing.
What buttons and links do is in page.js, which knows them by their class.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from urllib.parse import urlencode

from rag.answering.types import Answer, Citation, Sentence
from rag.documents.types import Span
from rag.retrieval.types import Hit
from rag.surfaces.page.markdown import CLOSE, OPEN, UNSUPPORTED, escape, markdown_html
from rag.surfaces.page.words import Words

Around = Callable[[Citation], tuple[str, str] | None]

_MORE = '<p class="working">'
_MARKS = re.compile(r"(?:[ \u00a0]?\[\d+\])+")  # what the answer writes after a cited sentence: " [1][2]"
_PLAIN = (  # what markup becomes in plain text; every "<" is markup, as those of foreign text are entities
    (re.compile(r'<span class="unfounded">.*?</span>'), ""),
    (re.compile(r'<a [^>]*class="cite"[^>]*>(\d+)</a>'), r" [\1]"),
    (re.compile(r"</(?:p|li|tr|pre|h\d|blockquote)>|<[bh]r ?/?>"), "\n"),
    (re.compile(r"</t[dh]>"), " "),
    (re.compile(r"<[^>]*>"), ""),
)
_SENTINEL = re.compile(f" ?{OPEN}([0-9]+|{UNSUPPORTED}){CLOSE}")
_ON_ANSWER = ("copy", "retry", "good", "bad", "markdown", "receipt")  # classes, and names of words


def asked(question: str, words: Words) -> str:
    """The user's message, shown literally."""
    return f'<div class="question"><div class="asked">{escape(question)}</div>{_buttons(("edit",), words)}</div>'


def working(told: str) -> str:
    """A reply that has nothing to show yet but what is being done."""
    return f'<div class="reply"><p class="working">{escape(told)}</p></div>'


def failed(message: str, words: Words, shown: str = "") -> str:
    """A reply that says what went wrong, under what was said before, if anything was."""
    line = f'<p class="label">{escape(words["failed"])}</p><p class="failure">{escape(message)}</p>'
    return _ended(shown, line, words, "reply failed")


def stopped(words: Words, shown: str = "") -> str:
    """The same reply, ended where the user stopped it."""
    return _ended(shown, f'<p class="note">{escape(words["stopped" if shown else "interrupted"])}</p>', words, "reply")


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
    said = _searched(answer, words) + _said(answer, turn, words)
    if done:
        ended = _badge(answer, words) + _buttons(_ON_ANSWER, words, liked) + _further(answer.suggestions, words)
        said += _notes(answer, note, words) + ended
    else:
        said += f"{_MORE}{escape(words['reading_on'])}</p>"
    cards = "".join(_quoted(citation, turn, around(citation), words) for citation in answer.citations)
    kind = "reply declined" if answer.abstained else "reply"
    return f'<div class="{kind}">{said}<div class="sources">{cards}</div></div>'


def plain(shown: str) -> str:
    """What a message says, as plain text, citations as `[n]`; "" for one that only reports a failure or a stop."""
    said = "".join(re.findall(r'<div class="(?:asked|said [a-z]+)">(.*?)</div>', shown))
    for markup, text in _PLAIN:
        said = markup.sub(text, said)
    return re.sub(r"\n{3,}", "\n\n", unescape(said)).strip()


def _ended(shown: str, last: str, words: Words, kind: str) -> str:
    begun, more, rest = shown.partition(_MORE)
    if not more:
        return f'<div class="{kind}">{last}{_buttons(("retry",), words)}</div>'
    return f"{begun}{last}{_buttons(('copy', 'retry'), words)}{rest.partition('</p>')[2]}"


def _buttons(names: Sequence[str], words: Words, liked: bool | None = None) -> str:
    """One row of actions; the class says what each does, and its words stand in it for those who cannot see icons."""
    on = {"good": liked is True, "bad": liked is False}
    made = (
        f'<button type="button" class="act {name}{" on" if on.get(name) else ""}" title="{escape(words[name])}">'
        f"<span>{escape(words[name])}</span></button>"
        for name in names
    )
    return f'<div class="actions">{"".join(made)}</div>'


def _notes(answer: Answer, note: str, words: Words) -> str:
    """What went wrong, what else there is to know, and the passages that came nearest."""
    notes = "".join(f'<p class="note">{escape(one)}</p>' for one in (answer.note, note) if one)
    near = "".join(map(_near, answer.nearest))
    head = f"<summary>{escape(words['nearest'])}</summary>"
    return notes + (f'<details class="near">{head}{near}</details>' if near else "")


def _further(suggestions: Sequence[str], words: Words) -> str:
    asks = "".join(f'<button type="button" class="ask">{escape(one)}</button>' for one in suggestions)
    return f'<div class="further"><p class="label">{escape(words["further"])}</p>{asks}</div>' if asks else ""


def _badge(answer: Answer, words: Words) -> str:
    """How many sentences the documents bear out, what wrote them, and how long it took."""
    count, borne_out = len(answer.sentences), sum(sentence.supported for sentence in answer.sentences)
    if not (count or answer.abstained):
        return ""  # small talk
    form = "declined" if answer.abstained else "supported_one" if count == borne_out == 1 else "supported"
    kind = "none" if not borne_out else "all" if borne_out == count else "some"
    took = words["seconds"].format(seconds=f"{answer.seconds:.{2 if answer.seconds < 1 else 1}f}")
    by = words["by_model"].format(model=answer.model) if answer.model != "extractive" else ""
    rest = "".join(f" <span>{escape(one)}</span>" for one in (by, took) if one)
    told = escape(words[form].format(supported=borne_out, all=count))
    return f'<p class="badge {kind}"><span class="support">{told}</span>{rest}</p>'


def _quoted(citation: Citation, turn: int, around: tuple[str, str] | None, words: Words) -> str:
    """A cited passage for the panel, the quote marked within what stands around it."""
    before, after = around or ("", "")
    passage = f"{escape(before)}<mark>{_quote(citation)}</mark>{escape(after)}"
    page = words["page"].format(page=citation.page) if citation.page is not None else ""
    place = " · ".join(part for part in (citation.section, page, citation.source) if part)
    head = f'<h3 class="title">{escape(citation.title)}</h3><p class="place">{escape(place)}</p>'
    changed = "" if around else f'<p class="note">{escape(words["changed"])}</p>'
    span = {"source": citation.source, "start": citation.start, "end": citation.end, "page": citation.page or ""}
    at = f'<a class="at" href="#at?{escape(urlencode(span, errors="replace"))}">{escape(words["whole"])}</a>'
    body = f'{head}{changed}<p class="passage">{passage}</p>{at if around else ""}'
    return f'<section class="source" id="src-{turn}-{citation.number}">{body}</section>'


def _near(hit: Hit) -> str:
    """One passage that does not answer."""
    place = " · ".join(part for part in (hit.title, hit.section, hit.source) if part)
    return f'<p class="place">{escape(place)}</p><p>{escape(hit.text)}</p>'


def _searched(answer: Answer, words: Words) -> str:
    """What was searched, where that is not what was asked, and a way to search something else."""
    if answer.query.split() == answer.question.split():
        return ""
    change = f'<button type="button" class="act change"><span>{escape(words["change"])}</span></button>'
    query = f'<span class="query" title="{escape(words["brackets"])}">{escape(answer.query)}</span>'
    return f'<p class="searched">{escape(words["searched"])} {query}{change}</p>'


def _quote(citation: Citation) -> str:
    """The quote; the part that carries the claim stands out where it is not nearly the whole."""
    quote, (start, end) = citation.quote, citation.highlight
    if end <= start or end - start > 0.9 * len(quote):
        return escape(quote)
    return f"{escape(quote[:start])}<b>{escape(quote[start:end])}</b>{escape(quote[end:])}"


def _said(answer: Answer, turn: int, words: Words) -> str:
    """The sentences with their marks: a model's with its Markdown, those of the documents literally."""
    links = {str(citation.number): _link(citation, turn) for citation in answer.citations}
    links[UNSUPPORTED] = f' <span class="unfounded">{escape(words["unfounded"])}</span>'
    found = list(pieces(answer.text, answer.sentences))
    if answer.model != "extractive" and answer.sentences:
        marked = _SENTINEL.sub(lambda found: links.get(found[1], ""), markdown_html(found))
        return f'<div class="said written">{marked}</div>'
    values = {sentence.text: sentence.value for sentence in answer.sentences}
    html = "".join(
        _literal(text, values.get(text)) + "".join(links.get(mark, "") for mark in marks) for text, marks in found
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


def _link(citation: Citation, turn: int) -> str:
    place = escape(", ".join(part for part in (citation.title, citation.section) if part))
    return f'<a href="#src-{turn}-{citation.number}" class="cite" title="{place}">{citation.number}</a>'
