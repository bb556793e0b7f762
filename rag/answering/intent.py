"""What kind of message this is: a question about facts, about the whole, or no question to the documents at all."""

import unicodedata
from typing import Literal, get_args

from rag.answering.lexicon import patterns
from rag.retrieval.lexical import words

Intent = Literal["greeting", "thanks", "system", "overview", "fact"]

_PATTERNS = patterns("intent")
_OF_PARTS = [pattern for name, pattern in _PATTERNS.items() if name.startswith("part_")]


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
