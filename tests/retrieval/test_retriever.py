"""Hits, as Rag.search and the LangChain retriever give them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import CorpusError, Rag, Settings
from rag.retrieval import retriever
from rag.retrieval.embedding import Embedder
from rag.retrieval.lexical import words
from tests.conftest import BAKERY, HARBOUR, MUSEUM, MakeRag
from tests.fakes import HashingEmbeddings

QUERIES = ["berths in the harbour", "Who made the oldest clock?", "zeppelin", "rye bread", "阿里巴巴", "\U0001f600"]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rag]:
    """A corpus of more passages than each list hands to the fusion."""
    folder = tmp_path_factory.mktemp("town")
    (folder / "corpus").mkdir()
    for name, text in (("harbour.md", HARBOUR), ("bakery.txt", BAKERY), ("museum.md", MUSEUM)):
        (folder / "corpus" / name).write_text(text, "utf-8")
    streets = "\n\n".join(f"## Street {i}\n\nHouse {i} has {i + 100} windows." for i in range(120))
    (folder / "corpus" / "streets.md").write_text("# Streets\n\n" + streets)
    settings = Settings(corpus_dir=folder / "corpus", index_dir=folder / "index", data_dir=folder / "data")
    with Rag(settings, embeddings=HashingEmbeddings(512)) as rag:
        yield rag


@pytest.mark.parametrize("query", QUERIES)
def test_hits_slice_back_from_their_documents_best_first(town: Rag, query: str) -> None:
    hits = town.search(query, k=20)

    assert len(hits) == 20
    assert len({hit.passage.id for hit in hits}) == 20
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert town.document_text(hit.source)[hit.start : hit.end] == hit.text == hit.passage.text
        assert 0 <= hit.score <= 1
        assert hit.sentences == hit.passage.sentences


@pytest.mark.parametrize("k", [1, 5, 50, 60, 1000])
def test_k_hits_come_where_the_corpus_has_them(town: Rag, k: int) -> None:
    total = sum(info.passages for info in town.documents())

    assert len(town.search("zeppelin", k=k)) == min(k, total)


def test_what_a_question_costs_is_bounded_however_many_parts_it_has(town: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    embed = HashingEmbeddings.embed_query
    monkeypatch.setattr(HashingEmbeddings, "embed_query", lambda self, text: (asked.append(text), embed(self, text))[1])

    assert len(town.search(", ".join(f"berth{i} clock{i} bread{i}" for i in range(150)), k=5)) == 5
    assert 1 < len(asked) < 12


def test_the_less_the_model_reads_the_more_shared_words_count(town: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embedder, "reads", lambda self, text: 0.0)
    hits = town.search("windows of house 7", k=10)

    scores = [hit.sparse_score or 0.0 for hit in hits]
    assert hits[0].sparse_rank == 1 and scores == sorted(scores, reverse=True)  # equal ones by dense search
    assert len(town.search("zeppelin", k=10)) == 10


def test_fewer_hits_are_the_beginning_of_more(town: Rag) -> None:
    more = town.search("windows of a house in the harbour", k=30)

    assert town.search("windows of a house in the harbour", k=7) == more[:7]


def test_words_in_brackets_at_the_end_of_a_query_count_half(town: Rag) -> None:
    def scores(query: str) -> dict[str, float]:
        return {hit.source: hit.sparse_score for hit in town.search(query, k=200) if hit.sparse_score}

    equal, half = scores("rye clocks"), scores("rye [clocks]")
    assert half == pytest.approx({"bakery.txt": 2 * equal["bakery.txt"], "museum.md": equal["museum.md"]})


@pytest.mark.parametrize("depth", [50, 200])
@pytest.mark.parametrize("query", [*QUERIES, "windows of house 7"])
def test_ranks_and_scores_of_the_two_lists_agree_with_each_other(town: Rag, query: str, depth: int) -> None:
    """Ranks are given for what a list held, scores for whatever either list held."""
    hits = town.search(query, k=depth)

    for ranks in ([(h.dense_rank, h.dense_score) for h in hits], [(h.sparse_rank, h.sparse_score) for h in hits]):
        held = sorted((rank, score) for rank, score in ranks if rank is not None)
        assert len({rank for rank, _ in held}) == len(held)
        assert all(rank >= 1 for rank, _ in held)
        scores = [round(score, 5) for _, score in held]  # Chroma rounds, too
        assert scores == sorted(scores, reverse=True)
        left = [round(score, 5) for rank, score in ranks if rank is None and score is not None]
        assert max(left, default=-1.0) <= min(scores, default=0.0)
    for hit in hits:
        found = hit.dense_rank is not None or hit.sparse_rank is not None
        assert found or hit.bridged_from is not None
        assert {one is not None for one in (hit.dense_score, hit.sparse_score, hit.late_score)} == {found}
    assert all(-1 <= hit.dense_score <= 1 for hit in hits if hit.dense_score is not None)
    assert all(hit.sparse_score >= 0 for hit in hits if hit.sparse_score is not None)
    assert all(hit.sparse_score > 0 for hit in hits if hit.sparse_rank is not None)
    assert all(hit.late_score in (0.0, None) for hit in hits)  # a foreign model has no tokens


def test_what_matched_are_words_of_the_query_that_the_passage_holds_the_most_telling_first(town: Rag) -> None:
    hits = town.search("How many windows has house number 7?", k=50)

    assert hits[0].matched == ("7", "windows", "house") or hits[0].matched == ("7", "house", "windows")
    for hit in hits:
        held = set(words(hit.passage.embedding_text))
        assert {word for word in ("windows", "house", "7") if set(words(word)) <= held} == set(hit.matched)


def test_for_a_question_of_two_parts_the_best_passages_of_each_are_found(town: Rag) -> None:
    query = "How many berths has the harbour, and how many clocks does the museum show?"
    texts = [hit.text for hit in town.search(query, k=6)]

    assert any("14 berths" in text for text in texts)
    assert any("212 clocks" in text for text in texts)


def test_what_one_part_of_a_question_found_says_how_it_was_found(town: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retriever, "CANDIDATES", 1)
    query = "Which streets have houses with many windows, and the oldest clock was made by whom?"

    for hit in town.search(query, k=1) + town.search(query, k=5):
        assert hit.dense_score is not None or hit.bridged_from is not None


def test_an_exact_rare_word_is_found_first(town: Rag) -> None:
    assert "Maud Ferrier" in town.search("Ferrier", k=5)[0].text
    assert "159 windows" in town.search("159", k=5)[0].text
    assert town.search("Brule", k=5)[0].source == "bakery.txt"


def test_no_hit_leaks_from_other_documents(town: Rag) -> None:
    for query in QUERIES:
        for sources in (["museum.md"], ["bakery.txt", "harbour.md"], {"streets.md"}):
            hits = town.search(query, k=200, sources=sources)

            assert {hit.source for hit in hits} == set(sources)
            assert len(hits) == sum(info.passages for info in town.documents() if info.source in sources)


def test_no_documents_to_look_into_give_no_hits(town: Rag) -> None:
    assert town.search("berths", sources=[]) == []


def test_a_document_that_is_not_there_cannot_be_looked_into(town: Rag) -> None:
    with pytest.raises(CorpusError, match=r"gone\.md"):
        town.search("berths", sources=["harbour.md", "gone.md"])
    with pytest.raises(CorpusError, match=r"gone\.md"):
        town.document_text("gone.md")


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_1_is_the_callers_mistake(town: Rag, k: int) -> None:
    with pytest.raises(ValueError, match=str(k)):
        town.search("berths", k=k)


def test_the_same_search_gives_the_same_hits(town: Rag) -> None:
    assert town.search("windows", k=30) == town.search("windows", k=30)


def test_a_hit_as_a_dictionary_has_its_fields_and_no_objects(town: Rag) -> None:
    [hit] = town.search("Ferrier", k=1)
    fields = hit.to_dict()

    assert {"text", "source", "title", "section", "start", "end", "page", "score"} < fields.keys()
    assert fields["matched"] == ("ferrier",)
    assert all(isinstance(value, str | int | float | None) for name, value in fields.items() if name != "matched")
    assert json.loads(json.dumps(fields)) == {**fields, "matched": ["ferrier"]}
    assert (fields["title"], fields["section"], fields["page"]) == ("The harbour of Port Elver", "Ships", None)


def test_the_langchain_retriever_gives_the_same_hits_as_documents(town: Rag) -> None:
    hits = town.search("harbour berths", k=3)

    documents = town.as_retriever(k=3).invoke("harbour berths")

    assert [document.page_content for document in documents] == [hit.text for hit in hits]
    assert [document.id for document in documents] == [hit.passage.id for hit in hits]
    for document, hit in zip(documents, hits, strict=True):
        assert document.metadata == {key: value for key, value in hit.to_dict().items() if key != "text"}


def test_an_overview_hit_has_no_ranks_and_a_score_of_1(town: Rag) -> None:
    hits = [hit for hit in town.ask("What are these documents about?").hits if hit.dense_rank is None]

    assert {hit.source for hit in hits} == {info.source for info in town.documents()}
    assert all((hit.sparse_rank, hit.score) == (None, 1.0) for hit in hits)


def test_searches_go_on_while_generations_change(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag(auto_ingest=False)
    rag.ingest()
    over = threading.Event()
    errors: list[BaseException] = []
    found: list[int] = []

    def search() -> None:
        try:
            while not over.is_set():
                hits = rag.search("ferry berths clocks loaves", k=10)
                assert hits
                for hit in hits:
                    assert hit.text == hit.passage.text
                    assert hit.end - hit.start == len(hit.text)
                found.append(len(hits))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            (corpus / "ferry.txt").write_text(f"Ferry number {number} leaves the harbour.")
            rag.ingest()
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert errors == []
    assert found


def test_a_slow_search_ends_right_though_two_generations_passed_it_by(make_rag: MakeRag, corpus: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Waiting(HashingEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            if "berths" in text:
                begun.set()
                go_on.wait(10)
            return super().embed_query(text)

    rag = make_rag(embeddings=Waiting(), auto_ingest=False)
    rag.ingest()
    rag.search("loaves")
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(hit.text for hit in rag.search("berths", k=1)))
    thread.start()
    assert begun.wait(10)
    for number in range(3):
        (corpus / "ferry.txt").write_text(f"Ferry number {number} leaves the harbour.")
        rag.ingest()
        rag.search("loaves")
    go_on.set()
    thread.join()

    assert len(found) == 1
    assert "14 berths" in found[0]
