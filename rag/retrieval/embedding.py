"""Text to unit vectors, through LangChain's Embeddings. The one home of sentence-transformers.

Also a second look at the best hits by a cross-encoder, which reads query and passage together. For those who have one.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.errors import ConfigError, ModelError, ModelUnavailable, RagError, in_words
from rag.retrieval.late import WINDOW
from rag.retrieval.minilm import BUNDLED_MODEL, DIMENSIONS, PRECISIONS, MiniLM, Precision
from rag.retrieval.types import Hit, Vectors
from rag.settings import Settings

_BUNDLED_NAMES = {BUNDLED_MODEL, f"sentence-transformers/{BUNDLED_MODEL}"}
PROBE = "The quick brown fox jumps over the lazy dog."
_REMEMBERED = 20_000  # vectors of single sentences: 30 MB
BATCH = 128  # texts embedded at a time: what a kill can lose
RERANKED = 30  # hits that are looked at again


def local_embeddings(settings: Settings) -> "MiniLM | SentenceTransformerEmbeddings":
    """What embeds by these settings: the bundled model on onnxruntime, others with sentence-transformers."""
    if settings.embedding_model in _BUNDLED_NAMES:
        return MiniLM(settings.index_dir / "model", settings.embedding_precision)
    return SentenceTransformerEmbeddings(settings.embedding_model)


class SentenceTransformerEmbeddings(Embeddings):
    """A sentence-transformers model on this machine, loaded at the first use. Never downloads."""

    def __init__(self, model: str) -> None:
        """:param model: a name in the local cache, or a folder."""
        self.model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        rows = self._loaded.encode(texts, batch_size=16, normalize_embeddings=True, show_progress_bar=False)
        return [row.tolist() for row in rows]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return self.embed_documents([text])[0]

    @cached_property
    def _loaded(self) -> Any:
        return on_this_machine("SentenceTransformer", self.model, f"RAG_EMBEDDING_MODEL unset for {BUNDLED_MODEL}")


def on_this_machine(kind: str, name: str, otherwise: str, **options: Any) -> Any:
    """A sentence-transformers model of this kind; never downloads, but says in a ModelUnavailable what to leave."""
    import sentence_transformers
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # it would be drawn over the progress of an ingest
    try:
        return getattr(sentence_transformers, kind)(name, device="cpu", local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(in_words("not_here", name=name, otherwise=otherwise)) from error


class Embedder:
    """LangChain Embeddings, with what comes back checked and scaled: float32 unit rows, all finite."""

    def __init__(self, embeddings: Embeddings) -> None:
        if not isinstance(embeddings, Embeddings):
            raise ConfigError(f"embeddings must be a LangChain Embeddings, not {type(embeddings).__name__}.")
        self._embeddings = embeddings
        self._kind = type(embeddings).__name__
        self._bundled = embeddings if isinstance(embeddings, MiniLM) else None
        self._memory: dict[tuple[str, str], Vectors] = {}  # least recently used first
        self._memory_lock = threading.Lock()

    @cached_property
    def name(self) -> str:
        """What tells this model from others: its own name and precision; for a foreign one class, name and size."""
        if self._bundled:
            return _name(self._bundled.precision)
        if isinstance(self._embeddings, SentenceTransformerEmbeddings):
            return self._embeddings.model
        named = [getattr(self._embeddings, attribute, "") for attribute in ("model", "model_name")]
        model = next((name for name in named if name and isinstance(name, str)), "")
        return ":".join(part for part in (self._kind, model, str(len(self.probe))) if part)

    @cached_property
    def probe(self) -> tuple[float, ...]:
        """The vector of one fixed sentence, by which a foreign model is known again; () for a local one."""
        if isinstance(self._embeddings, MiniLM | SentenceTransformerEmbeddings):
            return ()
        return tuple(round(float(value), 4) for value in self.query(PROBE))

    def query(self, text: str) -> Vectors:
        """The vector of a query, (dimensions,)."""

        def embed(_: Sequence[str]) -> Vectors:
            return self._checked([self._tried(self._embeddings.embed_query, text)], 1)

        return self._remembered([text], embed, "query").ravel()

    def asked(self, query: str) -> tuple[Vectors, Vectors]:
        """The vector of a query, (dimensions,), and those of its tokens, (tokens, dimensions): 0 in a foreign model."""
        if not self._bundled:
            vector = self.query(query)
            return vector, np.zeros((0, len(vector)), dtype=np.float32)
        vector, tokens = self._tried(self._bundled.asked, query)
        self._remembered([query], lambda _: vector[None], "query")
        return vector, tokens

    @property
    def dimensions(self) -> int:
        """How long the vectors are; for a foreign model it is asked."""
        return DIMENSIONS if self._bundled else len(self.query(PROBE))

    def reads(self, text: str) -> float:
        """The share of a text's words that the model knows, as far as that can be told."""
        return self._bundled.reads(text) if self._bundled else 1.0

    def sentences(self, texts: Sequence[str]) -> Vectors:
        """As `texts`, the last 20,000 remembered: questions about one thing read the same sentences again."""
        return self._remembered(texts, self.texts, "sentence")

    def _tried(self, work: Callable[[Any], Any], given: Any) -> Any:
        try:
            return work(given)
        except RagError:
            raise
        except Exception as error:  # foreign code, which may raise anything
            why = f"{type(error).__name__}: {error}"
            raise ModelError(in_words("embeddings_failed", embeddings=self._kind, why=why)) from error

    def _remembered(self, texts: Sequence[str], embed: Callable[[list[str]], Vectors], kind: str) -> Vectors:
        keys = [(kind, text) for text in texts]
        with self._memory_lock:
            held = {key: self._memory[key] for key in keys if key in self._memory}
        new = list(dict.fromkeys(text for key, text in zip(keys, texts, strict=True) if key not in held))
        if new:
            held |= {(kind, text): row for text, row in zip(new, embed(new), strict=True)}
        with self._memory_lock:
            for key in keys:
                self._memory.pop(key, None)
                self._memory[key] = held[key]  # at the end: used last
            while len(self._memory) > _REMEMBERED:
                del self._memory[next(iter(self._memory))]
        return np.stack([held[key] for key in keys]) if keys else np.zeros((0, 0), dtype=np.float32)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """The vectors of some texts, (len(texts), dimensions)."""
        rows = [self._documents(batch) for batch in _batches(texts)]
        return np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    def rows(self, texts: Sequence[str]) -> Iterator[tuple[list[str], Vectors]]:
        """The texts, some at a time, with what an index keeps of each: the vector, and what late interaction needs."""
        for batch in _batches(texts):
            yield batch, self._tried(self._bundled.rows, batch) if self._bundled else self._documents(batch)

    def _documents(self, texts: list[str]) -> Vectors:
        return self._checked(self._tried(self._embeddings.embed_documents, texts), len(texts))

    def named(self, name: str) -> "Embedder | None":
        """The embedder of this name: this one, or the bundled model at another precision; else None."""
        return self if name == self.name else self._siblings.get(name)

    @cached_property
    def _siblings(self) -> "dict[str, Embedder]":
        folder = self._bundled.folder if self._bundled else None
        return {_name(one): Embedder(MiniLM(folder, one)) for one in PRECISIONS if folder}

    def _checked(self, vectors: list[list[float]], count: int) -> Vectors:
        """Chroma takes NaN and zero vectors without a word and then answers with garbage: refuse them here."""
        try:
            with np.errstate(over="ignore"):
                array = np.asarray(vectors, dtype=np.float32)
        except (TypeError, ValueError):  # rows of different lengths, or no numbers
            array = np.zeros(0, dtype=np.float32)
        norms = np.linalg.norm(array, axis=-1, keepdims=True) if array.ndim == 2 else np.zeros(1)
        if array.ndim != 2 or len(array) != count or not np.isfinite(norms).all() or not (norms > 0).all():
            raise ModelError(in_words("no_vectors", embeddings=self._kind, shape=array.shape, count=count))
        return array / norms


def _name(precision: Precision) -> str:
    return f"{BUNDLED_MODEL}:{precision}:{WINDOW}"


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    return (list(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH))


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder on this machine, loaded at the first use. Never downloads."""

    def __init__(self, model: str) -> None:
        """:param model: a name in the local cache, or a folder."""
        self.model = model

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits, best first, `score` in [0, 1] and falling; a ModelUnavailable if the model is not here."""
        if not hits:
            return []
        pairs = [(query, hit.passage.embedding_text) for hit in hits]
        logits = np.asarray(self._loaded.predict(pairs, batch_size=16, show_progress_bar=False), dtype=np.float64)
        scores = logits if 0 <= logits.min() and logits.max() <= 1 else 1 / (1 + np.exp(-logits))
        return [replace(hits[i], score=float(scores[i])) for i in np.argsort(-scores, kind="stable")]

    @cached_property
    def _loaded(self) -> Any:
        return on_this_machine("CrossEncoder", self.model, "RAG_RERANKER unset", num_labels=1)
