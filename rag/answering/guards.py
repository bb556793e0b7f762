"""Three things that a claim and the text it rests on may not differ in: numbers, names, and saying no.

Each guard answers for a claim and a text whether the text bears the claim out in that respect. They are strict on
purpose: a fluent sentence with one wrong figure is the error that readers do not see.
"""

import re
from collections import Counter

from rag.answering.lexicon import patterns, values, word_set
from rag.retrieval.lexical import words

_SCALES, _FRACTIONS, _VALUES = values("scales"), values("fractions"), values("units") | values("others")
_PATTERNS, _OPENERS = patterns("guards"), word_set("openers")


def without_numbers(text: str) -> str:
    """The text with its numbers, in digits or words, taken out: they are for `numbers_agree` to judge."""
    return _PATTERNS["number"].sub(lambda number: " " * len(number.group()), text)


def numbers(text: str) -> Counter[float]:
    """Every number in a text by its value: "1.07 million", "1,070,000" and "six" all count as what they mean."""
    found: Counter[float] = Counter()
    for match in _PATTERNS["number"].finditer(text):
        if match["digits"]:
            value = float(match["digits"].replace(",", ""))
        elif match["one"]:
            value = 1.0
        else:
            value = _VALUES[match["word"].lower()] + _VALUES.get((match["unit"] or "").lower(), 0.0)
        at = match.end()
        while scale := _PATTERNS["scale"].match(text, at):
            value, at = value * _SCALES[scale[1].lower()], scale.end()
        found[round(value, 9)] += 1
    for match in _PATTERNS["denominator"].finditer(text):
        found[round(_FRACTIONS[(match[1] or match[2]).lower()], 9)] += 1
    return found


def numbers_agree(claim: str, text: str) -> bool:
    """Whether every number of the claim occurs in the text. "one" and "a half" in words may be mere grammar."""
    in_words = {value for value in (1.0, 0.5) if not re.search(rf"(?<![\w.]){value:g}(?![\w.])", claim)}
    return numbers(claim).keys() - in_words <= numbers(text).keys()


def names_agree(claim: str, text: str) -> bool:
    """Whether every name of the claim occurs in the text; its first word is one unless it often opens a sentence."""
    held, plain = set(words(text)), without_numbers(claim)
    return all(
        set(words(name.group())) <= held or (name.group().lower() in _OPENERS and _opens(plain[: name.start()]))
        for name in _PATTERNS["name"].finditer(plain)
    )


def _opens(before: str) -> bool:
    """Whether a sentence, or what stands behind a colon, begins there."""
    return not re.search(r"\w", before) or before.rstrip(" *_\"'(\u201c\u2018").endswith((".", "!", "?", ":"))


def negation_agrees(claim: str, text: str) -> bool:
    """Whether the claim says no exactly when the text does. In a text, saying no twice is saying yes."""
    return _denials(text) > 0 if _denials(claim) else _denials(text) % 2 == 0


def _denials(text: str) -> int:
    return len(_PATTERNS["negation"].findall(_PATTERNS["not_only"].sub(" ", text)))
