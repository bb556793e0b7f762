"""A second look at the best hits: the order is the model's, and nothing is lost or invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag import ModelUnavailable, Rag
from rag.retrieval.embedding import RERANKED, CrossEncoderReranker, Embedder
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.types import Hit
from tests.conftest import MakeRag
from tests.fakes import HashingEmbeddings

QUERY = "windows of house 7"


class Backwards:
    """Puts the worst first."""

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        return [replace(hit, score=0.5 / (place + 1)) for place, hit in enumerate(reversed(hits))]


class Played:
    """Stands in for a CrossEncoder: the score is a number in the passage."""

    def __init__(self, logits: list[float]) -> None:
        self.logits, self.pairs = logits, list[tuple[str, str]]()

    def predict(self, pairs: list[tuple[str, str]], **_: Any) -> np.ndarray:
        self.pairs += pairs
        return np.array(self.logits[: len(pairs)], dtype=np.float32)


@pytest.fixture
def rag(make_rag: MakeRag, corpus: Path) -> Rag:
    streets = "\n\n".join(f"## Street {i}\n\nHouse {i} has {i + 100} windows." for i in range(60))
    (corpus / "streets.md").write_text("# Streets\n\n" + streets)
    return make_rag()


@pytest.fixture
def hits(rag: Rag) -> list[Hit]:
    return rag.search(QUERY, k=50)


def _reranked(rag: Rag, k: int, sources: list[str] | None = None) -> list[Hit]:
    generation = rag._keeper.ready()
    return HybridRetriever(generation, Embedder(HashingEmbeddings()), Backwards()).search(QUERY, k, sources)


@pytest.mark.parametrize("k", [1, 5, RERANKED, 50])
def test_the_best_30_are_put_in_its_order_and_the_others_stay_behind_them(rag: Rag, hits: list[Hit], k: int) -> None:
    expected = [*reversed(hits[:RERANKED]), *hits[RERANKED:]][:k]

    found = _reranked(rag, k)

    assert [hit.passage.id for hit in found] == [hit.passage.id for hit in expected]
    assert [hit.dense_rank for hit in found] == [hit.dense_rank for hit in expected]
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)


def test_nothing_leaks_and_nothing_is_lost_where_there_are_few(rag: Rag) -> None:
    found = _reranked(rag, 5, ["bakery.txt"])

    assert found and {hit.source for hit in found} == {"bakery.txt"}
    assert _reranked(rag, 5, []) == []


@pytest.mark.parametrize(
    ("logits", "scores"), [([-2.0, 3.0, 0.0], [0.9526, 0.5, 0.1192]), ([0.1, 0.9, 0.4], [0.9, 0.4, 0.1])]
)
def test_scores_are_probabilities_whether_the_model_gives_these_or_logits(
    hits: list[Hit], logits: list[float], scores: list[float]
) -> None:
    reranker = CrossEncoderReranker("model")
    reranker._loaded = played = Played(logits)  # type: ignore[assignment]

    found = reranker.rerank(QUERY, hits[:3])

    assert [hit.passage.id for hit in found] == [hits[i].passage.id for i in (1, 2, 0)]
    assert [hit.score for hit in found] == pytest.approx(scores, abs=1e-4)
    assert played.pairs == [(QUERY, hit.passage.embedding_text) for hit in hits[:3]]
    assert reranker.rerank(QUERY, []) == []


def test_it_is_loaded_when_a_question_needs_it(make_rag: MakeRag) -> None:
    assert make_rag(reranker="no-such/model").documents()


@pytest.mark.slow
def test_one_that_is_not_on_this_machine_says_what_to_do(
    make_rag: MakeRag, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))

    with pytest.raises(ModelUnavailable, match="no-such/model") as error:
        make_rag(reranker="no-such/model").search("berths")
    assert "RAG_RERANKER" in str(error.value)
