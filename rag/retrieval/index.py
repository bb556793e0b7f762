"""The index folder: generations beside each other, and the file CURRENT that names the one in use.

A change builds a new generation beside the old one and then switches with one atomic rename. Until then the old
one serves; when anything fails, it goes on serving. One writer at a time holds LOCK.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import IndexBusy, StoreError

_KEPT = 2  # the current generation and the one before, which a reader may still be using


class IndexFolder:
    """Where the generations live. Knows folders and names; what is in a generation is not its business."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> Path | None:
        """The generation in use, or None when there is none."""
        try:
            name = (self.path / "CURRENT").read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except ValueError:  # damaged: as if there were none
            return None
        except OSError as error:
            raise StoreError(f"{self.path}/CURRENT cannot be read ({error}). Mend or delete it.") from error
        generation = self.path / name
        return generation if name and generation.parent == self.path and generation.is_dir() else None

    @contextmanager
    def writing(self, timeout_s: float) -> Iterator[None]:
        """Hold the one writer's lock, waiting for another writer to end.

        :raises IndexBusy: another process is still writing after the wait.
        :raises StoreError: the folder cannot be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "LOCK")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise IndexBusy(
                f"Another process has been writing to the index at {self.path} for {timeout_s:.0f} s. "
                "Wait until it ends, then try again."
            ) from error
        except OSError as error:
            raise StoreError(
                f"The index folder {self.path} cannot be written ({error.strerror}). Set RAG_INDEX_DIR to one that can."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def next(self) -> Path:
        """A path for a new generation; the numbers only ever grow."""
        return self.path / f"gen-{max([0, *self._numbers()]) + 1:06d}"

    def switch(self, generation: Path) -> None:
        """Make this the generation in use, then drop those that nobody needs any more."""
        beside = self.path / "CURRENT.new"
        with beside.open("w", encoding="ascii") as file:
            file.write(generation.name + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path / "CURRENT")
        for number in sorted(self._numbers())[:-_KEPT]:
            shutil.rmtree(self.path / f"gen-{number:06d}", ignore_errors=True)  # tried again at the next switch

    def clear(self) -> None:
        """Leave no generation in use: there is nothing to search any more."""
        (self.path / "CURRENT").unlink(missing_ok=True)
        numbers = sorted(self._numbers())
        for number in numbers:
            shutil.rmtree(self.path / f"gen-{number:06d}", ignore_errors=True)  # tried again at the next switch
        if numbers:  # an empty folder keeps the count: a number used twice would be taken for the one already open
            (self.path / f"gen-{numbers[-1]:06d}").mkdir(exist_ok=True)

    def _numbers(self) -> list[int]:
        return [int(path.name[4:]) for path in self.path.glob("gen-*") if path.name[4:].isdigit()]
