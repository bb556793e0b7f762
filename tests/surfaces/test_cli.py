"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rag.conversations import Conversations
from rag.retrieval.embedding import local_embeddings
from rag.surfaces import cli
from tests.conftest import ROOT, MakeRag
from tests.fakes import HashingEmbeddings, OpenAIServer

QUESTION = "How many berths does the harbour have?"


class Ran:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


@pytest.fixture
def run(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command in the folder that holds `corpus`, with an embedder that needs no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rag.document_store.local_embeddings", lambda settings: HashingEmbeddings())

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["rag", *arguments])
        status: object = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ran(int(str(status)), captured.out, captured.err)

    return run


def test_ask_prints_the_answer_and_its_quotes(run) -> None:
    done = run("ask", QUESTION)
    assert done.status == 0
    assert "14 berths. [1]" in done.out and "[1] harbour.md (Ships)" in done.out


def test_ask_as_json_is_one_object_and_nothing_else(run) -> None:
    done = run("ask", QUESTION, "--json")
    answer = done.json
    assert done.status == 0 and "embedding" in done.err
    text = Path("corpus", answer["citations"][0]["source"]).read_text("utf-8")
    first = answer["citations"][0]
    assert text[first["start"] : first["end"]] == first["quote"]


def test_abstaining_is_an_answer(run) -> None:
    done = run("ask", "Which volcano erupted near Quito yesterday?")
    assert done.status == 0 and done.out.startswith("Not in the documents.")


def test_search_prints_k_passages(run) -> None:
    assert len(run("search", "harbour", "-k", "3", "--json").json["hits"]) == 3
    assert run("search", "harbour", "-k", "2").out.count("(score") == 2


def test_explained_hits_say_what_their_ranks_are_made_of(run) -> None:
    assert "BM25" not in run("search", "harbour").out
    out = run("search", "harbour berths", "-k", "2", "--explain").out
    assert out.count("cosine") == out.count("BM25") == out.count("late interaction") == 2
    assert "number 1 by words" in out and re.search(r"matched: (?:berths, harbour|harbour, berths)", out)


def test_why_says_where_a_passage_was_lost(run) -> None:
    assert run("why", "How many berths has the harbour?", "--expect", "15 berths").out.startswith("Lost at: documents.")
    assert run("why", "How many berths has the harbour?", "--expect", "14 berths").out.startswith("Not lost.")
    seen = run("why", "How many berths has the harbour?", "--expect", "14 berths", "--json").json
    assert (seen["stage"], seen["rank"], seen["hit"]["source"]) == ("nowhere", 1, "harbour.md")
    assert run("why", "How many berths has the harbour?", "--expect", "15 berths", "--json").json["hit"] is None
    done = run("why", "How many berths has the harbour?", "--expect", " ")
    assert done.status != 0 and "no words" in done.err


def test_ingest_tells_what_it_did_and_what_failed(run) -> None:
    Path("corpus/picture.png").write_bytes(b"\x89PNG")
    done = run("ingest")
    assert done.status == 0 and done.out.startswith("3 added, 1 failed; 5 passages, 5 embedded")
    assert "picture.png: .png is not a known format" in done.err
    assert run("ingest").out.startswith("3 unchanged, 1 failed; 5 passages, 0 embedded")


def test_ingest_of_paths_copies_them_in(run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("The lighthouse is 41 metres high.\n", "utf-8")
    assert run("ingest", str(outside), "--json").json["added"] == [
        "bakery.txt",
        "deep/museum.md",
        "harbour.md",
        "outside.txt",
    ]
    assert "41 metres" in run("ask", "How high is the lighthouse?").out


def test_delete_moves_to_the_trash_or_leaves_the_file(run) -> None:
    assert "data/trash" in run("delete", "bakery.txt").out
    assert not Path("corpus/bakery.txt").exists() and list(Path("data/trash").rglob("bakery.txt"))
    run("delete", "harbour.md", "--keep-file")
    assert Path("corpus/harbour.md").exists()
    run("ingest")
    assert run("list").out.startswith("deep/museum.md")


def test_list_and_doctor_speak_json(run) -> None:
    assert [d["source"] for d in run("list", "--json").json["documents"]] == [
        "bakery.txt",
        "deep/museum.md",
        "harbour.md",
    ]
    done = run("doctor", "--json")
    assert done.status == 0 and done.json["ok"] is True


def test_damage_is_put_right_by_the_next_question_and_doctor_tells_of_it_once(
    run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run("ingest")
    damaged = next((tmp_path / "index").glob("gen-*/documents.jsonl"))
    damaged.write_bytes(damaged.read_bytes().replace(b"14 berths", b"41 berths"))

    asked = run("ask", QUESTION)
    told, after = run("doctor"), run("doctor")

    assert asked.status == 0 and "14 berths" in asked.out and "damaged" in caplog.text
    assert told.status == 0 and "documents.jsonl is missing, or not what was written" in told.out
    assert "documents.jsonl" not in after.out and "repairs: none needed" in after.out


def test_doctor_fails_when_something_is_missing(run) -> None:
    done = run("doctor", "--corpus", "nowhere")
    assert done.status == 1 and "FAIL  corpus: There is no folder nowhere." in done.out


def test_chat_answers_line_by_line_and_keeps_the_thread(run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter(["Who is harbour master?", "To whom does she report?"])

    def typed(prompt: str) -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", typed)
    done = run("chat")
    assert done.status == 0 and "Maud Ferrier" in done.out and "town council" in done.out


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["ask", ""], 2, "the question is empty"),
        (["ask", "\u200b"], 2, "the question is empty"),
        (["ask"], 2, "Missing argument"),
        (["ask", "x" * 5000], 2, "shorten it"),
        (["search", "x", "-k", "0"], 2, "-k"),
        (["nonsense"], 2, "No such command"),
        (["ask", QUESTION, "--corpus", "nowhere"], 1, "There is no folder nowhere"),
        (["ingest", "nowhere.txt"], 1, "There is no nowhere.txt"),
        (["delete", "nowhere.txt"], 1, "There is no document 'nowhere.txt'"),
        (["ask", QUESTION, "--llm", "nosuch:model"], 1, "RAG_LLM=nosuch:model cannot be used"),
        (["ask", QUESTION, "--llm", "openai:gpt-5-mini"], 1, "RAG_LLM_API_KEY"),
        (["serve", "--host", "192.0.2.1", "--port", "0"], 1, "192.0.2.1 cannot be used"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, told: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = run(*arguments)
    assert done.status == status and told in done.err and done.out == ""
    errors = [line for line in done.err.splitlines() if line.startswith("rag: ")]
    assert len(errors) == (0 if "Usage" in done.err else 1)


@pytest.mark.slow
def test_a_model_server_that_refuses_is_told_below_the_answer_that_was_made_without_it(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer("no", status=500) as server:
        monkeypatch.setenv("RAG_LLM_BASE_URL", server.base_url)
        done = run("ask", QUESTION, "--llm", "openai:local")
        answer = run("ask", QUESTION, "--llm", "openai:local", "--json").json
    assert done.status == 0 and "14 berths. [1]" in done.out
    assert "The model openai:local failed" in done.err and done.err.strip().endswith("This answer was made without it.")
    assert answer["model"] == "extractive" and str(answer["note"]).startswith("The model openai:local failed")


def test_a_wrong_variable_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORT", "abc")
    done = run("list")
    assert done.status == 2 and "RAG_PORT='abc' cannot be used" in done.err


def test_a_wrong_password_setting_is_named_and_not_shown(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_AUTH", "ann:pw-canary,ben")
    done = run("list")
    assert done.status == 2 and done.err.startswith("rag: RAG_AUTH cannot be used: number 2 of the users is not")
    assert "canary" not in done.err


def test_an_index_of_a_foreign_model_is_told_with_the_ways_out(
    run, make_rag: MakeRag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rag(embeddings=HashingEmbeddings(32), index_dir=Path("index")).ingest()
    monkeypatch.setattr("rag.document_store.local_embeddings", local_embeddings)
    done = run("ask", QUESTION)
    assert done.status == 1 and "rag ingest --rebuild" in done.err and "RAG_EMBEDDING_MODEL" in done.err


def test_an_output_that_cannot_show_a_letter_gets_its_number(run, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ((), ("--json",)):
        buffer = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(buffer, encoding="ascii"))
        done = run("ask", "Who opened the bakery?", *options)
        sys.stdout.flush()
        text = buffer.getvalue().decode("ascii")
        assert done.status == 0 and "\\xe9" in text if not options else "Ren\u00e9" in json.loads(text)["text"]


@pytest.mark.slow
def test_the_first_command_after_install_answers(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("rag"), "ask", "How many merchants does 1688 have?", "--json",
         "--corpus", ROOT / "corpus"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    quoted = [c for c in answer["citations"] if "1.07 million" in c["quote"]]
    text = (ROOT / "corpus" / quoted[0]["source"]).read_text("utf-8")
    assert text[quoted[0]["start"] : quoted[0]["end"]] == quoted[0]["quote"]


def test_a_receipt_is_saved_and_verified(run) -> None:
    saved = run("ask", QUESTION, "--json", "--save", "a.html")
    assert saved.status == 0 and saved.json["citations"] and "rag verify a.html" in saved.err
    assert run("verify", "a.html").out.startswith("holds")
    Path("corpus/harbour.md").write_text("# Gone\n\nNothing.\n", "utf-8")
    changed = run("verify", "a.html", "--json")
    assert changed.status == 1 and changed.json["ok"] is False
    assert run("verify", "none.html").status == 1


def test_a_place_that_cannot_be_written_is_told_before_the_question_is_asked(run) -> None:
    done = run("ask", QUESTION, "--save", "nowhere/a.html")
    assert done.status == 1 and done.out == "" and "there is no folder nowhere" in done.err


def test_feedback_is_shown_with_its_reason_and_sources(run, make_rag: MakeRag, tmp_path: Path) -> None:
    assert "No answer was judged yet." in run("feedback").out and run("feedback", "--json").json == {"feedback": []}
    assert not Path("data").exists() and not Path("index").exists()
    saved = Conversations(tmp_path / "data")
    with make_rag() as rag:
        for position, question in enumerate([QUESTION, "Which volcano erupted near Quito?"], 1):
            saved.ask("ada", "c", position, question)
            saved.answer("ada", "c", position, rag.ask(question))
    saved.judge("ada", "c", 1, True, "", {})
    saved.judge("ada", "c", 2, False, "I know it does.", {"passages": 8})

    shown, told = run("feedback").out.splitlines(), run("feedback", "--json").json["feedback"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC  disliked  Which volcano erupted near Quito\?", shown[0])
    assert shown[1].strip() == "I know it does." and "  liked  " + QUESTION in shown[2]
    assert shown[3].strip() == "It quotes harbour.md." and len(shown) == 4
    assert [one["liked"] for one in told] == [False, True] and told[0]["settings"] == {"passages": 8}
    assert told[1]["answer"]["citations"][0]["source"] == "harbour.md"
