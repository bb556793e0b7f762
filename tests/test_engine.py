"""Rag as a user holds it."""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough

from rag import Answer, CorpusError, Done, IndexMissing, ModelError, Rag
from tests.conftest import MakeRag
from tests.fakes import HashingEmbeddings

QUESTION = "How many berths does the harbour have?"


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag()


def test_the_first_question_builds_the_index(rag: Rag) -> None:
    assert rag.health()["ready"] is False
    assert "14 berths" in rag.ask(QUESTION).text
    assert rag.health() == {
        "ready": True,
        "generation": "gen-000001",
        "documents": 3,
        "passages": 5,
        "failed": 0,
    }


def test_without_leave_to_build_a_missing_index_is_an_error(make_rag: MakeRag) -> None:
    with pytest.raises(IndexMissing, match="rag ingest"):
        make_rag(auto_ingest=False).ask(QUESTION)


def test_an_answer_is_json_and_back(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    plain = json.loads(json.dumps(answer.to_dict()))
    names = "question query text abstained reason confidence sentences citations hits model seconds note conflict"
    assert set(plain) == {*names.split(), "suggestions"}
    assert plain["citations"][0]["quote"] == answer.citations[0].quote
    assert 0 <= answer.confidence <= 1 and answer.seconds > 0 and answer.model == "extractive"


@pytest.mark.parametrize("question", ["", "   ", "\n\t", "\u200b\u200c\u200d\u2060\ufeff", "\x00\x07"])
def test_a_question_without_anything_to_see_is_the_callers_mistake(rag: Rag, question: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        rag.ask(question)
    with pytest.raises(ValueError, match="empty"):
        rag.search(question)


def test_a_question_that_is_no_text_or_too_long_is_the_callers_mistake(rag: Rag) -> None:
    with pytest.raises(ValueError, match="text"):
        rag.ask(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"100,000 characters, more than 4,000"):
        rag.ask("x" * 100_000)


def test_control_characters_in_a_question_go_no_further(rag: Rag) -> None:
    answer = rag.ask("How many \x00berths\x07 does the \x1b[31mharbour\x1b[0m have\x7f?")
    assert answer.question == "How many berths does the harbour have?"
    assert "14 berths" in answer.text


@pytest.mark.parametrize(
    "history",
    [["hello"], [{"role": "wizard", "content": "x"}], [{"role": "user"}], [{"role": "user", "content": 3}]],
)
def test_a_history_of_another_shape_is_the_callers_mistake(rag: Rag, history: Any) -> None:
    with pytest.raises(ValueError, match="turn"):
        rag.ask(QUESTION, history=history)


def test_a_follow_up_is_searched_with_what_it_leaves_out(rag: Rag) -> None:
    history = [{"role": "user", "content": "Who is harbour master?"}, {"role": "assistant", "content": "Maud Ferrier."}]
    answer = rag.ask("To whom does she report?", history=history)
    assert answer.query == "To whom does she report? [Maud Ferrier master harbour]"
    assert "town council" in answer.text
    assert rag.search("And since when?", 1, history=history)[0].source == "harbour.md"


def test_an_unknown_document_is_named(rag: Rag) -> None:
    for call in (lambda: rag.ask(QUESTION, sources=["nope.md"]), lambda: rag.document_text("../secret")):
        with pytest.raises(CorpusError, match=r"nope\.md|secret"):
            call()


def test_many_threads_get_the_same_answer(rag: Rag) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(lambda _: rag.ask(QUESTION).text, range(24)))
    assert len(texts) == 1


def test_documents_are_listed_with_their_sizes(rag: Rag) -> None:
    listed = {d.source: (d.title, d.passages, d.pages) for d in rag.documents()}
    assert listed == {
        "bakery.txt": ("The bakery on Mill Lane", 1, None),
        "deep/museum.md": ("The clock museum", 2, None),
        "harbour.md": ("The harbour of Port Elver", 2, None),
    }


def test_documents_are_listed_with_their_files_size_and_time(rag: Rag) -> None:
    file = rag.settings.corpus_dir / "bakery.txt"
    os.utime(file, ns=(0, 1_700_000_000_250_000_000))
    bakery = rag.documents()[0]
    assert bakery.bytes == len(file.read_bytes()) and bakery.modified == pytest.approx(1_700_000_000.25, abs=1e-6)


def test_a_document_whose_file_is_gone_has_neither_size_nor_time(make_rag: MakeRag) -> None:
    rag = make_rag(auto_ingest=False)
    rag.ingest()
    (rag.settings.corpus_dir / "bakery.txt").unlink()
    assert [d.bytes is None and d.modified is None for d in rag.documents()] == [True, False, False]


def test_of_files_that_come_in_it_is_told_which_cannot_be_read_and_why(rag: Rag, tmp_path: Path) -> None:
    files = {"note.txt": b"The ferry has 90 seats.", "sheet.xlsx": b"PK\x03\x04", "scan.pdf": b"no pdf at all"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    report = rag.ingest([tmp_path / name for name in files])
    assert "note.txt" in report.added
    assert {source for source, _ in report.failed} == {"sheet.xlsx", "scan.pdf"}
    assert rag.failed() == report.failed and "damaged" in dict(report.failed)["sheet.xlsx"]
    assert rag.search("seats of the ferry", 1)[0].source == "note.txt"
    rag.delete("scan.pdf")
    assert [source for source, _ in rag.failed()] == ["sheet.xlsx"]


def test_the_same_upload_again_is_one_document_and_another_of_its_name_is_a_second(rag: Rag, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("The ferry has 90 seats.")
    rag.ingest(file)
    again = rag.ingest(file)
    file.write_text("The ferry has 91 seats.")
    assert again.added == () and rag.ingest(file).added == ("note-2.txt",)


def test_uploads_of_one_name_at_one_time_are_all_kept(
    rag: Rag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile
    monkeypatch.setattr("shutil.copyfile", lambda *paths: (time.sleep(0.03), copy(*paths)))
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "note.txt").write_text(f"Ferry {number} has 90 seats.")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: rag.ingest(tmp_path / str(n) / "note.txt"), range(8)))
    texts = {rag.document_text(one.source) for one in rag.documents() if one.source.startswith("note")}
    assert texts == {f"Ferry {number} has 90 seats." for number in range(8)}


def test_nothing_failed_where_nothing_was_ingested(rag: Rag) -> None:
    assert rag.failed() == () and not rag.settings.index_dir.exists()


def test_what_an_ingest_is_doing_can_be_asked_from_elsewhere(make_rag: MakeRag) -> None:
    heard, told = [], []

    def listen(*step: Any) -> None:
        told.append(step)
        heard.append(rag.doing())

    rag = make_rag(progress=listen)
    rag.ingest()
    assert heard == [step if step[0] else None for step in told] and ("embedding", 5, 5) in heard
    assert rag.doing() is None


def test_nothing_is_being_done_after_an_ingest_that_failed(make_rag: MakeRag) -> None:
    rag = make_rag(embeddings=FailingEmbeddings())
    with pytest.raises(ModelError):
        rag.ingest()
    assert rag.doing() is None


class FailingEmbeddings(HashingEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise ValueError("no")


def test_starters_are_made_from_headings_and_can_be_written_down(rag: Rag) -> None:
    assert len(rag.starters()) == 3 and all(question.endswith("?") for question in rag.starters())
    file = rag.settings.corpus_dir / ".starters.json"
    file.write_text(json.dumps({"harbour.md": [QUESTION], "gone.md": ["Where is it?"]}), "utf-8")
    assert rag.starters()[0] == QUESTION and "Where is it?" not in rag.starters()
    file.write_text("not json", "utf-8")
    assert len(rag.starters()) == 3


def test_documents_that_contradict_each_other_are_both_quoted_by_name(rag: Rag) -> None:
    (rag.settings.corpus_dir / "rumour.txt").write_text("The harbour has 900 berths.\n", "utf-8")
    answer = rag.ask(QUESTION)
    said = {c.source: c.quote for c in answer.citations}
    assert "14 berths" in said["harbour.md"] and "900 berths" in said["rumour.txt"]


def test_as_retriever_composes_with_langchain(rag: Rag) -> None:
    chain = rag.as_retriever(k=2) | (lambda documents: [document.metadata for document in documents])
    found = chain.invoke("berths in the harbour")
    assert len(found) == 2 and found[0]["source"] == "harbour.md"
    prompt = ChatPromptTemplate.from_template("{context} {question}")
    whole = {"context": rag.as_retriever(), "question": RunnablePassthrough()} | prompt
    assert "14 berths" in whole.invoke("berths in the harbour").to_string()


def test_as_runnable_answers_a_question_or_a_mapping(rag: Rag) -> None:
    runnable = rag.as_runnable()
    assert isinstance(runnable.invoke(QUESTION), Answer)
    assert runnable.invoke({"question": QUESTION, "sources": ["bakery.txt"]}).hits[0].source == "bakery.txt"
    assert [a.abstained for a in runnable.batch([QUESTION, "Which volcano erupted near Quito?"])] == [False, True]


def test_what_says_nothing_is_never_quoted(rag: Rag) -> None:
    noise = (
        f"# Berths of the harbour\n\n![berths](http://127.0.0.1:9/berths)\n\n{'berth' * 200}\n\nThere are 3 berths.\n"
    )
    (rag.settings.corpus_dir / "noise.md").write_text(noise, "utf-8")
    quotes = [c.quote for c in rag.ask("How many berths of the harbour are there?", sources=["noise.md"]).citations]
    assert quotes == ["There are 3 berths."]


def test_a_stream_that_is_left_early_does_no_harm(rag: Rag) -> None:
    for event in rag.stream(QUESTION):
        assert not isinstance(event, Done)
        break
    assert not rag.ask(QUESTION).abstained


def test_half_characters_and_invisible_ones_do_not_tear_words_apart(rag: Rag) -> None:
    answer = rag.ask("How many ber\x00ths\ud800 does the har\u200bbour\x0bhave?")
    assert answer.question == "How many berths does the harbour have?"


def test_images_and_bare_addresses_are_never_quoted(rag: Rag) -> None:
    text = "![berths of the harbour](http://127.0.0.1:9/x)\n\n[berths]: http://127.0.0.1:9/harbour\n\n-->\n"
    (rag.settings.corpus_dir / "berths.md").write_text(f"The harbour has many berths.\n\n{text}", "utf-8")
    answer = rag.ask("How many berths does the harbour have?")
    assert not answer.abstained and "127.0.0.1" not in answer.text and "-->" not in answer.text


def test_a_question_asked_again_and_again_is_one_question(rag: Rag) -> None:
    assert rag.ask(" ".join([QUESTION] * 90)).sentences[0].text == "The harbour has 14 berths."


def test_a_history_may_be_any_iterable_or_none(rag: Rag) -> None:
    turns = [{"role": "user", "content": "Who is harbour master?"}]
    assert rag.ask("Since when?", iter(turns)).query == "Since when? [master harbour]"  # type: ignore[arg-type]
    assert rag.ask(QUESTION, None).query == QUESTION  # type: ignore[arg-type]


def test_an_overview_of_nothing_says_that_nothing_was_found(rag: Rag) -> None:
    assert rag.ask("What is this about?", sources=[]).reason == "No passage was found."


def test_what_several_documents_say_in_the_same_words_is_said_once_and_cites_each(
    make_rag: MakeRag, corpus: Path
) -> None:
    for name in ("copy.md", "another.md"):
        (corpus / name).write_text((corpus / "harbour.md").read_text("utf-8") + f"\nThis is {name}.\n", "utf-8")
    answer = make_rag().ask("How many berths does the harbour have?")
    said = [sentence.text for sentence in answer.sentences]
    assert len(said) == len(set(said))
    first = next(sentence for sentence in answer.sentences if "14 berths" in sentence.text)
    assert {citation.source for citation in first.citations} == {"harbour.md", "copy.md", "another.md"}
