"""What every answerer must do, whoever writes the sentences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from rag import Answer, Done, Rag, Retrieved, Said, Searching
from rag.answering.lexicon import texts
from tests.conftest import ROOT, MakeRag
from tests.fakes import ScriptedModel

REPLY = (
    "The harbour has 14 berths [1]. Ferries leave for Saint Oun at 07:40 on weekdays [1][2]. "
    "The museum shows 212 clocks from four centuries [2]."
)
QUESTION = "How many berths does the harbour have?"


@pytest.fixture(params=["extractive", "llm"])
def rag(request: pytest.FixtureRequest, make_rag: MakeRag) -> Rag:
    return make_rag() if request.param == "extractive" else make_rag(llm=ScriptedModel(replies=[REPLY]))


def test_every_quote_slices_back_from_its_document(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    assert answer.citations
    for citation in answer.citations:
        assert rag.document_text(citation.source)[citation.start : citation.end] == citation.quote


def test_every_sentence_is_a_span_of_the_text_and_none_overlap(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    assert answer.sentences
    assert all(answer.text[s.start : s.end] == s.text for s in answer.sentences)
    assert all(before.end <= after.start for before, after in pairwise(answer.sentences))


def test_a_sentence_is_supported_exactly_when_it_is_cited(rag: Rag) -> None:
    assert all(bool(s.citations) == s.supported for s in rag.ask(QUESTION).sentences)


def test_a_quote_is_made_of_whole_sentences_of_one_hit(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    for citation in answer.citations:
        starts = {s.start for hit in answer.hits for s in hit.sentences if hit.source == citation.source}
        ends = {s.end for hit in answer.hits for s in hit.sentences if hit.source == citation.source}
        assert citation.start in starts and citation.end in ends


def test_citations_are_numbered_from_one_in_order_of_first_use(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    used = [c.number for s in answer.sentences for c in s.citations]
    assert list(dict.fromkeys(used)) == list(range(1, len(answer.citations) + 1))


def test_the_marks_in_the_text_are_those_of_the_citations(rag: Rag) -> None:
    answer = rag.ask(QUESTION)
    for sentence in answer.sentences:
        marks = "".join(f"[{n}]" for n in dict.fromkeys(c.number for c in sentence.citations))
        assert answer.text[sentence.end :].lstrip().startswith(marks)


def test_the_highlight_lies_within_the_quote(rag: Rag) -> None:
    for citation in rag.ask(QUESTION).citations:
        start, end = citation.highlight
        assert 0 <= start < end <= len(citation.quote)


def test_the_stream_tells_each_sentence_once_and_ends_with_what_ask_returns(rag: Rag) -> None:
    events = list(rag.stream(QUESTION))
    assert isinstance(events[0], Searching) and isinstance(events[1], Retrieved) and isinstance(events[-1], Done)
    said = tuple(event.sentence for event in events if isinstance(event, Said))
    assert said == events[-1].answer.sentences
    assert events[1].hits == events[-1].answer.hits


def test_the_same_question_gets_the_same_answer(rag: Rag) -> None:
    def essence(answer: Answer) -> tuple[object, ...]:
        return answer.text, answer.sentences, answer.citations, answer.confidence

    assert essence(rag.ask(QUESTION)) == essence(rag.ask(QUESTION))


def test_an_answer_from_chosen_documents_cites_no_other(rag: Rag) -> None:
    answer = rag.ask(QUESTION, sources=["harbour.md"])
    assert {hit.source for hit in answer.hits} == {"harbour.md"}
    assert {citation.source for citation in answer.citations} == {"harbour.md"}


def test_an_overview_holds_one_cited_sentence_for_each_document(make_rag: MakeRag) -> None:
    answer = make_rag().ask("What are these documents about?")
    assert {c.source for c in answer.citations} == {"bakery.txt", "deep/museum.md", "harbour.md"}
    assert len(answer.sentences) == 3


@pytest.mark.parametrize("message", ["Hello!", "thank you", "Who are you?", "help"])
def test_small_talk_gets_one_line_with_three_questions(make_rag: MakeRag, message: str) -> None:
    model = ScriptedModel(replies=["never asked"])
    answer = make_rag(llm=model).ask(message)
    assert "\n" not in answer.text and answer.text.count("\u201c") == 3
    assert not answer.abstained and not answer.citations and not model.asked


@pytest.mark.parametrize("message", ["你好", "谢谢", "你是谁"])
def test_small_talk_in_chinese_is_answered_in_chinese(make_rag: MakeRag, message: str) -> None:
    answer = make_rag().ask(message)
    assert "例如" in answer.text or "文档" in answer.text
    assert answer.text.count("\u201c") == 3


@pytest.mark.parametrize(
    ("question", "opening"),
    [
        ("谁赢得了世界杯？", "文档中没有答案。"),
        ("Zeppelin是谁发明的？", "文档中没有答案。"),
        ("誰が会社を作りましたか", "Not in the documents."),
        ("What is 阿里巴巴 in Quito?", "Not in the documents."),
    ],
)
def test_a_chinese_question_is_declined_in_chinese(make_rag: MakeRag, question: str, opening: str) -> None:
    for rag in (make_rag(), make_rag(llm=ScriptedModel(replies=["NOT IN THE DOCUMENTS"]))):
        answer = rag.ask(question)
        assert answer.abstained and answer.text == f"{opening} {answer.reason}"


def test_every_sentence_that_is_said_in_chinese_is_said_in_english_somewhere() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "rag").rglob("*.py"))
    code = code.replace('"\n    "', "")
    for english in set(texts("chinese")) - {*texts("openings").values(), *texts("reasons").values()}:
        assert f'"{english}"' in code or f"'{english}'" in code


def abstaining(make_rag: MakeRag) -> list[Callable[[], Answer]]:
    off_topic = "Which volcano erupted near Quito yesterday?"
    return [
        lambda: make_rag().ask(off_topic),
        lambda: make_rag(llm=ScriptedModel(replies=["NOT IN THE DOCUMENTS"])).ask(off_topic),
        lambda: make_rag(llm=ScriptedModel(replies=["Cotopaxi erupted, killing 12 people [1]."])).ask(off_topic),
        lambda: make_rag(llm=ScriptedModel(replies=[" "])).ask(off_topic),
    ]


@pytest.mark.parametrize("way", range(4), ids=["extractive", "model declines", "model invents", "model is silent"])
def test_an_abstention_is_one_line_with_its_reason_and_nothing_to_cite(make_rag: MakeRag, way: int) -> None:
    answer = abstaining(make_rag)[way]()
    assert answer.abstained and answer.reason and answer.reason in answer.text
    assert answer.text.startswith("Not in the documents.") and "\n" not in answer.text
    assert answer.sentences == () and answer.citations == ()
    assert not any(character.isdigit() for character in answer.text)
