"""The measures: of rankings, of passages, of answers, and how sure a mean is; how two runs differ.

Knows nothing of Rag.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from rag.errors import ConfigError, DatasetError, in_words
from rag.evaluation.datasets import Region

Values = dict[str, float]
Result = dict[str, Any]

_RESAMPLES = 2000


def ranking(rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]]) -> dict[str, Values]:
    """For each query nDCG@10, recall@5 and MRR@10 as trec_eval has them, and all@8: whether all gold is there.

    :param rankings: query to sources, best first, each once; for each query that is relevant to something.
    """
    try:
        import ir_measures
        from ir_measures import RR, R, nDCG
    except ImportError as error:
        raise ConfigError(in_words("no_measures", error=error)) from error
    names = {nDCG @ 10: "nDCG@10", R @ 5: "recall@5", RR @ 10: "MRR@10", R @ 8: "all@8"}
    run = {query: {source: -float(at) for at, source in enumerate(found)} for query, found in rankings.items()}
    values: dict[str, Values] = {query: dict.fromkeys(names.values(), 0.0) for query in relevant}
    for one in ir_measures.iter_calc(list(names), relevant, run) if relevant else ():
        values[one.query_id][names[one.measure]] = float(one.value == 1.0) if one.measure == R @ 8 else one.value
    return values


def span_values(found: Sequence[Region], evidence: Sequence[Region]) -> Values:
    """Recall, precision and IoU of characters as in Chroma's report on chunking: overlaps found count in full."""
    retrieved, wanted = (sum(end - start for _, start, end in regions) for regions in (found, evidence))
    hit = len(_characters(found) & _characters(evidence))
    return {
        "span recall@5": hit / wanted,
        "span precision@5": hit / retrieved if retrieved else 0.0,
        "span IoU@5": hit / (retrieved + wanted - hit),
        "characters@5": float(retrieved),
    }


def holds_expected(text: str, answers: Iterable[str]) -> float:
    """1 where the text holds one of the answers, whatever the case and the white space."""
    return float(any(_plain(answer) in _plain(text) for answer in answers))


def citation_values(cited: Collection[object], wanted: Collection[object]) -> Values:
    """Precision, recall and F1 of what is cited, documents or characters; no precision where nothing is cited."""
    both = len(set(cited) & set(wanted))
    precision = {"citation precision": both / len(cited)} if cited else {}
    return {**precision, "citation recall": both / len(wanted), "citation F1": 2 * both / (len(cited) + len(wanted))}


def citation_characters(cited: Iterable[Region], selected: Iterable[Iterable[Region]]) -> Values:
    """The same by characters, against the annotator who agrees best."""
    characters = _characters(cited)
    against = (citation_values(characters, _characters(regions)) for regions in selected)
    return max(against, key=lambda values: values["citation F1"])


def means(rows: Iterable[Values]) -> dict[str, Values]:
    """Each measure's mean and interval, over the questions that have it."""
    columns: dict[str, list[float]] = {}
    for name, value in chain.from_iterable(row.items() for row in rows):
        columns.setdefault(name, []).append(value)
    return {name: interval(column) for name, column in columns.items()}


def interval(values: Sequence[float]) -> Values:
    """The mean with its 95 % percentile bootstrap interval; of differences in pairs, the paired interval."""
    array = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(0).integers(len(array), size=(_RESAMPLES, len(array)))
    low, high = np.percentile(array[chosen].mean(axis=1), [2.5, 97.5])
    return {"mean": float(array.mean()), "low": float(low), "high": float(high), "n": len(array)}


def _characters(regions: Iterable[Region]) -> set[tuple[str, int]]:
    return {(source, at) for source, start, end in regions for at in range(start, end)}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


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


def _read(file: Path) -> dict[str, Mapping[str, float]]:
    """The values of each question of a result, by id."""
    try:
        rows = json.loads(file.read_text("utf-8"))["values"]
        return {row["id"]: {name: float(value) for name, value in row["values"].items()} for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(in_words("no_result", file=file, error=error)) from error
