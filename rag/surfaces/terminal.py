"""What the command line shows: answers, progress and notes. Answers go to stdout, all else to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import Answer, Event, Sentence
    from rag.conversations import Feedback
    from rag.retrieval.retriever import Why
    from rag.retrieval.types import Hit, IngestReport

_LOG_EVERY_S = 10
_NEAR_CHARS = 160  # of a passage that is shown where none answers
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
    """Each citation with its place and its quote, or the nearest passages; as notes, what to ask next, what failed."""
    for citation in answer.citations:
        place = ", ".join(p for p in (citation.section, f"page {citation.page}" if citation.page else "") if p)
        quote = " ".join(citation.quote.split())
        put(f"\n[{citation.number}] {citation.source}{f' ({place})' if place else ''}\n    {quote}")
    if answer.nearest:
        put("\nThe nearest passages:")
    for hit in answer.nearest:
        put(f"  {hit.source}:{hit.start}-{hit.end}  {hit.section}\n    {shorten(hit.text, _NEAR_CHARS)}")
    if answer.suggestions:
        note("\nAsk next: " + "  ".join(answer.suggestions))
    if answer.note:
        note(answer.note)


def listed(hits: Sequence[Hit], explain: bool) -> str:
    """Each passage with its place; with what its rank is made of, if wished."""
    told = []
    for rank, hit in enumerate(hits, 1):
        told.append(f"{rank}. {hit.source}:{hit.start}-{hit.end}  {hit.section}  (score {hit.score:.2f})")
        told.append(f"   {' '.join(hit.text.split())}\n")
        told += [f"   {explained(hit)}\n"] if explain else []
    return "\n".join(told)


def judged(found: Sequence[Feedback]) -> str:
    """Each judgement with its day and question, the reason given, and the documents that the answer quotes."""
    told = []
    for one in found:
        sources = ", ".join(dict.fromkeys(citation.source for citation in one.answer.citations))
        told.append(f"{one.at[:16].replace('T', ' ')} UTC  {'liked' if one.liked else 'disliked'}  {one.question}")
        told += [f"    {line}" for line in (one.reason, sources and f"It quotes {sources}.") if line]
    return "\n".join(told) or "No answer was judged yet."


def lost(seen: Why) -> str:
    """Where a passage was lost."""
    hit, stage = seen.hit, "Not lost." if seen.stage == "nowhere" else f"Lost at: {seen.stage}."
    place = f"\n{hit.source}:{hit.start}-{hit.end}\n   {explained(hit)}" if hit else ""
    return f"{stage} {seen.detail}{place}"


def explained(hit: Hit) -> str:
    """What a hit's rank is made of."""
    ranks = (hit.dense_rank, "meaning"), (hit.sparse_rank, "words")
    told = [f"number {rank} by {by}" for rank, by in ranks if rank] or ["in neither list"]
    told.append(f"score {hit.score:.2f}")
    if hit.dense_score is not None:
        told.append(f"cosine {hit.dense_score:.2f}, late interaction {hit.late_score:.2f}, BM25 {hit.sparse_score:.1f}")
    told += [f"matched: {', '.join(hit.matched)}"] if hit.matched else []
    told += ["named by another passage"] if hit.bridged_from else []
    return "; ".join(told)


def streamed(events: Iterable[Event]) -> Answer:
    """Print an answer sentence by sentence, as its events come; the answer once it is done."""
    from rag.answering.types import Done, Said

    shown = 0
    for event in events:
        if isinstance(event, Said):
            sys.stdout.write(event.so_far[shown:] + _mark(event.sentence))
            sys.stdout.flush()
            shown = len(event.so_far)
        elif isinstance(event, Done):
            put(event.answer.text[shown:])
            answer = event.answer
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


def summary(report: IngestReport) -> str:
    """An ingest in one line."""
    counts = ((len(getattr(report, name)), name) for name in ("added", "updated", "unchanged", "removed", "failed"))
    told = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"{told}; {report.passages} passages, {report.embedded} embedded, {report.seconds:.1f} s."


def _mark(sentence: Sentence) -> str:
    return "" if sentence.supported else NOT_FOUND
