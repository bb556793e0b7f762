"""A conversation as Markdown, in the form of export.md: questions, answers with their marks, the quotes behind them."""

import re
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from rag.answering.types import Answer
from rag.conversations import SavedTurn
from rag.surfaces.forms import form
from rag.surfaces.page.markdown import UNSUPPORTED, marked
from rag.surfaces.page.render import pieces
from rag.surfaces.page.words import Words

_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&:@/=])")  # all that means something to one Markdown or another


def as_markdown(turns: Iterable[SavedTurn], words: Words) -> str:
    """The turns one after the other; what documents and users wrote is shown literally by any reader of Markdown."""
    return str(_FORM.conversation(list(turns), words, lambda answer: Markup(_said(answer, words))))


def _said(answer: Answer, words: Words) -> str:
    """The answer's text; a sentence that the documents do not bear out says so here too."""
    text = ""
    for piece, marks in pieces(answer.text, answer.sentences):
        told = " ".join(f"*({words['unfounded']})*" if mark == UNSUPPORTED else f"[{mark}]" for mark in marks)
        text += marked(piece if answer.model != "extractive" else _literal(piece), told)
    return text


def _literal(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", text)


_FORM = form(Path(__file__).with_suffix(".md").read_text("utf-8"), lambda text: _literal(" ".join(text.split())))
