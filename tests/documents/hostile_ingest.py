"""One ingest of a folder, and questions about what is in it, in a process whose memory is its own.

    python -m tests.documents.hostile_ingest CORPUS PLACE SETTINGS QUESTIONS

PLACE gets the index and the data; SETTINGS and QUESTIONS are JSON. Prints, as JSON, what was reported, what was
answered, and what it took: seconds for each file, and megabytes of this process, of its largest child, and, looked at
fifty times a second, of both at once.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rag import Rag, Settings
from rag.retrieval.lexical import words
from tests.fakes import HashingEmbeddings

MOST_BYTES = 6_000_000_000  # of addresses, of which most are never used: whatever happens, the machine goes on


class QuickEmbeddings(HashingEmbeddings):
    """The hashing embedder with a memory for words: hostile texts say the same ones over and over."""

    model = "hashing, quick"

    def _vector(self, text: str) -> list[float]:
        total = np.full(self.dimensions, 0.01)
        for word in words(text)[:300]:
            total += direction(word, self.dimensions)
        return list(total / np.linalg.norm(total))


@cache
def direction(word: str, dimensions: int) -> Any:
    return np.array(HashingEmbeddings(dimensions).embed_query(word))


def main() -> None:
    """Print what happened."""
    corpus, place, settings, questions = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES if most < 0 else min(MOST_BYTES, most), most))
    times: list[tuple[float, str, int]] = []
    at_once, largest = [0.0], [0.0]
    threading.Thread(target=watch, args=[at_once, largest], daemon=True).start()
    folders = {"corpus_dir": corpus, "index_dir": Path(place) / "index", "data_dir": Path(place) / "data"}
    with Rag(
        Settings(_env_file=None, llm="extractive", **folders, **json.loads(settings)),
        embeddings=QuickEmbeddings(),
        progress=lambda what, done, _: times.append((time.perf_counter(), what, done)),
    ) as rag:
        started = time.perf_counter()
        report = rag.ingest()
        seconds = time.perf_counter() - started
        answers = {question: rag.ask(question) for question in json.loads(questions)}
        found = {
            "seconds": seconds,
            "phases": phases(times),
            "worst": worst(times, sorted([*report.added, *report.updated, *report.unchanged, *dict(report.failed)])),
            "read": sorted([*report.added, *report.updated, *report.unchanged]),
            "unchanged": report.unchanged,
            "failed": dict(report.failed),
            "notes": dict(report.notes),
            "passages": report.passages,
            "answers": {asked: [answer.text, [h.source for h in answer.hits[:1]]] for asked, answer in answers.items()},
            "canaries": [hit.source for hit in rag.search("CANARY secret outside", k=20) if "CANARY:" in hit.text],
        }
    found["peak_mb"] = [memory_mb("self", "VmHWM"), largest[0]]
    found["at_once_mb"] = at_once[0]
    sys.stdout.write(json.dumps(found))


def watch(at_once: list[float], largest: list[float]) -> None:
    """Keep the most memory that this process and its children held at one time, and the most that one child held."""
    while True:
        pids = [name for file in Path("/proc/self/task").glob("*/children") for name in file.read_text().split()]
        at_once[0] = max(at_once[0], sum(memory_mb(pid, "VmRSS") for pid in ["self", *pids]))
        largest[0] = max(largest[0], *(memory_mb(pid, "VmHWM") for pid in pids), 0.0)
        time.sleep(0.02)


def memory_mb(pid: str, name: str) -> float:
    """What the system tells of a process; 0 if it has just ended. (getrusage tells of its parent's memory too.)"""
    with suppress(OSError):
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(told.get(name, "0 kB").split()[0]) * 1024 / 1e6
    return 0.0


def phases(times: list[tuple[float, str, int]]) -> dict[str, float]:
    """How long each part of the ingest took."""
    spent: dict[str, float] = {}
    for (start, what, _), (end, _, _) in itertools.pairwise(times):
        spent[what] = spent.get(what, 0) + end - start
    return spent


def worst(times: list[tuple[float, str, int]], sources: list[str]) -> list[tuple[str, float]]:
    """The files that took longest to read, with their seconds."""
    spent = [
        (sources[done], end - start)
        for (start, what, done), (end, _, _) in itertools.pairwise(times)
        if what == "reading" and done < len(sources)
    ]
    return sorted(spent, key=lambda one: -one[1])[:10]


if __name__ == "__main__":
    main()
