"""Sets of questions as files: what is read from them, and what is told when they are malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag import CorpusError, DatasetError
from rag.documents.readers import read
from rag.documents.types import Limits
from rag.evaluation.datasets import Query, load

Row = dict[str, Any]


def write_set(folder: Path, queries: list[Row], documents: list[Row], grades: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in (("queries.jsonl", queries), ("corpus.jsonl", documents)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    if grades:
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + grades, "utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def only(loaded: tuple[Path, list[Query], int]) -> Query:
    assert len(loaded[1]) == 1
    return loaded[1][0]


def test_rows_become_files_with_their_titles_in_front(tmp_path: Path, place: Path) -> None:
    documents = [
        {"id": "a/b#1<::>", "title": "Ships", "text": "Fourteen berths.\n"},
        {"id": "A_b_1_", "title": "", "text": "No title.\r\nTwo lines."},
    ]
    grades = "q\ta/b#1<::>\t2\nq\tA_b_1_\t0\n"
    folder, [query], left_out = load(
        write_set(tmp_path / "s", [{"id": "q", "question": "?"}], documents, grades), place
    )
    assert left_out == 0 and query.relevant == {"a_b_1_.txt": 2}
    texts = {file.name: read(file, file.name, Limits()).text for file in folder.iterdir()}
    assert texts == {"a_b_1_.txt": "Ships\n\nFourteen berths.\n", "A_b_1_-2.txt": "No title. \nTwo lines."}


@pytest.mark.parametrize("title", ["", "Ships"])
def test_spans_and_chosen_sentences_point_into_the_files(tmp_path: Path, place: Path, title: str) -> None:
    text = "One.\r\nThe harbour has 14 berths. Ferries leave at noon."
    at = text.index("14 berths")
    row = {
        "id": "q", "question": "?", "doc": "d", "spans": [{"start": at, "end": at + 9}],
        "passage": "d", "selected_sentences": [["Ferries leave at noon."]],
    }  # fmt: skip
    folder, [query], _ = load(write_set(tmp_path / "s", [row], [{"id": "d", "title": title, "text": text}]), place)
    written = read(folder / "d.txt", "d.txt", Limits()).text
    assert [written[start:end] for _, start, end in query.spans] == ["14 berths"]
    assert [written[start:end] for _, start, end in query.selected[0]] == ["Ferries leave at noon."]


@pytest.mark.parametrize(("start", "end"), [(5, 5), (9, 5), (1.5, 5.5)])
def test_a_span_holds_something(tmp_path: Path, place: Path, start: float, end: float) -> None:
    row = {"id": "q", "question": "?", "doc": "d", "spans": [{"start": start, "end": end}]}
    with pytest.raises(DatasetError, match=r"queries\.jsonl, line 1"):
        load(write_set(tmp_path / "s", [row], [{"id": "d", "text": "Fourteen berths."}]), place)


def test_an_annotator_who_chose_no_sentence_does_not_count(tmp_path: Path, place: Path) -> None:
    rows = [
        {"id": "1", "question": "?", "passage": "d", "selected_sentences": [[], ["Fourteen."]]},
        {"id": "2", "question": "?", "passage": "d", "selected_sentences": [[]]},
    ]
    _, [one, none], _ = load(write_set(tmp_path / "s", rows, [{"id": "d", "text": "Fourteen."}]), place)
    assert one.selected == ((("d.txt", 0, 9),),) and none.selected == ()


def test_turns_may_hold_text_or_content(tmp_path: Path, place: Path) -> None:
    history = [{"role": "user", "text": "a"}, {"role": "assistant", "content": "b"}]
    row = {"id": 7, "question": "And?", "history": history, "rewrite": "And a?", "answerable": None, "answers": [["x"]]}
    query = only(load(write_set(tmp_path / "s", [row], [{"id": 1, "text": "t"}]), place))
    assert query.history == ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    assert (query.id, query.rewrite, query.answerable, query.answers) == ("7", "And a?", None, ("x",))


def test_a_folder_of_files_is_taken_before_rows_and_questions_about_what_is_not_there_are_left_out(
    tmp_path: Path, place: Path
) -> None:
    rows = [
        {"id": "q1", "question": "?", "evidence": [{"doc": "report", "page": 0}, {"doc": "report", "page": 4}]},
        {"id": "q2", "question": "?", "evidence": [{"doc": "other", "page": 0}]},
    ]
    folder = write_set(tmp_path / "s", rows, [{"id": "report#p0", "text": "t"}], "q1\treport#p0\t1\nq2\tother#p0\t1\n")
    (folder / "pdfs").mkdir()
    (folder / "pdfs" / "report.pdf").write_bytes(b"%PDF-")
    documents, [query], left_out = load(folder, place)
    assert documents == folder / "pdfs" and left_out == 1
    assert query.relevant == {"report.pdf": 1} and query.pages == {("report.pdf", 1), ("report.pdf", 5)}


def test_another_corpus_may_take_the_place_of_the_sets_own(tmp_path: Path, place: Path, corpus: Path) -> None:
    folder = write_set(tmp_path / "s", [{"id": "q", "question": "?"}], [], "q\tdeep/museum\t1\n")
    documents, [query], _ = load(folder, place, corpus)
    assert documents == corpus and query.relevant == {"deep/museum.md": 1}


def test_questions_of_ones_own_as_csv(tmp_path: Path, place: Path, corpus: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "\ufeffQuestion;Answer;Source;Answerable\n"
        "How many berths?;14 | fourteen;harbour.md;\n"
        '"Who opened\nthe bakery?";;bakery|deep/museum;\n'
        "Who sank?;;;False\n",
        "utf-8",
    )
    folder, [berths, bakery, sank], _ = load(file, place, corpus)
    assert folder == corpus
    assert (berths.question, berths.answers, berths.relevant) == (
        "How many berths?",
        ("14", "fourteen"),
        {"harbour.md": 1},
    )
    assert bakery.relevant == {"bakery.txt": 1, "deep/museum.md": 1} and bakery.answerable is True
    assert sank.answerable is False


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("own.jsonl", '{"question": "a", "answer": "b"}\n{"question": \n', "own.jsonl, line 2: Expecting value"),
        ("own.jsonl", '["a"]\n', "line 1: .*. Write one JSON object on each line"),
        ("own.jsonl", '{"answer": "b"}\n', "line 1: 'question' is missing"),
        ("own.jsonl", '\n{"question": 3, "answer": "b"}\n', "line 2: the question must be text, not 3"),
        ("own.jsonl", '{"question": "a", "answers": [3]}\n', "line 1"),
        ("own.jsonl", '{"question": "a", "answerable": "maybe"}\n', "line 1: answerable must be true or false"),
        ("own.csv", "question,answer,answerable\na,b,maybe\n", "line 2: .*Write true or false"),
        ("own.jsonl", '{"question": "a"}\n', "line 1: a question needs an answer or a source"),
        ("own.jsonl", '{"question": "a", "source": "no.md"}\n', "line 1: there is no no.md in "),
        ("own.jsonl", '{"question": "a", "answer": "b", "history": [{"role": "user"}]}', "line 1: 'text' is missing"),
        ("own.jsonl", '{"id": 1, "question": "a", "answer": "b"}\n' * 2, "line 2: the id 1 is there twice"),
        ("own.jsonl", "", "holds no question"),
        ("own.csv", "question,answer\na,b\nc\n", "line 3: a question needs an answer"),
        ("own.csv", "question,answer\na,b,c\n", "line 2: .*no more fields than the header"),
        ("own.csv", "frage,answer\na,b\n", "line 2: 'question' is missing"),
        ("own.csv", b"question,answer\n\xff,b\n", "own.csv cannot be read"),
    ],
)
def test_what_is_malformed_is_told_with_its_line(
    tmp_path: Path, place: Path, corpus: Path, name: str, text: str | bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=f"{told}"):
        load(tmp_path / name, place, corpus)


def test_malformed_sets_are_told_too(tmp_path: Path, place: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere cannot be read"):
        load(tmp_path / "nowhere", place)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"queries\.jsonl cannot be read"):
        load(tmp_path / "empty", place)
    folder = write_set(tmp_path / "s", [{"id": "q", "question": "?"}], [], "q\td\n")
    with pytest.raises(DatasetError, match=r"qrels\.tsv, line 2: .*tabs between"):
        load(folder, place)
    folder = write_set(tmp_path / "s", [{"id": "q", "question": "?"}], [], "q\td\thigh\n")
    with pytest.raises(DatasetError, match=r"qrels\.tsv, line 2: .*tabs between"):
        load(folder, place)
    (folder / "qrels.tsv").unlink()
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(DatasetError, match=r"corpus\.jsonl cannot be read"):
        load(folder, place)
    with pytest.raises(CorpusError, match="no folder"):
        load(folder, place, tmp_path / "nowhere")
