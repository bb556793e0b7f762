"""Hostile files, alone and among good ones: each is read or refused with a reason, and costs the others nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.documents.corpus import Corpus
from rag.documents.parser import Parser
from rag.documents.readers import clean
from rag.documents.splitting import MAX_PASSAGE_WEIGHT, split
from rag.documents.types import Document, Limits
from rag.errors import CorpusError
from tests.conftest import ROOT, MakeRag
from tests.documents import made
from tests.documents.hostile import FIRST_ODD, GOOD, HOSTILE, Hostile, oddities, tower, write

SHARED = ROOT.parent / "shared" / "hostile" / "documents"
LIMITS = Limits(parse_s=8)  # a file that people have is read in less
MOST_MB = 1500  # of memory, of the process that ingests and of the one that reads for it together
_SECRETS = re.compile(r"root:|CANARY")
_UNPLAIN = re.compile(r"Traceback|\n|0x[0-9a-f]{4}|<\w|\bobject at\b|/\w+/|\.py\b", re.IGNORECASE)


def assert_plain(reason: str) -> None:
    """A reason is one short line for people: nothing of the program's inside, and no place on this machine."""
    assert 10 < len(reason) < 250
    assert not _UNPLAIN.search(reason), reason


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(LIMITS) as parser:
        yield parser


def outcome(parser: Parser, folder: Path, name: str, data: bytes) -> Document | str:
    """The document in a file of these bytes, or the reason why there is none."""
    (folder / name).write_bytes(data)
    try:
        return parser.read(folder / name, name)
    except CorpusError as refusal:
        return str(refusal)
    finally:
        (folder / name).unlink()


def assert_sound(document: Document) -> None:
    """What is read is clean text within the limits, from which passages can be cut."""
    assert clean(document.text) == document.text
    assert 0 < len(document.text) <= LIMITS.chars
    assert list(document.page_starts) == sorted(document.page_starts)
    for passage in split(document):
        assert document.text[passage.start : passage.end] == passage.text
        assert len(passage.text) <= 9 * MAX_PASSAGE_WEIGHT  # eight characters between sentences are free


# --- One by one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", [pytest.param(file, id=file.name, marks=pytest.mark.slow if file.is_slow else ()) for file in HOSTILE]
)
def test_a_hostile_file_is_read_or_refused_as_is_right(file: Hostile, parser: Parser, tmp_path: Path) -> None:
    found = outcome(parser, tmp_path, file.name, file.make())

    if isinstance(found, str):
        assert file.right != "read", found
        assert_plain(found)
        assert re.search(file.reason, found)
    else:
        assert file.right != "refused", found.text[:1000]
        assert re.search(file.text, found.text)
        assert not _SECRETS.search(found.text)
        assert_sound(found)
    assert list(tmp_path.iterdir()) == []  # a name within a ZIP makes no file


# --- Among good ones ----------------------------------------------------------------------------------------------


def ingested(corpus: Path, place: Path, facts: dict[str, str], **limits: int) -> dict[str, Any]:
    """What an ingest in a process of its own reports; `facts` are looked for, by source."""
    questions = json.dumps([_question(fact) for fact in facts.values()])
    command = [sys.executable, "-m", "tests.documents.hostile_ingest"]
    done = subprocess.run(
        [*command, corpus, place, json.dumps(limits), questions],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    for source, fact in facts.items():
        text, sources = found["answers"][_question(fact)]
        assert fact in text and sources == [source], (source, text)
    return found


def _question(fact: str) -> str:
    """The question that a `tower` answers."""
    number = re.search(r"number (\d+)", fact)
    assert number
    return f"Who built the tower number {number[1]} of Kelm?"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str], dict[str, Any]]:
    """A corpus of one good file of each format, where its index is, its facts, and what its ingest reported."""
    place = tmp_path_factory.mktemp("good")
    (place / "corpus").mkdir()
    facts = {f"good{suffix}": tower(500 + number) for number, suffix in enumerate(GOOD)}
    for suffix, (name, fact) in zip(GOOD, facts.items(), strict=True):
        (place / "corpus" / name).write_bytes(GOOD[suffix](fact))
    return place / "corpus", place, facts, ingested(place / "corpus", place, facts)


def test_a_good_file_of_each_format_is_read(good) -> None:
    _, _, facts, found = good

    assert (found["read"], found["failed"]) == (sorted(facts), {})


@pytest.mark.slow
def test_hostile_files_stop_no_good_one_and_each_has_its_line(good) -> None:
    corpus, place, facts, _ = good
    outside = place / "outside"
    outside.mkdir()
    write(corpus)
    if SHARED.is_dir():
        for path in SHARED.iterdir():
            (corpus / path.name).write_bytes(path.read_bytes())
    odd, left_out = oddities(corpus, outside)
    facts = facts | {name: tower(number) for number, name in enumerate(odd, FIRST_ODD)}
    before = sorted(path.name for path in place.iterdir())

    found = ingested(corpus, place, facts, max_chars=1_000_000, max_parse_s=4)

    assert set(facts) <= set(found["read"])
    assert found["unchanged"] == [f"good{suffix}" for suffix in sorted(GOOD)]  # and so are their passages
    told = {**found["failed"], **found["notes"]}
    assert {file.name for file in HOSTILE} <= {*found["read"], *told}
    for file in HOSTILE:
        assert file.right != "refused" or file.name in told
        assert file.right != "read" or file.name in found["read"] or "RAG_MAX_CHARS" in told[file.name]
    for reason in told.values():
        assert_plain(reason)
    assert found["canaries"] == [] and not set(left_out) & set(found["read"])
    assert sum(found["peak_mb"]) < MOST_MB
    assert sorted(path.name for path in place.iterdir()) == before
    assert not list(Path(corpus.anchor, "tmp").glob("escaped*"))


def test_the_shared_hostile_documents_are_read_or_refused(parser: Parser) -> None:
    if not SHARED.is_dir():
        pytest.skip("shared/ is not beside the project")
    found = {}
    for path in sorted(SHARED.iterdir()):
        try:
            document = parser.read(path, path.name)
        except CorpusError as refusal:
            assert_plain(str(refusal))
            continue
        assert_sound(document)
        found[path.name] = document.text

    assert "06_only_whitespace.txt" not in found
    assert "32" in found["03_script.html"] and "alert" not in found["03_script.html"]
    assert "2.35" in found.get("07_nul_and_latin1.txt", "2.35")
    assert "418" in found["08_one_line_200kB.txt"]


def test_what_is_no_document_is_left_out_with_a_word(tmp_path: Path) -> None:
    corpus, outside = tmp_path / "corpus", tmp_path / "outside"
    corpus.mkdir()
    outside.mkdir()
    odd, left_out = oddities(corpus, outside)
    folder = Corpus(corpus, tmp_path / "data")

    told = dict(folder.left_out())

    assert sorted(folder.found()) == sorted(odd)
    hidden = {name for name in left_out if name.startswith((".", "~$"))}
    assert set(left_out) - hidden <= set(told)
    assert any(source.startswith((".", "~$")) for source in told)
    for reason in told.values():
        assert_plain(reason)


@pytest.mark.parametrize("other", ["a.bak", "a.docx", "z.docx", "a"])
def test_a_good_file_is_read_though_a_copy_of_it_has_a_suffix_that_does_not_fit(
    other: str, make_rag: MakeRag, corpus: Path
) -> None:
    (corpus / other).write_text(tower(7), "utf-8")
    (corpus / "fits.txt").write_text(tower(7), "utf-8")
    rag = make_rag()

    report = rag.ingest()

    assert "fits.txt" in report.added and other in dict(report.failed)
    assert rag.search(tower(7), k=1)[0].source == "fits.txt"


def test_a_file_that_may_not_be_read_is_refused_and_the_next_one_is_read(parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "locked.docx"
    path.write_bytes(made.docx("Words."))
    path.chmod(0)
    try:
        if os.access(path, os.R_OK):  # root may read all
            assert parser.read(path, path.name).text
        else:
            with pytest.raises(CorpusError, match="opened"):
                parser.read(path, path.name)
    finally:
        path.chmod(0o600)
    assert "Words." in parser.read(path, path.name).text


# --- Good files, spoilt -------------------------------------------------------------------------------------------

_EXAMPLES = int(os.environ.get("SPOILT_FILES", "100"))  # of each format
_QUICK = replace(LIMITS, parse_mb=600)
_MORE_MB = 400  # that the process which asks may grow by, over all of them


@cache
def _sound(suffix: str) -> tuple[bytes, ...]:
    """Good files of a format, and one of another kind."""
    return GOOD[suffix](tower(1)), GOOD[suffix](" ".join(map(tower, range(40)))), made.one_page(made.shown("Other"))


@st.composite
def spoilt(draw: st.DrawFn, suffix: str) -> bytes:
    """A good file after some accidents; in a ZIP also to its members, which are packed anew."""
    data = draw(st.sampled_from(_sound(suffix)[:2]))
    if zipfile.is_zipfile(BytesIO(data)) and draw(st.booleans()):
        held = made.members(data)
        names = st.sampled_from(sorted(held))
        for name in draw(st.lists(names, min_size=1, max_size=3)):
            held[name] = draw(st.one_of(accidents(held[name]), names.map(held.__getitem__), st.just(b"")))
        data = made.zipped(held, packed=draw(st.booleans()))
        if draw(st.booleans()):
            return data
    for _ in range(draw(st.integers(1, 3))):
        data = draw(accidents(data))
    other = draw(st.sampled_from(_sound(suffix)))
    return data[: draw(places(data))] + other[draw(places(other)) :] if draw(st.booleans()) else data


def places(data: bytes) -> st.SearchStrategy[int]:
    return st.integers(0, len(data))


@st.composite
def accidents(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some flipped, cut out, repeated or put in."""
    start, length = draw(places(data)), draw(st.sampled_from([1, 2, 4, 16, 256, 4096]))
    end = min(len(data), start + length)
    kind = draw(st.sampled_from(["flip", "cut", "repeat", "insert", "number"]))
    if kind == "cut":
        return data[:start] + data[end:]
    if kind == "repeat":
        return data[:end] + data[start:end] * draw(st.sampled_from([1, 3, 1000])) + data[end:]
    if kind == "insert":
        return data[:start] + draw(st.binary(max_size=64)) + data[start:]
    if kind == "number":  # one that stands there in digits becomes another, as sizes, counts and places of a PDF or XML
        numbers = list(re.finditer(rb"\d+", data))
        if numbers:
            found = draw(st.sampled_from(numbers))
            new = draw(st.sampled_from([b"0", b"-1", b"1", b"65536", b"2147483647", b"99999999999999999999", b"1e9"]))
            return data[: found.start()] + new + data[found.end() :]
    return (
        data[:start]
        + bytes(byte ^ draw(st.integers(1, 255)) for byte in data[start : min(end, start + 4)])
        + data[min(end, start + 4) :]
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of what failed
@pytest.mark.parametrize("suffix", GOOD)
def test_a_spoilt_file_is_read_or_refused_and_nothing_else_happens(
    suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spoilt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with Parser(_QUICK) as parser:

        @settings(deadline=None, max_examples=_EXAMPLES, database=None)
        @given(spoilt(suffix))
        def read(data: bytes) -> None:
            found = outcome(parser, folder, f"spoilt{suffix}", data)
            if isinstance(found, str):
                assert_plain(found)
            else:
                assert_sound(found)

        read()
        sound = outcome(parser, folder, f"sound{suffix}", _sound(suffix)[0])

    assert isinstance(sound, Document) and "tower number 1" in sound.text
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < _MORE_MB
