"""The sets of the answers' benchmark, asked one question after the other: what came back, as rows of values.

Each set is a generator of rows. Knows Rag, files and graders; what is made of the rows, figures.py and answers.py know.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Row
from rag import Answer, Rag, Settings
from rag.answering.guards import numbers
from rag.evaluation.datasets import Query, Region, load
from rag.evaluation.metrics import citation_characters, holds_expected
from rag.retrieval.minilm import MiniLM
from tests.data.grade import grade

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
OTHERS = 60  # questions about other articles that each article of SQuAD is asked
_MARK = re.compile(r" ?\[\d+\]")  # of a citation

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sets share: where they lie, how many questions of a kind are asked, and one model of embeddings."""

    shared: Path
    limit: int | None
    embeddings: MiniLM

    def sample(self, name: str, rows: Iterable[Json], limit: int | None = None) -> list[Json]:
        """At most so many of the rows, whatever else is asked; a larger sample holds the smaller one."""
        shuffled = random.Random(name).sample(rows := list(rows), len(rows))
        return shuffled[: min(count for count in (self.limit, limit, len(rows)) if count is not None)]

    @contextmanager
    def rag(self, documents: Path | Mapping[str, str]) -> Iterator[Rag]:
        """A folder, or texts by file name, with an index that is thrown away."""
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            corpus = documents if isinstance(documents, Path) else _written(documents, place / "corpus")
            folders: Json = {"corpus_dir": corpus, "index_dir": place / "index", "data_dir": place / "data"}
            with Rag(Settings(**folders, llm="extractive"), embeddings=self.embeddings, progress=_quiet) as rag:
                rag.ingest()
                yield rag


def told(what: str, rows: Sequence[Any]) -> Iterator[Any]:
    """The rows as they are, with a word on stderr now and then."""
    for done, row in enumerate(rows, 1):
        yield row
        if done == len(rows) or (done % 20 == 0 and sys.stderr.isatty()):
            print(
                f"\r{what}: {done} of {len(rows)}", end="\n" if done == len(rows) else "", file=sys.stderr, flush=True
            )


def json_rows(file: Path) -> list[Json]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# --- The sets ---------------------------------------------------------------------------------------------------------


def article(bench: Bench) -> Iterator[Row]:
    """The dev questions about the shipped article, and about the text that it retells where that is at hand."""
    questions: dict[str, list[Json]] = defaultdict(list)
    for row in json_rows(ROOT / "tests" / "data" / "questions_dev.jsonl"):
        questions[row["type"]].append(row)
    chosen = [row for kind, rows in questions.items() for row in bench.sample(f"article {kind}", rows)]
    original = next((bench.shared / "article").glob("000_*.txt"), None)
    texts = {original.name: original.read_text("utf-8")} if original else {}
    for text, documents in (("retelling", ROOT / "corpus"), ("original", texts)):
        if not documents:
            print("The article's original text is not there; its retelling alone is asked about.", file=sys.stderr)
            continue
        with bench.rag(documents) as rag:
            for row in told(f"article, {text}", chosen):
                answer = rag.ask(row["question"], history=row["history"])
                values = _values(rag, answer, row["answerable"])
                values["right"] = float(grade(row, answer.text, answer.abstained))
                if row["answerable"] and answer.citations:
                    values["gold cited"] = float(_gold(rag, answer, row["gold"][text], row["type"] == "multi"))
                yield Row(f"article/{text}/{row['id']}", f"article, {text}", row["type"], row["type"], values)


def squad(bench: Bench) -> Iterator[Row]:
    """SQuAD 2.0 article by article: its answerable questions, those made to look so, and some about other articles."""
    articles = list(_squad_articles(bench.shared / "eval" / "squad2-dev-half"))
    for title, text, questions in articles:
        elsewhere = [(q, other) for other, _, qs in articles if other != title for q in qs if q["answerable"]]
        kinds = {
            "answerable": bench.sample(f"squad {title} answerable", (q for q in questions if q["answerable"])),
            "adversarial": bench.sample(f"squad {title} adversarial", (q for q in questions if not q["answerable"])),
            "another article": bench.sample(f"squad {title} other", (q for q, _ in elsewhere), OTHERS),
        }
        asked = [(kind, row) for kind, rows in kinds.items() for row in rows]
        with bench.rag({"article.txt": f"{title}\n\n{text}"}) as rag:
            for kind, row in told(f"squad, {title}", asked):
                answer = rag.ask(row["question"])
                values = _values(rag, answer, kind == "answerable")
                if kind == "answerable" and not answer.abstained:
                    values["holds"] = holds_expected(_shown(answer), row["answers"])
                yield Row(f"squad/{title}/{kind}/{row['id']}", "squad", title, kind, values)


def clapnq(bench: Bench) -> Iterator[Row]:
    """CLAP NQ, each question asked of all passages and of its own alone; in one index, where words weigh the same."""
    path = bench.shared / "eval" / "clapnq-dev"
    own = {str(row["id"]): f"{row['passage']}.txt" for row in json_rows(path / "queries.jsonl")}  # as load() names it
    with tempfile.TemporaryDirectory() as name:
        folder, queries, _ = load(path, Path(name))
        with bench.rag(folder) as rag:
            for protocol in ("all passages", "its own passage"):
                for query in told(f"clapnq, {protocol}", _chosen(bench, "clapnq", queries)):
                    answer = rag.ask(query.question, sources=None if protocol == "all passages" else [own[query.id]])
                    values = _values(rag, answer, bool(query.answerable))
                    if query.selected:
                        cited = [Region(citation.source, citation.start, citation.end) for citation in answer.citations]
                        values |= citation_characters(cited, query.selected)
                    yield Row(f"clapnq/{protocol}/{query.id}", f"clapnq, {protocol}", "clapnq", _kind(query), values)


def mtrag(bench: Bench) -> Iterator[Row]:
    """MTRAG-UN's conversations, but for questions that are called underspecified; answerable in part is answerable."""
    with tempfile.TemporaryDirectory() as name:
        folder, queries, _ = load(bench.shared / "eval" / "mtrag-un", Path(name))
        with bench.rag(folder) as rag:
            for query in told("mtrag", _chosen(bench, "mtrag", queries)):
                values = _values(rag, rag.ask(query.question, query.history), bool(query.answerable))
                yield Row(f"mtrag/{query.id}", "mtrag", "mtrag", _kind(query), values)


def rgb(bench: Bench) -> Iterator[Row]:
    """RGB's counterfactual questions, each with an index of its own: right, falsified and unrelated documents.

    And once more without the falsified ones (`sources`), where a notice of conflict is false.
    """
    path = bench.shared / "eval" / "rgb-en-fact"
    texts = {row["id"]: row["text"] for row in json_rows(path / "corpus.jsonl")}
    for row in told("rgb", bench.sample("rgb", json_rows(path / "queries.jsonl"))):
        agreeing = [f"{name}.txt" for name in (*row["positive"], *row["negative"])]
        files = [*agreeing, *(f"{name}.txt" for name in row["positive_wrong"])]
        with bench.rag({file: texts[file.removesuffix(".txt")] for file in files}) as rag:
            for kind, sources in (("contradicting", None), ("agreeing", agreeing)):
                answer = rag.ask(row["question"], sources=sources)
                values = _values(rag, answer, True) | _contradiction(_shown(answer), row)
                yield Row(f"rgb/{kind}/{row['id']}", "rgb", "rgb", kind, values)


# --- Inside -----------------------------------------------------------------------------------------------------------


def _values(rag: Rag, answer: Answer, answerable: bool) -> dict[str, float]:
    """What every answer is measured by; the counts are of what must hold without exception."""
    quoted = [(s, set().union(*(numbers(citation.quote) for citation in s.citations))) for s in answer.sentences]
    supported = [(sentence, held) for sentence, held in quoted if sentence.supported]
    slices = [rag.document_text(c.source)[c.start : c.end] == c.quote for c in answer.citations]
    values = {
        "answerable": answerable,
        "declined": answer.abstained,
        "confidence": answer.confidence,
        "notice": bool(answer.conflict),
        "citations": len(slices),
        "citations that slice back": sum(slices),
        "highlights within": sum(0 <= c.highlight[0] < c.highlight[1] <= len(c.quote) for c in answer.citations),
        "sentences": len(quoted),
        "sentences in place": sum(answer.text[s.start : s.end] == s.text for s in answer.sentences),
        "supported": len(supported),
        "supported with all numbers": sum(set(numbers(s.text)) <= held for s, held in supported),
    }
    if not answer.abstained:
        values |= {
            "length": len(answer.sentences),
            "characters": len(_shown(answer)),
            "notice if given": values["notice"],
        }
    return {name: float(value) for name, value in values.items()}


def _contradiction(shown: str, row: Json) -> dict[str, float]:
    """Which of the two values is shown."""
    right = [text for one in row["answers"] for text in ([one] if isinstance(one, str) else one)]
    first, second = (holds_expected(shown, answers) for answers in (right, [row["fake_answer"]]))
    return {"right shown": first, "both shown": first * second, "false alone": (1 - first) * second}


def _shown(answer: Answer) -> str:
    """The text without marks of citations; an abstention shows nothing."""
    return "" if answer.abstained else _MARK.sub("", answer.text)


def _gold(rag: Rag, answer: Answer, gold: list[int], every: bool) -> bool:
    """Whether one of the paragraphs that answer is cited, or every one; counted from 1, headings left out."""
    cited: set[int] = set()
    for citation in answer.citations:
        above = rag.document_text(citation.source)[: citation.start].rpartition("\n")[0]
        cited.add(1 + sum(bool(line.strip()) and not line.startswith("#") for line in above.split("\n")))
    return set(gold) <= cited if every else bool(cited & set(gold))


def _chosen(bench: Bench, name: str, queries: list[Query]) -> list[Query]:
    asked = [query for query in queries if query.answerable is not None]
    ids = [{"id": query.id, "kind": _kind(query)} for query in asked]
    kinds = ("answerable", "unanswerable")
    kept = [bench.sample(f"{name} {kind}", (row for row in ids if row["kind"] == kind)) for kind in kinds]
    chosen = {row["id"] for rows in kept for row in rows}
    return [query for query in asked if query.id in chosen]


def _kind(query: Query) -> str:
    return "answerable" if query.answerable else "unanswerable"


def _squad_articles(folder: Path) -> Iterator[tuple[str, str, list[Json]]]:
    """Title, text and questions of each article that has questions."""
    paragraphs: dict[str, list[Json]] = defaultdict(list)
    for row in json_rows(folder / "corpus.jsonl"):
        paragraphs[row["title"]].append(row)
    questions: dict[str, list[Json]] = defaultdict(list)
    for row in json_rows(folder / "queries.jsonl"):
        questions[row["passage"]].append(row)
    for title, rows in paragraphs.items():
        asked = [question for row in rows for question in questions[row["id"]]]
        if asked:
            yield title, "\n\n".join(" ".join(row["text"].split()) for row in rows), asked


def _written(documents: Mapping[str, str], folder: Path) -> Path:
    folder.mkdir()
    for name, text in documents.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def _quiet(what: str, done: int, total: int) -> None:
    """Ingesting is not told of."""
