"""`rag eval`: a small set and questions of one's own, from the command line to the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.surfaces import cli
from tests.documents.test_readers import make_pdf
from tests.evaluation.test_datasets import write_set
from tests.fakes import HashingEmbeddings

DOCUMENTS = [
    {"id": "harbour", "title": "Port Elver", "text": "The harbour has 14 berths. Maud Ferrier is harbour master."},
    {"id": "bakery", "title": "Mill Lane", "text": "The bakery sells 400 loaves a day. The oven burns beech wood."},
    {"id": "museum", "title": "Clocks", "text": "The museum shows 212 clocks. A guided tour costs 8 crowns."},
]
QUERIES = [
    {"id": "1", "question": "How many berths does the harbour have?", "answers": ["14"], "answerable": True,
     "doc": "harbour", "spans": [{"start": 0, "end": 26}]},
    {"id": "2", "question": "What does a guided tour cost?", "answers": ["9 crowns"], "answerable": True,
     "passage": "museum", "selected_sentences": [["A guided tour costs 8 crowns."]]},
    {"id": "3", "question": "Which volcano erupted near Quito yesterday?", "answers": [], "answerable": False},
]  # fmt: skip
GRADES = "1\tharbour\t1\n2\tmuseum\t1\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `rag eval`, with an embedder that needs no model; status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rag.document_store.local_embeddings", lambda settings: HashingEmbeddings())

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rag", "eval", *arguments])
        status: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return status, captured.out, captured.err

    return run


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    return write_set(tmp_path / "small", QUERIES, DOCUMENTS, GRADES)


def test_a_set_is_measured_question_by_question(run: Run, small_set: Path, tmp_path: Path) -> None:
    status, out, err = run("small", "--json")
    result = json.loads(out)
    assert status == 0 and "searching" in err and "asking" in err
    assert (result["set"], result["questions"], result["documents"], result["left_out"]) == ("small", 3, 3, 0)
    means = {name: (found["mean"], found["n"]) for name, found in result["means"].items()}
    assert means["nDCG@10"] == means["recall@5"] == means["MRR@10"] == means["all@8"] == (1.0, 2)
    assert means["span recall@5"] == (1.0, 1) and means["answer holds expected"] == (0.5, 2)
    assert means["wrongly declined"] == (0.0, 2) and means["rightly declined"] == (1.0, 1)
    assert means["citation recall"] == (1.0, 2)
    text = sum(len(f"{row['title']}\n\n{row['text']}") for row in DOCUMENTS)
    assert text - 30 < means["characters@5"][0] <= text
    [first, second, third] = result["values"]
    assert first["id"] == "1" and first["values"]["recall@5"] == 1.0 and "span recall@5" not in second["values"]
    assert third["values"] == {"rightly declined": 1.0}
    assert not (tmp_path / "index").exists() and not (tmp_path / "corpus").exists()


def test_the_table_shows_each_measure_once(run: Run, small_set: Path) -> None:
    status, out, _ = run("small", "--retrieval-only")
    assert status == 0 and out.startswith("small: 3 questions, 3 documents, 3 passages\n")
    assert [line.split("  ")[0] for line in out.splitlines()[2:-1]] == [
        "span recall@5", "span precision@5", "span IoU@5", "characters@5", "nDCG@10", "recall@5", "MRR@10", "all@8",
    ]  # fmt: skip
    assert "s to ingest, " in out and "s to search\n" in out


def test_a_kept_index_is_found_again(run: Run, small_set: Path) -> None:
    first, again = (
        run("small", "--index", "kept", "--retrieval-only"),
        run("small", "--index", "kept", "--retrieval-only"),
    )
    assert "embedding" in first[2] and "embedding" not in again[2]
    assert first[1].splitlines()[:-1] == again[1].splitlines()[:-1]


def test_a_limit_draws_the_same_questions_each_time(run: Run, small_set: Path) -> None:
    drawn = [json.loads(run("small", "--limit", "2", "--json")[1])["values"] for _ in range(2)]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 2


def test_conversations_are_searched_in_three_ways_on_the_same_questions(run: Run, tmp_path: Path) -> None:
    history = [{"role": "user", "text": "Tell me of the museum"}, {"role": "assistant", "text": "It shows clocks."}]
    queries = [
        {"id": "1", "question": "What does a tour of it cost?", "history": history, "rewrite": "museum tour cost"},
        {"id": "2", "question": "Who is harbour master?", "history": [], "rewrite": "Who is harbour master?"},
        {"id": "3", "question": "And the oven?", "history": history},
    ]
    write_set(tmp_path / "talk", queries, DOCUMENTS, "1\tmuseum\t1\n2\tharbour\t1\n3\tbakery\t1\n")
    result = json.loads(run("talk", "--retrieval-only", "--json")[1])
    counts = {name: found["n"] for name, found in result["means"].items() if name.startswith("recall@5")}
    assert counts == {"recall@5 (last turn)": 2, "recall@5 (history)": 2, "recall@5 (rewrite)": 2}
    for query in queries:
        query.pop("rewrite", None)
    write_set(tmp_path / "talk", queries, DOCUMENTS)  # the grades stay
    result = json.loads(run("talk", "--retrieval-only", "--json")[1])
    counts = {name: found["n"] for name, found in result["means"].items() if name.startswith("recall@5")}
    assert counts == {"recall@5 (last turn)": 3, "recall@5 (history)": 3}


def test_questions_of_ones_own_are_asked_of_the_corpus(run: Run, corpus: Path, tmp_path: Path) -> None:
    Path("own.csv").write_text(
        "question,answer,source\nHow many berths does the harbour have?,14,harbour.md\nWho opened the bakery?,René,\n",
        "utf-8",
    )
    status, out, _ = run("own.csv", "--json")
    means = {name: (found["mean"], found["n"]) for name, found in json.loads(out)["means"].items()}
    assert status == 0 and means["recall@5"] == (1.0, 1) and means["answer holds expected"] == (1.0, 2)
    assert (tmp_path / "index").exists()


def test_pages_of_pdfs_are_found(run: Run, tmp_path: Path) -> None:
    evidence = [{"doc": "two-pages", "page": 1}]
    rows = [{"id": "1", "question": "How many loaves are sold?", "evidence": evidence}]
    folder = write_set(tmp_path / "reports", rows, [], "1\ttwo-pages#p1\t1\n")
    (folder / "pdfs").mkdir()
    (folder / "pdfs" / "two-pages.pdf").write_bytes(
        make_pdf("The harbour has 14 berths.", "The bakery sells 400 loaves.")
    )
    means = json.loads(run("reports", "--json", "--retrieval-only")[1])["means"]
    assert means["page hit@5"]["mean"] == 1.0 and means["recall@5"]["mean"] == 1.0


def test_two_runs_are_compared_question_by_question(run: Run, tmp_path: Path) -> None:
    def result(name: str, values: list[float]) -> None:
        rows = [{"id": str(i), "values": {"recall@5": value}} for i, value in enumerate(values)]
        (tmp_path / name).write_text(json.dumps({"set": "s", "values": rows}), "utf-8")

    result("a.json", [0.0] * 10 + [1.0] * 10)
    result("b.json", [0.5] * 10 + [1.0] * 9)
    result("c.json", [1.0] + [0.0] * 9 + [0.0] + [1.0] * 9)
    found = json.loads(run("--compare", "a.json", "b.json", "--json")[1])["differences"]["recall@5"]
    assert (found["before"], found["after"]) == (9 / 19, 14 / 19) and found["mean"] == pytest.approx(5 / 19)
    assert found["n"] == 19 and found["beyond"] is True and 0 < found["low"] < found["mean"] < found["high"]
    assert run("--compare", "a.json", "b.json")[1].splitlines()[1].endswith("19  beyond its interval")
    assert run("--compare", "a.json", "c.json")[1].splitlines()[1].endswith("20")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "Missing argument"),
        (["small", "small"], 2, "give one PATH to measure, or --compare and two results"),
        (["--compare", "small"], 2, "give one PATH to measure, or --compare and two results"),
        (["small", "--limit", "0"], 2, "--limit"),
        (["nowhere"], 1, "rag: nowhere cannot be read"),
        (["bad.jsonl"], 1, "rag: bad.jsonl, line 1: "),
        (["--compare", "bad.jsonl", "nowhere.json"], 1, "rag: bad.jsonl is no result"),
        (["--compare", "nowhere.json", "bad.jsonl"], 1, "rag: nowhere.json is no result"),
        (["--compare", "words.json", "a.json"], 1, "rag: words.json is no result"),
        (["--compare", "a.json", "b.json"], 1, "rag: a.json and b.json have no question in common"),
        (["small", "--llm", "nosuch:model"], 1, "RAG_LLM=nosuch:model cannot be used"),
    ],
)
def test_what_is_wrong_is_told(
    run: Run, small_set: Path, corpus: Path, arguments: list[str], status: int, told: str
) -> None:
    Path("bad.jsonl").write_text("{\n", "utf-8")
    Path("words.json").write_text(json.dumps({"values": [{"id": "a", "values": {"recall@5": "high"}}]}), "utf-8")
    for name in ("a", "b"):
        Path(f"{name}.json").write_text(json.dumps({"values": [{"id": name, "values": {"recall@5": 1.0}}]}), "utf-8")
    done = run(*arguments)
    assert done[0] == status and told in done[2] and done[1] == ""


def test_a_document_that_cannot_be_read_is_told(run: Run, small_set: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_set(small_set, QUERIES, [*DOCUMENTS, {"id": "empty", "title": "", "text": " "}], GRADES)
    status, out, _ = run("small", "--retrieval-only")
    assert status == 0 and "3 documents" in out and "empty.txt is left out" in caplog.text
