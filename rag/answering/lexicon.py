"""The patterns, words and texts of this layer, as lexicon.toml has them, or another file beside it."""

import re
import tomllib
from functools import cache
from pathlib import Path


@cache
def texts(table: str, file: str = "lexicon") -> dict[str, str]:
    """A table of texts by name."""
    return _tables(file)[table]


def word_set(name: str) -> frozenset[str]:
    """The words of this name."""
    return frozenset(_tables()["words"][name].split())


def patterns(table: str, file: str = "lexicon") -> dict[str, re.Pattern[str]]:
    """The patterns of a table by name, whatever the case, those that others name in braces put in their place."""
    made: dict[str, str] = {}
    for name, alternatives in _tables(file)[table].items():
        joined = "|".join(alternatives)
        made[name] = re.sub(
            r"\{([a-z_]+)\}", lambda part: made.get(part[1]) or "|".join(_tables(file)[part[1]]), f"(?:{joined})"
        )
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in made.items()}


def values(table: str) -> dict[str, float]:
    """What the words of a table mean, as numbers."""
    return {word: float(value) for word, value in _tables()[table].items()}


@cache
def _tables(file: str = "lexicon") -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name(f"{file}.toml").read_text("utf-8"))


_CHINESE = patterns("asked_in_chinese")


def said(english: str, question: str) -> str:
    """One of the program's own sentences: in Chinese when the question is, in English otherwise."""
    chinese = _CHINESE["holds"].search(question) and not _CHINESE["unless"].search(question)
    return texts("chinese").get(english, english) if chinese else english
