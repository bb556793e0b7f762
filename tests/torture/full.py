"""No room: a limit on the size of files, a disk that says that it is full, and one that is."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

from rag import Rag, RagError, StoreError
from tests.torture.bench import Figures, Place, State, brought_in, faults, must, outcome, run, served, some, state

OLD = state(120)
NEW = {**state(120), **state(6, version=2), **state(40, first=400)}
LESS = {source: text for source, text in OLD.items() if source != "d1.md"}
# From the first byte to more than the largest file of the index has.
SIZES = [0, 1, 5, 12, 100, 500, 1_000, 3_000, 8_000, 15_000, 20_000, 30_000, 45_000, 60_000]
SIZES += [90_000, 120_000, 160_000, 200_000, 250_000, 300_000]
CAUSES = ("File too large", "No space", "free", "full", "room", "disk", "I/O", "requested")  # what names the cause


def _delete(rag: Rag) -> None:
    rag.delete("d1.md")


ACTS: dict[str, tuple[Callable[[Rag], object], State | None, State]] = {
    "build": (Rag.ingest, None, NEW),
    "change": (Rag.ingest, OLD, NEW),
    "delete": (_delete, OLD, LESS),
}


def _limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _unlimited() -> None:
    _limited(resource.RLIM_INFINITY)


def _under_limit(place: Place, act: Callable[[Rag], object], size: int, before: State | None) -> list[str]:
    """Act, fail with a clear word or not at all, answer as before, and then, with room again, act well."""
    wrong = []
    with place.rag(auto_ingest=False) as rag:
        if before is not None:
            rag.search("berth")
        _limited(size)
        try:
            act(rag)
            failed = False
        except StoreError as error:
            failed = True
            if not any(cause in str(error) for cause in CAUSES):
                wrong.append(f"no cause is named: {error}")
        if failed and before is not None:
            wrong += [f"in the same process: {one}" for one in faults(rag, before)]
    if failed:
        with place.rag(auto_ingest=False) as rag:  # opened anew, still without room
            try:
                wrong += [f"opened without room: {one}" for one in faults(rag, before or {})]
            except StoreError:
                pass
    _unlimited()
    with place.rag() as rag:
        rag.ingest()
        wrong += [f"with room again: {one}" for one in faults(rag, place.held())]
    return wrong


def torture(root: Path, short: bool = False) -> Figures:
    figures = Figures("full disk")
    for name, (act, before, after) in ACTS.items():
        template = Place(root / name)
        if before is not None:
            template.put(before)
            must(lambda t=template: _ingest(t))
        template.put(after if act is Rag.ingest else before or {})
        for size in some(SIZES, 2 if short else None):
            place = template.copied(root / "limited")
            wrong = outcome(lambda p=place, a=act, s=size, b=before: _under_limit(p, a, s, b))
            wrong += brought_in(place)
            figures.add(f"files limited in size: {name}", [f"{size} bytes: {one}" for one in wrong])
        for size in some(SIZES, 1 if short else 7):
            figures.add("killed by SIGXFSZ", _killed(template.copied(root / "limited"), act, size, (before, after)))
    template = Place(root / "change")
    figures.add("told that the disk is full", _told_full(template.copied(root / "told")))
    if not short and os.geteuid() == 0:
        for megabytes in (1, 2, 3, 4, 5):
            if (wrong := _on_small_disk(template, root / "disk", megabytes)) is not None:
                figures.add("on a disk that is full", [f"{megabytes} MB: {one}" for one in wrong])
    return figures


def _ingest(place: Place) -> None:
    with place.rag() as rag:
        rag.ingest()


def _killed(place: Place, act: Callable[[Rag], object], size: int, states: tuple[State | None, State]) -> list[str]:
    """The signal that the limit sends is deadly unless it is ignored, as Python does."""

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        _limited(size)
        with place.rag() as rag:
            act(rag)

    run(work)
    return served(place, *states) + brought_in(place)


def _told_full(place: Place) -> list[str]:
    """The early check: nothing is begun that has no room."""

    def look() -> list[str]:
        usage = namedtuple("usage", "total used free")
        before = {path.name for path in place.index.iterdir()}
        real, shutil.disk_usage = shutil.disk_usage, lambda path: usage(10**9, 10**9, 1000)  # type: ignore
        with place.rag() as rag:
            try:
                rag.ingest()
                return ["it was not refused"]
            except StoreError as error:
                wrong = [] if "free" in str(error) else [f"no cause is named: {error}"]
            wrong += faults(rag, OLD)
            shutil.disk_usage = real
        left = {path.name for path in place.index.iterdir()} - before
        return wrong + [f"{name} was begun" for name in left]

    return outcome(look) + brought_in(place)


def _on_small_disk(template: Place, mount: Path, megabytes: int) -> list[str] | None:
    """A file system of a few megabytes; None where none can be mounted."""
    mount.mkdir(exist_ok=True)
    made = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(mount)]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        return None
    try:
        place = Place(mount)
        for name in ("corpus", "index"):
            shutil.copytree(template.root / name, mount / name)
        filler = mount / "filler"

        def look() -> list[str]:
            usage = shutil.disk_usage
            shutil.disk_usage = lambda path: usage("/")  # type: ignore[arg-type] - let it run into the wall
            wrong = []
            with place.rag(auto_ingest=False) as rag:
                rag.search("berth")
                filler.write_bytes(bytes(max(0, usage(mount).free - megabytes * 100_000)))
                try:
                    rag.ingest()
                except RagError as error:
                    if not any(cause in str(error) for cause in CAUSES):
                        wrong.append(f"no cause is named: {error}")
                    wrong += faults(rag, OLD)
            filler.unlink()
            return wrong

        wrong = outcome(look)
        return wrong + served(place, OLD, NEW)
    except OSError:  # the old index alone does not fit
        return None
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)
