"""Two that write, and many that ask meanwhile."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from rag import IndexBusy, Rag
from tests.torture.bench import Child, Figures, Place, brought_in, must, state, text

DOCUMENTS = 8
_VERSION = re.compile(r"version (\d+)")


# --- Two writers --------------------------------------------------------------------------------------------------


def _write_again_and_again(place: Place, name: str, times: int) -> int:
    """Change documents of one's own and bring them in; how often another was in the way."""
    busy = 0
    for turn in range(times):
        for number in range(4):
            source = place.corpus / f"{name}{number}.md"
            if random.random() < 0.2:
                source.unlink(missing_ok=True)
            else:
                _put(source, text(f"{name}{number}", turn))
        with place.rag() as rag:
            try:
                rag.ingest()
            except IndexBusy:
                busy += 1
    return busy


def _put(file: Path, content: str) -> None:
    """In one step, as a careful editor does."""
    beside = file.with_name(f".{file.name}")
    beside.write_text(content, "utf-8")
    beside.replace(file)


def _two_writers(place: Place, times: int) -> list[str]:
    place.put(state(3))
    writers = [Child(lambda n=name: _write_again_and_again(place, n, times)) for name in ("left", "right")]
    ended = [writer.end() for writer in writers]
    return [str(one) for one in ended if one.error or one.signal] + brought_in(place)


# --- Many that ask ------------------------------------------------------------------------------------------------


def mixed(rag: Rag) -> list[str]:
    """What is wrong with one answer: all documents change version together, so one answer must hold one version."""
    number = random.randrange(DOCUMENTS)
    hits = rag.search(f"berth quay crane d{number}", k=12)
    versions = {match for hit in hits for match in _VERSION.findall(hit.text)}
    wrong = [f"one search found versions {sorted(versions)}"] if len(versions) != 1 else []
    answer = rag.ask(f"In which version is the berth of part 1 of d{number}?")
    cited = {match for citation in answer.citations for match in _VERSION.findall(citation.quote)}
    considered = {match for hit in answer.hits for match in _VERSION.findall(hit.text)}
    if len(considered) != 1 or not cited <= considered:
        wrong.append(f"one answer considered versions {sorted(considered)} and cited {sorted(cited)}")
    for citation in answer.citations:
        of = [hit for hit in answer.hits if hit.source == citation.source and hit.start <= citation.start < hit.end]
        if not any(hit.text[citation.start - hit.start : citation.end - hit.start] == citation.quote for hit in of):
            wrong.append(f"{citation.source} has no {citation.quote!r} at {citation.start}")
    return wrong


def _serve(place: Place, threads: int) -> tuple[int, list[str]]:
    """As a server does: one Rag, many threads, until told to stop; how many answers it gave, and what was wrong."""
    answers, wrong, stop = [0] * threads, [], place.root / "stop"

    def ask(thread: int) -> None:
        while not stop.exists():
            try:
                wrong.extend(mixed(rag))
            except Exception as error:  # all of them are faults here
                wrong.append(f"{type(error).__name__}: {error}")
            answers[thread] += 1

    with place.rag(auto_ingest=False) as rag:
        asking = [threading.Thread(target=ask, args=(thread,)) for thread in range(threads)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    return sum(answers), wrong


def _switch(place: Place, times: int) -> None:
    """Let all documents change together, again and again."""
    with place.rag() as rag:
        for version in range(2, times + 2):
            place.put(state(DOCUMENTS, version))
            rag.ingest()


def _program_asking(place: Place) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.torture.asking", str(place.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def torture(root: Path, short: bool = False) -> Figures:
    figures = Figures("two writers, many readers")
    turns = 4 if short else 25
    figures.add("ingests of two writers", _two_writers(Place(root / "two"), turns), 2 * turns)

    place, switches = Place(root / "many"), 4 if short else 20
    place.put(state(DOCUMENTS))
    must(lambda: _switch(place, 0) or _ingest(place))
    server = Child(lambda: _serve(place, 4 if short else 16))
    programs = [_program_asking(place) for _ in range(1 if short else 4)]
    for program in programs:
        assert program.stdout
        program.stdout.readline()  # it asks from here on
    writer = Child(lambda: _switch(place, switches)).end()
    time.sleep(0.2)
    (place.root / "stop").touch()
    figures.add("generations switched", [str(writer)] if writer.error or writer.signal else [], switches)
    served = server.end()
    given, wrong = served.value or (1, [str(served)])
    figures.add("answers of a server with many threads", wrong, given)
    for program in programs:
        told = program.communicate()[0].splitlines()
        given, wrong = json.loads(told[-1]) if told and not program.returncode else (1, [f"exit {program.returncode}"])
        figures.add("answers of command lines", wrong, given)
    figures.add("the state that is left", brought_in(place, state(DOCUMENTS, switches + 1)))
    return figures


def _ingest(place: Place) -> None:
    with place.rag() as rag:
        rag.ingest()
