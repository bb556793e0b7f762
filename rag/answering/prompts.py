"""The passages as a model of language gets them: fenced, and unable to close the fence."""

import re
from collections.abc import Sequence

from rag.retrieval.types import Hit

_FENCE = re.compile(r"<\s*(/?)\s*(passages?)\b", re.IGNORECASE)


def numbered(hits: Sequence[Hit]) -> str:
    """The passages as the model gets them, numbered from 1, with what could close the fence early made harmless."""
    return "\n\n".join(
        f'<passage number="{i}" source="{_inert(_heading(hit))}">\n{_inert(hit.text)}\n</passage>'
        for i, hit in enumerate(hits, 1)
    )


def _heading(hit: Hit) -> str:
    parts = [hit.title, hit.section, f"page {hit.page}" if hit.page else ""]
    return " > ".join(part for part in parts if part).replace('"', "'").replace("\n", " ")


def _inert(text: str) -> str:
    return _FENCE.sub(r"<\1_\2", text)
