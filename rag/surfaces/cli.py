"""The command `rag`: one function for each command. With `terminal`, the only module that prints.

Answers go to stdout, progress and warnings to stderr. Exit status: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag import __version__
from rag.errors import RagError
from rag.surfaces import terminal
from rag.surfaces.terminal import Streamed, marked, note, prepare, progress, put, put_quotes, summary

if TYPE_CHECKING:
    from rag.answering.types import Turn
    from rag.engine import Rag
    from rag.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        put(f"rag {__version__}")
        raise typer.Exit


Corpus = Annotated[Path | None, typer.Option(help="The folder of documents. Default: RAG_CORPUS_DIR, or corpus.")]
Index = Annotated[Path | None, typer.Option(help="The folder of the index. Default: RAG_INDEX_DIR, or index.")]
Llm = Annotated[str | None, typer.Option(help="extractive, or provider:model. Default: RAG_LLM, or extractive.")]
Question = Annotated[str, typer.Argument(help="What to ask.")]
Query = Annotated[str, typer.Argument(help="What to look for.")]
K = Annotated[int, typer.Option("-k", min=1, help="How many passages.")]
Host = Annotated[str | None, typer.Option(help="Default: RAG_HOST, or 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_PORT, or 7860.")]
Prepare = Annotated[bool, typer.Option("--prepare", help="Make the embedding model ready first.")]
Version = Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.", callback=_version)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def options(version: Version = False) -> None:
    """Ask a folder of documents, and get answers whose every sentence can be checked."""


@app.command()
def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders to copy into the corpus first.")] = None,
    rebuild: Annotated[bool, typer.Option(help="Take nothing over from the old index.")] = False,
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Bring the index in step with the corpus folder."""
    with _rag(corpus, index, llm) as rag:
        report = rag.ingest(paths or (), rebuild=rebuild)
        put(asdict(report) if as_json else summary(report))
        for source, reason in report.failed:
            note(f"{source}: {reason}")


@app.command()
def ask(
    question: Question,
    save: Annotated[Path | None, typer.Option(help="Write the answer with its quotes to this HTML file.")] = None,
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Ask one question."""
    with _rag(corpus, index, llm) as rag:
        if save:
            from rag.surfaces.receipt import check_place, write

            check_place(save)
        answer = rag.ask(question)
        put(answer.to_dict() if as_json else marked(answer))
        if not as_json:
            put_quotes(answer)
        if save:
            write(rag, answer, save)
            note(f"Saved. `rag verify {save}` checks it against the documents at any time.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt that `rag ask --save` wrote.")],
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Check the quotes of a receipt against the documents as they are now."""
    from rag.surfaces.verify import verify as findings_of

    with _rag(corpus, index, llm) as rag:
        if not terminal.put_findings(findings_of(rag, file), as_json):
            raise typer.Exit(1)


@app.command()
def search(
    query: Query,
    k: K = 5,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each rank is made of.")] = False,
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show the passages that a question would be answered from."""
    with _rag(corpus, index, llm) as rag:
        hits = rag.search(query, k)
        if as_json:
            put({"query": query, "hits": [hit.to_dict() for hit in hits]})
            return
        terminal.put_hits(hits, explain)


@app.command()
def why(
    query: Query,
    expect: Annotated[str, typer.Option("--expect", help="Words of the passage that was expected.")],
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Say at which stage an expected passage was lost."""
    with _rag(corpus, index, llm) as rag:
        seen = rag.why(query, expect)
        if as_json:
            put({name: getattr(seen, name) for name in seen.__slots__} | {"hit": seen.hit and seen.hit.to_dict()})
            return
        terminal.put_why(seen)


@app.command()
def chat(corpus: Corpus = None, index: Index = None, llm: Llm = None) -> None:
    """Talk in the terminal; an empty line or Ctrl-D ends it."""
    with _rag(corpus, index, llm) as rag:
        note("Ask about: " + "  ".join(rag.starters()))
        history: list[Turn] = []
        while question := terminal.typed():
            streamed = Streamed()
            try:
                for event in rag.stream(question, history):
                    streamed.show(event)
            except (RagError, ValueError) as error:
                note(f"Error: {error}")
            if streamed.answer:
                put_quotes(streamed.answer)
                said = streamed.answer.text
                history += [{"role": "user", "content": question}, {"role": "assistant", "content": said}]


@app.command()
def serve(host: Host = None, port: Port = None, corpus: Corpus = None, index: Index = None, llm: Llm = None) -> None:
    """Serve the page in the browser."""
    with _rag(corpus, index, llm) as rag:
        note(f"Answers: {rag.model}. Loading the page ...")
        from rag.surfaces.server import serve as run

        run(rag, host, port, on_ready=lambda url: note(f"Open {url}  (Ctrl-C stops)"))


@app.command("list")
def list_documents(corpus: Corpus = None, index: Index = None, llm: Llm = None, as_json: Json = False) -> None:
    """List the documents in the index."""
    with _rag(corpus, index, llm) as rag:
        documents = rag.documents()
        if as_json:
            put({"documents": [asdict(document) for document in documents]})
            return
        for document in documents:
            put(f"{document.source}  {document.title}  ({document.passages} passages)")


@app.command()
def delete(
    source: Annotated[str, typer.Argument(help="A document, as `rag list` names it.")],
    keep_file: Annotated[bool, typer.Option("--keep-file", help="Leave the file; never index it again.")] = False,
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Take a document out of the index, and its file into the trash."""
    with _rag(corpus, index, llm) as rag:
        rag.delete(source, keep_file=keep_file)
        kept = "its file stays and is left out from now on"
        where = kept if keep_file else f"its file is in {rag.settings.data_dir}/trash"
        put({"deleted": source, "kept_file": keep_file} if as_json else f"{source} is out of the index; {where}.")


@app.command()
def doctor(
    prepare: Prepare = False, corpus: Corpus = None, index: Index = None, llm: Llm = None, as_json: Json = False
) -> None:
    """Check that everything needed is there, and say what to do where it is not."""
    from rag.surfaces.doctor import examine

    with _rag(corpus, index, llm) as rag:
        findings = examine(rag, prepare)
    if as_json:
        put({"ok": all(f.ok for f in findings), "checks": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            put(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command("eval")
def evaluate_set(
    paths: Annotated[list[Path], typer.Argument(help="A set of questions, or a CSV or JSONL file of your own.")],
    compare: Annotated[bool, typer.Option("--compare", help="Compare two results of --json: A.json B.json.")] = False,
    retrieval_only: Annotated[bool, typer.Option("--retrieval-only", help="Search, but do not answer.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Take so many questions, by a fixed draw.")] = None,
    corpus: Corpus = None,
    index: Index = None,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Measure retrieval and answers on questions whose answers are known; or compare two such results."""
    from rag.evaluation import report
    from rag.evaluation.runner import evaluate

    if len(paths) != (2 if compare else 1):
        raise typer.BadParameter("give one PATH to measure, or --compare and two results of --json")
    if compare:
        found = report.compared(*paths)
        put(found if as_json else report.comparison_table(found))
        return
    given, answers = _settings(corpus, index, llm), not retrieval_only
    found = evaluate(paths[0], given, progress(), corpus=corpus, index=index, answers=answers, limit=limit)
    put(found if as_json else report.table(found))


def main() -> None:
    """Run a command; whatever goes wrong becomes one line on stderr and an exit status."""
    prepare()
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("rag").setLevel(logging.WARNING)
    try:
        app()
    except RagError as error:
        _fail(str(error), 1)
    except ValueError as error:
        _fail(terminal.readable(error), 2)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or ''}", 1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:  # a bug of ours: the user still gets one line, and a way to see the rest
        if os.environ.get("RAG_DEBUG"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error}. RAG_DEBUG=1 shows where; please report it.", 1)


@contextmanager
def _rag(corpus: Path | None, index: Path | None, llm: str | None) -> Iterator[Rag]:
    from rag.engine import Rag

    with Rag(_settings(corpus, index, llm), progress=progress()) as rag:
        yield rag


def _settings(corpus: Path | None, index: Path | None, llm: str | None) -> Settings:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from rag.settings import Settings

    given: dict[str, Any] = {"corpus_dir": corpus, "index_dir": index, "llm": llm or None}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _fail(text: str, status: int) -> None:
    note("rag: " + " ".join(text.split()))
    raise SystemExit(status)
