"""What the index asks of the file system: files that are there whole or not at all, digests, locks.

Locks are the kernel's (flock), so that a process that is killed holds none. They work on local file systems.
"""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    """SHA-256 of a file's bytes; "" for one that is missing or that its disk cannot read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO):
            return ""
        raise  # of rights, for example, which is no damage


@contextmanager
def locked(path: Path, *, shared: bool = False, timeout_s: float = 0) -> Iterator[None]:
    """Hold the lock of a file or folder that exists, alone or with others that share it.

    :raises TimeoutError: another holds it until the time is up.
    :raises FileNotFoundError: it is not there, or was taken away while we waited.
    """
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} is locked by another process")
            time.sleep(0.05)
        if not os.path.samestat(os.fstat(handle), path.stat()):
            raise FileNotFoundError(f"{path} was replaced")
        yield
    finally:
        os.close(handle)
