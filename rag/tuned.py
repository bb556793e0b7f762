"""The numbers that were tuned or chosen, in tuned.toml: one place to see them all, each with what it rests on."""

import tomllib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def tuned(module: str) -> SimpleNamespace:
    """The numbers of a module, by name."""
    return SimpleNamespace(**_tables()[module])


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
