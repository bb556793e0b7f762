"""What the command line shows: answers, progress and notes. Answers go to stdout, all else to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import Answer, Event, Sentence
    from rag.retrieval.types import IngestReport

NOT_FOUND = " (not found in the documents)"  # behind a sentence of a model that the documents do not bear out


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


def marked(answer: Answer) -> str:
    """The answer's text, with what its documents do not bear out marked as such."""
    shown, cursor = "", 0
    for sentence in answer.sentences:
        shown += answer.text[cursor : sentence.end] + _mark(sentence)
        cursor = sentence.end
    return shown + answer.text[cursor:]


def put_quotes(answer: Answer) -> None:
    """Each citation with its place and its quote."""
    for citation in answer.citations:
        place = ", ".join(p for p in (citation.section, f"page {citation.page}" if citation.page else "") if p)
        quote = " ".join(citation.quote.split())
        put(f"\n[{citation.number}] {citation.source}{f' ({place})' if place else ''}\n    {quote}")


class Streamed:
    """Prints an answer sentence by sentence, as its events come."""

    def __init__(self) -> None:
        self.answer: Answer | None = None  # once it is done
        self._shown = 0

    def show(self, event: Event) -> None:
        """Print what this event adds."""
        from rag.answering.types import Done, Said

        if isinstance(event, Said):
            sys.stdout.write(event.so_far[self._shown :] + _mark(event.sentence))
            sys.stdout.flush()
            self._shown = len(event.so_far)
        elif isinstance(event, Done):
            self.answer = event.answer
            put(event.answer.text[self._shown :])


def progress() -> Callable[[str, int, int], None]:
    """Prints a line when a new step begins, and, on a terminal, keeps it up to date."""
    last = ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        if sys.stderr.isatty():
            line = f"{what} {done} of {total}" if what != "writing" else "writing the index"
            sys.stderr.write(f"\r\x1b[K{line}" + ("\n" if what == "writing" else ""))
            sys.stderr.flush()
        elif what != last:
            note(f"{what} ...")
        last = what

    return show


def summary(report: IngestReport) -> str:
    """An ingest in one line."""
    counts = ((len(getattr(report, name)), name) for name in ("added", "updated", "unchanged", "removed", "failed"))
    told = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"{told}; {report.passages} passages, {report.embedded} embedded, {report.seconds:.1f} s."


def _mark(sentence: Sentence) -> str:
    return "" if sentence.supported else NOT_FOUND
