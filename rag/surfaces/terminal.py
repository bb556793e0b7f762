"""What the command line shows: answers, progress and notes. Answers go to stdout, all else to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import Answer, Event

_LOG_EVERY_S = 10
_NEAR_CHARS = 160  # of a passage that is shown where none answers
_NOT_FOUND = " (not found in the documents)"  # behind a sentence of a model that the documents do not bear out


def prepare() -> None:
    """A terminal that cannot show a letter gets its number instead; what was closed swallows what it is told."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")
    sys.stderr = sys.stderr or Path(os.devnull).open("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def put(value: str | dict[str, Any]) -> None:
    """A line, or an object as JSON, on stdout."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=not unicode, indent=2)
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def told(form: str, *given: Any) -> str:
    """What terminal.txt makes of something, under the name of its form there."""
    return str(getattr(_forms(), form)(*given)).removesuffix("\n")


def answered(events: Iterable[Event]) -> Answer:
    """Print an answer sentence by sentence, as its events come, then what it rests on; as notes, what to ask next."""
    from rag.answering.types import Done, Said

    shown = 0
    for event in events:
        if isinstance(event, Said):
            sys.stdout.write(event.so_far[shown:] + ("" if event.sentence.supported else _NOT_FOUND))
            sys.stdout.flush()
            shown = len(event.so_far)
        elif isinstance(event, Done):
            answer = event.answer
    put(answer.text[shown:])
    sys.stdout.write(_forms().quotes(answer, partial(shorten, width=_NEAR_CHARS)))
    sys.stderr.write(_forms().afterwards(answer))
    return answer


def progress() -> Callable[[str, int, int], None]:
    """Prints how far a step is and how long it will take: on a terminal in place, elsewhere every ten seconds."""
    step, begun, shown = "", 0.0, 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal step, begun, shown
        now = time.monotonic()
        begun = begun if what == step else now
        line = f"{what} {done:,} of {total:,}{_left(done, total, now - begun)}" if done else what and f"{what} ..."
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif line and (what != step or now - shown >= _LOG_EVERY_S):
            shown = now
            note(line)
        step = what

    return show


def readable(error: ValueError) -> str:
    """One line for what was wrong; pydantic's own text runs over several."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f"{error}."
    first = error.errors()[0]
    name = "RAG_" + "_".join(str(part) for part in first["loc"]).upper()
    given = f"={first['input']!r}" if isinstance(first["input"], str) else ""  # a secret comes wrapped
    return f"{name}{given} cannot be used: {first['msg'].removeprefix('Value error, ')}."


def typed() -> str:
    """A line from the user; "" at the end."""
    try:
        return input("\n> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _left(done: int, total: int, elapsed_s: float) -> str:
    """How long the rest will take at this pace; "" while that cannot be said, or is not worth it."""
    left_s = elapsed_s / done * (total - done)
    if elapsed_s < 2 or left_s < 2:
        return ""
    return f", about {left_s:.0f} s left" if left_s < 90 else f", about {left_s / 60:.0f} min left"


@cache
def _forms() -> Any:
    from rag.surfaces.forms import form  # when something is to be shown

    return form(Path(__file__).with_suffix(".txt").read_text("utf-8"), str)
