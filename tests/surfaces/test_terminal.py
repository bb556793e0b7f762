"""What is told while an ingest runs."""

from __future__ import annotations

import pytest

from rag.surfaces import terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; set its only item."""
    now = [100.0]
    monkeypatch.setattr("rag.surfaces.terminal.time.monotonic", lambda: now[0])
    return now


def test_each_step_is_told_at_once_and_then_every_ten_seconds_with_the_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    show = terminal.progress()

    for second, done in [(0, 0), (1, 100), (9, 900), (20, 2000), (21, 2100), (95, 9500)]:
        clock[0] = 100.0 + second
        show("embedding", done, 12_000)
    show("writing", 0, 12_000)

    assert capsys.readouterr().err.splitlines() == [
        "embedding ...",
        "embedding 2,000 of 12,000, about 2 min left",
        "embedding 9,500 of 12,000, about 25 s left",
        "writing ...",
    ]


def test_on_a_terminal_one_line_is_kept_up_to_date(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show = terminal.progress()

    for done in (0, 1, 2):
        show("reading", done, 3)
    show("", 0, 0)

    assert capsys.readouterr().err.replace("\r\x1b[K", "|") == "|reading ...|reading 1 of 3|reading 2 of 3|"
