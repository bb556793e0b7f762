"""Files are read in another process: what breaks there breaks nothing here, and one reason is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.documents import parser as module
from rag.documents.parser import Parser
from rag.documents.types import Limits
from rag.errors import CorpusError, UnreadableDocument, UnsupportedFormat
from tests.documents.test_readers import make_pdf

TOWN = "The harbour has 14 berths."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "town.pdf").write_bytes(make_pdf(TOWN))
    return tmp_path


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser(Limits(parse_s=2)) as opened:
        yield opened


def pid_of(parser: Parser) -> int:
    assert parser._child
    return parser._child.pid


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, reader: str) -> None:
    """Let the other process read .pdf files that are named after a fault by having that fault."""
    (folder / "stand_in.py").write_text(
        textwrap.dedent(reader)
        + textwrap.dedent("""
        import rag.documents.readers as readers
        read_pdf = readers._READERS[".pdf"]
        def read_with_fault(source, *rest):
            if "bad" in source:
                fault()
            return read_pdf(source, *rest)

        readers._READERS[".pdf"] = read_with_fault
        """)
    )
    (folder / "sitecustomize.py").write_text("import stand_in\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_file_is_read_by_another_process_and_the_next_one_by_the_same(parser: Parser, folder: Path) -> None:
    assert parser.read(folder / "town.pdf", "town.pdf").text.strip() == TOWN
    first = pid_of(parser)
    assert parser.read(folder / "town.pdf", "again.pdf").source == "again.pdf"

    assert first == pid_of(parser) != os.getpid()


def test_plain_text_needs_no_other_process(parser: Parser, folder: Path) -> None:
    (folder / "a.txt").write_text(TOWN)

    assert parser.read(folder / "a.txt", "a.txt").text == TOWN
    assert parser._child is None


def test_refusals_come_back_as_what_they_are(parser: Parser, folder: Path) -> None:
    (folder / "elf.pdf").write_bytes(b"\x7fELF" + bytes(100))
    for name, kind in (("elf.pdf", UnreadableDocument), ("gone.pdf", UnreadableDocument), ("x.xyz", UnsupportedFormat)):
        with pytest.raises(kind):
            parser.read(folder / name, name)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("import os\ndef fault(): os.abort()", "broke down"),
        ("import os\ndef fault(): os._exit(3)", "broke down"),
        ("def fault():\n    while True: pass", "more than 2 s .*RAG_MAX_PARSE_S"),
        ("import time\ndef fault(): time.sleep(100)", "more than 2 s .*RAG_MAX_PARSE_S"),
        ("def fault(): bytearray(2_000_000_000)", "more than 700 MB .*RAG_MAX_PARSE_MB"),
        ("def fault(): raise RecursionError", "RecursionError"),
        ("def fault(): print('noise', flush=True)", ""),
    ],
    ids=["abort", "exit", "busy", "asleep", "hungry", "bug", "talks"],
)
def test_a_file_that_its_parser_breaks_on_is_one_reason_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch, parser: Parser, folder: Path, fault: str, reason: str
) -> None:
    stand_in(monkeypatch, folder, fault)
    monkeypatch.setattr(module, "_WAIT_FACTOR", 2)
    (folder / "bad.pdf").write_bytes(make_pdf(TOWN))

    if reason:
        with pytest.raises(UnreadableDocument, match=reason):
            parser.read(folder / "bad.pdf", "bad.pdf")
    else:
        assert parser.read(folder / "bad.pdf", "bad.pdf").text.strip() == TOWN

    assert parser.read(folder / "town.pdf", "town.pdf").text.strip() == TOWN


def test_a_file_is_not_blamed_for_what_those_before_it_left_behind(
    monkeypatch: pytest.MonkeyPatch, parser: Parser, folder: Path
) -> None:
    stand_in(monkeypatch, folder, "import os\nseen = []\ndef fault(): seen.append(1) or len(seen) > 3 and os.abort()")
    (folder / "bad.pdf").write_bytes(make_pdf(TOWN))

    for _ in range(8):
        assert parser.read(folder / "bad.pdf", "bad.pdf").text.strip() == TOWN


def test_the_process_is_replaced_after_many_files(
    monkeypatch: pytest.MonkeyPatch, parser: Parser, folder: Path
) -> None:
    monkeypatch.setattr(module, "_FILES_EACH", 2)
    parser.read(folder / "town.pdf", "town.pdf")
    first = pid_of(parser)
    parser.read(folder / "town.pdf", "town.pdf")
    parser.read(folder / "town.pdf", "town.pdf")

    assert pid_of(parser) != first


def test_nothing_is_left_running(folder: Path) -> None:
    with Parser(Limits()) as parser:
        parser.read(folder / "town.pdf", "town.pdf")
        child = parser._child
    assert child and child.returncode is not None
    with pytest.raises(CorpusError, match="stopped"):
        parser.read(folder / "town.pdf", "town.pdf")


def test_the_process_ends_when_ours_is_killed(folder: Path) -> None:
    code = f"""
import time
from pathlib import Path
from rag.documents.parser import Parser, Limits
parser = Parser(Limits())
parser.read(Path({str(folder)!r}) / "town.pdf", "town.pdf")
print(parser._child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout
        child = int(ours.stdout.readline())
        os.kill(ours.pid, signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return  # dead, and waited for by nobody
        time.sleep(0.1)
    pytest.fail("the process goes on without us")
