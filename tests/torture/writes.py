"""kill -9 while Chroma writes its own files, between batches of vectors, and at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rag import Rag, Settings
from tests.torture.bench import CachedEmbeddings, Child, Figures, Place, run, state
from tests.torture.kills import Kill, Phase, act_on, strike

# Above 1,000 passages Chroma writes its graph while it builds. NEW changes a little of it, so that it is updated.
OLD = state(351)
NEW = {**OLD, **state(20, version=2), **state(5, first=400)}
PHASES = (Phase("Chroma writes", None, OLD), Phase("Chroma updates", OLD, NEW))
FILES = ("chroma.sqlite3", "chroma.sqlite3-journal", "header.bin", "data_level0.bin", "length.bin", "link_lists.bin")
FILES = (*FILES, "index_metadata.pickle")


# --- When the kill comes ------------------------------------------------------------------------------------------


class _DyingEmbeddings(CachedEmbeddings):
    """Kills the process when it is asked for the n-th batch."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self._wanted = wanted

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self._wanted -= 1
        if not self._wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_documents(texts)


_DyingEmbeddings.__name__ = CachedEmbeddings.__name__  # the same model


def _kill_at_change(child: Child, index: Path, name: str, wanted: int) -> None:
    """Kill a child when a file of Chroma, in a generation that is being written, has changed for the n-th time."""
    before, changes = (0, 0, 0), 0
    known = {path.name for path in index.glob("gen-*")}
    folder = None
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        folder = folder or next((path for path in index.glob("gen-*/chroma") if path.parent.name not in known), None)
        stamp = _stamp(folder, name) if folder else None
        if stamp and stamp != before:
            before, changes = stamp, changes + 1
            if changes == wanted:
                child.kill()
                return


def _stamp(folder: Path, name: str) -> tuple[int, int, int] | None:
    try:
        places = [folder, *(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())]
        for place in places:
            if (file := place / name).exists():
                info = file.stat()
                return info.st_ino, info.st_size, info.st_mtime_ns
    except FileNotFoundError:
        pass
    return None


def _killed_at_change(name: str, change: int) -> Kill:
    def kill(phase: Phase, place: Place) -> bool:
        child = Child(lambda: act_on(phase, place))
        _kill_at_change(child, place.index, name, change)
        return child.end().killed

    return kill


def _killed_at_batch(batch: int) -> Kill:
    def kill(phase: Phase, place: Place) -> bool:
        def work() -> None:
            with Rag(_settings(place), embeddings=_DyingEmbeddings(batch)) as rag:
                phase.act(rag)

        return run(work).killed

    return kill


def _killed_after(most_s: float) -> Kill:
    def kill(phase: Phase, place: Place) -> bool:
        child = Child(lambda: act_on(phase, place))
        time.sleep(random.uniform(0, most_s))
        child.kill()
        return child.end().killed

    return kill


def _program_killed(phase: Phase, place: Place) -> bool:
    """As it is in life: a program of its own, killed somewhere between its start and its end."""
    with subprocess.Popen([sys.executable, "-m", "tests.torture.ingest", str(place.root)]) as program:
        deadline = time.monotonic() + 60
        while not (place.index / "LOCK").stat().st_size and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1))
        program.kill()
    return program.returncode == -signal.SIGKILL


def _settings(place: Place) -> Settings:
    return Settings(corpus_dir=place.corpus, index_dir=place.index, data_dir=place.root / "data")


# --- The part -----------------------------------------------------------------------------------------------------


def torture(root: Path, short: bool = False) -> Figures:
    figures = Figures("kill -9 within Chroma, and at random")
    for phase in PHASES[:1] if short else PHASES:
        template = phase.template(root / phase.name)
        for name in FILES[-1:] if short else FILES:
            for change in (1,) if short else (1, 2, 4):
                strike(figures, f"{phase.name} {name}", phase, template, root, _killed_at_change(name, change))
        for batch in () if short else range(1, 8):
            strike(figures, "between batches of vectors", phase, template, root, _killed_at_batch(batch))
        for _ in range(2 if short else 15):
            strike(figures, "at a random moment", phase, template, root, _killed_after(1.2))
    if not short:
        phase = replace(PHASES[1], name="change, of a whole program")
        template = phase.template(root / phase.name)
        for _ in range(6):
            strike(figures, "a whole program at a random moment", phase, template, root, _program_killed)
    return figures
