"""What the reader is trained on: questions with marked sentences, claims with their evidence. It knows no model.

Layout of the folder that is read: `train/NAME.jsonl.gz` and `eval/squad2-dev-half/{corpus,queries}.jsonl`;
docs/reader.md names the sources and their licences.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.documents.splitting import paragraphs, sentence_spans

HELD_OUT = ("Normans", "Packet switching")  # articles of SQuAD's dev half that are never trained on
MAX_CHARS = 750  # of sentences that are read at once: about a passage
_NEGATIVES = 0.6  # of the answerable questions are also put to a passage that does not answer

Vectors = Callable[[Sequence[str]], np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """A question or a claim, and the sentences to read for it."""

    question: str
    sentences: list[str]
    labels: list[int]  # 1 where the sentence holds the answer
    answer: tuple[int, int] | None  # where the value stands in the joined sentences; None: not known
    holds: bool  # that any of it answers, or bears the claim out
    head: str = ""  # a title in front
    claim: bool = False


def questions(file: Path, chance: random.Random) -> Iterator[Row]:
    """The rows of a reading file, cut to the size of a passage around what answers."""
    for row in _rows(file):
        if row["sentences"]:
            yield _row(row["question"], row["sentences"], row["labels"], row["labels"], row.get("answers"), "", chance)


def claims(file: Path) -> Iterator[Row]:
    """The rows of a grounding file."""
    for row in _rows(file):
        yield Row(row["claim"], row["evidence"], [0] * len(row["evidence"]), None, row["supported"], claim=True)


def squad(folder: Path, chance: random.Random, vectors: Vectors) -> Iterator[tuple[str, Row]]:
    """SQuAD 2.0 with the article of each row: its questions, and most answerable ones once more with a near passage
    of the same article that does not answer.
    """
    corpus = {row["id"]: row for row in _lines(folder / "corpus.jsonl")}
    cut = {id: _sentences(row["text"]) for id, row in corpus.items()}
    asked = list(_lines(folder / "queries.jsonl"))
    ids = list(corpus)
    nearness = vectors([q["question"] for q in asked]) @ vectors([corpus[id]["text"] for id in ids]).T
    for question, near in zip(asked, nearness, strict=True):
        passage = corpus[question["passage"]]
        title, sentences = passage["title"], cut[question["passage"]]
        texts, head = [text for _, _, text in sentences], title if chance.random() < 0.5 else ""
        if not question["answerable"]:
            tempting = [int(any(wrong in text for wrong in question.get("plausible", ()))) for text in texts]
            yield title, _row(question["question"], texts, [0] * len(texts), tempting, None, head, chance)
            continue
        at, answers = question["answer_start"], question["answers"]
        long = [answer for answer in answers if len(answer) > 3]
        labels = [int(start <= at < end or any(a in text for a in long)) for start, end, text in sentences]
        if not any(labels):
            continue
        yield title, _row(question["question"], texts, labels, labels, answers, head, chance)
        others = [
            i
            for i, id in enumerate(ids)
            if corpus[id]["title"] == title and id != question["passage"] and not _holds(corpus[id]["text"], answers)
        ]
        if others and chance.random() < _NEGATIVES:
            other = cut[ids[chance.choice(sorted(others, key=lambda i: -float(near[i]))[:3])]]
            none = [0] * len(other)
            yield title, _row(question["question"], [t for _, _, t in other], none, none, None, head, chance)


def _row(
    question: str,
    sentences: list[str],
    labels: list[int],
    keep: list[int],
    answers: Iterable[str] | None,
    head: str,
    chance: random.Random,
) -> Row:
    """A row of at most MAX_CHARS, with one of the sentences to keep in it."""
    first, last = _window(sentences, keep, chance)
    sentences, labels = sentences[first:last], labels[first:last]
    return Row(question, sentences, labels, _located(sentences, labels, answers or ()), any(labels), head)


def _window(sentences: list[str], keep: list[int], chance: random.Random) -> tuple[int, int]:
    if sum(map(len, sentences)) <= MAX_CHARS:
        return 0, len(sentences)
    marked = [i for i, kept in enumerate(keep) if kept]
    first = last = chance.choice(marked) if marked else chance.randrange(len(sentences))
    size = len(sentences[first])
    while True:
        sides = [i for i in (first - 1, last + 1) if 0 <= i < len(sentences)]
        sides = [i for i in sides if size + len(sentences[i]) <= MAX_CHARS]
        if not sides:
            return first, last + 1
        side = chance.choice(sides)
        size += len(sentences[side]) + 1
        first, last = min(first, side), max(last, side)


def _located(sentences: list[str], labels: list[int], answers: Iterable[str]) -> tuple[int, int] | None:
    starts = np.cumsum([0, *(len(sentence) + 1 for sentence in sentences)])
    for answer in filter(None, answers):
        for sentence, label, start in zip(sentences, labels, starts, strict=False):
            if label and (at := sentence.find(answer)) >= 0:
                return int(start) + at, int(start) + at + len(answer)
    return None


def _sentences(text: str) -> list[tuple[int, int, str]]:
    spans = [span for block in paragraphs(text) for span in sentence_spans(text, block)]
    return [(span.start, span.end, text[span.start : span.end]) for span in spans]


def _holds(text: str, answers: Iterable[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in answers)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, file.read_text("utf-8").splitlines())
