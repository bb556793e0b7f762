"""Runs a set through Rag as a user would: ingest, search, ask."""

import logging
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.answering.types import Answer, Turn
from rag.engine import Rag
from rag.evaluation import metrics
from rag.evaluation.datasets import Query, Region, load
from rag.evaluation.metrics import Values
from rag.retrieval.intake import Progress
from rag.retrieval.types import Hit
from rag.settings import Settings

log = logging.getLogger(__name__)

_DEPTH = 50  # passages by which documents are ranked; a document ranks as its best passage
_MARK = re.compile(r" ?\[\d+\]")  # of a citation, which may stand within what is expected

Asked = tuple[Query, str, Sequence[Turn]]  # what is searched for a query, and with which history


def evaluate(
    path: Path,
    settings: Settings,
    progress: Progress,
    *,
    corpus: Path | None = None,
    index: Path | None = None,
    answers: bool = True,
    limit: int | None = None,
) -> dict[str, Any]:
    """All that was measured, as plain values; `values` has it question by question.

    :param path: a set, or a file of questions about the documents of `settings`.
    :param corpus: documents to take in place of the set's own.
    :param index: where to keep the index of a set, so that the next run finds it.
    """
    own = not path.is_dir()
    with tempfile.TemporaryDirectory() as name:
        folder, queries, left_out = load(path, Path(name), corpus or (settings.corpus_dir if own else None))
        if limit and limit < len(queries):
            queries = random.Random(0).sample(queries, limit)
        here: dict[str, Any] = {"corpus_dir": folder, "auto_ingest": False}  # no look at the files before each search
        apart = {} if own else {"index_dir": index or Path(name, "index"), "data_dir": Path(name, "data")}
        with Rag(settings.model_copy(update=here | apart), progress=progress) as rag:
            found = _measured(rag, queries, settings.auto_ingest or not own, answers, progress)
        return {"set": path.resolve().stem, "questions": len(queries), "left_out": left_out, **found}


def _measured(rag: Rag, queries: list[Query], ingest: bool, answers: bool, progress: Progress) -> dict[str, Any]:
    clock = [time.perf_counter()]
    for source, reason in rag.ingest().failed if ingest else ():
        log.warning("%s is left out: %s", source, reason)
    documents = rag.documents()
    values: dict[str, Values] = {query.id: {} for query in queries}
    for measures in (_search, _ask) if answers else (_search,):
        clock.append(time.perf_counter())
        for id, found in measures(rag, queries, progress):
            values[id] |= found
    progress("", 0, 0)
    clock.append(time.perf_counter())
    stages = zip(("ingest", "search", "answer"), clock[:-1], clock[1:], strict=False)
    return {
        "documents": len(documents),
        "passages": sum(document.passages for document in documents),
        "embedding_model": rag.settings.embedding_model,
        "llm": rag.model if answers else None,
        "seconds": {stage: end - start for stage, start, end in stages},
        "means": metrics.means(values.values()),
        "values": [{"id": query.id, "question": query.question, "values": values[query.id]} for query in queries],
    }


def _variants(queries: list[Query]) -> Iterator[tuple[str, list[Asked]]]:
    """The ways to search, side by side on the same queries, with the suffix of their measures."""
    if not any(query.history for query in queries):
        yield "", [(query, query.question, ()) for query in queries]
        return
    rewritten = [query for query in queries if query.rewrite]
    yield " (last turn)", [(query, query.question, ()) for query in rewritten or queries]
    yield " (history)", [(query, query.question, query.history) for query in rewritten or queries]
    yield " (rewrite)", [(query, query.rewrite, ()) for query in rewritten]


def _search(rag: Rag, queries: list[Query], progress: Progress) -> Iterator[tuple[str, Values]]:
    """What retrieval is worth, by id."""
    for suffix, asked in _variants([q for q in queries if q.relevant or q.spans or q.pages]):
        rankings: dict[str, list[str]] = {}
        for done, (query, text, history) in enumerate(asked):
            progress(f"searching{suffix}", done, len(asked))
            rankings[query.id] = list(dict.fromkeys(hit.source for hit in rag.search(text, _DEPTH, history)))
            hits = rag.search(text, 5, history) if query.spans or query.pages else []
            yield query.id, {name + suffix: value for name, value in _passages(query, hits).items()}
        relevant = {query.id: query.relevant for query, _, _ in asked if query.relevant}
        for id, found in metrics.ranking(rankings, relevant).items():
            yield id, {name + suffix: value for name, value in found.items()}


def _passages(query: Query, hits: Sequence[Hit]) -> Values:
    """What the first five passages are worth."""
    on_page = {"page hit@5": float(any((hit.source, hit.page) in query.pages for hit in hits))} if query.pages else {}
    found = [Region(hit.source, hit.start, hit.end) for hit in hits]
    return on_page | (metrics.span_values(found, query.spans) if query.spans else {})


def _ask(rag: Rag, queries: list[Query], progress: Progress) -> Iterator[tuple[str, Values]]:
    """What the answers are worth, by id."""
    asked = [query for query in queries if query.answerable is not None]
    for done, query in enumerate(asked):
        progress("asking", done, len(asked))
        yield query.id, _answer_values(query, rag.ask(query.question, query.history))


def _answer_values(query: Query, answer: Answer) -> Values:
    if not query.answerable:
        return {"rightly declined": float(answer.abstained)}
    values = {"wrongly declined": float(answer.abstained)}
    if query.answers:
        text = "" if answer.abstained else _MARK.sub("", answer.text)
        values["answer holds expected"] = metrics.holds_expected(text, query.answers)
    if query.selected:
        cited = [Region(citation.source, citation.start, citation.end) for citation in answer.citations]
        return values | metrics.citation_characters(cited, query.selected)
    sources = {citation.source for citation in answer.citations}
    return values | (metrics.citation_values(sources, query.relevant) if query.relevant else {})
