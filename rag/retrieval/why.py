"""Where on its way to the hits a passage that somebody expected was lost."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rag.retrieval.generation import Generation
from rag.retrieval.retriever import CANDIDATES, HybridRetriever
from rag.retrieval.types import Hit

Stage = Literal["documents", "splitting", "search", "ranking", "answer", "nowhere"]


@dataclass(frozen=True, slots=True)
class Why:
    """The stage at which the words were lost, and what was seen there; "nowhere" when they came through."""

    query: str  # what was searched
    stage: Stage
    detail: str
    hit: Hit | None = None  # the passage that holds them, with what its ranks and scores are made of
    rank: int | None = None  # of that passage among all that was found, from 1


def trace(retriever: HybridRetriever, generation: Generation, query: str, expected: str, k: int) -> Why:
    """Follow the best passage that holds the expected words as far as the hits; `stage` is "answer" when it is there.

    :param expected: words as they stand in a document; case and white space do not matter.
    """
    if not (words := _plain(expected)):
        raise ValueError("no words are expected; give some that stand in a document")
    within = [document.source for document in generation.documents.values() if words in _plain(document.text)]
    if not within:
        failed = len(generation.manifest.failed)
        unread = f" {failed} files could not be read: `rag ingest` says why." if failed else ""
        return Why(query, "documents", f"No document in the index holds these words.{unread}")
    holding = [passage for passage in generation.passages if words in _plain(passage.text)]
    if not holding:
        return Why(query, "splitting", f"They stand in {within[0]}, but run from one passage into the next.")
    hits = retriever.search(query, CANDIDATES)
    places = {hit.passage.id: rank for rank, hit in enumerate(hits, 1)}
    rank = min(places.get(passage.id, CANDIDATES + 1) for passage in holding)
    if rank > CANDIDATES:
        scores = generation.lexical.scores(query)
        best = max(scores[generation.position[passage.id]] for passage in holding)
        number = int(np.sum(scores > best)) + 1
        shared = f"by words it is number {number}" if best else "it shares no word with the query"
        return Why(query, "search", f"It is not among the best {CANDIDATES}: {shared}.")
    told = f"It is number {rank} of what was found, and {k} are looked at."
    return Why(query, "ranking" if rank > k else "answer", told, hits[rank - 1], rank)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
