"""Is everything there that an answer needs? One finding for each thing, with what to do where it is not."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import rag as package
from rag.documents.corpus import Corpus
from rag.engine import Rag
from rag.errors import ConfigError, RagError
from rag.retrieval.embedding import local_embeddings
from rag.retrieval.index import IndexFolder
from rag.retrieval.minilm import MiniLM, bundled_model_path

_ANSWERS = {"extractive": "quoted from the documents, no LLM configured"}


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands."""

    name: str
    ok: bool
    detail: str


def examine(rag: Rag, prepare: bool = False) -> list[Finding]:
    """Look at everything; nothing is built, but the embedding model made ready if wished."""
    if prepare:
        local_embeddings(rag.settings).embed_query("a test")
    checks: list[tuple[str, Callable[[Rag], str]]] = [
        ("program", lambda _: f"rag {package.__version__}, Python {sys.version.split()[0]}"),
        ("embedding model", _embedding_model),
        ("corpus", _corpus),
        ("index", _index),
        ("repairs", _repairs),
        ("data folder", lambda r: _writable(r.settings.data_dir)),
        ("answers", lambda r: _ANSWERS.get(r.model, f"by {r.model}")),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(Finding(name, True, check(rag)))
        except RagError as error:
            findings.append(Finding(name, False, str(error)))
    return findings


def _embedding_model(rag: Rag) -> str:
    model = local_embeddings(rag.settings)
    if not isinstance(model, MiniLM):
        model.embed_query("a test")
        return f"{model.model}, loaded"
    state = "ready" if model.prepared else "made at the first use, or now by `rag doctor --prepare`"
    return f"{model.model} in {model.precision}, {state}; weights verified at {bundled_model_path()}"


def _corpus(rag: Rag) -> str:
    files = Corpus(rag.settings.corpus_dir, rag.settings.data_dir, rag.settings.index_dir).stamps()
    return f"{len(files)} files in {rag.settings.corpus_dir}"


def _index(rag: Rag) -> str:
    health = rag.health()
    if not health["ready"]:
        return f"none yet at {rag.settings.index_dir}; the first question builds it"
    left_out = f", {health['failed']} files left out (`rag ingest` says why)" if health["failed"] else ""
    return f"{health['generation']}: {health['documents']} documents, {health['passages']} passages{left_out}"


def _repairs(rag: Rag) -> str:
    found = IndexFolder(rag.settings.index_dir).untold()
    return " ".join(f"{one}. It was put aside, and will not be mentioned again." for one in found) or "none needed"


def _writable(folder: Path) -> str:
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not os.access(place, os.W_OK):
        raise ConfigError(f"{place} cannot be written. Set RAG_DATA_DIR to a folder that can.")
    return str(folder)
