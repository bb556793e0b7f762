"""Two documents that give different values for the same thing: both are shown, each with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import Rag, Settings

pytestmark = pytest.mark.slow

DEPOT = "The Lantern depot\n\nThe Lantern depot is by the river. The Lantern depot has {} parking spaces for visitors."
QUESTION = "How many parking spaces has the Lantern depot?"


@pytest.fixture
def ask(tmp_path: Path):
    opened: list[Rag] = []

    def asked(documents: dict[str, str], question: str = QUESTION):
        folder = tmp_path / "corpus"
        folder.mkdir()
        for name, text in documents.items():
            (folder / name).write_text(text, "utf-8")
        rag = Rag(Settings(corpus_dir=folder, index_dir=tmp_path / "index", data_dir=tmp_path / "data"))
        opened.append(rag)
        return rag.ask(question)

    yield asked
    for rag in opened:
        rag.close()


def test_both_values_are_shown_with_their_sources(ask) -> None:
    answer = ask({"old.txt": DEPOT.format(46), "new.txt": DEPOT.format(64)})
    assert {found.value: found.citation.source for found in answer.conflict} == {"46": "old.txt", "64": "new.txt"}
    assert "46" in answer.text and "64" in answer.text and "Another document says otherwise:" in answer.text
    assert all(sentence.supported for sentence in answer.sentences)
    assert not any("46" in s.text and "64" in s.text for s in answer.sentences)
    assert answer.to_dict()["conflict"][0]["citation"]["quote"]


def test_documents_that_agree_are_no_conflict(ask) -> None:
    answer = ask({"old.txt": DEPOT.format(46), "new.txt": DEPOT.format(46) + " It opened in 1998."})
    assert "46" in answer.text and not answer.conflict


def test_another_thing_with_another_value_is_no_conflict(ask) -> None:
    other = "The Heron garage\n\nThe Heron garage lies in the old town. Cars are repaired in the 12 bays of the garage."
    answer = ask({"depot.txt": DEPOT.format(46), "garage.txt": other})
    assert "46" in answer.text and not answer.conflict


def test_a_sentence_that_was_given_with_the_one_before_is_not_said_again(ask) -> None:
    leaning = "The Lantern depot\n\nThe Lantern depot of Brill is by the river. {} {} parking spaces for visitors."
    documents = {"old.txt": leaning.format("It has", 46), "new.txt": DEPOT.format(64)}
    answer = ask(documents, "How many parking spaces for visitors has the Lantern depot?")
    assert answer.text.count("46 parking spaces") == answer.text.count("64 parking spaces") == 1
    assert {citation.number for citation in answer.citations} == {
        n for s in answer.sentences for n in (citation.number for citation in s.citations)
    }
