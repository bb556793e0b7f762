"""Files are read in a process of their own, so that a hostile or damaged one can hurt nothing else.

The process serves file after file. A new one takes its place when it broke down, ran into a limit, or has served 300.
It gets a line of JSON for each file, and answers with one: the document, or why there is none.
"""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from signal import SIGXCPU
from typing import IO, Any, Self

from rag.documents.readers import IN_PROCESS, read
from rag.documents.types import Document, Limits
from rag.errors import CorpusError, EmptyDocument, UnreadableDocument, UnsupportedFormat, in_words

_FILES_EACH = 300  # after which what a library leaked is given back
_WAIT_FACTOR = 4  # seconds waited for each that may be computed: the machine may be busy, or the process asleep
_REFUSALS = {kind.__name__: kind for kind in (CorpusError, EmptyDocument, UnreadableDocument, UnsupportedFormat)}
_ROOT = str(Path(__file__).parents[2])  # where the package is imported from
_SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


class Parser:
    """Reads files, those of all formats but plain text in the other process; for one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._served = 0  # by this child
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the process, even while it reads."""
        self._closed = True
        self._end()

    def read(self, path: Path, source: str) -> Document:
        """The document in this file, or the CorpusError that says why there is none."""
        if path.suffix.lower() in IN_PROCESS:
            return read(path, source, self._limits)
        while not self._closed:
            is_fresh = self._served == 0
            answer, why = self._asked(path, source)
            if answer is None and not is_fresh and why != "too_slow":
                continue  # it may be what the files before left behind: once more in a new process
            if answer is None:
                raise UnreadableDocument(in_words(why, limit_s=self._limits.parse_s, limit_mb=self._limits.parse_mb))
            if refusal := answer.get("refusal"):
                raise _REFUSALS[refusal](answer["reason"])
            return Document.of(answer)
        raise UnreadableDocument("reading was stopped")

    def _asked(self, path: Path, source: str) -> tuple[dict[str, Any] | None, str]:
        """The child's answer; or None, and the name of the message that says what became of it."""
        child = self._child = self._child or self._started()
        assert child.stdin and child.stdout
        self._served += 1
        clock = threading.Timer(_WAIT_FACTOR * self._limits.parse_s, child.kill)
        clock.start()
        line = b""
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps([str(path), source]).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline()
        was_in_time = clock.is_alive()
        clock.cancel()
        if line.endswith(b"\n") and (answer := json.loads(line)) != "memory":
            if self._served >= _FILES_EACH:
                self._end()
            return answer, ""
        is_slow = not was_in_time or (not line and child.wait() == -SIGXCPU)
        self._end()
        return None, "too_slow" if is_slow else "too_hungry" if line else "broke_down"

    def _started(self) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join(part for part in (_ROOT, os.environ.get("PYTHONPATH", "")) if part)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "rag.documents.parser", json.dumps(asdict(self._limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_SINGLE, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C is for us, and we end it
        )

    def _end(self) -> None:
        child, self._child, self._served = self._child, None, 0
        if child:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _serve(limits: Limits) -> None:
    """Be the other process: answer until there are no more questions."""
    questions, answers = sys.stdin, os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whatever a library prints
    _limit("RLIMIT_AS", limits.parse_mb * 1_000_000)
    _limit("RLIMIT_CORE", 0)
    for question in questions:
        path, source = json.loads(question)
        _limit("RLIMIT_CPU", int(time.process_time()) + limits.parse_s + 1)
        _answer(path, source, limits, answers)


def _answer(path: str, source: str, limits: Limits, answers: IO[str]) -> None:
    try:
        answer: Any = asdict(read(Path(path), source, limits))
    except CorpusError as error:
        answer = {"refusal": type(error).__name__, "reason": str(error)}
    except MemoryError:
        answer = "memory"
    print(json.dumps(answer), file=answers, flush=True)


def _limit(name: str, value: int) -> None:
    import resource

    kind = getattr(resource, name)
    with suppress(ValueError, OSError):  # macOS knows no limit of memory
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


if __name__ == "__main__":
    _serve(Limits(**json.loads(sys.argv[1])))
