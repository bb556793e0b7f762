"""How fast and how good the bundled MiniLM is on onnxruntime, next to sentence-transformers.

    python -m benchmarks.embedding [--passages N] [--rounds N] [--quality] [--sets FOLDER]

Speed: passages of 744 characters; all ways take turns in one run, and of each the best round counts. Two libraries'
threads do not share cores well, so compare the ratios, on a quiet machine. Quality: nDCG@10 of dense search and of
fusion with BM25, whole documents with their titles in front, on three sets that are not shipped (FOLDER, in the layout
corpus.jsonl, queries.jsonl, qrels.tsv).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.minilm import PRECISIONS, MiniLM, bundled_model_path
from rag.retrieval.retriever import convex

ROOT = Path(__file__).parent.parent
SETS = ROOT.parent / "shared" / "eval"
NAMES = ("scifact", "cranfield", "squad2-dev-half")
QUERY = "How many new data centres were opened in the last year?"
CANDIDATES = 50  # of each list, for fusion


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quality", action="store_true", help="also measure nDCG@10: some 10 minutes")
    parser.add_argument("--sets", type=Path, default=SETS)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        models = {precision: MiniLM(Path(folder), precision) for precision in PRECISIONS}
        loading(models, Path(folder))
        speed(models, options.passages, options.rounds)
        if options.quality:
            quality(models, options.sets)


def loading(models: dict[Any, MiniLM], folder: Path) -> None:
    """Seconds to the first vector, without the imports."""
    models["int8"].embed_query(QUERY)  # imports
    print(f"{'':24}{'made':>8}{'kept':>8}{'MB':>8}")
    for precision in models:
        for file in folder.glob(f"*{precision}*"):
            file.unlink()
        made, kept = (_seconds(lambda p=precision: MiniLM(folder, p).embed_query(QUERY)) for _ in range(2))
        size = sum(file.stat().st_size for file in folder.glob(f"*{precision}*"))
        print(f"{precision:24}{made:7.2f}s{kept:7.2f}s{size / 1e6:8.1f}")


def speed(models: dict[Any, MiniLM], count: int, rounds: int) -> None:
    """Passages and sentences a second, and milliseconds for a query."""
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(bundled_model_path()), device="cpu", local_files_only=True)
    encode = partial(other.encode, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    ways: dict[str, Callable[[list[str]], Any]] = {"sentence-transformers": encode}
    ways |= {f"ours, {precision}": model.vectors for precision, model in models.items()}
    article = (ROOT / "corpus" / "alibaba-ai-businesses.md").read_text("utf-8")
    article *= math.ceil(count * 744 / len(article))
    passages = [article[at : at + 744] for at in range(0, count * 744, 744)]
    kinds = {"passages": passages, "sentences": [text[:150] for text in passages[:40]], "query": [QUERY]}
    best: defaultdict[tuple[str, str], float] = defaultdict(lambda: math.inf)
    for embed in ways.values():
        embed(passages[:4])
    for _ in range(rounds):
        for kind, texts in kinds.items():
            for way, embed in ways.items():
                best[way, kind] = min(best[way, kind], _seconds(partial(embed, texts)) / len(texts))
    print(f"\n{'':24}{'passages/s':>12}{'ratio':>8}{'sentences/s':>14}{'ratio':>8}{'query ms':>12}")
    for way in ways:
        row = f"{way:24}"
        for kind, width in (("passages", 12), ("sentences", 14)):
            row += f"{1 / best[way, kind]:{width}.1f}{best['sentence-transformers', kind] / best[way, kind]:8.2f}"
        print(f"{row}{best[way, 'query'] * 1000:12.2f}")


def quality(models: dict[Any, MiniLM], folder: Path) -> None:
    """NDCG@10 on each set."""
    print(f"\n{'nDCG@10':24}" + "".join(f"{p + ' dense':>14}{p + ' fused':>14}" for p in models))
    for name in NAMES:
        if not (folder / name).is_dir():
            print(f"{name} is not at {folder}; give the folder of the sets with --sets.")
            continue
        documents = [(row["id"], f"{row['title']}\n{row['text']}") for row in _rows(folder / name / "corpus.jsonl")]
        relevant: defaultdict[str, dict[str, float]] = defaultdict(dict)
        with (folder / name / "qrels.tsv").open(newline="") as file:
            for query, document, score in list(csv.reader(file, delimiter="\t"))[1:]:
                relevant[query][document] = float(score)
        queries = {row["id"]: row["question"] for row in _rows(folder / name / "queries.jsonl")}
        asked = [(queries[query], golds) for query, golds in relevant.items() if query in queries]
        lexical = LexicalIndex.build([text for _, text in documents])
        cells = [mean for model in models.values() for mean in _ndcg(model, lexical, documents, asked)]
        print(f"{name:24}" + "".join(f"{cell:14.4f}" for cell in cells), flush=True)


def _ndcg(
    model: MiniLM, lexical: LexicalIndex, documents: list[tuple[str, str]], asked: list[tuple[str, dict[str, float]]]
) -> Iterator[float]:
    """Of dense search, and of fusion."""
    ids = np.array([id for id, _ in documents])
    scores = model.vectors([query for query, _ in asked]) @ model.vectors([text for _, text in documents]).T
    dense_gains, fused_gains = [], []
    for (query, golds), row in zip(asked, scores.astype(np.float64), strict=True):
        dense, sparse = np.argsort(-row, kind="stable")[:CANDIDATES], lexical.scores(query)
        either = np.union1d(dense, np.argsort(-sparse, kind="stable")[:CANDIDATES])
        fused = convex(row[either], sparse[either], floor=row[dense].min())
        ideal = _gain(sorted(golds.values(), reverse=True))
        for ranked, gains in ((dense, dense_gains), (either[np.argsort(-fused, kind="stable")], fused_gains)):
            gains.append(_gain([golds.get(id, 0.0) for id in ids[ranked].tolist()]) / ideal)
    yield from (float(np.mean(dense_gains)), float(np.mean(fused_gains)))


def _gain(relevances: list[float]) -> float:
    return sum(relevance / math.log2(rank + 2) for rank, relevance in enumerate(relevances[:10]))


def _seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
