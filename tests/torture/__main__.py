"""Torture the index, and print what was tried and what went wrong: `python -m tests.torture [--short] [PART ...]`."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PARTS = ("kills", "writes", "damage", "full", "machine", "writers")
MEMORY = Path("/dev/shm")  # where it is there: a kill leaves the same, and there is no disk to wait for


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all when none is given")
    parser.add_argument("--short", action="store_true", help="a sample of each part, in seconds")
    given = parser.parse_args()
    if len(given.parts) == 1:
        return _torture(given.parts[0], given.short)
    command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-m", "tests.torture"]
    command += ["--short"] * given.short
    with ThreadPoolExecutor(2) as pool:  # each part in a process of its own
        return max(
            pool.map(lambda part: subprocess.run([*command, part], check=False).returncode, given.parts or PARTS)
        )


def _torture(part: str, short: bool) -> int:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="torture-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        figures = importlib.import_module(f"tests.torture.{part}").torture(Path(folder), short)
    seconds = time.perf_counter() - started
    lines = [f"{figures.title:<52}{figures.total:>7,} times{len(figures.wrong):>5,} wrong{seconds:>7,.0f} s"]
    for what, times in figures.tried.items():
        wrong = sum(one.startswith(f"{what}: ") for one in figures.wrong)
        lines.append(f"  {what:<50}{times:>7,}      {wrong:>5,}")
    print("\n".join(lines), flush=True)  # noqa: T201
    print("".join(f"{one}\n" for one in figures.wrong), end="", file=sys.stderr)  # noqa: T201
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
