"""Is everything there that an answer needs? One finding for each thing, with what to do where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import rag as package
from rag.documents.corpus import Corpus
from rag.engine import Rag
from rag.errors import ConfigError, RagError
from rag.retrieval.embedding import BUNDLED_MODEL, Embedder, SentenceTransformerEmbeddings, bundled_model_path
from rag.retrieval.index import IndexFolder


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands."""

    name: str
    ok: bool
    detail: str


def examine(rag: Rag) -> list[Finding]:
    """Look at everything; nothing is built or changed."""
    checks: list[tuple[str, Callable[[Rag], str]]] = [
        ("program", _program),
        ("embedding model", _embedding_model),
        ("corpus", _corpus),
        ("index", _index),
        ("repairs", _repairs),
        ("data folder", lambda r: _writable(r.settings.data_dir)),
        ("answers", _answers),
    ]
    return [_finding(name, check, rag) for name, check in checks]


def _finding(name: str, check: Callable[[Rag], str], rag: Rag) -> Finding:
    try:
        return Finding(name, True, check(rag))
    except RagError as error:
        return Finding(name, False, str(error))


def _program(rag: Rag) -> str:
    return f"rag {package.__version__}, Python {sys.version.split()[0]}"


def _embedding_model(rag: Rag) -> str:
    if rag.settings.embedding_model != BUNDLED_MODEL:
        Embedder(SentenceTransformerEmbeddings(rag.settings.embedding_model)).query("a test")
        return f"{rag.settings.embedding_model}, loaded"
    return f"{BUNDLED_MODEL}, weights verified at {bundled_model_path()}"


def _corpus(rag: Rag) -> str:
    files = Corpus(rag.settings.corpus_dir, rag.settings.data_dir).stamps()
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


def _answers(rag: Rag) -> str:
    return "quoted from the documents, no LLM configured" if rag.model == "extractive" else f"by {rag.model}"


def _writable(folder: Path) -> str:
    place = next(p for p in _upward(folder) if p.exists())
    if not os.access(place, os.W_OK):
        raise ConfigError(f"{place} cannot be written. Set RAG_DATA_DIR to a folder that can.")
    return str(folder)


def _upward(path: Path) -> Iterator[Path]:
    yield path.absolute()
    yield from path.absolute().parents
