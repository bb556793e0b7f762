"""Bringing the index in step: what is reported, what is embedded, and what happens when a step fails."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import EmbedderMismatch, ModelError, StoreError
from rag.documents.parser import Parser
from rag.documents.types import Document
from rag.errors import CorpusError, IndexBusy
from rag.retrieval.index import IndexFolder
from tests.conftest import ROOT, MakeRag
from tests.fakes import HashingEmbeddings

FERRY = "The ferry to Saint Oun carries 90 people and 12 cars."
ALL = ("bakery.txt", "deep/museum.md", "harbour.md")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


def _generations(index: Path) -> list[str]:
    return sorted(path.name for path in index.glob("gen-*"))


def _current(index: Path) -> Path:
    path = IndexFolder(index).current()
    assert path is not None
    return path


class FailingEmbeddings(HashingEmbeddings):
    """Embeds until it is told to fail."""

    failing = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.failing:
            raise ModelError("the model is gone")
        return super().embed_documents(texts)


# --- What is reported, and what is embedded -----------------------------------------------------------------------


def test_the_first_ingest_adds_everything(make_rag: MakeRag) -> None:
    embeddings = HashingEmbeddings()
    rag = make_rag(embeddings=embeddings)

    report = rag.ingest()

    assert (report.added, report.updated, report.unchanged, report.removed, report.failed) == (ALL, (), (), (), ())
    assert report.passages == sum(info.passages for info in rag.documents()) > 0
    assert report.embedded == sum(embeddings.calls) == report.passages


def test_ingesting_twice_changes_nothing(make_rag: MakeRag, index: Path) -> None:
    embeddings = HashingEmbeddings()
    rag = make_rag(embeddings=embeddings)
    first = rag.ingest()
    before = _generations(index)
    embeddings.calls.clear()

    for again in (rag.ingest(), make_rag(embeddings=embeddings).ingest()):
        assert (again.unchanged, again.embedded, again.passages) == (ALL, 0, first.passages)
        assert again.added == again.updated == again.removed == ()
    assert _generations(index) == before
    assert embeddings.calls == []


def test_a_touched_file_is_unchanged(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    rag = make_rag()
    rag.ingest()
    os.utime(corpus / "bakery.txt", (1, 1))

    assert rag.ingest().unchanged == ALL
    assert _generations(index) == ["gen-000001"]


def test_an_added_file_is_reported_and_only_it_is_embedded(make_rag: MakeRag, corpus: Path) -> None:
    embeddings = HashingEmbeddings()
    rag = make_rag(embeddings=embeddings)
    before = rag.ingest().passages
    embeddings.calls.clear()
    (corpus / "ferry.txt").write_text(FERRY)

    report = rag.ingest()

    assert (report.added, report.updated, report.unchanged, report.removed) == (("ferry.txt",), (), ALL, ())
    assert (report.embedded, report.passages) == (1, before + 1)
    assert sum(embeddings.calls) == 1


def test_an_edited_file_is_reported_and_only_what_is_new_in_it_is_embedded(make_rag: MakeRag, corpus: Path) -> None:
    embeddings = HashingEmbeddings()
    rag = make_rag(embeddings=embeddings)
    rag.ingest()
    embeddings.calls.clear()
    file = corpus / "deep" / "museum.md"
    file.write_text(file.read_text("utf-8").replace("costs 8 crowns", "costs 9 crowns"), "utf-8")

    report = rag.ingest()

    assert (report.updated, report.unchanged) == (("deep/museum.md",), ("bakery.txt", "harbour.md"))
    assert report.embedded == sum(embeddings.calls) == 1
    assert "9 crowns" in rag.search("guided tour crowns", k=1)[0].text


def test_a_removed_file_is_reported_and_never_found_again(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    (corpus / "bakery.txt").unlink()

    report = rag.ingest()

    assert (report.removed, report.embedded) == (("bakery.txt",), 0)
    assert "bakery.txt" not in {hit.source for hit in rag.search("bakery loaves", k=100)}


def test_a_renamed_file_is_removed_and_added_and_nothing_is_embedded(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    (corpus / "harbour.md").rename(corpus / "port.md")

    report = rag.ingest()

    assert (report.added, report.removed, report.embedded) == (("port.md",), ("harbour.md",), 0)
    assert rag.search("berths", k=1)[0].source == "port.md"


def test_what_was_embedded_before_an_ingest_was_cut_off_is_not_embedded_again(make_rag: MakeRag, corpus: Path) -> None:
    class CutOff(HashingEmbeddings):
        limit = 256

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if sum(self.calls) >= self.limit:
                raise KeyboardInterrupt
            return super().embed_documents(texts)

    (corpus / "long.md").write_text("\n\n".join(f"# Part {i}\n\nThe berth number {i} is free." for i in range(400)))
    rag = make_rag(embeddings=CutOff())
    with pytest.raises(KeyboardInterrupt):
        rag.ingest()

    embeddings = CutOff()
    embeddings.limit = 10_000
    report = make_rag(embeddings=embeddings).ingest()

    assert report.passages > 400
    assert report.embedded == sum(embeddings.calls) == report.passages - 256


def test_a_rebuild_reads_all_anew_and_embeds_nothing_twice(make_rag: MakeRag, index: Path) -> None:
    make_rag().ingest()
    before = _current(index)
    embeddings = HashingEmbeddings()

    report = make_rag(embeddings=embeddings).ingest(rebuild=True)

    assert _current(index) != before
    assert embeddings.calls == []
    assert (report.embedded, report.unchanged) == (0, ALL)


def test_texts_that_read_the_same_are_two_documents_embedded_once(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    (corpus / "harbour copy.md").write_bytes((corpus / "harbour.md").read_bytes().replace(b"\n", b"\r\n"))

    report = rag.ingest()

    assert (report.added, report.embedded) == (("harbour copy.md",), 0)
    assert {hit.source for hit in rag.search("berths", k=2)} == {"harbour.md", "harbour copy.md"}


@pytest.mark.parametrize("copy", ["a copy.md", "z copy.md"])
def test_the_same_file_twice_is_one_document_with_a_note(make_rag: MakeRag, corpus: Path, copy: str) -> None:
    rag = make_rag()
    rag.ingest()
    shutil.copy(corpus / "harbour.md", corpus / copy)

    report = rag.ingest()

    assert (report.added, report.removed, report.failed) == ((), (), ())
    assert report.notes == rag.notes() == ((copy, "it is the same file as harbour.md; the two are one document"),)
    assert [one.source for one in rag.documents()] == list(ALL)


def test_the_same_bytes_under_a_name_that_cannot_be_read_hide_no_document(make_rag: MakeRag, corpus: Path) -> None:
    shutil.copy(corpus / "bakery.txt", corpus / "a.bak")
    report = make_rag().ingest()

    assert "bakery.txt" in report.added and dict(report.failed).keys() == {"a.bak"} and report.notes == ()


def test_of_two_files_that_are_the_same_the_other_stays_when_one_goes(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    shutil.copy(corpus / "harbour.md", corpus / "z copy.md")
    rag.ingest()

    rag.delete("harbour.md")

    assert "z copy.md" in [one.source for one in rag.documents()] and rag.notes() == ()
    assert rag.search("berths", k=1)[0].source == "z copy.md"


def test_files_from_outside_are_copied_in_and_indexed(make_rag: MakeRag, tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(FERRY)
    rag = make_rag()

    assert "ferry.txt" in rag.ingest([tmp_path / "ferry.txt"]).added
    assert rag.search("ferry cars", k=1)[0].text == FERRY


def test_progress_is_told(make_rag: MakeRag) -> None:
    told: list[tuple[str, int, int]] = []
    make_rag(progress=lambda what, done, total: told.append((what, done, total))).ingest()

    assert [what for what in ("reading", "embedding", "writing") if what in {one[0] for one in told}] == [
        "reading",
        "embedding",
        "writing",
    ]
    assert all(0 <= done <= total for _, done, total in told)


def test_texts_are_embedded_while_a_file_is_being_read(
    make_rag: MakeRag, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "a.txt").write_text("\n\n".join(f"Berth {number} is {'long ' * 120}." for number in range(300)))
    embeddings, read = HashingEmbeddings(), Parser.read

    def slow(parser: Parser, path: Path, source: str) -> Document:
        for _ in range(600 if source == "harbour.md" else 0):
            if embeddings.calls:
                break
            time.sleep(0.05)
        return replace(read(parser, path, source), note="" if embeddings.calls else "waited in vain")

    monkeypatch.setattr(Parser, "read", slow)
    rag = make_rag(embeddings=embeddings)

    assert dict(rag.ingest().notes).get("harbour.md") is None


# --- Files that fail ----------------------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_reported_with_reasons_and_the_rest_is_indexed(
    make_rag: MakeRag, corpus: Path
) -> None:
    (corpus / "blank.txt").write_text(" \n")
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (corpus / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    rag = make_rag()

    report = rag.ingest()

    assert report.added == ALL
    assert [source for source, _ in report.failed] == ["blank.txt", "broken.pdf", "sheet.xlsx"]
    assert all(reason for _, reason in report.failed)
    assert rag.ingest().failed == report.failed
    assert {info.source for info in rag.documents()} == set(ALL)


def test_a_file_above_the_limit_of_the_settings_fails(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "long.txt").write_text("word " * 210_000)

    [(source, reason)] = make_rag(max_file_mb=1).ingest().failed

    assert source == "long.txt"
    assert "1 MB" in reason


def test_a_document_that_becomes_unreadable_leaves_the_index(make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag()
    rag.ingest()
    (corpus / "bakery.txt").write_bytes(b"\x7fELF" + bytes(500))

    report = rag.ingest()

    assert report.removed == ("bakery.txt",)
    assert [source for source, _ in report.failed] == ["bakery.txt"]
    assert "bakery.txt" not in {hit.source for hit in rag.search("bakery", k=100)}


@pytest.mark.parametrize("text", ["---", "```\n```\n"])
def test_a_file_of_marks_alone_does_not_stop_the_others(make_rag: MakeRag, corpus: Path, text: str) -> None:
    (corpus / "marks.md").write_text(text)
    rag = make_rag()

    rag.ingest()

    assert rag.search("berths", k=1)[0].source == "harbour.md"


@pytest.mark.parametrize("text", ["---", "?! ...", "the of and"])
def test_a_corpus_without_a_single_word_is_no_crash(make_rag: MakeRag, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "wordless"
    folder.mkdir()
    (folder / "1.txt").write_text(text)
    rag = make_rag(corpus_dir=folder)

    try:
        hits = rag.search("harbour")
    except CorpusError as error:
        assert "wordless" in str(error)
    else:
        assert all(hit.text == text for hit in hits)


def test_a_corpus_without_a_usable_file_is_an_error_with_the_reasons(make_rag: MakeRag, tmp_path: Path) -> None:
    folder = tmp_path / "useless"
    folder.mkdir()
    (folder / "blank.txt").write_text(" ")

    with pytest.raises(CorpusError, match="useless") as error:
        make_rag(corpus_dir=folder).ingest()
    assert r"blank.txt" in str(error.value)


def test_a_file_name_that_is_no_unicode_does_not_stop_the_others(make_rag: MakeRag, corpus: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        (corpus / name).write_text(FERRY)
    except OSError:
        pytest.skip("this file system takes no such name")
    rag = make_rag()

    report = rag.ingest()

    assert set(ALL) <= set(report.added)
    assert rag.search("berths", k=1)[0].source == "harbour.md"


# --- When a step fails --------------------------------------------------------------------------------------------


def test_when_embedding_fails_the_old_index_still_answers(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    embeddings = FailingEmbeddings()
    rag = make_rag(embeddings=embeddings, auto_ingest=False)
    rag.ingest()
    embeddings.failing = True
    (corpus / "ferry.txt").write_text(FERRY)

    with pytest.raises(ModelError):
        rag.ingest()

    assert _generations(index) == ["gen-000001"]
    assert rag.search("berths", k=1)[0].source == "harbour.md"
    embeddings.failing = False
    assert rag.ingest().added == ("ferry.txt",)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(OSError(28, "No space left on device"), StoreError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["disk full", "Ctrl-C"],
)
def test_when_writing_fails_the_old_index_still_answers_and_no_half_one_is_left(
    make_rag: MakeRag,
    corpus: Path,
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    expected: type[BaseException],
) -> None:
    rag = make_rag(auto_ingest=False)
    rag.ingest()
    (corpus / "ferry.txt").write_text(FERRY)

    def fail(*_: object, **__: object) -> None:
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fail)
        with pytest.raises(expected):
            rag.ingest()

    assert _generations(index) == ["gen-000001"]
    assert rag.search("berths", k=1)[0].source == "harbour.md"
    assert rag.ingest().added == ("ferry.txt",)
    assert rag.search("ferry cars", k=1)[0].text == FERRY


def test_a_question_is_answered_from_the_old_index_while_no_new_one_can_be_written(
    make_rag: MakeRag, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rag = make_rag()
    rag.ingest()
    (corpus / "ferry.txt").write_text(FERRY)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fail)
        assert rag.search("berths", k=1)[0].source == "harbour.md"

    assert rag.search("ferry cars", k=1)[0].text == FERRY


def test_an_index_folder_that_cannot_be_written_is_named_with_a_way_out(make_rag: MakeRag, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match="RAG_INDEX_DIR"):
        make_rag(index_dir=tmp_path / "file" / "index").ingest()


def test_what_a_killed_ingest_left_behind_is_not_used_and_goes(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    rag = make_rag()
    rag.ingest()
    (index / "gen-000002").mkdir()
    (index / "gen-000002" / "documents.jsonl").write_text('{"source": "half')

    for number in range(3):
        (corpus / "ferry.txt").write_text(f"{FERRY} Trip {number}.")
        assert f"Trip {number}" in rag.search("ferry cars trip", k=1)[0].text

    assert not (index / "gen-000002").exists()


# --- One writer at a time -----------------------------------------------------------------------------------------


def test_of_two_ingests_at_once_one_waits_and_both_end_right(make_rag: MakeRag, index: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(HashingEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            inside.set()
            go_on.wait(10)
            return super().embed_documents(texts)

    reports = {}
    one, two = make_rag(embeddings=Slow()), make_rag(embeddings=_called("Slow"))
    first = threading.Thread(target=lambda: reports.update(one=one.ingest()))
    second = threading.Thread(target=lambda: reports.update(two=two.ingest()))
    first.start()
    assert inside.wait(10)
    second.start()
    go_on.set()
    first.join()
    second.join()

    assert reports["one"].added == reports["two"].unchanged == ALL
    assert reports["two"].embedded == 0
    assert _generations(index) == ["gen-000001"]


def _called(name: str) -> HashingEmbeddings:
    """HashingEmbeddings of another class name."""
    made = type(name, (HashingEmbeddings,), {})()
    assert isinstance(made, HashingEmbeddings)
    return made


@pytest.fixture
def other_writer(index: Path):
    """Another process that holds the writer's lock while it lives."""
    index.mkdir(exist_ok=True)
    code = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1, flush=True); input()"
    command = [sys.executable, "-c", code, str(index / "LOCK")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        yield process
        process.kill()


@pytest.mark.usefixtures("other_writer")
def test_a_writer_that_does_not_want_to_wait_is_told_that_another_is_at_work(index: Path) -> None:
    with pytest.raises(IndexBusy, match="Another process"), IndexFolder(index).writing(0):
        pass


def test_while_another_process_writes_questions_are_answered_from_what_there_is(
    make_rag: MakeRag, corpus: Path, request: pytest.FixtureRequest
) -> None:
    rag = make_rag()
    rag.ingest()
    process = request.getfixturevalue("other_writer")
    (corpus / "ferry.txt").write_text(FERRY)

    assert rag.search("berths", k=1)[0].source == "harbour.md"

    process.kill()
    process.wait()
    assert rag.search("ferry cars", k=1)[0].text == FERRY


@pytest.mark.slow
def test_processes_that_ingest_at_once_all_end_right(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    code = (
        "import sys; from rag import Rag, Settings; from tests.fakes import HashingEmbeddings; "
        "settings = Settings(corpus_dir=sys.argv[1], index_dir=sys.argv[2], data_dir=sys.argv[3]); "
        "print(Rag(settings, embeddings=HashingEmbeddings()).ingest().passages)"
    )
    command = [sys.executable, "-c", code, str(corpus), str(index), str(index.parent / "data")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = {process.communicate()[0] for process in running}

    assert [process.returncode for process in running] == [0, 0, 0]
    assert counts == {f"{make_rag().ingest().passages}\n"}
    assert _generations(index) == ["gen-000001"]


# --- Generations --------------------------------------------------------------------------------------------------


def test_only_the_current_generation_and_the_one_before_are_kept(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    rag = make_rag()
    for number in range(4):
        (corpus / "ferry.txt").write_text(f"{FERRY} Trip {number}.")
        rag.ingest()

    assert _generations(index) == ["gen-000003", "gen-000004"]
    assert _current(index).name == "gen-000004"


@pytest.mark.slow
def test_what_else_lies_in_the_index_folder_is_left_alone(make_rag: MakeRag, corpus: Path, index: Path) -> None:
    index.mkdir()
    (index / "README.md").write_text("keep me")
    (index / "gen-notes").mkdir()
    rag = make_rag()
    for number in range(3):
        (corpus / "ferry.txt").write_text(f"{FERRY} Trip {number}.")
        rag.ingest()
    for source in (*ALL, "ferry.txt"):
        rag.delete(source)

    assert (index / "README.md").read_text() == "keep me"
    assert (index / "gen-notes").is_dir()


# --- Other models, other versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [lambda rag: rag.search("berths"), lambda rag: rag.ingest()], ids=["search", "ingest"])
def test_an_index_of_another_model_is_refused_with_both_names_and_the_way_out(
    make_rag: MakeRag, ask: Callable[..., object]
) -> None:
    make_rag(embeddings=_called("OneModel")).ingest()

    with pytest.raises(EmbedderMismatch, match="OneModel") as error:
        ask(make_rag(embeddings=_called("OtherModel")))

    assert "OtherModel" in str(error.value)
    assert "rebuild" in str(error.value)


def test_a_rebuild_mends_an_index_of_another_model(make_rag: MakeRag) -> None:
    make_rag(embeddings=_called("OneModel")).ingest()
    rag = make_rag(embeddings=HashingEmbeddings(32))

    report = rag.ingest(rebuild=True)

    assert report.embedded == report.passages
    assert rag.search("berths", k=1)[0].source == "harbour.md"


def test_a_model_of_the_same_name_with_other_vectors_is_refused(make_rag: MakeRag) -> None:
    class Turned(HashingEmbeddings):
        def _vector(self, text: str) -> list[float]:
            return list(reversed(super()._vector(text)))

    Turned.__name__ = "HashingEmbeddings"
    make_rag().ingest()

    with pytest.raises(EmbedderMismatch):
        make_rag(embeddings=Turned()).search("berths")


def test_a_model_whose_vectors_shiver_a_little_between_calls_is_known_again(make_rag: MakeRag) -> None:
    class Shivering(HashingEmbeddings):
        """As hosted models do, and processors among each other: the cosine of two calls is above 0.9999."""

        def __init__(self, seed: int) -> None:
            super().__init__(384)
            self._noise = random.Random(seed)

        def _vector(self, text: str) -> list[float]:
            return [value + self._noise.gauss(0, 1e-4) for value in super()._vector(text)]

    for seed in range(4):
        assert make_rag(embeddings=Shivering(seed)).search("berths", k=1)[0].source == "harbour.md"


@pytest.mark.parametrize("field", ["splitter", "chroma", pytest.param("format", marks=pytest.mark.slow)])
def test_an_index_of_another_version_is_rebuilt_by_the_next_question(
    make_rag: MakeRag, index: Path, field: str
) -> None:
    make_rag().ingest()
    manifest = _current(index) / "manifest.json"
    fields = json.loads(manifest.read_bytes().splitlines()[0])
    line = json.dumps({**fields, field: 0 if field == "format" else "old"}).encode()
    manifest.write_bytes(line + b"\n" + hashlib.blake2b(line, digest_size=20).hexdigest().encode())

    rag = make_rag()

    assert rag.search("berths", k=1)[0].source == "harbour.md"
    assert _current(index).name == "gen-000002"
    assert rag.ingest().unchanged == ALL


# --- What an adversary found --------------------------------------------------------------------------------------


def test_a_writer_that_waited_does_not_bring_back_what_was_taken_out_meanwhile(
    make_rag: MakeRag, corpus: Path, index: Path
) -> None:
    rag, other = make_rag(), make_rag()
    rag.ingest()
    with IndexFolder(index).writing(0):
        waiting = threading.Thread(target=other.ingest)
        waiting.start()
        time.sleep(0.3)
        (corpus / "bakery.txt").unlink()
    waiting.join()

    assert "bakery.txt" not in {document.source for document in make_rag(auto_ingest=False).documents()}


def test_a_file_that_failed_is_not_read_again_before_it_or_a_limit_changes(
    make_rag: MakeRag, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "blank.txt").write_text(" ")
    make_rag().ingest()
    seen: list[str] = []
    read = Parser.read
    monkeypatch.setattr(Parser, "read", lambda *given: seen.append(given[2]) or read(*given))

    assert dict(make_rag().ingest().failed).keys() == {"blank.txt"} and seen == []
    assert dict(make_rag().ingest(rebuild=True).failed).keys() == {"blank.txt"} and "blank.txt" in seen
    (corpus / "blank.txt").write_text("A line.")
    assert make_rag().ingest().added == ("blank.txt",)


def test_files_beyond_the_limits_of_the_corpus_are_reported_until_there_is_room(
    make_rag: MakeRag, corpus: Path
) -> None:
    few = make_rag(max_files=2).ingest()
    assert few.added == ALL[:2] and "RAG_MAX_FILES" in dict(few.failed)["harbour.md"]
    assert make_rag(max_files=3).ingest().added == ("harbour.md",)

    (corpus / "long.txt").write_text("\n\n".join(f"Berth {number} is {'long ' * 120}." for number in range(30)))
    few = make_rag(max_files=3, max_passages=20).ingest()
    assert few.unchanged == ALL and "RAG_MAX_FILES" in dict(few.failed)["long.txt"]
    few = make_rag(max_passages=20).ingest()
    assert few.unchanged == ALL and "RAG_MAX_PASSAGES" in dict(few.failed)["long.txt"]
    (corpus / "harbour.md").write_text("Closed.")
    assert make_rag(max_passages=40).ingest().added == ("long.txt",)


def test_a_text_above_the_limit_of_characters_fails(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "long.txt").write_text("word " * 300)

    [(source, reason)] = make_rag(max_chars=1000).ingest().failed

    assert source == "long.txt" and "more than 1,000 characters" in reason and "RAG_MAX_CHARS" in reason


def test_a_file_that_failed_is_read_again_when_a_limit_changes(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "large.txt").write_text("The zeppelin has 14 berths. " * 50_000)
    assert make_rag(max_file_mb=1).ingest().failed[0][0] == "large.txt"

    assert make_rag(max_file_mb=50).ingest().added == ("large.txt",)


def test_a_file_of_other_bytes_and_the_same_text_is_read_once_more_and_then_known(
    make_rag: MakeRag, corpus: Path, index: Path
) -> None:
    make_rag().ingest()
    bakery = corpus / "bakery.txt"
    bakery.write_bytes(bakery.read_bytes().replace(b"\n", b"\r\n"))
    rag = make_rag()

    assert rag.ingest().unchanged == ALL
    known = _current(index)
    rag.ingest()
    assert make_rag().search("loaves", k=1)[0].source == "bakery.txt"
    assert _current(index) == known


def test_index_and_data_within_the_corpus_are_no_documents(tmp_path: Path, make_rag: MakeRag, corpus: Path) -> None:
    rag = make_rag(index_dir=corpus / "index", data_dir=corpus / "data")
    rag.ingest()
    rag.delete("bakery.txt")

    rag.ingest()

    assert {document.source for document in rag.documents()} == {"harbour.md", "deep/museum.md"}


def test_an_index_whose_folders_are_read_only_answers(make_rag: MakeRag, index: Path) -> None:
    make_rag().ingest()
    folders = [index, *(path for path in index.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        rag = make_rag(auto_ingest=False)
        assert rag.search("berths", k=1)[0].source == "harbour.md"
        for room in index.glob("open-*"):  # there is none unless we may write everywhere
            assert all(path.stat().st_mode & 0o077 == 0 for path in [room])
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_damaged_index_that_cannot_be_put_aside_is_built_anew_all_the_same(
    make_rag: MakeRag, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rag().ingest()
    (_current(index) / "lexical" / "terms.txt").write_text("")
    rag = make_rag()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        assert rag.search("berths", k=1)[0].source == "harbour.md"

    assert rag.search("berths", k=1)[0].source == "harbour.md"
    assert make_rag(auto_ingest=False).search("berths", k=1)[0].source == "harbour.md"


def test_an_object_in_the_place_of_a_models_name_does_not_make_another_model(make_rag: MakeRag) -> None:
    class Wrapped(HashingEmbeddings):
        def __init__(self) -> None:
            super().__init__()
            self.model = object()  # type: ignore[assignment]

    make_rag(embeddings=Wrapped()).ingest()

    assert make_rag(embeddings=Wrapped()).ingest().unchanged == ALL
