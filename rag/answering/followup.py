"""Filling in what a follow-up leaves out, from the questions before it. No model: words only."""

from __future__ import annotations

import re

from rag.answering.types import History
from rag.retrieval.lexical import words

_POINTS_BACK = re.compile(
    r"\b(?:it|its|he|him|his|she|hers?|they|them|theirs?|this|that|these|those|there|ones?|both|neither|else|another"
    r"|then|such|the (?:same|former|latter|other))\b",
    re.IGNORECASE,
)
_ELLIPSIS = re.compile(r"(?:and|or|but|so|also|what about|how about|why|how so|(?:since )?when|where|who)\b", re.I)
_FEW_WORDS = 2  # a question with no more telling words than this leans on what was said
_MAX_QUERY_CHARS = 600


def condense(question: str, history: History) -> str:
    """The question as it can be searched on its own: where it leans on the conversation, with the one before in front.

    The question before is itself taken with what it leaned on, so that a subject is carried through several turns.
    """
    asked = [turn["content"] for turn in history if turn["role"] == "user" and turn["content"].strip()]
    query = ""
    for text in [*asked, question]:
        query = f"{query} {text}" if query and _leans(text) else text
    return query if len(query) <= _MAX_QUERY_CHARS else query[-_MAX_QUERY_CHARS:].split(" ", 1)[-1]


def _leans(text: str) -> bool:
    telling = len(set(words(text)))
    begins_open = bool(_ELLIPSIS.match(text.strip()))
    return bool(_POINTS_BACK.search(text)) or telling <= _FEW_WORDS or (begins_open and telling <= _FEW_WORDS + 1)
