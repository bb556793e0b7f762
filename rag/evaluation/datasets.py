"""Questions whose answers are known: from a folder or a file to queries with their evidence.

A folder holds queries.jsonl, the documents (files in corpus/ or pdfs/, or else rows of corpus.jsonl) and, where
documents are graded, qrels.tsv. A file of one's own, CSV or JSONL, has question, answer and source.
Knows files and offsets; knows nothing of the index or of metrics.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from rag.answering.types import Turn
from rag.documents.corpus import Corpus
from rag.errors import DatasetError, in_words

Row = dict[str, Any]


class Region(NamedTuple):
    """Characters of a document's extracted text; the end is exclusive."""

    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """A question, with what is known of its answer."""

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    rewrite: str = ""  # a follow-up, as a person made it stand alone
    answers: tuple[str, ...] = ()  # each of them is right
    answerable: bool | None = True  # None: in part
    relevant: Mapping[str, int] = field(default_factory=dict)  # source to grade, above 0
    spans: tuple[Region, ...] = ()  # the evidence
    pages: frozenset[tuple[str, int]] = frozenset()  # sources and pages, from 1, that hold the evidence
    selected: tuple[tuple[Region, ...], ...] = ()  # the sentences that each annotator's answer rests on


class _Documents(NamedTuple):
    """A folder of files, by the names that the questions have for them; with the text of each row of corpus.jsonl."""

    folder: Path
    sources: dict[str, str]
    rows: dict[str, tuple[str, int]]  # the file's text, and where the row's own begins in it, behind its title

    def source(self, name: str) -> str | None:
        """The file of this name; what follows a # is a place within it."""
        return self.sources.get(name) or self.sources.get(name.partition("#")[0])

    def region(self, name: str, start: int, end: int) -> Region:
        """Offsets in a row's own text as offsets in its file."""
        _check(bool(range(start, end)), f"a span must end behind its start, not go from {start} to {end}")
        begin = self.rows[name][1] if name in self.rows else 0
        return Region(self.sources[name], start + begin, end + begin)

    def sentence(self, name: str, sentence: str) -> Region:
        """Where a sentence of a row stands."""
        start = self.rows[name][0].index(sentence)
        return Region(self.sources[name], start, start + len(sentence))


def load(path: Path, place: Path, corpus: Path | None = None) -> tuple[Path, list[Query], int]:
    """The folder of documents, the queries, and how many were left out since their documents are not there.

    :param place: an empty folder; the rows of corpus.jsonl become files in it.
    :param corpus: the folder of documents, where it is not the set's own; a file of questions has none.
    """
    own = not path.is_dir()
    file, grades = (path, {}) if own else (path / "queries.jsonl", _grades(path / "qrels.tsv"))
    asked = list(_rows(file))
    documents = _files(corpus, place) if corpus else _own_documents(path, place)
    queries: dict[str, Query] = {}
    known = set(documents.sources.values())
    for number, row in asked:
        with _at(file, number):
            id = str(row.get("id", number))
            _check(id not in queries, f"the id {id} is there twice")
            relevant = dict.fromkeys(_texts(row, "source"), 1) if own else grades.get(id, {})
            query = queries[id] = _query(id, row, relevant, documents)
            missing = query.relevant.keys() - known if own else set[str]()
            _check(not missing, f"there is no {', '.join(missing)} in {documents.folder}")
            said = not own or query.answers or relevant or not query.answerable
            _check(bool(said), "a question needs an answer or a source, or answerable false")
    found = [query for query in queries.values() if not query.relevant or known & query.relevant.keys()]
    if not found:
        raise DatasetError(f"{file} holds no question that can be asked. Put one on each line.")
    return documents.folder, found, len(queries) - len(found)


def _query(id: str, row: Row, relevant: Mapping[str, int], documents: _Documents) -> Query:
    question, answerable = row["question"], row.get("answerable", True)
    _check(isinstance(question, str) and bool(question.strip()), f"the question must be text, not {question!r}")
    _check(answerable in (True, False, None), f"answerable must be true or false, not {answerable!r}")
    pages = [one for one in row.get("evidence") or () if isinstance(one, dict) and "page" in one]
    selected = filter(None, row.get("selected_sentences") or ())  # who chose none has no say
    return Query(
        id,
        question,
        history=tuple({"role": t["role"], "content": t.get("content") or t["text"]} for t in row.get("history") or ()),
        rewrite=row.get("rewrite") or "",
        answers=_texts(row, "answers") or _texts(row, "answer"),
        answerable=answerable,
        relevant={documents.source(name) or name: grade for name, grade in relevant.items()},
        spans=tuple(documents.region(row["doc"], span["start"], span["end"]) for span in row.get("spans") or ()),
        pages=frozenset((s, one["page"] + 1) for one in pages if (s := documents.source(one["doc"]))),  # theirs: from 0
        selected=tuple(tuple(documents.sentence(row["passage"], text) for text in texts) for texts in selected),
    )


def _texts(row: Row, name: str) -> tuple[str, ...]:
    """A field that holds a text, or a list of texts or of lists of them."""
    value = row.get(name) or ()
    parts = [value] if isinstance(value, str) else value
    texts = [text for part in parts for text in ([part] if isinstance(part, str) else part)]
    _check(all(isinstance(text, str) for text in texts), f"{name} must be text, not {value!r}")
    return tuple(texts)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _own_documents(path: Path, place: Path) -> _Documents:
    for folder in (path / "corpus", path / "pdfs"):
        if folder.is_dir():
            return _files(folder, place)
    documents = _Documents(place / "corpus", {}, {})
    documents.folder.mkdir()
    taken: set[str] = set()
    times: Counter[str] = Counter()
    for number, row in _rows(path / "corpus.jsonl"):
        with _at(path / "corpus.jsonl", number):
            id, head = str(row["id"]), f"{row['title']}\n\n" if row.get("title") else ""
            text = head + row["text"].replace("\r\n", " \n")  # of the same length, so that offsets hold
        name = re.sub(r"[^\w-]+", "_", id)[:60]
        name += f"-{number}" if name.lower() in taken else ""
        taken.add(name.lower())
        documents.sources[id], documents.rows[id] = f"{name}.txt", (text, len(head))
        ending = "\n" * times[text]  # each row counts, and files that are the same would be one document
        (documents.folder / f"{name}.txt").write_bytes((text + ending).encode("utf-8", "replace"))
        times[text] += 1
    return documents


def _files(folder: Path, place: Path) -> _Documents:
    """The documents of a folder, by source, with and without suffix."""
    sources = Corpus(folder, place).stamps()
    return _Documents(folder, {str(PurePosixPath(s).with_suffix("")): s for s in sources} | {s: s for s in sources}, {})


def _grades(file: Path) -> dict[str, dict[str, int]]:
    """For each query the documents that bear on it, with their grades; none where there is no file."""
    found: dict[str, dict[str, int]] = {}
    lines = _text(file).splitlines()[1:] if file.exists() else []
    for number, line in enumerate(lines, 2):
        with _at(file, number, "Write query-id, corpus-id and score, with tabs between."):
            query, document, score = line.split("\t")
            if int(score) > 0:
                found.setdefault(query, {})[document] = int(score)
    return found


def _rows(file: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a JSONL or CSV file, with the numbers of their lines."""
    if file.suffix.lower() == ".csv":
        yield from _csv_rows(file)
        return
    for number, line in enumerate(_text(file).split("\n"), 1):
        with _at(file, number, "Write one JSON object on each line."):
            row = dict(json.loads(line) if line.strip() else {})
        if row:
            yield number, row


def _csv_rows(file: Path) -> Iterator[tuple[int, Row]]:
    """Rows under a header; | stands between several answers or sources."""
    lines = _text(file).splitlines(keepends=True)
    reader = csv.DictReader(lines, delimiter=max(",;\t", key="".join(lines[:1]).count))
    for fields in reader:
        with _at(file, reader.line_num, "Write true or false under answerable, and no more fields than the header."):
            row: Row = {name.strip().lower(): value.strip() for name, value in fields.items() if value}
            row |= {name: re.split(r"\s*\|\s*", row[name]) for name in {"answer", "answers", "source"} & row.keys()}
            if "answerable" in row:
                row["answerable"] = json.loads(row["answerable"].lower())
        yield reader.line_num, row


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(in_words("no_set", file=file, error=error)) from error


@contextmanager
def _at(file: Path, number: int, advice: str = "Correct that line.") -> Iterator[None]:
    """Tells of what is wrong within, where it stands, and what to do."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{file}, line {number}: {what}. {advice}") from error
