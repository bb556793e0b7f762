"""How long an index of some size takes to build, to bring up to date, and to answer from.

    python -m benchmarks.index [--files N]

Made-up documents of ten passages each; commands are timed with the start of their process. First the time of the
first answer on the shipped article, next to that of importing sentence-transformers, which the usual pipeline begins
with.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rag import Rag, Settings
from rag.retrieval.minilm import bundled_model_folder

ROOT = Path(__file__).parent.parent
RAG = Path(sys.executable).with_name("rag")
QUESTION = "How many merchants does 1688 have?"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first_answer(Path(folder))
        sizes(Path(folder), options.files)


def first_answer(folder: Path) -> None:
    """A cold process on the article, the best of three in turns with the import."""
    command = [RAG, "ask", QUESTION, "--corpus", ROOT / "corpus", "--index", folder / "article"]
    _timed("the first `rag ask` of all, the article indexed on the way", lambda: _run(command))
    seconds = [
        (
            _seconds(lambda: _run(command)),
            _seconds(lambda: _run([sys.executable, "-c", "import sentence_transformers"])),
        )
        for _ in range(3)
    ]
    answer, importing = (min(times) for times in zip(*seconds, strict=True))
    print(f"{answer:8.2f} s  `rag ask` from a cold process")
    print(f"{importing:8.2f} s  `import sentence_transformers` alone: {importing / answer:.1f} times as long")


def sizes(folder: Path, files: int) -> None:
    """Build, leave alone, change one file, build anew."""
    corpus, index = folder / "corpus", folder / "index"
    corpus.mkdir()
    chance = random.Random(7)
    lines = (bundled_model_folder() / "vocab.txt").read_text("utf-8").splitlines()
    words = [line for line in lines if line.isascii() and line.isalpha()]
    for number in range(files):
        (corpus / f"document-{number:05}.txt").write_text(f"Document {number}\n\n{_prose(words, chance)}", "utf-8")
    with Rag(Settings(corpus_dir=corpus, index_dir=index, data_dir=folder / "data")) as rag:
        started = time.perf_counter()
        report = rag.ingest()
        seconds = time.perf_counter() - started
        print(f"{seconds:8.2f} s  {files} files, {report.passages} passages: {report.passages / seconds:.0f} a second")
    places = ["--corpus", corpus, "--index", index]
    _timed("`rag ingest`, nothing changed", lambda: _run([RAG, "ingest", *places]))
    _timed("`rag ask` from a cold process", lambda: _run([RAG, "ask", QUESTION, *places]))
    with (corpus / "document-00007.txt").open("a", encoding="utf-8") as file:
        file.write("\n\nThe zeppelin Aurora has 14 berths.")
    asked = [RAG, "ask", "How many berths does the zeppelin Aurora have?", *places]
    assert "14 berths" in _timed("one file changed, until a cold `rag ask` answers from it", lambda: _run(asked))
    _timed("`rag ingest --rebuild`, nothing embedded again", lambda: _run([RAG, "ingest", "--rebuild", *places]))


def _prose(words: list[str], chance: random.Random) -> str:
    """Ten paragraphs of some 744 characters."""
    sentences = [" ".join(chance.choices(words, k=17)).capitalize() + "." for _ in range(60)]
    return "\n\n".join(" ".join(sentences[at : at + 6]) for at in range(0, 60, 6))


def _run(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _timed(what: str, work: Callable[[], str]) -> str:
    started = time.perf_counter()
    done = work()
    print(f"{time.perf_counter() - started:8.2f} s  {what}", flush=True)
    return done


if __name__ == "__main__":
    main()
