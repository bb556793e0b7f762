"""What the program says of itself, in Chinese when the question is; English otherwise."""

from rag.answering.lexicon import patterns, texts

_PATTERNS = patterns("asked_in_chinese")


def said(english: str, question: str) -> str:
    """One of the program's own sentences, in the language of the question."""
    chinese = _PATTERNS["holds"].search(question) and not _PATTERNS["unless"].search(question)
    return texts("chinese").get(english, english) if chinese else english
