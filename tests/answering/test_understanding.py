"""What kind of message it is, what a follow-up leaves out, and what kind of value is asked for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.intent import Intent, condense, expected, intent_of, offers
from rag.answering.types import Turn
from rag.retrieval.lexical import LexicalIndex


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("Hi!", "greeting"),
        ("Good morning", "greeting"),
        ("你好", "greeting"),
        ("Thanks a lot!", "thanks"),
        ("谢谢！", "thanks"),
        ("What can you do?", "system"),
        ("Who are you?", "system"),
        ("What is this about?", "overview"),
        ("what\u2019s this article about", "overview"),
        ("Summarise the article", "overview"),
        ("Please summarize this document briefly.", "overview"),
        ("Give me a short summary of the article", "overview"),
        ("What are the main points?", "overview"),
        ("TL;DR", "overview"),
        ("What are the key takeaways from the article?", "overview"),
        ("Summarise it in three sentences", "overview"),
        ("Tell me about this document", "overview"),
        ("Thanks 🙏", "thanks"),
        ("Tell me about Quark", "fact"),
        ("What does it say about DingTalk?", "fact"),
        ("总结一下这篇文章", "overview"),
        ("Hi, who created Quark?", "fact"),
        ("What is Quark?", "fact"),
        ("Summarise http://localhost:9/", "fact"),
        ("What is this new drive of 1688 about?", "fact"),
        ("How does it work with DeepSeek?", "fact"),
        ("Thanks to whom did Quark grow?", "fact"),
    ],
)
def test_only_what_is_clearly_no_question_of_fact_is_taken_for_something_else(message: str, intent: Intent) -> None:
    assert intent_of(message) == intent


def test_in_a_conversation_it_may_be_what_was_spoken_of() -> None:
    assert intent_of("How does it work?") == "system"
    assert intent_of("How does it work?", begun=True) == "fact"


INDEX = LexicalIndex.build(
    [
        "Wu Jia created Quark. Quark was downloaded 370 million times.",
        "DingTalk is used by many firms, and its users pay little.",
        "1688 has 1.07 million merchants, some of them factories, and a drive for factories since February.",
        "Alibaba says that Xianyu pays. Jack Ma spoke about its cloud.",
        "Tongyi came from the cloud.",
        "钉钉 1688 有多少商家",
    ]
)
HISTORY: list[Turn] = [
    {"role": "user", "content": "Who created Quark?"},
    {"role": "assistant", "content": "Wu Jia created Quark."},
]


def talk(*questions: str) -> list[Turn]:
    return [Turn(role="user", content=question) for question in questions]


def split(query: str) -> tuple[str, set[str]]:
    """A query, and the words behind it in brackets."""
    own, _, told = query.partition(" [")
    return own, set(told.removesuffix("]").split())


@pytest.mark.parametrize(
    "question",
    [
        "And when was it downloaded most?",
        "What does he manage?",
        "And tongyi?",
        "Did Jack Ma create it?",
        "How many were sold in 2023?",
        "Since when?",
        "How many are factories?",
        "DingTalk?",
    ],
)
def test_a_question_that_leans_on_the_last_one_is_searched_with_its_words(question: str) -> None:
    own, told = split(condense(question, HISTORY, INDEX))
    assert own == question and {"Quark", "Wu", "Jia"} <= told <= {"Quark", "Wu", "Jia", "created"}


@pytest.mark.parametrize(
    "question",
    [
        "How many merchants trade on 1688 today?",
        "Which phone maker chose Alibaba in China?",
        "How many merchants are there on 1688?",
        "What is DingTalk?",
        "Who runs DingTalk?",
        "Does Alibaba say that Xianyu pays?",
        "What did Alibaba say about its cloud?",
        "How many users does DingTalk have, and is it free?",
        "What is the capital of Mongolia?",
        "Who is the CEO of Siemens?",
        "Who is Wu Jia?",
        "Is there anything about inflation?",
        "And who won the World Cup?",
        "Which factories does the drive that began in February favour?",
    ],
)
def test_a_question_that_stands_alone_or_is_new_is_searched_as_it_is(question: str) -> None:
    assert condense(question, HISTORY, INDEX) == question


@given(st.text(), st.lists(st.text(), max_size=3))
def test_a_first_question_is_itself_and_no_other_is_shortened(question: str, asked: list[str]) -> None:
    assert condense(question, [], INDEX) == question
    assert question in condense(question, talk(*asked), INDEX)


def test_a_question_without_a_name_goes_on_with_what_was_spoken_of() -> None:
    told = split(condense("Which factories have merchants?", talk("Which drive has 1688 for factories?"), INDEX))[1]
    assert told == {"drive", "1688"}


@pytest.mark.parametrize(
    ("question", "asked", "query"),
    [
        ("And DingTalk?", ["How many merchants does 1688 have?"], "How many merchants does DingTalk have?"),
        ("What about Tongyi Qianwen?", ["Who created Quark?"], "Who created Tongyi Qianwen?"),
        ("And Xianyu?", ["How many users has Quark?", "And DingTalk?"], "How many users has Xianyu?"),
        ("Why?", ["Who left?", "Is Quark good?"], "Is Quark good? Why? [left]"),
    ],
)
def test_an_ellipsis_takes_its_question_from_before(question: str, asked: list[str], query: str) -> None:
    index = LexicalIndex.build(["he left", "Quark is good"])
    assert condense(question, talk(*asked), index) == query


def test_a_subject_is_carried_through_several_turns_and_what_is_near_comes_first() -> None:
    turns = talk("Who created Quark?", "How many users has it?")
    assert condense("And its price?", turns, INDEX) == "And its price? [users created Quark]"
    assert condense("And why?", turns, INDEX) == "How many users has it? And why? [created Quark]"


def test_only_words_that_the_documents_hold_are_filled_in() -> None:
    assert condense("Is it good?", talk("Where do zebras and unicorns graze?"), INDEX) == "Is it good?"


def test_a_long_conversation_makes_no_long_query_and_takes_no_time() -> None:
    turns = talk(*["And it? " + " ".join(sorted(INDEX.vocabulary)) * 100] * 5000)
    started = time.perf_counter()
    assert len(split(condense("And its price?", turns, INDEX))[1]) == 8
    assert time.perf_counter() - started < 0.5


def test_a_conversation_in_chinese_is_carried_on() -> None:
    turns = talk("1688有多少商家？")
    assert split(condense("那钉钉呢？", turns, INDEX))[1] >= {"1688", "商家"}


@pytest.mark.parametrize(
    ("question", "sentence", "offered"),
    [
        ("How many berths are there?", "There are 14 berths.", 1.0),
        ("How many berths are there?", "There are fourteen or more berths, and several boats.", 1.0),
        ("How many merchants does 1688 have?", "Products for 1688's merchants are free.", 0.0),
        ("When did it open?", "It opened in March.", 1.0),
        ("When did it open?", "It opened late.", 0.0),
        ("Who runs it?", "It is run by Maud Ferrier.", 1.0),
        ("Who runs Quark?", "Then there is Quark.", 0.0),
        ("Why did it fail?", "It failed.", 0.5),
    ],
)
def test_a_sentence_offers_a_value_only_if_the_question_did_not_hold_it(
    question: str, sentence: str, offered: float
) -> None:
    from rag.retrieval.lexical import words

    assert offers(expected(question), sentence, set(words(question))) == offered
