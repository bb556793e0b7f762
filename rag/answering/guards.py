"""Three things that a claim and the text it rests on may not differ in: numbers, names, and saying no.

Each guard answers for a claim and a text whether the text bears the claim out in that respect. They are strict on
purpose: a fluent sentence with one wrong figure is the error that readers do not see.
"""

import re
from collections import Counter

from rag.answering.lexicon import patterns, values, word_set
from rag.retrieval.lexical import words

_UNITS, _SCALES, _FRACTIONS = values("units"), values("scales"), values("fractions")
_VALUES = _UNITS | values("others")
_NUMBER = re.compile(
    r"(?i)(?P<digits>(?<![\w.])\d+(?:,\d{3})+(?:\.\d+)?|(?<![A-Za-z\d.])\d+(?:\.\d+)?)"
    r"|\b(?P<one>an?)(?=[\s-](?:hundred|thousand|million|billion|trillion)\b)"
    r"|(?<!\bone[\s-])(?<!\ba[\s-])(?!(?:second|third|fourth|fifth),)"  # neither "one-third" nor "Second, it grew"
    rf"\b(?P<word>{'|'.join(_VALUES)})\b(?:-(?P<unit>{'|'.join(list(_UNITS)[1:10])})\b)?"
)
_SCALE = re.compile(
    rf"(?i)(?:[\s-]?(?={'|'.join(scale for scale in _SCALES if scale not in 'kmb')})|(?=[kmb]))"  # "5 m" is a length
    rf"({'|'.join(_SCALES)})(?![a-z])"
)
_DENOMINATOR = re.compile(rf"\b(?:one|a)[\s-]({'|'.join(_FRACTIONS)})\b|\b(half)\b", re.IGNORECASE)
_PATTERNS, _OPENERS = patterns("guards"), word_set("openers")
_NAME = re.compile(r"\b[A-Z][\w'\u2019&-]*|\b\w*\d[\w-]*[A-Za-z]\w*")


def without_numbers(text: str) -> str:
    """The text with its numbers, in digits or words, taken out: they are for `numbers_agree` to judge."""
    return _NUMBER.sub(lambda number: " " * len(number.group()), text)


def numbers(text: str) -> Counter[float]:
    """Every number in a text by its value: "1.07 million", "1,070,000" and "six" all count as what they mean."""
    found: Counter[float] = Counter()
    for match in _NUMBER.finditer(text):
        if match["digits"]:
            value = float(match["digits"].replace(",", ""))
        elif match["one"]:
            value = 1.0
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
    """Whether every name of the claim occurs in the text; its first word is one unless it often opens a sentence."""
    held, plain = set(words(text)), without_numbers(claim)
    return all(
        set(words(name.group())) <= held or (name.group().lower() in _OPENERS and _opens(plain[: name.start()]))
        for name in _NAME.finditer(plain)
    )


def _opens(before: str) -> bool:
    """Whether a sentence, or what stands behind a colon, begins there."""
    return not re.search(r"\w", before) or before.rstrip(" *_\"'(\u201c\u2018").endswith((".", "!", "?", ":"))


def negation_agrees(claim: str, text: str) -> bool:
    """Whether the claim says no exactly when the text does. In a text, saying no twice is saying yes."""
    return _denials(text) > 0 if _denials(claim) else _denials(text) % 2 == 0


def _denials(text: str) -> int:
    return len(_PATTERNS["negation"].findall(_PATTERNS["not_only"].sub(" ", text)))


def _written(claim: str, value: float) -> bool:
    return re.search(rf"(?<![\w.]){value:g}(?![\w.])", claim) is not None
