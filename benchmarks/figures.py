"""The measures that the answers' benchmark adds to those of `rag eval`, and how sure each one is.

Every measure takes columns, one value for each question, so that one draw resamples them all. Knows nothing of Rag.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Column = NDArray[Any]
Measure = Callable[..., float]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured on one question; a value that has no meaning for it is left out."""

    id: str  # with the set's name in front: no two rows share one
    set: str
    group: str  # the article, or the source of a claim
    kind: str
    values: dict[str, float]


class Figure(NamedTuple):
    """A measure of some columns of some rows; a row that lacks one of the columns is left out."""

    name: str
    measure: Measure
    columns: tuple[str, ...]
    rows: Sequence[Row]

    def value(self, before: dict[str, Row] | None = None) -> tuple[float, float, float, int]:
        """The value, the ends of its 95 % interval and the number of rows; with `before`, the change since then."""
        rows = [row for row in self.rows if self._holds(row)]
        if before is None:
            return *bootstrap(self.measure, *self._columns(rows)), len(rows)
        rows = [row for row in rows if row.id in before and self._holds(before[row.id])]
        columns, count = [*self._columns(rows), *self._columns([before[row.id] for row in rows])], len(self.columns)
        change = bootstrap(lambda *both: self.measure(*both[:count]) - self.measure(*both[count:]), *columns)
        return *change, len(rows)

    def _holds(self, row: Row) -> bool:
        return all(name == "group" or name in row.values for name in self.columns)

    def _columns(self, rows: Sequence[Row]) -> list[Column]:
        return [np.array([row.group if name == "group" else row.values[name] for row in rows]) for name in self.columns]


def mean(values: Column) -> float:
    """The mean; not a number where there is nothing."""
    return float(values.mean()) if len(values) else math.nan


def auroc(positive: Column, scores: Column) -> float:
    """How often a positive scores above a negative, ties counting half: the area under the ROC curve."""
    above, below = scores[positive == 1], np.sort(scores[positive == 0])
    if not len(above) or not len(below):
        return math.nan
    wins = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(wins.mean() / 2 / len(below))


def declined_below(threshold: float, answerable: Column, confidence: Column) -> tuple[float, float]:
    """The shares of the answerable and of the unanswerable that are less sure than a threshold."""
    low = confidence < threshold
    return mean(low[answerable == 1]), mean(low[answerable == 0])


def rightly_declined(wrongly: float) -> Measure:
    """The share of the unanswerable declined at the highest threshold that declines at most this of the answerable."""

    def measure(answerable: Column, confidence: Column) -> float:
        sure = np.sort(confidence[answerable == 1])
        if not len(sure):
            return math.nan
        return declined_below(sure[min(int(wrongly * len(sure) + 1e-9), len(sure) - 1)], answerable, confidence)[1]

    return measure


def macro_f1(truth: Column, said: Column) -> float:
    """The mean of the F1 of both classes; a class that neither occurs nor is said counts 0."""
    return float(np.mean([_f1(truth == kind, said == kind) for kind in (1, 0)]))


def _f1(truth: Column, said: Column) -> float:
    return 2 * float((truth & said).sum()) / max(1, int(truth.sum() + said.sum()))


def over_groups(measure: Measure) -> Measure:
    """The mean of a measure over groups, whatever their sizes; the first column names them."""

    def measured(groups: Column, *columns: Column) -> float:
        found = [measure(*(column[groups == group] for column in columns)) for group in np.unique(groups)]
        return mean(np.array(found))

    return measured


def bootstrap(measure: Measure, *columns: Column) -> tuple[float, float, float]:
    """The measure, and the ends of its 95 % percentile bootstrap interval over rows drawn with replacement."""
    value, chance = measure(*columns), np.random.default_rng(0)
    if math.isnan(value):
        return value, value, value
    draws = (chance.integers(len(columns[0]), size=len(columns[0])) for _ in range(RESAMPLES))
    found = [measure(*(column[draw] for column in columns)) for draw in draws]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return value, float(low), float(high)


def curve(rows: Sequence[Row]) -> Iterator[tuple[float, float, float]]:
    """For each threshold, what would be declined of the answerable and of the unanswerable."""
    answerable = np.array([row.values["answerable"] for row in rows])
    confidence = np.array([row.values["confidence"] for row in rows])
    for threshold in THRESHOLDS:
        yield threshold, *declined_below(threshold, answerable, confidence)
