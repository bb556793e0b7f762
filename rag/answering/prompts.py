"""What a model of language gets to read: as much as fits, the passages fenced and unable to close the fence."""

import re
from collections.abc import Sequence

from rag.answering.markup import seen
from rag.answering.types import History
from rag.retrieval.types import Hit

_MAX_TURNS = 6
_FENCE = re.compile(r"<\s*(/?)\s*(passages?)\b", re.IGNORECASE)
_ASCII = re.compile(r"[\x00-\x7f]+")


def tokens(text: str) -> int:
    """About how many tokens a text has: one for four ASCII characters, or for any other, which is rather too high."""
    others = len(_ASCII.sub("", text))
    return others + (len(text) - others) // 4 + 1


def recent(history: History, max_tokens: int) -> History:
    """The last turns that fit, oldest first, from a question on."""
    turns = history[-_MAX_TURNS:]  # and where the assistant's came first, some providers would refuse them
    while turns and (turns[0]["role"] == "assistant" or sum(tokens(turn["content"]) for turn in turns) > max_tokens):
        turns = turns[1:]
    return turns


def numbered(hits: Sequence[Hit], max_tokens: int) -> str:
    """The passages, numbered from 1, the weakest left out until the rest fits; the best one always stays."""
    written = [
        f'<passage number="{i}" source="{_inert(_heading(hit))}">\n{_inert(seen(hit.text))}\n</passage>'
        for i, hit in enumerate(hits, 1)
    ]
    while len(written) > 1 and sum(map(tokens, written)) > max_tokens:
        written.pop()
    return "\n\n".join(written)


def _heading(hit: Hit) -> str:
    parts = [hit.title, hit.section, f"page {hit.page}" if hit.page else ""]
    return " > ".join(part for part in parts if part).replace('"', "'").replace("\n", " ")


def _inert(text: str) -> str:
    return _FENCE.sub(r"<\1_\2", text)
