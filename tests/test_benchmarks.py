"""The answers' benchmark: its measures against examples worked by hand, and a run of it on the shipped article."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import answers
from benchmarks.figures import (
    Figure,
    Row,
    auroc,
    bootstrap,
    curve,
    macro_f1,
    mean,
    over_groups,
    rightly_declined,
)


def test_auroc_counts_pairs_and_a_tie_counts_half() -> None:
    # Against 0.2 and 0.5: 0.9 wins twice, 0.5 once and a half, 0.1 never.
    assert auroc(np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.2, 0.5, 0.5, 0.1])) == pytest.approx(3.5 / 6)
    assert math.isnan(auroc(np.array([1, 1]), np.array([0.1, 0.9])))


def test_what_is_rightly_declined_where_a_tenth_is_wrongly() -> None:
    answerable = np.array([1] * 10 + [0] * 4)
    confidence = np.array([0.1, 0.3, *[0.5] * 8, 0.05, 0.2, 0.3, 0.9])
    # Below 0.3 one of ten answerable ones is declined; any higher threshold declines two.
    assert rightly_declined(0.1)(answerable, confidence) == 2 / 4
    assert rightly_declined(0.0)(answerable, confidence) == 1 / 4


def test_macro_f1_by_hand_and_over_sources_of_any_size() -> None:
    truth, said = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 1])
    assert macro_f1(truth, said) == pytest.approx((2 * 2 / 6 + 2 * 1 / 4) / 2)
    groups = np.array(["big", "big", "big", "big", "small"])
    assert over_groups(mean)(groups, np.array([1, 0, 0, 0, 1])) == (0.25 + 1) / 2


def test_the_interval_is_the_same_each_time_and_as_wide_as_theory_has_it() -> None:
    values = np.array([0.0, 1.0] * 200)
    value, low, high = bootstrap(mean, values)
    assert (value, low, high) == bootstrap(mean, values)
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 400**0.5, abs=0.01) and high == pytest.approx(1 - low, abs=0.01)


def test_a_change_is_that_of_the_questions_which_both_runs_have() -> None:
    def row(id: str, right: float) -> Row:
        return Row(id, "set", "group", "kind", {"right": right})

    before = {"a": row("a", 0), "b": row("b", 1), "gone": row("gone", 1)}
    figure = Figure("right", mean, ("right",), [row("a", 1), row("b", 1), row("new", 0)])
    assert figure.value()[0] == pytest.approx(2 / 3)
    assert figure.value(before)[0] == 0.5 and figure.value(before)[3] == 2
    assert figure.value({})[3] == 0


def test_the_curve_declines_more_and_more() -> None:
    rows = [Row(str(i), "s", "g", "k", {"answerable": i % 2, "confidence": i / 20}) for i in range(20)]
    found = list(curve(rows))
    assert found[0] == (0.05, 0.0, 0.1)  # 0.05 itself is not below
    assert [shares for _, *shares in found] == sorted(shares for _, *shares in found)


@pytest.mark.slow
def test_a_run_tells_of_what_it_has_and_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "values.json"
    options = ["--sets", "article,squad", "--questions", "1", "--shared", str(tmp_path), "--json", str(kept)]
    monkeypatch.setattr("sys.argv", ["answers", *options])
    answers.main()
    told = capsys.readouterr()
    assert "squad is left out" in told.err and "original text is not there" in told.err
    assert "right, all answerable" in told.out and "SQuAD" not in told.out
    rows = json.loads(kept.read_text("utf-8"))["values"]
    for whole, held in (("citations", "citations that slice back"), ("supported", "supported with all numbers")):
        assert sum(row["values"][whole] for row in rows) == sum(row["values"][held] for row in rows) > 0
