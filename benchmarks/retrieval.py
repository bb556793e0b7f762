"""How good retrieval is: the README's table, by `rag eval`'s own code, with the tutorial's pipeline beside it.

    python -m benchmarks.retrieval [NAME ...] [--sets FOLDER] [--index FOLDER]

The sets are public but not shipped: FOLDER holds them in the layout that `rag eval` takes (queries.jsonl, corpus.jsonl
or pdfs, qrels.tsv). Where passages or pages are what counts, LangChain's RecursiveCharacterTextSplitter (1000
characters, 200 of overlap, page by page), the same MiniLM in sentence-transformers, and Chroma answer the same
questions in the same run. With --index, the indexes are kept and the next run is quicker.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag import Settings
from rag.documents.pdf import read_pdf
from rag.documents.readers import read
from rag.documents.types import Limits
from rag.evaluation.datasets import Query, Region, load
from rag.evaluation.metrics import Values, means, span_values
from rag.evaluation.runner import evaluate
from rag.retrieval.minilm import bundled_model_path

SETS = Path(__file__).parent.parent.parent / "shared" / "eval"
SPANS = ("span recall@5", "span precision@5", "characters@5")
TALK = ("recall@5 (last turn)", "recall@5 (history)")
SHOWN: dict[str, tuple[str, ...]] = {
    "scifact": ("nDCG@10",),
    "cranfield": ("nDCG@10",),
    "squad2-dev-half": ("nDCG@10", "recall@5"),
    "clapnq-dev": ("nDCG@10",),
    "chroma-chunking": SPANS,
    "financebench": ("page hit@5",),
    "mtrag-un": TALK,
    "mtrag-human-subset": (*TALK, "recall@5 (rewrite)"),
    "musique-100": ("all@8",),
    "multihoprag-500-facts": ("all@8",),
    "xquad-en": ("recall@5",),
    "xquad-de": ("recall@5",),
    "xquad-es": ("recall@5",),
    "xquad-zh": ("recall@5",),
}
BESIDE = ("chroma-chunking", "financebench")  # sets on which the tutorial's pipeline runs too

Chunk = tuple[Region, int | None, str]  # where it stands in its page or file, the page from 1, the text


def main() -> None:
    """Print the table, a set at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SHOWN), help=", ".join(SHOWN))
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--index", type=Path, help="keep the indexes here")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    print("| set | questions | measure | here | tutorial's pipeline | ratio |\n|---|---|---|---|---|---|")
    missing = [name for name in options.names if not (options.sets / name).is_dir()]
    for name in options.names:
        if name not in missing:
            one_set(options.sets / name, options.index)
    if missing:
        print(f"\nNot at {options.sets}: {', '.join(missing)}. Give the folder of the sets with --sets.")


def one_set(path: Path, index: Path | None) -> None:
    """The rows of one set."""
    kept = index / path.name if index else None
    ours = evaluate(path, Settings(), told, index=kept, answers=False)["means"]
    beside = tutorial(path) if path.name in BESIDE else {}
    for measure in SHOWN.get(path.name, ours):
        found = ours[measure]
        row = f"| {path.name} | {found['n']:,} | {measure} | {shown(found)} |"
        if measure in beside:
            row += f" {shown(beside[measure])} | {found['mean'] / beside[measure]['mean']:.2f} |"
        print(row if measure in beside else f"{row} | |", flush=True)


def tutorial(path: Path) -> dict[str, Values]:
    """The same measures of the pipeline that LangChain's tutorial builds."""
    with tempfile.TemporaryDirectory() as place:
        folder, queries, _ = load(path, Path(place))
        chunks = [chunk for file in sorted(folder.iterdir()) for chunk in split(file)]
    found = nearest(chunks, [query.question for query in queries])
    return means(values(query, nearby) for query, nearby in zip(queries, found, strict=True))


def split(file: Path) -> Iterator[Chunk]:
    """The tutorial's chunks of a file, page by page."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    pdf = file.suffix == ".pdf"
    limits = Limits(file_mb=1000)
    pages = read_pdf(file.read_bytes(), limits).pages if pdf else [read(file, file.name, limits).text]
    for number, text in enumerate(pages, 1):
        for chunk in splitter.create_documents([text]):
            start = chunk.metadata["start_index"]
            region = Region(file.name, start, start + len(chunk.page_content))
            yield region, number if pdf else None, chunk.page_content


def nearest(chunks: list[Chunk], questions: list[str]) -> list[list[Chunk]]:
    """The five nearest chunks to each question, by sentence-transformers and Chroma."""
    import chromadb
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    model = SentenceTransformer(str(bundled_model_path()), device="cpu", local_files_only=True)
    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("tutorial")
    for at in range(0, len(chunks), 1000):
        told("tutorial's pipeline: embedding", at, len(chunks))
        batch = chunks[at : at + 1000]
        vectors: Any = model.encode([text for _, _, text in batch], show_progress_bar=False)
        collection.add(ids=[str(at + i) for i in range(len(batch))], embeddings=vectors)
    found = collection.query(query_embeddings=model.encode(questions, show_progress_bar=False), n_results=5)
    client.delete_collection("tutorial")
    return [[chunks[int(id)] for id in ids] for ids in found["ids"]]


def values(query: Query, found: list[Chunk]) -> Values:
    """What the chunks are worth for a query."""
    if query.spans:
        return span_values([region for region, _, _ in found], query.spans)
    return {"page hit@5": float(any((region.source, page) in query.pages for region, page, _ in found))}


def shown(found: Values) -> str:
    """A mean with its 95 % interval."""
    digits = ",.0f" if found["mean"] >= 10 else ".3f"
    return f"{found['mean']:{digits}} ({found['low']:{digits}} to {found['high']:{digits}})"


def told(what: str, done: int, total: int) -> None:
    """Progress, in place, on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what} {done:,} of {total:,}" if what else "\r\x1b[K")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
