"""What the command line shows: answers, progress and notes. Answers go to stdout, all else to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import Answer, Event, Sentence
    from rag.retrieval.types import Hit, IngestReport
    from rag.retrieval.why import Why
    from rag.surfaces.verify import Finding

_LOG_EVERY_S = 10
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
    """Each citation with its place and its quote; then, as notes, what could be asked next and what went wrong."""
    for citation in answer.citations:
        place = ", ".join(p for p in (citation.section, f"page {citation.page}" if citation.page else "") if p)
        quote = " ".join(citation.quote.split())
        put(f"\n[{citation.number}] {citation.source}{f' ({place})' if place else ''}\n    {quote}")
    if answer.suggestions:
        note("\nAsk next: " + "  ".join(answer.suggestions))
    if answer.note:
        note(answer.note)


def put_hits(hits: Sequence[Hit], explain: bool) -> None:
    """Each passage with its place; with what its rank is made of, if wished."""
    for rank, hit in enumerate(hits, 1):
        put(f"{rank}. {hit.source}:{hit.start}-{hit.end}  {hit.section}  (score {hit.score:.2f})")
        put("   " + " ".join(hit.text.split()) + "\n")
        if explain:
            put(f"   {explained(hit)}\n")


def put_why(seen: Why) -> None:
    """Where a passage was lost."""
    put(f"{'Not lost.' if seen.stage == 'nowhere' else f'Lost at: {seen.stage}.'} {seen.detail}")
    if seen.hit:
        put(f"{seen.hit.source}:{seen.hit.start}-{seen.hit.end}\n   {explained(seen.hit)}")


def put_findings(findings: Sequence[Finding], as_json: bool) -> bool:
    """What was found of a receipt, a line each; whether all of it holds."""
    holds = all(found.state == "holds" for found in findings)
    if as_json:
        put({"ok": holds, "findings": [asdict(found) for found in findings]})
    for found in () if as_json else findings:
        put(f"{found.state:8}{found.what}{found.detail and f': {found.detail}'}")
    if not findings and not as_json:
        put("This receipt has no quotes; there is nothing to check.")
    return holds


def explained(hit: Hit) -> str:
    """What a hit's rank is made of."""
    listed = [
        f"number {rank} by {by}" for rank, by in ((hit.dense_rank, "meaning"), (hit.sparse_rank, "words")) if rank
    ]
    told = [*(listed or ["in neither list"]), f"score {hit.score:.2f}"]
    if hit.dense_score is not None:
        told.append(f"cosine {hit.dense_score:.2f}, late interaction {hit.late_score:.2f}, BM25 {hit.sparse_score:.1f}")
    told += [f"matched: {', '.join(hit.matched)}"] if hit.matched else []
    return "; ".join([*told, "named by another passage"] if hit.bridged_from else told)


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
    return f"{name}={first['input']!r} cannot be used: {first['msg']}."


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


def summary(report: IngestReport) -> str:
    """An ingest in one line."""
    counts = ((len(getattr(report, name)), name) for name in ("added", "updated", "unchanged", "removed", "failed"))
    told = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"{told}; {report.passages} passages, {report.embedded} embedded, {report.seconds:.1f} s."


def _mark(sentence: Sentence) -> str:
    return "" if sentence.supported else NOT_FOUND
