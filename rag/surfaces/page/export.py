"""A conversation as Markdown: questions, answers with their marks, and the quotes behind them."""

import re
from collections.abc import Iterable

from rag.answering.types import Citation
from rag.conversations import SavedTurn

_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&:@/=])")  # all that means something to one Markdown or another


def as_markdown(turns: Iterable[SavedTurn]) -> str:
    """The turns one after the other; what documents and users wrote is shown literally by any reader of Markdown."""
    return "\n\n".join(_turn(turn) for turn in turns) + "\n"


def _turn(turn: SavedTurn) -> str:
    lines = [f"## {_literal(turn.question)}"]
    if turn.answer is None:
        return lines[0]
    answer = turn.answer
    lines.append(answer.text if answer.model != "extractive" else _literal(answer.text))
    lines += [_literal(note) for note in (answer.note,) if note]
    lines += [_cited(citation) for citation in answer.citations]
    return "\n\n".join(lines)


def _cited(citation: Citation) -> str:
    page = f"page {citation.page}" if citation.page is not None else ""
    offsets = f"characters {citation.start} to {citation.end}"
    place = " · ".join(filter(None, (citation.title, citation.section, page, citation.source, offsets)))
    return f"\\[{citation.number}\\] {_literal(place)}\n\n> {_literal(citation.quote)}"


def _literal(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))
