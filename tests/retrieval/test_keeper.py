"""Corpus and index kept in step while questions are asked, and documents taken out."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from rag import CorpusError, IndexBusy, IndexMissing, ModelError
from rag.retrieval.embedding import Embedder
from rag.retrieval.index import IndexFolder
from rag.retrieval.keeper import Keeper
from rag.retrieval.retriever import HybridRetriever
from rag.settings import Settings
from tests.conftest import MakeRag
from tests.fakes import HashingEmbeddings

FERRY = "The ferry to Saint Oun carries 90 people and 12 cars."


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


# --- Kept in step -------------------------------------------------------------------------------------------------


def test_the_first_search_builds_the_index(make_rag: MakeRag, index: Path) -> None:
    rag = make_rag()

    assert not rag.health()["ready"]
    assert rag.search("berths", k=1)[0].source == "harbour.md"
    assert rag.health() == {"ready": True, "generation": "gen-000001", "documents": 3, "passages": 5, "failed": 0}


def test_without_auto_ingest_a_missing_index_is_an_error_that_names_the_command(make_rag: MakeRag, index: Path) -> None:
    rag = make_rag(auto_ingest=False)

    with pytest.raises(IndexMissing, match="rag ingest"):
        rag.search("berths")
    assert not index.exists()


def test_without_auto_ingest_a_new_file_waits_for_the_next_ingest(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag(auto_ingest=False)
    rag.ingest()
    (corpus / "ferry.txt").write_text(FERRY)

    assert {hit.source for hit in rag.search("ferry", k=100)} == {"harbour.md", "bakery.txt", "deep/museum.md"}
    rag.ingest()
    assert rag.search("ferry cars", k=1)[0].source == "ferry.txt"


def test_what_happens_to_a_file_while_the_index_is_open_shows_in_the_next_search(
    make_rag: MakeRag, corpus: Path
) -> None:
    rag = make_rag()
    rag.search("berths")

    (corpus / "ferry.txt").write_text(FERRY)
    assert rag.search("ferry cars", k=1)[0].text == FERRY
    (corpus / "ferry.txt").write_text("The ferry was sold, with its cars.")
    assert rag.search("ferry cars", k=1)[0].text == "The ferry was sold, with its cars."
    (corpus / "ferry.txt").unlink()
    assert "ferry.txt" not in {hit.source for hit in rag.search("ferry cars", k=100)}


def test_what_changed_while_nobody_looked_shows_in_the_first_search(make_rag: MakeRag, corpus: Path) -> None:
    make_rag().ingest()
    (corpus / "ferry.txt").write_text(FERRY)

    assert make_rag().search("ferry cars", k=1)[0].text == FERRY


def test_an_unchanged_corpus_is_neither_embedded_nor_written_again(make_rag: MakeRag, index: Path) -> None:
    make_rag().ingest()
    before = {path: path.stat().st_mtime_ns for path in index.glob("gen-*/*.json*")}
    embeddings = HashingEmbeddings()

    make_rag(embeddings=embeddings).search("berths")

    assert {path: path.stat().st_mtime_ns for path in index.glob("gen-*/*.json*")} == before
    assert embeddings.calls == []


def test_an_ingest_by_another_shows_in_the_next_search(make_rag: MakeRag, corpus: Path) -> None:
    reading, writing = make_rag(auto_ingest=False), make_rag()
    writing.ingest()
    reading.search("berths")
    (corpus / "ferry.txt").write_text(FERRY)
    writing.ingest()

    assert reading.search("ferry cars", k=1)[0].text == FERRY


@pytest.mark.parametrize("emptied", [False, True], ids=["missing", "empty"])
def test_without_documents_the_folder_is_named(make_rag: MakeRag, tmp_path: Path, emptied: bool) -> None:
    if emptied:
        (tmp_path / "bare").mkdir()

    with pytest.raises(CorpusError, match="bare"):
        make_rag(corpus_dir=tmp_path / "bare").search("berths")


def test_a_generation_that_was_handed_out_answers_while_the_next_one_takes_over(
    corpus: Path, index: Path, tmp_path: Path
) -> None:
    embedder = Embedder(HashingEmbeddings())
    settings = Settings(corpus_dir=corpus, index_dir=index, data_dir=tmp_path / "data")
    library = Keeper(settings, embedder, lambda *_: None)
    handed_out = library.ready()
    (corpus / "harbour.md").write_text("Filled in.")
    library.ready()

    hits = HybridRetriever(handed_out, embedder).search("berths", 1)
    library.folder.close()

    assert "14 berths" in hits[0].text


class PausingEmbeddings(HashingEmbeddings):
    """Embeds documents only while the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        assert self.gate.wait(60)
        return super().embed_documents(texts)


def test_a_server_answers_from_what_there_is_while_long_documents_are_brought_in(
    make_rag: MakeRag, corpus: Path
) -> None:
    embeddings = PausingEmbeddings()
    rag = make_rag(embeddings=embeddings)
    rag.ingest()
    rag.wait_at_most(0.05)
    embeddings.gate.clear()
    (corpus / "ferry.txt").write_text(FERRY)

    for _ in range(3):
        assert "ferry.txt" not in {hit.source for hit in rag.search("ferry cars", k=100)}
    embeddings.gate.set()
    rag.wait_at_most(60)

    assert rag.search("ferry cars", k=1)[0].text == FERRY


def test_what_is_done_in_the_background_is_told_and_a_second_ingest_that_finds_it_busy_leaves_it_so(
    make_rag: MakeRag, corpus: Path
) -> None:
    embeddings = PausingEmbeddings()
    rag = make_rag(embeddings=embeddings)
    rag.ingest()
    rag.wait_at_most(0.3)
    embeddings.gate.clear()
    (corpus / "ferry.txt").write_text(FERRY)
    rag.search("ferry cars")
    doing = rag.doing()
    with pytest.raises(IndexBusy):
        rag._keeper.ingest(wait_s=0)

    assert doing is not None and rag.doing() == doing
    embeddings.gate.set()
    rag.wait_at_most(60)
    rag.search("ferry cars")
    assert rag.doing() is None


def test_a_server_has_a_small_new_file_in_its_next_answer(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    rag.wait_at_most(60)
    (corpus / "ferry.txt").write_text(FERRY)

    assert rag.search("ferry cars", k=1)[0].text == FERRY


def test_a_server_tells_whoever_asks_why_documents_cannot_be_brought_in(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    rag.wait_at_most(60)
    corpus.rename(corpus.with_name("moved"))

    with pytest.raises(CorpusError, match="There is no folder"):
        rag.search("berths")


# --- Taken out ----------------------------------------------------------------------------------------------------


def test_a_deleted_document_is_never_found_and_its_file_is_in_the_trash(
    make_rag: MakeRag, corpus: Path, tmp_path: Path
) -> None:
    rag = make_rag()
    rag.ingest()

    rag.delete("deep/museum.md")

    for one in (rag, make_rag(), make_rag(auto_ingest=False)):
        assert "deep/museum.md" not in {hit.source for hit in one.search("clocks museum Keller", k=100)}
    assert not (corpus / "deep" / "museum.md").exists()
    assert [path.name for path in (tmp_path / "data" / "trash").rglob("*.md")] == ["museum.md"]


def test_nothing_of_a_deleted_document_is_left_in_the_index_folder(
    make_rag: MakeRag, corpus: Path, index: Path
) -> None:
    (corpus / "secret.txt").write_text("The combination of the safe is 7741-zanzibar.")
    rag = make_rag()
    rag.ingest()
    (corpus / "bakery.txt").write_text("The bakery has closed.")
    rag.ingest()  # a second generation that holds it
    before = sum(file.stat().st_size for file in (index / "vectors").iterdir())

    rag.delete("secret.txt")

    for file in index.rglob("*"):
        assert not file.is_file() or b"zanzibar" not in file.read_bytes(), file
    assert sum(file.stat().st_size for file in (index / "vectors").iterdir()) < before


def test_nothing_of_a_deleted_document_is_left_in_what_was_put_aside(
    make_rag: MakeRag, corpus: Path, index: Path
) -> None:
    (corpus / "secret.txt").write_text("The combination of the safe is 7741-zanzibar.")
    make_rag().ingest()
    next(index.glob("gen-*/lexical/terms.txt")).write_text("")
    rag = make_rag()
    rag.search("safe")

    rag.delete("secret.txt")

    for file in index.rglob("*"):
        assert not file.is_file() or b"zanzibar" not in file.read_bytes(), file
    assert len(list(index.glob("gen-*.bad/why.txt"))) == 1


def test_what_fails_in_the_background_is_logged(
    make_rag: MakeRag, corpus: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(PausingEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if not self.gate.is_set():
                time.sleep(0.2)
                raise ModelError("the model is gone")
            return super().embed_documents(texts)

    embeddings = Failing()
    rag = make_rag(embeddings=embeddings)
    rag.ingest()
    rag.wait_at_most(0.01)
    embeddings.gate.clear()
    (corpus / "ferry.txt").write_text(FERRY)

    assert rag.search("berths", k=1)[0].source == "harbour.md"
    time.sleep(1)
    assert "the model is gone" in caplog.text


def test_a_document_that_comes_back_is_found_again(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    text = (corpus / "bakery.txt").read_text("utf-8")
    rag.delete("bakery.txt")
    (corpus / "bakery.txt").write_text(text, "utf-8")

    assert rag.search("loaves", k=1)[0].source == "bakery.txt"


def test_a_document_deleted_with_its_file_kept_stays_out_until_it_is_ingested_by_name(
    make_rag: MakeRag, corpus: Path
) -> None:
    rag = make_rag()
    rag.ingest()

    rag.delete("bakery.txt", keep_file=True)
    (corpus / "bakery.txt").write_text("The bakery has new loaves.")

    assert "bakery.txt" not in rag.ingest(rebuild=True).added
    assert "bakery.txt" not in {hit.source for hit in make_rag().search("bakery loaves", k=100)}
    assert rag.ingest([corpus / "bakery.txt"]).added == ("bakery.txt",)
    assert rag.search("bakery loaves", k=1)[0].source == "bakery.txt"


def test_a_file_that_could_not_be_read_can_be_deleted(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    rag = make_rag()
    rag.ingest()

    rag.delete("sheet.xlsx")

    assert rag.ingest().failed == ()
    assert not (corpus / "sheet.xlsx").exists()


@pytest.mark.parametrize("source", ["no-such.txt", "", "../outside.txt", "/etc/passwd", "deep", "deep/../bakery.txt"])
def test_what_is_no_document_cannot_be_deleted(make_rag: MakeRag, corpus: Path, source: str) -> None:
    (corpus.parent / "outside.txt").write_text("mine")
    rag = make_rag()
    rag.ingest()

    with pytest.raises(CorpusError, match="rag list"):
        rag.delete(source)
    assert (corpus.parent / "outside.txt").exists()
    assert len(rag.documents()) == 3


def test_deleting_the_last_document_leaves_no_index_and_a_clear_error(make_rag: MakeRag, index: Path) -> None:
    rag = make_rag()
    rag.ingest()
    for info in rag.documents():
        rag.delete(info.source)

    with pytest.raises(CorpusError, match="corpus"):
        rag.search("berths")
    assert IndexFolder(index).current() is None
    assert not rag.health()["ready"]
    with pytest.raises(IndexMissing):
        make_rag(auto_ingest=False).search("berths")


def test_after_the_last_document_was_deleted_a_new_one_is_found_and_the_old_ones_are_not(
    make_rag: MakeRag, corpus: Path
) -> None:
    rag = make_rag()
    rag.search("berths")
    onlooker = make_rag(auto_ingest=False)
    onlooker.search("berths")
    for info in rag.documents():
        rag.delete(info.source)
    (corpus / "ferry.txt").write_text(FERRY)

    for one in (rag, onlooker):
        assert [hit.text for hit in one.search("berths ferry", k=100)] == [FERRY]


def test_deleting_the_last_readable_document_takes_it_out_though_other_files_remain(
    make_rag: MakeRag, corpus: Path, index: Path
) -> None:
    (corpus / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    rag = make_rag()
    rag.ingest()

    for source in ("bakery.txt", "deep/museum.md", "harbour.md"):
        rag.delete(source)

    assert IndexFolder(index).current() is None
    with pytest.raises(CorpusError, match=r"photo\.jpg"):
        rag.search("berths")


def test_exclusions_are_written_where_a_person_can_read_them(make_rag: MakeRag, tmp_path: Path) -> None:
    rag = make_rag()
    rag.ingest()

    rag.delete("bakery.txt", keep_file=True)

    assert json.loads((tmp_path / "data" / "excluded.json").read_text()) == ["bakery.txt"]
