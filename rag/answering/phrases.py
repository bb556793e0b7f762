"""What the program says of itself, in Chinese when the question is; English otherwise."""

import re

from rag.answering.lexicon import texts

_HAN = re.compile("[\u4e00-\u9fff]")
# What makes it no Chinese question: signs of Japanese or Korean, or English words around a Chinese name.
_OTHERS = re.compile(r"(?i)[\u3040-\u30ff\uac00-\ud7a3]|\b(?:the|is|are|was|were|do|does|did|what|who|how|of|in)\b")


def said(english: str, question: str) -> str:
    """One of the program's own sentences, in the language of the question."""
    return texts("chinese").get(english, english) if _HAN.search(question) and not _OTHERS.search(question) else english
