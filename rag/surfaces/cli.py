"""The command `rag`: one function for each command. With `terminal`, the only module that prints.

Answers go to stdout, progress and warnings to stderr. Exit status: 0 done, 1 failed, 2 wrong use.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag import __version__
from rag.errors import RagError, ReceiptError
from rag.surfaces import terminal
from rag.surfaces.terminal import note, prepare, progress, put

if TYPE_CHECKING:
    from rag.answering.types import Turn
    from rag.engine import Rag
    from rag.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Corpus = Annotated[Path | None, typer.Option(help="The folder of documents. Default: RAG_CORPUS_DIR, or corpus.")]
Index = Annotated[Path | None, typer.Option(help="The folder of the index. Default: RAG_INDEX_DIR, or index.")]
Llm = Annotated[str | None, typer.Option(help="extractive, or provider:model. Default: RAG_LLM, or extractive.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Version = Annotated[bool, typer.Option("--version", help="Print the version.")]
Question = Annotated[str, typer.Argument(help="What to ask.")]
Query = Annotated[str, typer.Argument(help="What to look for.")]
K = Annotated[int, typer.Option("-k", min=1, help="How many passages.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say what each rank is made of.")]
Expect = Annotated[str, typer.Option("--expect", help="Words of the passage that was expected.")]
Save = Annotated[Path | None, typer.Option(dir_okay=False, help="Write the answer with its quotes to this HTML file.")]
Receipt = Annotated[Path, typer.Argument(help="A file that `rag ask --save` wrote.")]
Paths = Annotated[list[Path] | None, typer.Argument(help="Files and folders to copy into the corpus first.")]
Rebuild = Annotated[bool, typer.Option(help="Take nothing over from the old index.")]
Source = Annotated[str, typer.Argument(help="A document, as `rag list` names it.")]
Keep = Annotated[bool, typer.Option("--keep-file", help="Leave the file; never index it again.")]
Host = Annotated[str | None, typer.Option(help="Default: RAG_HOST, or 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Default: RAG_PORT, or 7860.")]
Prepare = Annotated[bool, typer.Option("--prepare", help="Make the embedding model ready first.")]


@app.callback(invoke_without_command=True)
def options(version: Version = False) -> None:
    """Ask a folder of documents, and get answers whose every sentence can be checked."""
    if version:
        put(f"rag {__version__}")
        raise typer.Exit


def command(work: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function that takes a Rag, with the options that every command has."""

    @wraps(work, assigned=("__name__", "__doc__"))
    def run(corpus: Corpus = None, index: Index = None, llm: Llm = None, **own: Any) -> None:
        from rag.engine import Rag

        with Rag(_settings(corpus, index, llm), progress=progress()) as rag:
            work(rag, **own)

    _, *own = signature(work).parameters.values()
    common = [one for one in signature(run, follow_wrapped=False).parameters.values() if one.name != "own"]
    run.__signature__ = Signature([*own, *common])  # type: ignore[attr-defined]
    app.command(work.__name__.rstrip("_"))(run)
    return work


@command
def ingest(rag: "Rag", paths: Paths = None, rebuild: Rebuild = False, as_json: Json = False) -> None:
    """Bring the index in step with the corpus folder."""
    report = rag.ingest(paths or (), rebuild=rebuild)
    put(asdict(report) if as_json else terminal.told("ingest", report))
    for source, reason in (*report.failed, *report.notes):
        note(" ".join(f"{source}: {reason}".split()))


@command
def ask(rag: "Rag", question: Question, save: Save = None, as_json: Json = False) -> None:
    """Ask one question."""
    if save and not save.parent.is_dir():
        raise ReceiptError(f"{save} cannot be written: there is no folder {save.parent}. Name one that exists.")
    answer = rag.ask(question) if as_json else terminal.answered(rag.stream(question))
    if as_json:
        put(answer.to_dict())
    if save:
        from rag.retrieval.disk import write_whole
        from rag.surfaces.receipt import receipt

        write_whole(save, receipt(rag, answer).encode())
        note(f"Saved. `rag verify {save}` checks it against the documents at any time.")


@command
def verify(rag: "Rag", file: Receipt, as_json: Json = False) -> None:
    """Check the quotes of a receipt against the documents as they are now."""
    from rag.surfaces.receipt import verify as findings_of

    findings = findings_of(rag, file)
    holds = all(found.state == "holds" for found in findings)
    found = {"ok": holds, "findings": [asdict(found) for found in findings]}
    put(found if as_json else terminal.told("receipt", findings))
    if not holds:
        raise typer.Exit(1)


@command
def search(rag: "Rag", query: Query, k: K = 5, explain: Explain = False, as_json: Json = False) -> None:
    """Show the passages that a question would be answered from."""
    hits = rag.search(query, k)
    found = {"query": query, "hits": [hit.to_dict() for hit in hits]}
    put(found if as_json else terminal.told("passages", hits, explain))


@command
def why(rag: "Rag", query: Query, expect: Expect, as_json: Json = False) -> None:
    """Say at which stage an expected passage was lost."""
    seen = rag.why(query, expect)
    found = {name: getattr(seen, name) for name in seen.__slots__} | {"hit": seen.hit and seen.hit.to_dict()}
    put(found if as_json else terminal.told("lost", seen))


@command
def chat(rag: "Rag") -> None:
    """Talk in the terminal; an empty line or Ctrl-D ends it."""
    note("Ask about: " + "  ".join(rag.starters()))
    history: list[Turn] = []
    while question := terminal.typed():
        try:
            answer = terminal.answered(rag.stream(question, history))
        except (RagError, ValueError) as error:
            note(f"Error: {error}")
            continue
        history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer.text}]


@command
def serve(rag: "Rag", host: Host = None, port: Port = None) -> None:
    """Serve the page in the browser."""
    note(f"Answers: {rag.model}. Loading the page ...")
    from rag.surfaces.server import serve as run

    run(rag, host, port, on_ready=lambda url: note(f"Open {url}  (Ctrl-C stops)"))
    rag.close()
    os._exit(0)  # Python would wait for every thread that waits for a model, and clear up for a second


@command
def list_(rag: "Rag", as_json: Json = False) -> None:
    """List the documents in the index."""
    found = rag.documents()
    put({"documents": [asdict(one) for one in found]} if as_json else terminal.told("documents", found))


@command
def delete(rag: "Rag", source: Source, keep_file: Keep = False, as_json: Json = False) -> None:
    """Take a document out of the index, and its file into the trash."""
    rag.delete(source, keep_file=keep_file)
    kept = "its file stays and is left out from now on"
    where = kept if keep_file else f"its file is in {rag.settings.data_dir}/trash"
    put({"deleted": source, "kept_file": keep_file} if as_json else f"{source} is out of the index; {where}.")


@command
def feedback(rag: "Rag", as_json: Json = False) -> None:
    """Show what users of the page thought of answers, the newest first."""
    from rag.conversations import Conversations

    found = Conversations(rag.settings.data_dir).feedback()
    rows = [{name: getattr(one, name) for name in one.__slots__} | {"answer": one.answer.to_dict()} for one in found]
    put({"feedback": rows} if as_json else terminal.told("feedback", found))


@command
def doctor(rag: "Rag", prepare: Prepare = False, as_json: Json = False) -> None:
    """Check that everything needed is there, and say what to do where it is not."""
    from rag.surfaces.doctor import examine

    findings = examine(rag, prepare)
    ok = all(found.ok for found in findings)
    found = {"ok": ok, "checks": [asdict(found) for found in findings]}
    put(found if as_json else terminal.told("checks", findings))
    if not ok:
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
    from rag.evaluation import metrics
    from rag.evaluation.runner import evaluate

    if len(paths) != (2 if compare else 1):
        raise typer.BadParameter("give one PATH to measure, or --compare and two results of --json")
    if compare:
        found, shown = metrics.compared(*paths), "differences"
    else:
        given, answers = _settings(corpus, index, llm), not retrieval_only
        found = evaluate(paths[0], given, progress(), corpus=corpus, index=index, answers=answers, limit=limit)
        shown = "measures"
    put(found if as_json else terminal.told(shown, found))


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


def _settings(corpus: Path | None, index: Path | None, llm: str | None) -> "Settings":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from rag.settings import Settings

    given: dict[str, Any] = {"corpus_dir": corpus, "index_dir": index, "llm": llm or None}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _fail(text: str, status: int) -> None:
    note("rag: " + " ".join(text.split()))
    raise SystemExit(status)
