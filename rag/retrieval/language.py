"""Which language words are in, and their stems. Knows function words and Snowball's rules; no index.

The function words of function_words.txt hold a language together: they tell it apart and, being everywhere, tell
nothing else. They are written without accents. Where two languages have as many, the upper one is meant.
"""

import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from functools import cache
from pathlib import Path

import Stemmer

ENGLISH = "english"
_MIN_SHARE = 0.1  # of the distinct words; in running text in its language they are a fifth and more
_BY_BLOCK = {7: "greek", 8: "russian", 10: "armenian", 12: "arabic"}  # of 128 characters, by its number in Unicode
_ACCENTS = re.compile("(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+")
_LETTERS = str.maketrans({"\u0142": "l", "\xf8": "o", "\u0111": "d", "\u0131": "i", "\xe6": "ae", "\u0153": "oe"})


def language_of(forms: Iterable[str], among: Container[str] | None = None) -> str:
    """The language with most function words among some words; English, too, where they are not a tenth of the words."""
    distinct = {form if form.isascii() else bare(form) for form in forms}
    spoken = {one: len(distinct & held) for one, held in _function_words().items() if among is None or one in among}
    best = max(spoken, key=lambda language: spoken[language])
    return best if spoken[best] >= _MIN_SHARE * len(distinct) else ENGLISH


def stems(forms: Sequence[str], language: str = ENGLISH) -> list[str]:
    """The stem of each word, "" for a function word. Accents go first in English, else last: the rules need them."""
    idle, stemmer = _function_words()[language], Stemmer.Stemmer(language)  # not thread-safe, and cheap to make
    folded = [form if form.isascii() else bare(form) for form in forms]
    if language == ENGLISH:
        return list(stemmer.stemWords(["" if word in idle else word for word in folded]))
    told = ["" if word in idle else form for form, word in zip(forms, folded, strict=True)]
    return [bare(stem) for stem in stemmer.stemWords(told)]


def bare(word: str) -> str:
    """A word without its accents; one in Greek, Cyrillic, Arabic or Armenian letters without its ending too."""
    if word.isascii() or word[0] > "\u1fff":  # beyond are no letters with accents: pairs of Chinese, mostly
        return word
    stemmer = _BY_BLOCK.get(ord(word[0]) >> 7)
    stem = Stemmer.Stemmer(stemmer).stemWord(word) if stemmer else word.translate(_LETTERS)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", stem)))


@cache
def _function_words() -> dict[str, frozenset[str]]:
    lines = Path(__file__).with_name("function_words.txt").read_text("ascii").splitlines()
    return {language: frozenset(words.split()) for language, words in (line.split(": ") for line in lines)}
