"""How files are read: real filings, hostile files, a folder of thousands, a PDF of a thousand pages.

    python -m benchmarks.documents [--pdfs FOLDER] [--files N] [--pages N] [--json FILE]

All is read as an ingest reads it, in a process of its own for all formats but plain text, under the limits that the
settings have. The filings are those of FinanceBench, which are not shipped; without them that row is left out, and the
PDF of many pages is made by hand. The hostile files are those of tests/documents/hostile.py. Their ingest, among a
good file of each format, has a stand-in for the embedding model; its memory is that of the ingesting process and of
the one that reads for it at the same time, at its most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pypdfium2

from rag import Rag, Settings
from rag.documents.parser import Parser
from rag.documents.types import Document, Limits
from rag.errors import CorpusError
from tests.documents import made
from tests.documents.hostile import GOOD, HOSTILE, tower, write

ROOT = Path(__file__).parent.parent
FILINGS = ROOT.parent / "shared" / "eval" / "financebench" / "pdfs"
LIMITS = Limits()
HUNG_S = 5 * LIMITS.parse_s  # of waiting: the limits are of computing, and ended what takes longer well before
_ODD = ("report", "a b", "\u62a5\u544a", "r\u00e9sum\u00e9 \u2764", "x'y\"z", "UPPER", "dots.in.name", "-dash", "%s{0}")

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one file."""

    source: str
    outcome: Document | Exception
    seconds: float

    @property
    def document(self) -> Document | None:
        """What was read; None where it was refused, or worse."""
        return self.outcome if isinstance(self.outcome, Document) else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, default=FILINGS, metavar="FOLDER", help="filings, or any other PDFs")
    parser.add_argument("--files", type=int, default=2000, help="in the folder of many")
    parser.add_argument("--pages", type=int, default=1000, help="of the long PDF")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    options = parser.parse_args()
    pdfs = sorted(options.pdfs.glob("*.pdf")) if options.pdfs.is_dir() else []
    if not pdfs:
        print(f"{options.pdfs} has no PDFs: the filings are left out", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = {
            "filings": filings(pdfs),
            "hostile": hostile(place / "hostile"),
            "many": many_files(place / "many", options.files),
            "long": long_pdf(place, pdfs, options.pages),
        }
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


def readings(paths: Sequence[Path]) -> Iterator[Reading]:
    """Each file read in turn, as by an ingest; an exception that is no refusal is an outcome too."""
    with Parser(LIMITS) as parser:
        for path in paths:
            started = time.perf_counter()
            try:
                outcome: Document | Exception = parser.read(path, path.name)
            except Exception as error:
                outcome = error
            yield Reading(path.name, outcome, time.perf_counter() - started)


def filings(pdfs: Sequence[Path]) -> Figures:
    """How many of these are read, and how fast."""
    done = list(readings(pdfs))
    pages = sum(len(one.document.page_starts) for one in done if one.document)
    refused = {one.source: str(one.outcome) for one in done if one.document is None}
    return {"files": len(done), "refused": refused, "pages": pages, "seconds": sum(one.seconds for one in done)}


def hostile(place: Path) -> Figures:
    """What hostile files do, one by one and then in one ingest with good ones."""
    corpus = place / "corpus"
    corpus.mkdir(parents=True)
    write(corpus)
    done = list(readings(sorted(corpus.iterdir())))
    worst = max(done, key=lambda one: one.seconds)
    for number, (suffix, make) in enumerate(GOOD.items()):
        (corpus / f"good{suffix}").write_bytes(make(tower(number)))
    questions = {f"good{suffix}": f"Who built the tower number {number} of Kelm?" for number, suffix in enumerate(GOOD)}
    command = [sys.executable, "-m", "tests.documents.hostile_ingest", corpus, place, "{}"]
    ended = subprocess.run(
        [*command, json.dumps([*questions.values()])], capture_output=True, text=True, cwd=ROOT, check=False
    )
    report = json.loads(ended.stdout) if ended.returncode == 0 else {}
    answered = [source for source, asked in questions.items() if report and report["answers"][asked][1] == [source]]
    return {
        "files": len(done),
        "read": sum(one.document is not None for one in done),
        "crashes": [one.source for one in done if not isinstance(one.outcome, Document | CorpusError)],
        "hangs": [one.source for one in done if one.seconds > HUNG_S],
        "wrong": [file.name for file, one in zip(_in_order(), done, strict=True) if _is_wrong(file.right, one)],
        "worst": [worst.source, worst.seconds],
        "ended": ended.returncode,
        "error": ended.stderr[-1000:],
        "good": [len(answered), len(GOOD)],
        "peak_mb": report.get("at_once_mb", 0.0),
        "each_mb": report.get("peak_mb", []),
        "seconds": report.get("seconds", 0.0),
    }


def _in_order() -> list[Any]:
    return sorted(HOSTILE, key=lambda file: file.name)


def _is_wrong(right: str, one: Reading) -> bool:
    return right != "either" and (right == "read") != (one.document is not None)


def many_files(place: Path, count: int) -> Figures:
    """A folder of small files of all formats: what reading them takes, and what the whole ingest takes."""
    corpus = place / "corpus"
    corpus.mkdir(parents=True)
    for number, suffix, name in islice(zip(range(count), cycle(GOOD), cycle(_ODD), strict=False), count):
        (corpus / f"{name} {number}{suffix}").write_bytes(GOOD[suffix](tower(number)))
    done = list(readings(sorted(corpus.iterdir())))
    folders = {"corpus_dir": corpus, "index_dir": place / "index", "data_dir": place / "data"}
    with Rag(Settings(_env_file=None, llm="extractive", **folders)) as rag:
        started = time.perf_counter()
        report = rag.ingest()
        seconds = time.perf_counter() - started
    return {
        "files": count,
        "read": sum(one.document is not None for one in done),
        "read_s": sum(one.seconds for one in done),
        "indexed": len(report.added),
        "ingest_s": seconds,
    }


def long_pdf(place: Path, pdfs: Sequence[Path], pages: int) -> Figures:
    """One PDF of many pages: those of the filings, else some of text by hand."""
    path = place / "long.pdf"
    path.write_bytes(_joined(pdfs, pages) if pdfs else _by_hand(pages))
    [one] = readings([path])
    found = len(one.document.page_starts) if one.document else 0
    return {"pages": found, "of": pages, "seconds": one.seconds, "reason": "" if one.document else str(one.outcome)}


def _joined(pdfs: Sequence[Path], pages: int) -> bytes:
    with pypdfium2.PdfDocument.new() as joined:
        for path in cycle(pdfs):
            with pypdfium2.PdfDocument(path) as part:
                joined.import_pages(part, list(range(min(len(part), pages - len(joined)))))
            if len(joined) >= pages:
                break
        out = BytesIO()
        joined.save(out)
    return out.getvalue()


def _by_hand(pages: int) -> bytes:
    lines = [made.shown(*(tower(number * 40 + line) for line in range(40))) for number in range(pages)]
    sheets = [made.page(4 + pages + number) for number in range(pages)]
    return made.pdf(
        made.CATALOG, made.pages(*range(4, 4 + pages)), made.FONT, *sheets, *map(made.stream, lines)
    )  # fmt: skip


def table(found: Figures) -> str:
    """The README's rows."""
    bad, many, long = found["hostile"], found["many"], found["long"]
    rows = []
    if (real := found["filings"])["files"]:
        read = real["files"] - len(real["refused"])
        speed = real["pages"] / real["seconds"]
        rows.append(f"| FinanceBench filings | {read} of {real['files']} read, {real['pages']:,} pages, "
                    f"{speed:.0f} pages a second |")  # fmt: skip
    rows += [
        f"| {bad['files']} hostile files | {len(bad['crashes'])} crashes, {len(bad['hangs'])} hangs; "
        f"{bad['good'][0]} of {bad['good'][1]} good files among them indexed and found; peak memory "
        f"{bad['peak_mb']:,.0f} MB; at most {bad['worst'][1]:.0f} s for one ({bad['worst'][0]}) |",
        f"| {many['files']:,} small files of {len(GOOD)} formats | {many['read']:,} read in {many['read_s']:.0f} s, "
        f"{many['indexed']:,} indexed in {many['ingest_s']:.0f} s |",
        f"| a PDF of {long['of']:,} pages | {long['pages']:,} read in {long['seconds']:.0f} s |",
    ]
    if bad["ended"] or bad["wrong"]:
        rows.append(f"\nThe ingest ended with {bad['ended']} {bad['error']}; not as is right: {bad['wrong']}")
    return "\n".join(["| files | |", "|---|---|", *rows])


if __name__ == "__main__":
    main()
