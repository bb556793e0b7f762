"""What kind of message it is, what a follow-up leaves out, and what kind of value is asked for."""

from __future__ import annotations

import pytest

from rag.answering.expected import expected, offers
from rag.answering.followup import condense
from rag.answering.intent import Intent, intent_of
from rag.answering.types import Turn


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


HISTORY: list[Turn] = [
    {"role": "user", "content": "Who created Quark?"},
    {"role": "assistant", "content": "Wu Jia created Quark."},
]


@pytest.mark.parametrize(
    "question",
    [
        "And when was it downloaded most?",
        "Why?",
        "What does he manage?",
        "And Tongyi?",
        "Did Jack Ma create it?",
        "How many were sold in 2023?",
    ],
)
def test_a_question_that_leans_on_the_last_one_is_searched_with_it(question: str) -> None:
    assert condense(question, HISTORY) == f"Who created Quark? {question}"


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
    ],
)
def test_a_question_that_stands_alone_is_searched_as_it_is(question: str) -> None:
    assert condense(question, HISTORY) == question
    assert condense(question, []) == question


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Mongolia?",
        "Who is Wu Jia?",
        "Is there anything about inflation?",
        "And who won the World Cup?",
        "Which factories does the drive that began in February favour?",
    ],
)
def test_a_short_or_new_question_is_not_dragged_back_to_the_old_one(question: str) -> None:
    assert condense(question, HISTORY) == question


@pytest.mark.parametrize(
    "question", ["Since when?", "How many are factories?", "DingTalk?", "What about Tongyi?", "Why?"]
)
def test_a_fragment_is_searched_with_the_question_before(question: str) -> None:
    assert condense(question, HISTORY) == f"Who created Quark? {question}"


def test_a_subject_is_carried_through_several_turns() -> None:
    turns: list[Turn] = [*HISTORY, {"role": "user", "content": "How old is it?"}, {"role": "assistant", "content": "?"}]
    assert condense("And why?", turns) == "Who created Quark? How old is it? And why?"


def test_a_long_conversation_makes_no_endless_query() -> None:
    turns: list[Turn] = [{"role": "user", "content": "And it?"}] * 500
    assert len(condense("And it then?", turns)) <= 600


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
