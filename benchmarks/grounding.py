"""How often a claim that its sources support is accepted, and one that they do not support.

    python -m benchmarks.grounding [--claims N] [--set FOLDER]

The set is AttributionBench's dev part (FOLDER/queries.jsonl: claim, references, supported); it is not shipped.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from rag import Rag, Settings
from rag.answering.grounding import MIN_SUPPORT

SET = Path(__file__).parents[2] / "shared" / "eval" / "attributionbench-dev"


def main() -> None:
    """Print the share of each kind that is accepted, and the macro F1 over both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=500)
    parser.add_argument("--set", type=Path, default=SET)
    options = parser.parse_args()
    if not options.set.is_dir():
        print(f"AttributionBench is not at {options.set}; give its folder with --set.")
        return
    rows = [json.loads(line) for line in (options.set / "queries.jsonl").read_text("utf-8").splitlines()]
    rows = random.Random(1).sample(rows, min(options.claims, len(rows)))
    with Rag(Settings()) as rag:
        judged = [(bool(row["supported"]), rag.check(row["claim"], row["references"]).supported) for row in rows]
    accepted = {truth: [said for real, said in judged if real is truth] for truth in (True, False)}
    print(f"AttributionBench dev, {len(judged)} claims, sense from {MIN_SUPPORT}: accepted")
    print(f"  supported      {sum(accepted[True])} of {len(accepted[True])} ({_share(accepted[True]):.0%})")
    print(f"  not supported  {sum(accepted[False])} of {len(accepted[False])} ({_share(accepted[False]):.0%})")
    print(f"  macro F1       {(_f1(judged, True) + _f1(judged, False)) / 2:.3f}")


def _share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


def _f1(judged: list[tuple[bool, bool]], kind: bool) -> float:
    hit = sum(real is kind and said is kind for real, said in judged)
    wrong = sum((real is kind) != (said is kind) for real, said in judged)
    return 2 * hit / max(1, 2 * hit + wrong)


if __name__ == "__main__":
    main()
