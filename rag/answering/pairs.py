"""A small model that reads a question and a passage together: which words answer, and whether a claim is borne out.

It is MiniLM once more, trained for this (training/reader.py; docs/reader.md says on what, and what it gains). It knows
texts and offsets only. English.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.documents.types import Span
from rag.retrieval.minilm import in_threads, loaded, once, well_formed

WEIGHTS = Path(__file__).with_name("reader.onnx")
MIN_ENGLISH = 0.6  # of the words of a question or a claim (`Embedder.reads`), for it to have a say
MAX_TOKENS, MAX_QUESTION_TOKENS = 256, 64  # of both together, and of the question, in training and here
CLS, SEP = 101, 102
_STARTS, _ENDS, _SUPPORTS = 1, 2, 3  # columns of the model's output; the first, by sentence, is for training alone
_MAX_VALUE_TOKENS = 20
_UNREAD = -8.0  # the logit of a stretch beyond the model's reach


@dataclass(frozen=True, slots=True)
class PairReading:
    """What the model says of a text that it read for a question or a claim; all figures are logits."""

    starts: NDArray[np.int64]  # (tokens,), where each begins in the text
    ends: NDArray[np.int64]
    logits: NDArray[np.float32]  # (tokens, 4)
    nothing: float  # that no value in the text is asked for

    @property
    def supports(self) -> float:
        """That the text bears the claim out."""
        return float(self.logits[:, _SUPPORTS].mean()) if len(self.logits) else _UNREAD

    def value(self, span: Span) -> tuple[float, Span]:
        """The asked-for value within a stretch, and by how much it is likelier than none."""
        inside = np.flatnonzero((self.starts >= span.start) & (self.ends <= span.end))
        if not len(inside):
            return _UNREAD, Span(span.start, span.start)
        pairs = self.logits[inside, _STARTS][:, None] + self.logits[inside, _ENDS][None, :]
        distance = np.arange(len(inside))[None, :] - np.arange(len(inside))[:, None]
        pairs[(distance < 0) | (distance >= _MAX_VALUE_TOKENS)] = -np.inf
        first, last = np.unravel_index(int(np.argmax(pairs)), pairs.shape)
        found = Span(int(self.starts[inside[first]]), int(self.ends[inside[last]]))
        return float(pairs[first, last]) - self.nothing, found


class PairReader:
    """The model, loaded at the first use. Safe to call from many threads."""

    def __init__(self) -> None:
        self._load = once(lambda: loaded(WEIGHTS.read_bytes, WEIGHTS.name))

    def read(self, question: str, texts: Sequence[str]) -> list[PairReading]:
        """Each text as read for the question, or for a claim; a ModelUnavailable where the model cannot be loaded."""
        tokenizer, session = self._load()
        asked = tokenizer.encode(well_formed(question), add_special_tokens=False).ids[:MAX_QUESTION_TOKENS]
        return in_threads(partial(_read, tokenizer, session, [CLS, *asked, SEP]), texts)


def _read(tokenizer: Any, session: Any, asked: list[int], text: str) -> PairReading:
    encoded = tokenizer.encode(well_formed(text), add_special_tokens=False)
    room = MAX_TOKENS - len(asked) - 1
    ids = np.array([[*asked, *encoded.ids[:room], SEP]], dtype=np.int64)
    logits = session.run(["logits"], {"ids": ids})[0][0]
    offsets = np.array(encoded.offsets[:room], dtype=np.int64).reshape(-1, 2)
    nothing = float(logits[0, _STARTS] + logits[0, _ENDS])
    return PairReading(offsets[:, 0], offsets[:, 1], logits[len(asked) : -1], nothing)
