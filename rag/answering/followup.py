"""Filling in what a follow-up leaves out, from the questions before it. No model: words only."""

from __future__ import annotations

import re

from rag.answering.types import History
from rag.retrieval.lexical import words

_POINTS_BACK = re.compile(
    r"(?i)\b(?:it|its|he|him|his|she|hers?|they|them|theirs?|this|that|these|those|ones|both|neither|else|another"
    r"|the (?:same|former|latter|others?))\b"
    r"|\bhow (?:many|much) (?:is|are|was|were|do|does|did|has|have|of)\b"  # of what is left out
    r"|\b(?:since when|how so|how come|what else|why not|tell me more)\b"
)
# What looks as if it pointed back, and does not: "factories that", "says that"; "its" and "and ... it" after a name.
_CLAUSE = re.compile(
    r"(?i)\b(?!(?:is|are|was|were|do|does|did|has|have|had|can|will|about|like|with|from|of"
    r"|for|on|in|at|to|by|than|and|or)\b)(\w+) that\b(?=\s\w)"
)
_NAME = r"(?<=\s)(?<!\bin\s)(?:(?!I\b)[A-Z][\w-]+|\d{3,})"
_OWN = re.compile(rf"({_NAME}\b.*?)(?:\b(?:its|his|her|their)\b|(?<=[\w,])\s+and\b.*)")
_OPENER = re.compile(r"\s*(?:and|or|but|so|also|what about|how about)\b", re.IGNORECASE)
_ASKS = re.compile(
    r"(?i)\b(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|has|have|had|can|will|would"
    r"|should|give|tell|list|name|show|explain|describe|compare)\b"
)
_FEW_WORDS = 2  # telling ones; a fragment of more stands alone
_MAX_QUERY_CHARS = 600


def condense(question: str, history: History) -> str:
    """The question as it can be searched on its own: where it leans on the conversation, with the one before in front.

    The question before is itself taken with what it leaned on, so that a subject is carried through several turns.
    """
    asked = [turn["content"] for turn in history if turn["role"] == "user" and turn["content"].strip()]
    query = ""
    for text in [*asked, question]:
        query = f"{query} {text}" if query and _leans(text[:_MAX_QUERY_CHARS]) else text
    return query if len(query) <= _MAX_QUERY_CHARS else query[-_MAX_QUERY_CHARS:].split(" ", 1)[-1]


def _leans(text: str) -> bool:
    """Whether a question cannot be understood alone: "Why?", "And DingTalk?", "What does he manage?"."""
    if _POINTS_BACK.search(_OWN.sub(r"\1", _CLAUSE.sub(r"\1", text))):
        return True
    telling = len(set(words(text)))
    is_fragment = bool(_OPENER.match(text)) or not _ASKS.search(text)
    return telling == 0 or (is_fragment and telling <= _FEW_WORDS)
