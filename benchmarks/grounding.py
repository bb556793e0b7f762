"""AttributionBench's dev part: is a claim accepted that its sources support, and one that they do not?

One of the sets of benchmarks/answers.py: `python -m benchmarks.answers --sets attribution`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from benchmarks.asking import Bench, Json, json_rows, told
from benchmarks.figures import Row
from rag import Rag, Settings


def attribution(bench: Bench) -> Iterator[Row]:
    """Each claim with the references that it came with, by `rag.check`."""
    claims: dict[str, list[Json]] = defaultdict(list)
    for row in json_rows(bench.shared / "eval" / "attributionbench-dev" / "queries.jsonl"):
        claims[f"{row['src']} {row['supported']}"].append(row)
    with Rag(Settings(), embeddings=bench.embeddings) as rag:
        for name, rows in claims.items():
            for row in told(f"attribution, {name}", bench.sample(f"attribution {name}", rows)):
                support = rag.check(row["claim"], row["references"])
                values = {"true": float(row["supported"]), "accepted": float(support.supported), "score": support.score}
                kind = "supported" if row["supported"] else "not supported"
                yield Row(f"attribution/{row['id']}", "attribution", row["src"], kind, values)
