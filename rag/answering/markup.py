"""What of a document's markup may reach a reader or a model: its words, and nothing that acts.

A client may show an answer as Markdown or HTML, where an image sends a request and a link leads elsewhere. Works on
texts and spans; the quotes of citations stay as they are in the document.
"""

from rag.answering.lexicon import patterns
from rag.answering.types import Evidence

_PATTERNS = patterns("markup")
_WHOLE = {"hidden": "", "image": "", "definition": "", "link": r"\1", "autolink": r"\1", "target": "]", "tag": ""}
_HALVES = {"half_image": "[", "half_link": "] ", "half_tag": "< "}  # the other half may stand in the next sentence


def inert(text: str) -> str:
    """The text without images, with links as their words alone, and with no tag that a browser would act on."""
    for name, left in (_WHOLE | _HALVES).items():
        text = _PATTERNS[name].sub(left, text)
    return text


def seen(text: str) -> str:
    """The text without what a document hides from its readers: comments, and elements that are not displayed."""
    return _PATTERNS["hidden"].sub("", text)


def is_material(found: Evidence) -> bool:
    """Whether an answer may rest on this: it is not hidden from readers, no order to a model, and not only markup."""
    at = found.span.start - found.hit.start
    hidden = any(part.start() <= at < part.end() for part in _PATTERNS["hidden"].finditer(found.hit.text))
    return not hidden and not _PATTERNS["order"].search(found.text) and inert(found.text).strip() != ""
