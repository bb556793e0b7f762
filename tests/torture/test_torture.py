"""A sample of each part of the torture; `make torture` runs all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.torture.__main__ import PARTS


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_lost_or_wrong(part: str) -> None:
    """In a process of its own: this one has threads, and what has threads cannot be forked."""
    command = [sys.executable, "-W", "error", "-m", "tests.torture", "--short", part]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
