"""From a query to ranked hits: candidates by dense and sparse search, scored by both, fused, then bridged.

Where a folder as a whole is asked about, one passage for each main part: the one nearest to the part as a whole. And
where on its way to the hits a passage that somebody expected was lost.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

import numpy as np

from rag.documents.types import Passage
from rag.retrieval.bridging import Bridged, bridge
from rag.retrieval.embedding import RERANKED, CrossEncoderReranker, Embedder
from rag.retrieval.generation import Generation
from rag.retrieval.late import interaction, unit
from rag.retrieval.lexical import best, forms_of, words
from rag.retrieval.types import Hit, Mask, Scores, Sources
from rag.tuned import tuned

CANDIDATES = 100  # taken from each list; 50 and 200 rank alike
_TUNED = tuned("retriever")
_ASIDE = re.compile(r"(.*\S)\s+\[[^\[\]]+\]", re.DOTALL)
_CLAUSE = re.compile(r",\s|\s(?:and|or|that|which|where|who|whose|when|while)\s", re.IGNORECASE)
DENSE_SHARE = 0.55  # on the dev parts of SciFact, Cranfield, SQuAD 2, MuSiQue and MTRAG 0.5 and 0.6 differ by 0.005

MAX_PARTS = 12  # of an outline


class Candidate(NamedTuple):
    """What is known of a passage that either search found, by the names that `Hit` has for it."""

    score: float  # fused
    dense_score: float
    late_score: float
    sparse_score: float
    dense_rank: int | None
    sparse_rank: int | None


@dataclass(frozen=True, slots=True)
class HybridRetriever:
    """Chroma and BM25 over one generation, fused by `convex`, and what these lead to."""

    generation: Generation
    embedder: Embedder
    reranker: CrossEncoderReranker | None = None

    def search(self, query: str, k: int, sources: Sources = None) -> list[Hit]:
        """The `k` best passages, best first, fewer only where the documents hold fewer.

        :param query: words in brackets at its end count half: "How many teams? [rugby]".
        :param sources: look only into these documents.
        """
        passages = self.generation.passages
        allowed = np.ones(len(passages), dtype=bool)
        if sources is not None:
            held = frozenset(sources)
            allowed[:] = [passage.source in held for passage in passages]
        if not allowed.any():
            return []
        parts = self._parts(query, allowed)
        found = self.candidates(query, max(k, CANDIDATES), allowed, parts)
        fused = {row: one.score for row, one in found.items()}
        for row, score in parts.items():
            fused[row] += _TUNED.clause_share * score
        for row, share in self._asked_for(query, list(fused)).items():
            fused[row] += _TUNED.name_share * share
        top = max([1.0, *fused.values()])
        fused = {row: score / top for row, score in fused.items()}
        if _ASIDE.fullmatch(query):  # the brackets name the other place already
            ranked = {row: Bridged(fused[row], None) for row in sorted(fused, key=lambda row: -fused[row])}
        else:
            ranked = bridge(query, fused, passages, self.generation.lexical, allowed)
        first = dict(islice(ranked.items(), max(k, RERANKED) if self.reranker else k))
        matched = self._matched(query, list(first))
        hits = [self._hit(row, first[row], found.get(row), told) for row, told in zip(first, matched, strict=True)]
        if self.reranker:
            again = self.reranker.rerank(query, hits[:RERANKED])
            hits = [*again, *(replace(hit, score=hit.score * again[-1].score) for hit in hits[RERANKED:])]
        return hits[:k]

    def _asked_for(self, query: str, rows: list[int]) -> dict[int, float]:
        """For passages of files that the query names, how much of the name it holds, by idf; one word names no file."""
        asked, passages = set(words(query)), self.generation.passages
        names = {passages[row].source: set(words(PurePosixPath(passages[row].source).stem)) for row in rows}
        shares = {}
        for source, name in names.items():
            if len(name & asked) > 1:
                idf = {word: self.generation.lexical.idf(word) for word in name}
                shares[source] = sum(idf[word] for word in name & asked) / sum(idf.values())
        return {row: shares[passages[row].source] for row in rows if passages[row].source in shares}

    def _parts(self, query: str, allowed: Mask) -> dict[int, float]:
        """For a question of several parts, what each found alone; the better score where two found the same."""
        parts = [part for part in _CLAUSE.split(query) if len(words(part)) >= _TUNED.clause_words][: _TUNED.clauses]
        scores: dict[int, float] = {}
        for part in parts if len(parts) > 1 else ():
            for row, found in self.candidates(part, CANDIDATES, allowed).items():
                scores[row] = max(found.score, scores.get(row, 0.0))
        return scores

    def candidates(self, query: str, depth: int, allowed: Mask, also: Iterable[int] = ()) -> dict[int, Candidate]:
        """The `depth` best passages of either search, and some that are to be scored as well, by position."""
        generation = self.generation
        vector, tokens = self.embedder.asked(query)
        counted = query
        if match := _ASIDE.fullmatch(query):
            own, tokens = self.embedder.asked(match[1])
            vector = unit(vector + own)
            counted = f"{match[1]} {query}"  # its words twice, those in brackets once
        listed = None if allowed.all() else allowed.tolist()  # ten times as fast as the array, one value at a time
        among = listed and [id for id, places in generation.sharing.items() if any(listed[at] for at in places)]
        near = [row for id, _ in generation.dense.search(vector, depth, among) for row in generation.sharing[id]]
        dense = [row for row in near if allowed[row]]
        scores = np.where(allowed, generation.lexical.scores(counted), 0.0)
        sparse = best(scores, depth)
        rows = np.array(list(dict.fromkeys([*dense, *sparse, *also])), dtype=np.int64)
        embedded = generation.rows(rows.tolist())
        cosines, late = embedded[:, : len(vector)] @ vector, interaction(tokens, embedded)
        similar = (cosines + _TUNED.late * late).astype(np.float64)
        floor = float(np.sort(similar)[-len(dense)]) if dense else 0.0
        fused = convex(similar, scores[rows], floor, DENSE_SHARE * self.embedder.reads(query))
        told = np.column_stack([fused, cosines, late, scores[rows]]).tolist()
        ranks = [{row: rank for rank, row in enumerate(found, 1)} for found in (dense, sparse)]
        return {
            row: Candidate(*values, *(ranked.get(row) for ranked in ranks))
            for row, values in zip(rows.tolist(), told, strict=True)
        }

    def _matched(self, query: str, rows: list[int]) -> list[tuple[str, ...]]:
        """For each passage the words of the query that it holds, the most telling first."""
        forms = list(dict.fromkeys(forms_of(query)))
        places = np.array(rows, dtype=np.int32)
        parts = [self.generation.lexical.parts(form, places).sum(axis=0) for form in forms]
        told = np.stack(parts, axis=1) if parts else np.zeros((len(rows), 0))
        return [tuple(forms[i] for i in np.argsort(-row, kind="stable") if row[i] > 0) for row in told]

    def _hit(self, row: int, bridged: Bridged, found: Candidate | None, matched: tuple[str, ...]) -> Hit:
        passages, told = self.generation.passages, found._asdict() if found else {}
        named_by = None if bridged.source is None else passages[bridged.source].id
        return Hit.of(passages[row], **told | {"score": bridged.score, "matched": matched, "bridged_from": named_by})


def convex(dense: Scores, sparse: Scores, floor: float, share: float = DENSE_SHARE) -> Scores:
    """Share * dense + (1 - share) * sparse for each candidate, both scaled to [0, 1].

    Dense scores have no natural zero: `floor` becomes 0, and so does what lies below. Sparse ones have (BM25 is 0
    without a shared word). Both are then divided by their maximum. Ranking by this sum beat reciprocal rank fusion on
    every set tried: it keeps how far apart the scores are.

    :param floor: the dense score of the last passage of the dense list.
    """
    top = dense.max(initial=floor) - floor
    near = np.clip(dense - floor, 0, None) / top if top > 0 else (dense >= floor).astype(np.float64)
    shared = sparse / max(sparse.max(initial=0.0), 1e-9)
    fused: Scores = share * near + (1 - share) * shared
    return fused


def outline(generation: Generation, sources: Sources = None) -> list[Hit]:
    """The central passages of the main parts in order: the documents; sections of a single one, or even stretches.

    Ranks are None and scores 1.
    """
    passages = [p for p in generation.passages if sources is None or p.source in sources]
    several = len({p.source for p in passages}) > 1
    parts = _grouped(passages, lambda p: p.source) if several else _sections(passages)
    return [Hit.of(_central(part, generation), score=1.0) for part in parts[:MAX_PARTS]]


def _sections(passages: Sequence[Passage]) -> list[list[Passage]]:
    parts = _grouped(passages, lambda p: p.section.split(" > ")[0])
    if len(parts) > 1 or len(passages) <= 1:
        return [part for part in parts if sum(len(p.text) for p in part) >= _TUNED.min_part_chars] or parts
    size = -(-len(passages) // _TUNED.parts_without_sections)
    return [list(passages[at : at + size]) for at in range(0, len(passages), size)]


def _grouped(passages: Sequence[Passage], key: Callable[[Passage], str]) -> list[list[Passage]]:
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        groups.setdefault(key(passage), []).append(passage)
    return list(groups.values())


def _central(part: Sequence[Passage], generation: Generation) -> Passage:
    vectors = generation.vectors(part)
    return part[int(np.argmax(vectors @ vectors.mean(axis=0)))]


@dataclass(frozen=True, slots=True)
class Why:
    """The stage at which the words were lost, and what was seen there; "nowhere" when they came through."""

    query: str  # what was searched
    stage: Literal["documents", "splitting", "search", "ranking", "answer", "nowhere"]
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
