"""Files that are there whole or not at all, digests, and locks that die with their process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.retrieval.disk import digest, locked, write_whole
from tests.conftest import ROOT

HOLDER = """
import sys
from pathlib import Path
from rag.retrieval.disk import locked
with locked(Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""
Hold = Callable[[Path, str], "subprocess.Popen[str]"]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "LOCK"
    path.touch()
    return path


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts processes that hold a lock while they live."""
    running: list[subprocess.Popen[str]] = []

    def start(path: Path, kind: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(path), kind]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.__exit__(None, None, None)


# --- Files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"new", b"new" * 100_000], ids=["empty", "short", "long"])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(b"old")

    write_whole(tmp_path / "file", data)

    assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_whoever_has_the_old_file_open_goes_on_reading_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    with (tmp_path / "file").open("rb") as reader:
        write_whole(tmp_path / "file", b"brand new")
        assert reader.read() == b"old"


def test_when_the_new_file_cannot_be_written_the_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file.new").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_the_bytes_are_on_disk_before_the_name_is_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("sync") or fsync(handle))
    monkeypatch.setattr(Path, "replace", lambda path, to: done.append("rename") or replace(path, to))

    write_whole(tmp_path / "file", b"new")

    assert done == ["sync", "rename", "sync"]


def test_a_digest_is_the_sha_256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text" * 100_000)

    assert digest(tmp_path / "file") == hashlib.sha256(b"text" * 100_000).hexdigest()


# --- Locks --------------------------------------------------------------------------------------------------------


def _lock(path: Path) -> None:
    with locked(path):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "ours", "free"),
    [("alone", False, False), ("alone", True, False), ("shared", False, False), ("shared", True, True)],
)
def test_one_alone_or_several_shared(lock: Path, hold: Hold, theirs: str, ours: bool, free: bool) -> None:
    hold(lock, theirs)

    if free:
        with locked(lock, shared=ours):
            pass
    else:
        with pytest.raises(TimeoutError, match="LOCK"), locked(lock, shared=ours):
            pass


@pytest.mark.slow
def test_a_process_that_is_killed_holds_nothing(lock: Path, hold: Hold) -> None:
    process = hold(lock, "alone")
    process.kill()
    process.wait()

    with locked(lock):
        pass


@pytest.mark.slow
def test_a_wait_ends_when_the_other_does(lock: Path, hold: Hold) -> None:
    process = hold(lock, "alone")
    assert process.stdin
    process.stdin.close()

    with locked(lock, timeout_s=60):
        pass


def test_a_lock_excludes_within_one_process_too_and_is_free_after_an_error(lock: Path) -> None:
    with pytest.raises(KeyError), locked(lock):
        with pytest.raises(TimeoutError):
            _lock(lock)
        raise KeyError

    _lock(lock)


def test_a_folder_can_be_locked(tmp_path: Path) -> None:
    with locked(tmp_path, shared=True), pytest.raises(TimeoutError):
        _lock(tmp_path)


def test_what_is_not_there_cannot_be_locked_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _lock(tmp_path / "LOCK")
    assert not (tmp_path / "LOCK").exists()


@pytest.mark.parametrize("again", [False, True], ids=["gone", "replaced"])
def test_a_lock_on_a_file_that_went_away_while_we_waited_is_none(
    lock: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Else two could hold "the" lock: one the old file's, one the new one's."""
    opened = os.open

    lock.with_name("another").touch()

    def open_then_lose(path: Path, *more: int) -> int:
        handle = opened(path, *more)
        lock.rename(lock.with_name("moved"))
        if again:
            lock.with_name("another").rename(lock)
        return handle

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_then_lose)
        with pytest.raises(FileNotFoundError):
            _lock(lock)
    with locked(lock.with_name("moved")):  # the failed attempt holds nothing
        pass
