"""How often answers are right, and how often what is not there is declined.

    python -m benchmarks.answers [--questions N] [--squad FOLDER]

Two sets, the extractive answerer on both. The dev questions about the shipped article, with their grader, lie in
tests/data. SQuAD 2.0's dev half (FOLDER, in the layout corpus.jsonl and queries.jsonl) is not shipped; each of its
articles is one document with an index of its own, asked its answerable questions, its adversarial ones (made by
people to look answerable), and questions about other articles.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag import Rag, Settings
from rag.retrieval.minilm import PRECISIONS, MiniLM

ROOT = Path(__file__).parent.parent
SQUAD = ROOT.parent / "shared" / "eval" / "squad2-dev-half"

Row = dict[str, Any]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=60, help="of each kind for each SQuAD article")
    parser.add_argument("--squad", type=Path, default=SQUAD)
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="of the embedding model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embeddings = MiniLM(Path(folder), options.precision)
        article(embeddings)
        if options.squad.is_dir():
            squad(embeddings, options.squad, options.questions)
    if not options.squad.is_dir():
        print(f"SQuAD 2.0 is not at {options.squad}; give its folder with --squad.")


def article(embeddings: MiniLM) -> None:
    """The dev questions about the shipped article."""
    sys.path.insert(0, str(ROOT))
    from tests.data.grade import grade

    rows = _rows(ROOT / "tests" / "data" / "questions_dev.jsonl")
    right: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, _rag(ROOT / "corpus", Path(folder), embeddings) as rag:
        for row in rows:
            answer = rag.ask(row["question"], history=row["history"])
            right[row["type"]] += grade(row, answer.text, answer.abstained)
    total = Counter(row["type"] for row in rows)
    print("The article, dev questions: right")
    for kind in total:
        print(f"  {kind:24} {right[kind]:3} of {total[kind]}")
    kinds = [kind for kind in total if not kind.startswith("unanswerable")]
    score, asked = sum(right[k] for k in kinds), sum(total[k] for k in kinds)
    print(f"  {'all answerable':24} {score:3} of {asked} ({score / asked:.0%})")


def squad(embeddings: MiniLM, folder: Path, count: int) -> None:
    """SQuAD 2.0, article by article."""
    chance = random.Random(0)
    articles = list(_articles(folder))
    asked: Counter[str] = Counter()
    declined: Counter[str] = Counter()
    right = sentences = 0
    for title, text, questions in articles:
        other = [q for name, _, qs in articles if name != title for q in qs if q["answerable"]]
        kinds = {
            "answerable": [q for q in questions if q["answerable"]],
            "adversarial": [q for q in questions if not q["answerable"]],
            "about another article": other,
        }
        with tempfile.TemporaryDirectory() as place:
            corpus = Path(place, "corpus")
            corpus.mkdir()
            (corpus / "article.txt").write_text(f"{title}\n\n{text}", "utf-8")
            with _rag(corpus, Path(place), embeddings) as rag:
                for kind, rows in kinds.items():
                    for row in chance.sample(rows, min(count, len(rows))):
                        answer = rag.ask(row["question"])
                        asked[kind] += 1
                        declined[kind] += answer.abstained
                        if kind == "answerable" and not answer.abstained:
                            right += any(gold in answer.text for gold in row["answers"])
                            sentences += len(answer.sentences)
    print(f"SQuAD 2.0, dev half, {len(articles)} articles: declined")
    for kind in asked:
        print(f"  {kind:24} {declined[kind]:4} of {asked[kind]} ({declined[kind] / asked[kind]:.1%})")
    answered = asked["answerable"] - declined["answerable"]
    print(f"  of the {answered} answerable and answered, {right / answered:.1%} hold the expected string, ", end="")
    print(f"in {sentences / answered:.1f} sentences")


def _articles(folder: Path) -> Iterator[tuple[str, str, list[Row]]]:
    """Title, text and questions of each article that has questions."""
    paragraphs: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder / "corpus.jsonl"):
        paragraphs[row["title"]].append(row)
    questions: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder / "queries.jsonl"):
        questions[row["passage"]].append(row)
    for title, rows in paragraphs.items():
        asked = [question for row in rows for question in questions[row["id"]]]
        if asked:
            yield title, "\n\n".join(" ".join(row["text"].split()) for row in rows), asked


def _rag(corpus: Path, place: Path, embeddings: MiniLM) -> Rag:
    return Rag(Settings(corpus_dir=corpus, index_dir=place / "index", data_dir=place / "data"), embeddings=embeddings)


def _rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
