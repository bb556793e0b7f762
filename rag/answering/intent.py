"""What kind of message this is, about facts, about the whole or no question at all; and what kind of value it asks for.

Also whether a sentence offers such a value that the question did not hold.
"""

import re
import unicodedata
from collections.abc import Set
from typing import Literal, get_args

from rag.answering.lexicon import patterns, word_set
from rag.retrieval.lexical import words

Intent = Literal["greeting", "thanks", "system", "overview", "fact"]

_PATTERNS = patterns("intent")
_OF_PARTS = [pattern for name, pattern in _PATTERNS.items() if name.startswith("part_")]
_KINDS = patterns("expected")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+")
_YEAR = re.compile(r"1\d{3}|20\d\d|\d{1,4}s|\d{1,2}(?:st|nd|rd|th)")
_NUMBER_WORDS, _DATE_WORDS = word_set("number"), word_set("date")
_PROPER = re.compile(r"(?<=[^.!?\s]\s)[A-Z][\w'\u2019-]+")  # a capital inside a sentence


def visible(message: str) -> str:
    """A message without what cannot be seen or printed, its words one space apart."""
    return " ".join(_PATTERNS["unseen"].sub("", _PATTERNS["escape"].sub("", message)).split())


def intent_of(message: str, begun: bool = False) -> Intent:
    """The kind of a message, a fact unless it is clearly another; once it has `begun`, "it" may be what was said."""
    plain = unicodedata.normalize("NFKC", message).replace("\u2019", "'").lower()
    plain = " ".join(_PATTERNS["punctuation"].sub(" ", plain).split())
    if begun and _PATTERNS["leans_back"].search(plain):
        return "fact"
    return next((kind for kind in get_args(Intent) if kind != "fact" and _PATTERNS[kind].fullmatch(plain)), "fact")


def sides_of(message: str) -> tuple[str, ...]:
    """The two that a message asks to compare, or the one that it asks to be told of; () for other messages."""
    found = (pattern.fullmatch(message.strip(" ?!.\u3002\uff1f")) for pattern in _OF_PARTS)
    sides = next((match.groups() for match in found if match), ())
    bare = tuple(side.strip(" \"'\u2018\u2019\u201c\u201d") for side in sides)
    return bare if all(words(side) for side in bare) else ()


def expected(question: str) -> str | None:
    """The kind of value that is asked for: number, date or name; None when the wording does not tell."""
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(question)), None)


def offers(kind: str | None, sentence: str, known: Set[str]) -> float:
    """1.0 when the sentence holds a value of this kind beyond the `known` words of the question; 0.5 for no kind."""
    if kind is None:
        return 0.5
    if kind == "name":
        return float(any(set(words(name)) - known for name in _PROPER.findall(sentence)))
    new = [token.lower() for token in _TOKEN.findall(sentence) if not set(words(token)) & known]
    if kind == "number":
        return float(any(token[0].isdigit() or token in _NUMBER_WORDS for token in new))
    return float(any(token in _DATE_WORDS or _YEAR.fullmatch(token) for token in new))
