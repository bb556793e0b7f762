"""How often answers are right, how often what is not there is declined, and whether what is quoted is there.

    python -m benchmarks.answers [--sets NAME,NAME] [--questions N] [--json FILE] [--before FILE]

The extractive answerer and `rag.check`, on sets that are public but not shipped (FOLDER/eval of --shared; one that is
missing is told and left out) and on the dev questions about the shipped article. Two files of --json can also be
compared by `rag eval --compare`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.asking import SHARED, Bench, article, clapnq, mtrag, rgb, squad
from benchmarks.figures import Figure, Row, auroc, curve, macro_f1, mean, over_groups, rightly_declined
from benchmarks.grounding import attribution
from rag.retrieval.minilm import PRECISIONS, MiniLM
from training.data import HELD_OUT

SETS: dict[str, tuple[Callable[[Bench], Iterator[Row]], str | None]] = {  # and the folder of each that is not shipped
    "article": (article, None),
    "squad": (squad, "squad2-dev-half"),
    "clapnq": (clapnq, "clapnq-dev"),
    "mtrag": (mtrag, "mtrag-un"),
    "rgb": (rgb, "rgb-en-fact"),
    "attribution": (attribution, "attributionbench-dev"),
}
SURE = ("answerable", "confidence")
Section = tuple[str, list[Figure]]


def main() -> None:
    """Print a table for each set, then what must hold without exception, then the curve of abstention."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), help=", ".join(SETS))
    parser.add_argument("--questions", type=int, help="at most so many of each kind in each article or source")
    parser.add_argument("--json", type=Path, help="keep the values of each question here")
    parser.add_argument("--before", type=Path, help="a file of --json; the change since then is shown beside")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with eval/ and article/")
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="of the embedding model")
    options = parser.parse_args()
    names = options.sets.split(",")
    if unknown := set(names) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; choose of {', '.join(SETS)}")
    before = _read(options.before) if options.before else None
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.shared, options.questions, MiniLM(Path(folder), options.precision))
        rows = [row for name in names for row in _asked(bench, name)]
    if options.json:
        options.json.write_text(json.dumps({"values": [asdict(row) for row in rows]}, ensure_ascii=False), "utf-8")
    for title, figures in sections(rows):
        _print(title, [figure for figure in figures if figure.rows], before)
    _print_invariants(rows)
    _print_curves(rows)


def _asked(bench: Bench, name: str) -> list[Row]:
    """The rows of a set; none where it is missing."""
    started, (ask, folder) = time.perf_counter(), SETS[name]
    if folder and not (bench.shared / "eval" / folder).is_dir():
        print(f"{name} is left out: there is no {bench.shared / 'eval' / folder}.", file=sys.stderr)
        return []
    rows = list(ask(bench))
    print(f"{name}: {len(rows):,} rows in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return rows


# --- What is told of each set -----------------------------------------------------------------------------------------


def sections(rows: Sequence[Row]) -> Iterator[Section]:
    """The tables, each with its figures; of sets that were not asked, without rows."""
    texts = {text: _of(rows, set=f"article, {text}") for text in ("retelling", "original")}
    if all(texts.values()):
        yield "The article, dev questions, both texts", _article([row for asked in texts.values() for row in asked])
    for text, asked in texts.items():
        yield f"The article's {text}, dev questions", _article(asked)
    asked = _of(rows, set="squad")
    for title, seen in (("not seen in training", False), ("seen in training", True)):
        part = [row for row in asked if (row.group not in HELD_OUT) == seen]
        yield f"SQuAD 2.0, dev half, article by article, {title}", _squad(part)
    for protocol in ("all passages", "its own passage"):
        asked = _of(rows, set=f"clapnq, {protocol}")
        yield f"CLAP NQ, dev, each question asked of {protocol}", [*_declining(asked), *_citing(asked)]
    yield "MTRAG-UN, conversations", _declining(_of(rows, set="mtrag"))
    yield "RGB, documents that contradict each other", _rgb(_of(rows, set="rgb"))
    yield "AttributionBench, dev, `rag.check`", _attribution(_of(rows, set="attribution"))


def _article(rows: list[Row]) -> list[Figure]:
    answerable, no = _of(rows, answerable=1), _of(rows, answerable=0)
    return [
        *(_mean(f"right, {kind}", "right", _of(rows, kind=kind)) for kind in _kinds(answerable)),
        _mean("right, all answerable", "right", answerable),
        *(_mean(f"declined, {kind.replace('_', ' ')}", "declined", _of(rows, kind=kind)) for kind in _kinds(no)),
        _mean("declined, answerable", "declined", answerable),
        _mean("cites the paragraphs that answer, of answers given", "gold cited", answerable),
        Figure("AUROC of confidence", auroc, SURE, rows),
        *_length(answerable),
    ]


def _squad(rows: list[Row]) -> list[Figure]:
    own = [row for row in rows if row.kind != "another article"]
    answerable = _of(rows, kind="answerable")
    return [
        Figure("AUROC of confidence, mean over articles", over_groups(auroc), ("group", *SURE), own),
        *(Figure(f"AUROC, {name}", auroc, SURE, _of(own, group=name)) for name in dict.fromkeys(r.group for r in own)),
        _mean("holds the expected string, of answers given", "holds", answerable),
        *(_mean(f"declined, {kind}", "declined", _of(rows, kind=kind)) for kind in _kinds(rows)),
        _mean("false notices of conflict, of all questions", "notice", rows),
        _mean("false notices of conflict, of answers given", "notice if given", rows),
        *_length(answerable),
    ]


def _declining(rows: list[Row]) -> list[Figure]:
    return [
        Figure("AUROC of confidence", auroc, SURE, rows),
        Figure("rightly declined where 10 % are wrongly", rightly_declined(0.1), SURE, rows),
        _mean("declined, unanswerable", "declined", _of(rows, answerable=0)),
        _mean("declined, answerable", "declined", _of(rows, answerable=1)),
    ]


def _citing(rows: list[Row]) -> list[Figure]:
    measures, given = ("precision", "recall", "F1"), [row for row in rows if not row.values["declined"]]
    return [
        *(_mean(f"citation {name} by characters", f"citation {name}", rows) for name in measures),
        _mean("citation F1 by characters, of answers given", "citation F1", given),
        *_length(_of(rows, answerable=1)),
    ]


def _rgb(rows: list[Row]) -> list[Figure]:
    both, agreeing = _of(rows, kind="contradicting"), _of(rows, kind="agreeing")
    return [
        _mean("both values shown", "both shown", both),
        _mean("right value shown", "right shown", both),
        _mean("false value alone", "false alone", both),
        _mean("notice of conflict", "notice", both),
        _mean("notice of conflict, without the falsified documents", "notice", agreeing),
        _mean("right value shown, without the falsified documents", "right shown", agreeing),
        _mean("declined", "declined", both),
        *_length(both),
    ]


def _attribution(rows: list[Row]) -> list[Figure]:
    sources, judged = dict.fromkeys(row.group for row in rows), ("true", "accepted")
    return [
        Figure("macro F1, mean over sources", over_groups(macro_f1), ("group", *judged), rows),
        Figure("macro F1, all claims", macro_f1, judged, rows),
        *(Figure(f"macro F1, {source}", macro_f1, judged, _of(rows, group=source)) for source in sources),
        *(_mean(f"accepted, {kind}", "accepted", _of(rows, kind=kind)) for kind in _kinds(rows)),
        *(
            _mean(f"accepted, {kind}, {source}", "accepted", _of(rows, kind=kind, group=source))
            for source in sources
            for kind in _kinds(rows)
        ),
    ]


def _length(rows: list[Row]) -> list[Figure]:
    return [_mean("sentences an answer", "length", rows), _mean("characters an answer", "characters", rows)]


def _mean(name: str, column: str, rows: Sequence[Row]) -> Figure:
    return Figure(name, mean, (column,), rows)


def _of(rows: Sequence[Row], answerable: int | None = None, **fields: str) -> list[Row]:
    """The rows with these fields."""
    found = [row for row in rows if all(getattr(row, name) == value for name, value in fields.items())]
    return found if answerable is None else [row for row in found if row.values["answerable"] == answerable]


def _kinds(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.kind for row in rows))


# --- Printing ---------------------------------------------------------------------------------------------------------


def _print(title: str, figures: list[Figure], before: dict[str, Row] | None) -> None:
    if not figures:
        return
    changes = " change | 95 % interval | of |" if before else ""
    print(f"\n**{title}**\n\n| | | 95 % interval | of |{changes}\n|---|---|---|---|{'---|---|---|' if before else ''}")
    for figure in figures:
        line = f"| {figure.name} | {_measured(*figure.value())} |"
        if before:
            line += f" {_measured(*figure.value(before), sign='+')} |"
        print(line, flush=True)


def _print_invariants(rows: Sequence[Row]) -> None:
    """What must hold without exception; on stderr the questions where it does not."""
    told = {
        ("citations that slice back", "citations"): "citations that are a slice of their document",
        ("highlights within", "citations"): "highlights within their quote",
        ("sentences in place", "sentences"): "sentences where the answer's text has them",
        ("supported with all numbers", "supported"): "supported sentences whose numbers all stand in their quotes",
    }
    asked = [row.values for row in rows if "citations" in row.values]
    if asked:
        print("\n**Without exception, over all that was asked**\n\n| | |\n|---|---|")
        for (held, whole), name in told.items():
            print(f"| {name} | {sum(v[held] for v in asked):,.0f} of {sum(v[whole] for v in asked):,.0f} |")
    for row in rows:
        if broken := [name for (held, whole), name in told.items() if row.values.get(held) != row.values.get(whole)]:
            print(f"{row.id}: not all are {'; '.join(broken)}", file=sys.stderr)


def _print_curves(rows: Sequence[Row]) -> None:
    squad = [row for row in _of(rows, set="squad") if row.group in HELD_OUT and row.kind != "another article"]
    parts = {"SQuAD, not seen": squad, "CLAP NQ, all passages": _of(rows, set="clapnq, all passages")}
    parts = {name: part for name, part in parts.items() if part}
    if not parts:
        return
    heads = " | ".join(f"{name}: answerable | unanswerable" for name in parts)
    print(f"\n**Declined below a confidence of**\n\n| | {heads} |\n|---|{'---|---|' * len(parts)}")
    for lines in zip(*(curve(part) for part in parts.values()), strict=True):
        shares = " | ".join(f"{wrongly:.1%} | {rightly:.1%}" for _, wrongly, rightly in lines)
        print(f"| {lines[0][0]:g} | {shares} |")


def _measured(value: float, low: float, high: float, count: int, sign: str = "") -> str:
    """Three cells: the value, its interval, and of how many."""
    if not count:
        return " | | 0"
    return f"{_number(value, sign)} | {_number(low, sign)} to {_number(high, sign)} | {count:,}"


def _number(value: float, sign: str = "") -> str:
    return format(value, f"{sign},.0f" if abs(value) >= 10 else f"{sign}.3f")


def _read(file: Path) -> dict[str, Row]:
    values: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["values"]
    return {row["id"]: Row(**row) for row in values}


if __name__ == "__main__":
    main()
