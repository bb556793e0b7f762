"""What a folder is about: one passage for each main part, the one nearest to the part as a whole."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from rag.documents.types import Passage
from rag.retrieval.generation import Generation

MAX_PARTS = 12
_PARTS_WITHOUT_SECTIONS = 5
_MIN_PART_CHARS = 200  # a line about the source, a note: no main part where there are others


def outline(generation: Generation, sources: Collection[str] | None = None) -> list[Passage]:
    """The central passages of the main parts in order: the documents; sections of a single one, or even stretches."""
    passages = [p for p in generation.passages if sources is None or p.source in sources]
    several = len({p.source for p in passages}) > 1
    parts = _grouped(passages, lambda p: p.source) if several else _sections(passages)
    return [_central(part, generation) for part in parts[:MAX_PARTS]]


def _sections(passages: Sequence[Passage]) -> list[list[Passage]]:
    parts = _grouped(passages, lambda p: p.section.split(" > ")[0])
    if len(parts) > 1 or len(passages) <= 1:
        return [part for part in parts if sum(len(p.text) for p in part) >= _MIN_PART_CHARS] or parts
    size = -(-len(passages) // _PARTS_WITHOUT_SECTIONS)
    return [list(passages[at : at + size]) for at in range(0, len(passages), size)]


def _grouped(passages: Sequence[Passage], key: Callable[[Passage], str]) -> list[list[Passage]]:
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        groups.setdefault(key(passage), []).append(passage)
    return list(groups.values())


def _central(part: Sequence[Passage], generation: Generation) -> Passage:
    vectors = generation.vectors(part)
    return part[int(np.argmax(vectors @ vectors.mean(axis=0)))]
