"""kill -9 at every step that changes the index folder, in each kind of act on it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rag import Rag
from tests.torture.bench import (
    Figures,
    Place,
    State,
    brought_in,
    current,
    must,
    run,
    served,
    some,
    state,
)

OLD, NEW = state(10), {**state(8), **state(3, version=2), **state(2, first=20)}


# --- What is interrupted ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """An act on an index, and the states before and after it."""

    name: str
    before: State | None  # None: there is no index
    after: State  # of the corpus, when the act is done
    act: Callable[[Rag], object] = Rag.ingest
    prepare: Callable[[Place], None] = lambda place: None  # done to the index, in the process that forks
    falls_back: bool = False  # so that for a moment the generation before may be served, as a whole

    def template(self, root: Path) -> Place:
        """The index before the act, the corpus as the act finds it."""
        place = Place(root)
        if self.before is not None:
            for held in (_older(self.before), self.before):  # two generations, so that the act has one to remove
                place.put(held)
                must(lambda: _ingest(place))
        place.put(self.after if self.act is not _delete else self.before or {})
        self.prepare(place)
        return place


def _older(now: State) -> State:
    return {**now, **state(1, version=9)}


def _ingest(place: Place) -> None:
    with place.rag() as rag:
        rag.ingest()


def _delete(rag: Rag) -> None:
    rag.delete("d1.md")


def _rebuild(rag: Rag) -> None:
    rag.ingest(rebuild=True)


def _open(rag: Rag) -> None:
    rag.search("berth")


def _leave_debris(place: Place) -> None:
    """What others that were killed may have left."""
    (place.index / "gen-000099" / "chroma").mkdir(parents=True)
    (place.index / "gen-000099" / "documents.jsonl").write_text("half")
    (place.index / "open-dead").mkdir()
    (place.index / "open-dead" / "chroma.sqlite3").write_text("half")
    (place.index / "gen-000098.bad").mkdir()


def _damage(place: Place) -> None:
    next(current(place).glob("chroma/*/data_level0.bin")).write_bytes(b"garbage")


def _many_vectors(place: Place) -> None:
    """So many that the next ingest prunes them."""
    place.put(state(40, version=3))
    must(lambda: _ingest(place))
    for wanted in (OLD, NEW):
        place.put(wanted)
        if wanted is OLD:
            must(lambda: _ingest(place))


PHASES = (
    Phase("first build", None, NEW),
    Phase("change", OLD, NEW),
    Phase("delete", OLD, {s: t for s, t in OLD.items() if s != "d1.md"}, _delete),
    Phase("rebuild", OLD, OLD, _rebuild),
    Phase("cleaning up", OLD, NEW, prepare=_leave_debris),
    Phase("pruning vectors", OLD, NEW, prepare=_many_vectors),
    Phase("mending damage", OLD, OLD, _open, _damage, falls_back=True),
)

# --- When the kill comes ------------------------------------------------------------------------------------------


def die_at_step(place: Place, wanted: int) -> None:
    """From here on, kill this process at the n-th thing that it does to the index folder."""
    steps, inside = count(1), str(place.index)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if _changes(event, arguments, inside) and next(steps) == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...], inside: str) -> bool:
    if event == "open":
        writing = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        return bool(writing) and str(arguments[0]).startswith(inside)
    if event in ("os.remove", "os.rmdir"):  # rmtree gives names without their folders
        return True
    if event == "fcntl.flock":
        return True
    return event.startswith(("os.", "shutil.", "sqlite3.", "tempfile.")) and any(
        str(argument).startswith(inside) or f"file:{inside}" in str(argument) or f"file://{inside}" in str(argument)
        for argument in arguments
        if isinstance(argument, str | Path)
    )


# --- The part -----------------------------------------------------------------------------------------------------


def torture(root: Path, short: bool = False) -> Figures:
    figures = Figures("kill -9")
    for phase in PHASES:
        template = phase.template(root / phase.name)
        for step in _steps(phase, template, root, 2 if short else None):
            strike(figures, f"at each step of: {phase.name}", phase, template, root, _killed_at_step(step))
    return figures


def _steps(phase: Phase, template: Place, root: Path, most: int | None) -> Iterator[int]:
    """The numbers of all steps of an act, or of some."""
    place = template.copied(root / "dry")
    steps = must(lambda: _count_steps(phase, place))
    yield from some(range(1, steps + 1), most)


def _count_steps(phase: Phase, place: Place) -> int:
    steps = []
    with place.rag() as rag:
        sys.addaudithook(lambda e, a: steps.append(e) if _changes(e, a, str(place.index)) else None)
        phase.act(rag)
    return len(steps)


Kill = Callable[[Phase, Place], bool]  # whether the kill came before the end


def strike(figures: Figures, what: str, phase: Phase, template: Place, root: Path, kill: Kill) -> None:
    """Kill an act on a copy of the template, then look at what is served, and at what comes of it."""
    place = template.copied(root / "struck")
    if not kill(phase, place):
        return
    older = [_older(phase.before)] if phase.falls_back and phase.before else []
    wrong = served(place, phase.before, phase.after, *older) + brought_in(place)
    figures.add(what, [f"{one} ({phase.name})" for one in wrong])


def act_on(phase: Phase, place: Place) -> None:
    with place.rag() as rag:
        phase.act(rag)


def _killed_at_step(step: int) -> Kill:
    def kill(phase: Phase, place: Place) -> bool:
        def work() -> None:
            die_at_step(place, step)
            act_on(phase, place)

        return run(work).killed

    return kill
