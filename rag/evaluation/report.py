"""What was measured, in a form to read and a form to keep; and how two runs of one set differ."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from rag.errors import DatasetError, in_words
from rag.evaluation.metrics import interval

Result = dict[str, Any]


def table(result: Result) -> str:
    """The means, a line for each measure."""
    counts = f"{result['questions']:,} questions, {result['documents']:,} documents, {result['passages']:,} passages"
    lines = [f"{result['set']}: {counts}", f"{'':34}{'mean':>9}  {'95 % interval':<18}{'n':>7}"]
    for name, found in result["means"].items():
        lines.append(f"{name:34}{_number(found['mean']):>9}  {_range(found):<18}{found['n']:>7,}")
    if result["left_out"]:
        lines.append(f"{result['left_out']} questions were left out: their documents are not there.")
    return "\n".join([*lines, ", ".join(f"{seconds:.1f} s to {stage}" for stage, seconds in result["seconds"].items())])


def compared(before: Path, after: Path) -> Result:
    """The differences `after` - `before`, question by question, with their 95 % intervals."""
    old, new = _read(before), _read(after)
    shared = [(old[id], new[id]) for id in old if id in new]
    differences: Result = {}
    for name in dict.fromkeys(name for first, second in shared for name in first if name in second):
        pairs = [(first[name], second[name]) for first, second in shared if name in first and name in second]
        found = interval([second - first for first, second in pairs])
        means = {"before": fmean(first for first, _ in pairs), "after": fmean(second for _, second in pairs)}
        differences[name] = {**means, **found, "beyond": found["low"] > 0 or found["high"] < 0}
    if not differences:
        raise DatasetError(f"{before} and {after} have no question in common. Give two runs of one set.")
    return {"before": str(before), "after": str(after), "differences": differences}


def comparison_table(result: Result) -> str:
    """The differences, a line for each measure."""
    lines = [f"{'':34}{'before':>9}{'after':>9}{'change':>9}  {'95 % interval':<19}{'n':>7}"]
    for name, found in result["differences"].items():
        numbers = f"{_number(found['before']):>9}{_number(found['after']):>9}{_number(found['mean'], '+'):>9}"
        told = "  beyond its interval" if found["beyond"] else ""
        lines.append(f"{name:34}{numbers}  {_range(found, '+'):<19}{found['n']:>7,}{told}")
    return "\n".join(lines)


def _read(file: Path) -> dict[str, Mapping[str, float]]:
    """The values of each question of a result, by id."""
    try:
        rows = json.loads(file.read_text("utf-8"))["values"]
        return {row["id"]: {name: float(value) for name, value in row["values"].items()} for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(in_words("no_result", file=file, error=error)) from error


def _range(found: Mapping[str, float], sign: str = "") -> str:
    return " to ".join(_number(found[end], sign) for end in ("low", "high"))


def _number(value: float, sign: str = "") -> str:
    return format(value, f"{sign},.0f" if abs(value) >= 10 else f"{sign}.3f")
