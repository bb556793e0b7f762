"""What the index asks of the file system: files that are there whole or not at all, digests, locks.

Locks are the kernel's (flock), so that a process that is killed holds none. They work on local file systems.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.05


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in place with one rename, its bytes on disk before; whoever reads sees the old one or the new."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make what was written to a file or folder survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes: where the processor has instructions for it, 2 GB a second."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path, *, shared: bool = False, timeout_s: float = 0) -> Iterator[int]:
    """Hold the lock of a file or folder that exists; gives its file descriptor.

    :param shared: several may hold it at once, while nobody holds it alone.
    :raises TimeoutError: another holds it until the time is up.
    :raises FileNotFoundError: it is not there, or was taken away while we waited.
    """
    handle = acquire(path, shared=shared, timeout_s=timeout_s)
    try:
        yield handle
    finally:
        os.close(handle)


def acquire(path: Path, *, shared: bool = False, timeout_s: float = 0) -> int:
    """As `locked`, but held until the file descriptor is closed."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        _wait_for(handle, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, time.monotonic() + timeout_s)
        if not os.path.samestat(os.fstat(handle), path.stat()):
            raise FileNotFoundError(f"{path} was replaced")
    except BaseException:
        os.close(handle)
        raise
    return handle


def _wait_for(handle: int, path: Path, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} is locked by another process") from error
            time.sleep(_POLL_S)
