"""A conversation as Markdown: questions, answers with their marks, and the quotes behind them."""

import re
from collections.abc import Iterable

from rag.answering.types import Answer, Citation
from rag.conversations import SavedTurn
from rag.surfaces.page.markdown import UNSUPPORTED, marked
from rag.surfaces.page.render import pieces
from rag.surfaces.page.words import Words

_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&:@/=])")  # all that means something to one Markdown or another


def as_markdown(turns: Iterable[SavedTurn], words: Words) -> str:
    """The turns one after the other; what documents and users wrote is shown literally by any reader of Markdown."""
    return "\n\n".join(_turn(turn, words) for turn in turns) + "\n"


def _turn(turn: SavedTurn, words: Words) -> str:
    lines = [f"## {_line(turn.question)}"]
    if answer := turn.answer:
        lines += [_said(answer, words), *(_line(note) for note in [answer.note] if note)]
        lines += [_cited(citation, words) for citation in answer.citations]
    return "\n\n".join(lines)


def _said(answer: Answer, words: Words) -> str:
    """The answer's text; a sentence that the documents do not bear out says so here too."""
    text = ""
    for piece, marks in pieces(answer.text, answer.sentences):
        told = " ".join(f"*({words['unfounded']})*" if mark == UNSUPPORTED else f"[{mark}]" for mark in marks)
        text += marked(piece if answer.model != "extractive" else _literal(piece), told)
    return text


def _cited(citation: Citation, words: Words) -> str:
    page = words["page"].format(page=citation.page) if citation.page is not None else ""
    place = " · ".join(filter(None, (citation.title, citation.section, page, citation.source)))
    offsets = f"{citation.start}\u2013{citation.end}"
    return f"[{citation.number}] {_line(place)} ({offsets})\n\n> {_line(citation.quote)}"


def _line(text: str) -> str:
    return _literal(" ".join(text.split()))


def _literal(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", text)
