"""How retrieval grows: time, memory and what the graph misses, at 1,000, 10,000 and 100,000 passages.

    python -m benchmarks.scale [--sizes N ...] [--settings] [--sets FOLDER] [--cache FOLDER]

The sets are public but not shipped: FOLDER holds them in the layout that `rag eval` takes. Passages are windows of 400
characters over all their documents, each with its title in front, so close to each other that the largest size comes
together; a smaller one is a random part of them. At 100,000, neighbours overlap by more than half, so that the tenth
and the eleventh best often differ by little: a hard case. Recall@k is the share of the k best by exact search that
Chroma finds, for questions of all sets, in all their languages. All times but that of writing are of one process that
opens the index afresh; those of a search are medians. Vectors are made once and kept in the cache folder: 100,000 took
18 minutes on two busy cores.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.documents.readers import clean, read
from rag.documents.splitting import SPLITTER
from rag.documents.types import Document, Limits, Passage, Span
from rag.retrieval import chroma
from rag.retrieval.embedding import Embedder
from rag.retrieval.generation import Generation, Manifest, NewGeneration
from rag.retrieval.lexical import LexicalIndex, best
from rag.retrieval.minilm import MiniLM
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.types import Vectors
from rag.retrieval.vectors import VectorStore

SETS = Path(__file__).parent.parent.parent / "shared" / "eval"
WINDOW = 400  # characters
EACH = 25  # questions of each set
DEPTHS = (10, 50, 100)
DEEPEST = max(DEPTHS)
# For --settings: graphs by neighbours and candidates when they are built, each searched with so many candidates.
GRAPHS = ((16, 100), (16, 200), (32, 100), (32, 200), (48, 200))
TIMES = ("dense ms", "BM25 ms", "both ms", "exact ms")
SEARCHED = (100, 200, 400, 1000)

Ids = list[list[str]]  # for each question, best first


@dataclass(frozen=True, slots=True)
class Reading:
    """What a fresh process found, and what it took: milliseconds are medians."""

    found: Ids
    open_s: float
    dense_ms: float
    sparse_ms: float
    whole_ms: float
    peak_mb: float


def main() -> None:
    """Print the table, a size at a time, and the settings' for the largest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--settings", action="store_true", help="also compare settings of the graph: some 10 minutes")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir(), "rag-bench-scale"))
    options = parser.parse_args()
    if not options.sets.is_dir():
        print(f"The sets are not at {options.sets}; give their folder with --sets.")
        return
    found = list(documents(options.sets))
    passages = windows(found, max(options.sizes))
    embedder = Embedder(MiniLM(options.cache / "model", "int8"))
    store = VectorStore(options.cache, embedder.name)
    embedded = kept(store, embedder, [passage.embedding_text for passage in passages])
    asked = questions(options.sets)
    queries = np.stack([embedder.query(question) for question in asked])
    print(table_head("passages", "written s", "BM25 of it", "disk MB", "opened s", "peak MB", *TIMES))
    for size in sorted(options.sizes):
        with tempfile.TemporaryDirectory() as folder:
            one_size(Path(folder), found, passages[:size], embedded[:size], asked, queries, options.cache)
    if options.settings:
        settings([passage.text_id for passage in passages], embedded[:, : embedder.dimensions], queries)


def one_size(
    folder: Path,
    documents: Sequence[Document],
    passages: Sequence[Passage],
    embedded: Vectors,
    asked: list[str],
    queries: Vectors,
    cache: Path,
) -> None:
    """A row of the table."""
    sources = {passage.source for passage in passages}
    held = [document for document in documents if document.source in sources]
    vectors = embedded[:, : queries.shape[1]]
    manifest = Manifest("", queries.shape[1], SPLITTER, chroma.VERSION, {}, {}, len(passages))
    written_s, _ = timed(lambda: NewGeneration(held, passages, embedded, manifest).write(folder / "index", None))
    sparse_s, _ = timed(lambda: LexicalIndex.build([passage.embedding_text for passage in passages]))
    disk = sum(file.stat().st_size for file in (folder / "index").rglob("*") if file.is_file())
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        reading = pool.submit(read_afresh, folder / "index", asked, queries, cache).result()
    ids = [passage.text_id for passage in passages]
    exact_ms, nearest = milliseconds(lambda query: exact(vectors, query), list(queries))
    best = [[ids[i] for i in places] for places in nearest]
    cells = [f"{len(passages):,}", f"{written_s:.1f}", f"{sparse_s:.1f}", f"{disk / 1e6:,.0f}", f"{reading.open_s:.1f}"]
    cells += [f"{reading.peak_mb:,.0f}", f"{reading.dense_ms:.1f}", f"{reading.sparse_ms:.1f}"]
    cells += [f"{reading.whole_ms:.1f}", f"{exact_ms:.1f}", *(f"{recall(reading.found, best, k):.4f}" for k in DEPTHS)]
    print("| " + " | ".join(cells) + " |", flush=True)


def read_afresh(index: Path, asked: list[str], queries: Vectors, cache: Path) -> Reading:
    """Open an index and ask it, in a process of its own."""
    embedder = Embedder(MiniLM(cache / "model", "int8"))
    embedder.query("warm")
    generation = Generation(index)
    open_s, _ = timed(generation.load)
    retriever = HybridRetriever(generation, embedder)
    retriever.search("warm", 1)
    dense_ms, found = milliseconds(lambda query: generation.dense.search(query, DEEPEST), list(queries))
    sparse_ms, _ = milliseconds(lambda text: best(generation.lexical.scores(text), DEEPEST), asked)
    whole_ms, _ = milliseconds(lambda text: retriever.search(text, 5), asked)
    generation.close()
    return Reading([[id for id, _ in one] for one in found], open_s, dense_ms, sparse_ms, whole_ms, peak_mb())


def settings(ids: list[str], vectors: Vectors, queries: Vectors) -> None:
    """The second table: what other graphs find, and how fast."""
    best = [[ids[i] for i in exact(vectors, query)] for query in queries]
    print("\n" + table_head("neighbours", "when built", "when searched", "written s", "ms"))
    for neighbours, built in GRAPHS:
        with tempfile.TemporaryDirectory() as folder:
            written_s, _ = timed(lambda: write(Path(folder), ids, vectors, neighbours, built))  # noqa: B023
            for searched in SEARCHED:
                ms, found = searched_with(Path(folder), searched, queries)
                row = f"| {neighbours} | {built} | {searched} | {written_s:.0f} | {ms:.1f} |"
                print(row + "".join(f" {recall(found, best, k):.4f} |" for k in DEPTHS), flush=True)


def write(folder: Path, ids: list[str], vectors: Vectors, neighbours: int, built: int) -> None:
    """A collection as ours, but with another graph."""
    hnsw = {**chroma._CONFIGURATION["hnsw"], "max_neighbors": neighbours, "ef_construction": built}
    with closing(chroma._client(folder)) as client:
        collection = client.create_collection("passages", configuration={"hnsw": hnsw}, embedding_function=None)
        chroma._add(client, collection, ids, vectors)


def searched_with(folder: Path, candidates: int, queries: Vectors) -> tuple[float, Ids]:
    """Milliseconds a search, and what is found, with so many candidates."""
    with closing(chroma._client(folder)) as client:
        collection = client.get_collection("passages", embedding_function=None)
        collection.modify(configuration={"hnsw": {"ef_search": candidates}})  # from the next opening on
    with closing(chroma._client(folder)) as client:
        ask = partial(client.get_collection("passages", embedding_function=None).query, n_results=DEEPEST)
        ask(query_embeddings=queries[:1])  # reads the graph
        ms, found = milliseconds(lambda query: ask(query_embeddings=[query]), list(queries))
    return ms, [one["ids"][0] for one in found]


def exact(vectors: Vectors, query: Vectors) -> NDArray[np.int64]:
    """Where the nearest lie, best first, by comparing all."""
    cosines = vectors @ query
    nearest = np.argpartition(-cosines, DEEPEST)[:DEEPEST]
    return nearest[np.argsort(-cosines[nearest])]


def recall(found: Ids, best: Ids, k: int) -> float:
    """The share of the `k` best that are among the first `k` found, of all questions."""
    return float(np.mean([len({*a[:k]} & {*b[:k]}) / k for a, b in zip(found, best, strict=True)]))


def table_head(*names: str) -> str:
    """The first two lines of a table; recall comes last."""
    names += tuple(f"recall@{k}" for k in DEPTHS)
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def milliseconds(work: Callable[[Any], Any], over: Sequence[Any]) -> tuple[float, list[Any]]:
    """The median for one of these, and what came of each."""
    done = [timed(lambda: work(one)) for one in over]  # noqa: B023
    return 1000 * float(np.median([seconds for seconds, _ in done])), [result for _, result in done]


def peak_mb() -> float:
    """The most memory that this process held so far."""
    status = Path("/proc/self/status")  # where there is one: what getrusage tells there may be the parent's
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1000)


def documents(sets: Path) -> Iterator[Document]:
    """The documents of all sets: PDFs, or else the rows of corpus.jsonl."""
    for path in sorted(sets.iterdir()):
        if (path / "pdfs").is_dir():
            for file in sorted((path / "pdfs").glob("*.pdf")):
                yield read(file, f"{path.name}/{file.name}", Limits(file_mb=1000))
        elif (path / "corpus.jsonl").exists():
            for row in rows(path / "corpus.jsonl"):
                yield Document(f"{path.name}/{row['id']}.txt", row.get("title") or "", clean(row["text"]))


def windows(documents: list[Document], count: int) -> list[Passage]:
    """So many different passages, in random order, from windows as far apart as that allows."""

    def cut_at(step: int) -> dict[str, Passage]:
        return {one.embedding_text: one for document in documents for one in cut(document, step)}

    steps = range(10, WINDOW + 10, 10)
    step = steps[bisect_right(steps, -count, key=lambda step: -len(cut_at(step))) - 1]
    found = list(cut_at(step).values())
    print(f"{len(found):,} windows of {WINDOW} characters, {step} apart, from {len(documents):,} documents")
    return random.Random(7).sample(found, count)


def cut(document: Document, step: int) -> Iterator[Passage]:
    """The windows of a document; one that is shorter than a window is one."""
    for start in range(0, max(1, len(document.text) - WINDOW + step), step):
        span = Span(start, min(start + WINDOW, len(document.text)))
        text = document.text[span.start : span.end]
        if text.strip():
            yield Passage(document.source, document.title, "", text, *span, document.page_at(start), (span,))


def questions(sets: Path) -> list[str]:
    """Questions of all sets, as many of each."""
    chance = random.Random(7)
    found: list[str] = []
    for path in sorted(sets.glob("*/queries.jsonl")):
        asked = sorted({row["question"] for row in rows(path)})
        found += chance.sample(asked, min(EACH, len(asked)))
    return found


def kept(store: VectorStore, embedder: Embedder, texts: list[str]) -> Vectors:
    """The rows of these texts, those that are not kept yet made and kept."""
    known = store.find(texts)
    for batch, vectors in embedder.rows([text for text in dict.fromkeys(texts) if text not in known]):
        store.add(batch, vectors)
        known |= dict(zip(batch, vectors, strict=True))
    return np.stack([known[text] for text in texts])


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
