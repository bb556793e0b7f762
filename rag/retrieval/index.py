"""The index folder: generations beside each other, and the file CURRENT that names the one in use.

    CURRENT          gen-000012, switched by one atomic rename
    LOCK             held by the one process that writes; holds its number
    gen-000012/      written once, then only read; readers hold a shared lock on it while they load it
    gen-000011/      the one before, which takes over when the current one is found damaged
    gen-000010.bad/  one that was damaged, put aside; `why.txt` says what was found
    vectors/         every vector that was ever computed and may be needed again
    open-*/          what a running process works on

A change builds a new generation beside the old one and then switches. Until then the old one serves; when anything
fails, it goes on serving.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rag.errors import IndexBusy, StoreError, in_words
from rag.retrieval import chroma
from rag.retrieval.disk import locked, write_whole
from rag.retrieval.generation import MANIFEST, Damaged, Generation, Outdated

log = logging.getLogger(__name__)

Identity = tuple[Path, int, int]  # path, inode and time of the manifest

_NONE = "none"  # in CURRENT: all was deleted
_WHY = "why.txt"
_READER_S = 10  # how long to wait for a cleaner to let go of a generation
_TRIES = 20  # at opening, while others switch


class IndexFolder:
    """Where the generations live; hands out the one in use, verified. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.vectors = path / "vectors"
        self.repairs: list[str] = []  # what was found damaged since somebody last asked
        self._opening = threading.RLock()
        self._open: tuple[Identity, Generation] | None = None
        self._bad: set[Identity] = set()  # put aside, where the folder cannot be written

    def current(self) -> Path | None:
        """The generation in use, or None when there is none. Where CURRENT is missing or damaged, the newest."""
        named = self._named()
        if named == _NONE:
            return None
        finished = self._finished()
        return next((path for path in finished if path.name == named), finished[0] if finished else None)

    def open(self, load: bool = True) -> Generation | None:
        """The generation in use, verified; None when there is none that this version can read.

        One that is damaged is put aside, and the one before it takes its place.

        :param load: read all of it now; without, only the process that holds the lock may use it.
        """
        with self._opening:
            for _ in range(_TRIES):
                path = self.current()
                if path is None:
                    self._open = None
                    return None
                try:
                    generation = self._opened(path, load)
                    if self._named() != path.name:
                        self._mend(path)
                    return generation
                except (FileNotFoundError, TimeoutError):  # removed at this moment: another took its place
                    time.sleep(0.01)
                except Damaged as error:
                    self.put_aside(path, str(error))
                except Outdated:
                    return None
                except OSError as error:
                    raise StoreError(f"The index at {path} cannot be read ({error}). Mend the folder.") from error
        raise StoreError(f"The index at {self.path} changes faster than it can be opened. Try again.")

    def close(self) -> None:
        """Let go of the files."""
        with self._opening:
            if self._open:
                self._open[1].close()
            self._open = None

    @contextmanager
    def writing(self, timeout_s: float) -> Iterator[None]:
        """Hold the one writer's lock, waiting for another writer to end, and clear away what killed ones left."""
        lock = self.path / "LOCK"
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock.touch()
                held.enter_context(locked(lock, timeout_s=timeout_s))
            except TimeoutError as error:
                holder = lock.read_text(errors="replace").strip()
                raise IndexBusy(in_words("busy", holder=holder, path=self.path, waited_s=timeout_s)) from error
            except OSError as error:
                raise StoreError(in_words("not_writable", path=self.path, why=error.strerror)) from error
            with suppress(OSError):  # a full disk
                lock.write_text(f"{os.getpid()}\n", "ascii")
            self._sweep()
            yield

    def next(self) -> Path:
        """A path for a new generation."""
        return self.path / f"gen-{max([0, *self._numbers()]) + 1:06d}"

    def switch(self, generation: Path) -> None:
        """Make this the generation in use, then drop those that nobody needs any more."""
        before = self.current()
        self._name(generation.name)
        self._remove_all_but({generation, before})

    def drop_others(self) -> None:
        """Leave only the generation in use: others hold a document that was deleted."""
        self._remove_all_but({self.current()})
        for path in self.path.glob("gen-*.bad/*"):
            if path.name != _WHY:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Leave no generation in use: there is nothing to search any more."""
        self._name(_NONE)
        self._remove_all_but(set())

    def put_aside(self, path: Path, why: str) -> None:
        """Never serve this generation again: it is damaged."""
        self._tell(f"{why}. It was put aside and is made again from the documents")
        aside, identity = path.with_suffix(".bad"), _identity(path)
        try:
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            (aside / _WHY).write_text(f"{time.strftime('%Y-%m-%d %H:%M')}: {why}\n", "utf-8")
        except OSError:  # another process was faster, or nothing can be written here
            if identity:
                self._bad.add(identity)

    def untold(self) -> list[str]:
        """What any process found damaged and nobody asked about yet; says so once."""
        told = []
        for note in sorted(self.path.glob(f"gen-*.bad/{_WHY}")):
            with suppress(OSError):  # another was faster, or nothing can be written here: it is told again
                told.append(note.read_text("utf-8").strip())
                note.unlink()
        return told

    def _named(self) -> str:
        """What CURRENT says; "" when it is missing or no text."""
        try:
            return (self.path / "CURRENT").read_text("ascii").strip()
        except (FileNotFoundError, IsADirectoryError, ValueError):
            return ""
        except OSError as error:
            raise StoreError(f"{self.path}/CURRENT cannot be read ({error}). Mend or delete it.") from error

    def _name(self, generation: str) -> None:
        shutil.rmtree(self.path / "CURRENT", ignore_errors=True)  # does nothing to a file; a folder is in the way
        write_whole(self.path / "CURRENT", f"{generation}\n".encode())

    def _mend(self, path: Path) -> None:
        """CURRENT does not name what is in use: let it."""
        with suppress(StoreError, OSError), self.writing(0):  # if it cannot be written now, the next question tries
            if self.current() == path and self._named() != path.name:
                self._name(path.name)
                self._tell(f"{self.path}/CURRENT named no finished generation. {path.name}, the newest, is in use")

    def _tell(self, why: str) -> None:
        log.warning("The index was damaged: %s.", why)
        self.repairs.append(why)

    def _opened(self, path: Path, load: bool) -> Generation:
        identity = _identity(path)
        if identity is None:
            raise FileNotFoundError(path)
        if self._open and self._open[0] == identity and self._open[1].loaded:
            return self._open[1]
        with locked(path, shared=True, timeout_s=_READER_S):
            fresh = Generation(path)
            if load:
                fresh.load()
        self._open = identity, fresh  # the one before closes itself when the last thread that reads it is done
        return fresh

    def _finished(self) -> list[Path]:
        """The generations that have a manifest, newest first."""
        paths = (self.path / f"gen-{number:06d}" for number in sorted(self._numbers(), reverse=True))
        return [path for path in paths if (identity := _identity(path)) and identity not in self._bad]

    def _remove_all_but(self, kept: set[Path | None]) -> None:
        for number in self._numbers():
            path = self.path / f"gen-{number:06d}"
            if path not in kept:
                _remove(path)

    def _sweep(self) -> None:
        """Remove what killed processes left: copies, and generations that are unfinished or no longer needed."""
        current = self.current()
        before = [path for path in self._finished() if path != current][:1]
        self._remove_all_but({current, *before} if current else set())
        (self.path / "CURRENT.new").unlink(missing_ok=True)
        for path in self.path.glob("gen-*.bad"):
            if not (path / _WHY).exists():  # it was told
                shutil.rmtree(path, ignore_errors=True)
        chroma.sweep(self.path)

    def _numbers(self) -> list[int]:
        return [int(path.name[4:]) for path in self.path.glob("gen-*") if path.name[4:].isdigit()]


def _identity(path: Path) -> Identity | None:
    """What tells a finished generation from another of the same name; None for one without a manifest."""
    try:
        info = (path / MANIFEST).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return path, info.st_ino, info.st_mtime_ns


def _remove(path: Path) -> None:
    """Remove a generation, unless somebody is loading it. Without its manifest it is none, even if we are killed."""
    with suppress(OSError):  # in use, or just gone: the next writer tries again
        if path.is_file():  # somebody put it there
            path.unlink()
        (path / MANIFEST).unlink(missing_ok=True)
        with locked(path):
            shutil.rmtree(path, ignore_errors=True)
