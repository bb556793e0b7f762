"""What kind of value a question asks for, and whether a sentence offers one that the question did not hold."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Literal

from rag.retrieval.lexical import words

Expected = Literal["number", "date", "name"]

_NUMBER = re.compile(
    r"(?i)\bhow (?:many|much|long|old|often|far|large|big|high|tall)\b|\bpercent|\bproportion\b|\bfraction\b"
    r"|\b(?:what|which) (?:number|share|rate|amount|price|figure)\b|\bnumber of\b|\u591a\u5c11|\u51e0\w"
)
_DATE = re.compile(
    r"(?i)\bwhen\b|\b(?:what|which)(?: \w+)? (?:date|day|year|month|century|decade|time)\b"
    r"|\u4f55\u65f6|\u4ec0\u4e48\u65f6\u5019|\u54ea\u4e00?[\u5929\u5e74\u6708\u65e5]"
)
_NAME = re.compile(
    r"(?i)\bwho(?:m|se)?\b|\bwhere\b|\bname of\b"
    r"|\b(?:what|which) (?:person|people|company|firm|city|country|state|place|region|town)\b|\u8c01|\u54ea\w"
)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+")
_YEAR = re.compile(r"1\d{3}|20\d\d|\d{1,4}s|\d{1,2}(?:st|nd|rd|th)")
_NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million"
    " billion trillion half third quarter tenth dozen both several once twice".split()
)
_DATE_WORDS = frozenset(
    "january february march april may june july august september october november december century centuries decade"
    " year years day days spring summer autumn winter monday tuesday wednesday thursday friday saturday sunday".split()
)
_PROPER = re.compile(r"(?<=[^.!?\s]\s)[A-Z][\w'\u2019-]+")  # a capital inside a sentence


def expected(question: str) -> Expected | None:
    """The kind of value that is asked for; None when the wording does not tell."""
    if _NUMBER.search(question):
        return "number"
    if _DATE.search(question):
        return "date"
    return "name" if _NAME.search(question) else None


def offers(kind: Expected | None, sentence: str, known: Set[str]) -> float:
    """1.0 when the sentence holds a value of this kind that is not among the `known` words, else 0.0.

    :param known: the question's own words, as `words` gives them: what was asked with is not what was asked for.
    :return: 0.5 when no kind is expected.
    """
    if kind is None:
        return 0.5
    if kind == "name":
        return float(any(set(words(name)) - known for name in _PROPER.findall(sentence)))
    new = [token.lower() for token in _TOKEN.findall(sentence) if not set(words(token)) & known]
    if kind == "number":
        return float(any(token[0].isdigit() or token in _NUMBER_WORDS for token in new))
    return float(any(token in _DATE_WORDS or _YEAR.fullmatch(token) for token in new))
