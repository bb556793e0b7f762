"""Three things that a claim and the text it rests on may not differ in: numbers, names, and saying no.

Each guard answers for a claim and a text whether the text bears the claim out in that respect. They are strict on
purpose: a fluent sentence with one wrong figure is the error that readers do not see.
"""

from __future__ import annotations

import re
from collections import Counter

from rag.retrieval.lexical import words

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {w: float(i) for i, w in enumerate(_UNITS)} | {w: 10.0 * i for i, w in enumerate(_TENS, 2)}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
           "\u4e07": 1e4, "\u4ebf": 1e8}  # fmt: skip
_FRACTIONS = {"half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10}
_NUMBER = re.compile(
    r"(?P<digits>(?<![\w.])\d+(?:,\d{3})+(?:\.\d+)?|(?<![A-Za-z\d.])\d+(?:\.\d+)?)"
    rf"|\b(?P<word>{'|'.join(_VALUES)})\b(?:-(?P<unit>{'|'.join(_UNITS[1:10])})\b)?",
    re.IGNORECASE,
)
_SCALE = re.compile(rf"[\s-]?({'|'.join(_SCALES)})(?![a-z])", re.IGNORECASE)
_DENOMINATOR = re.compile(rf"\b(?:one|a)[\s-]({'|'.join(_FRACTIONS)})\b|\b(half)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|nobody|nothing|nowhere|without|cannot|hardly|lacks?|lacking)\b"
    r"|\bfail(?:s|ed)? to\b|n['\u2019]t\b|[\u4e0d\u6ca1\u65e0\u975e]",
    re.IGNORECASE,
)
_NOT_ONLY = re.compile(r"\bnot (?:only|just|merely)\b|\bno (?:fewer|less|more) than\b|\bno\. ?\d", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w'\u2019&-]*|\b\w*\d[\w-]*[A-Za-z]\w*")
_MONTHS = "January February March April May June July August September October November December".split()


def without_numbers(text: str) -> str:
    """The text with its numbers, in digits or words, taken out: they are for `numbers_agree` to judge."""
    return _NUMBER.sub(" ", text)


def numbers(text: str) -> Counter[float]:
    """Every number in a text by its value: "1.07 million", "1,070,000" and "six" all count as what they mean."""
    found: Counter[float] = Counter()
    for match in _NUMBER.finditer(text):
        if match["digits"]:
            value = float(match["digits"].replace(",", ""))
        else:
            value = _VALUES[match["word"].lower()] + _VALUES.get((match["unit"] or "").lower(), 0.0)
        at = match.end()
        while scale := _SCALE.match(text, at):
            value, at = value * _SCALES[scale[1].lower()], scale.end()
        found[round(value, 9)] += 1
    for match in _DENOMINATOR.finditer(text):
        found[round(_FRACTIONS[(match[1] or match[2]).lower()], 9)] += 1
    return found


def numbers_agree(claim: str, text: str) -> bool:
    """Whether every number of the claim occurs in the text. "one" and "a half" in words may be mere grammar."""
    held = numbers(text)
    return all(value in held or (value in (1.0, 0.5) and not _written(claim, value)) for value in numbers(claim))


def names_agree(claim: str, text: str) -> bool:
    """Whether every name of the claim occurs in the text. A capital at the sentence's start may be mere spelling."""
    held = set(words(text))
    for match in _NAME.finditer(claim):
        stems = set(words(match.group()))
        if stems and not stems <= held and not (match.start() == _first_word(claim) and _is_plain(match.group())):
            return False
    return True


def negation_agrees(claim: str, text: str) -> bool:
    """Whether the claim says no exactly when the text does."""
    return _denies(claim) == _denies(text)


def _denies(text: str) -> bool:
    return len(_NEGATION.findall(_NOT_ONLY.sub(" ", text))) % 2 == 1


def _written(claim: str, value: float) -> bool:
    return re.search(rf"(?<![\w.]){value:g}(?![\w.])", claim) is not None


def _first_word(claim: str) -> int:
    match = re.search(r"\w", claim)
    return match.start() if match else 0


def _is_plain(word: str) -> bool:
    """One capital and then small letters: an ordinary word may look so at the start; "DingTalk" and "AI" may not."""
    return word[1:].islower() and word not in _MONTHS
