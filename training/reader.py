"""Trains the model that reads a question and a passage together, and writes it as rag/answering/reader.onnx.

    python -m training.reader [--data FOLDER] [--out FILE]

MiniLM's six layers are trained on, its embeddings stay as they are. One head of four logits for each token: their mean
over a sentence is the logit that it answers (1), over the evidence that it bears a claim out (4); (2) and (3) are where
the asked-for value begins and ends, the first token standing for none. About an hour on two cores.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertModel

from rag.answering.pairs import CLS, MAX_QUESTION_TOKENS, MAX_TOKENS, SEP, WEIGHTS
from rag.retrieval.minilm import MiniLM, bundled_model_folder, bundled_model_path
from rag.retrieval.minilm_graph import onnx_model
from training.data import HELD_OUT, Row, claims, questions, squad

ROOT = Path(__file__).parent.parent
TOKENS_A_BATCH = 2560  # fits the cache of a small machine: larger ones were slower
LEARNING_RATE, WEIGHT_DECAY = 1e-4, 0.01


@dataclass(frozen=True, slots=True)
class Coded:
    """A row as tokens."""

    ids: list[int]
    sentence: list[int]  # of each token, from 1; 0 outside of sentences
    labels: list[int]
    value: tuple[int, int] | None  # first and last token; (0, 0) for none; None: not known
    holds: bool
    claim: bool


class Coder:
    """Rows to tokens."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(str(bundled_model_folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def __call__(self, row: Row) -> Coded:
        """The tokens of a row: question, then head and sentences."""
        head = f"{row.head}\n" if row.head else ""
        text = head + " ".join(row.sentences)
        starts = np.cumsum([len(head), *(len(sentence) + 1 for sentence in row.sentences)])
        asked = self._tokenizer.encode(row.question, add_special_tokens=False).ids[:MAX_QUESTION_TOKENS]
        read = self._tokenizer.encode(text, add_special_tokens=False)
        room = MAX_TOKENS - len(asked) - 3
        offsets, shift = read.offsets[:room], len(asked) + 2
        of_token = np.searchsorted(starts, [start for start, _ in offsets], side="right").tolist()
        sentence = [0] * shift + of_token + [0]
        value = (0, 0) if not row.holds else None
        if row.answer:
            inside = [
                shift + i
                for i, (start, end) in enumerate(offsets)
                if end > row.answer[0] + len(head) and start < row.answer[1] + len(head)
            ]
            value = (inside[0], inside[-1]) if inside else None
        ids = [CLS, *asked, SEP, *read.ids[:room], SEP]
        return Coded(ids, sentence, row.labels[: max(sentence)], value, row.holds, row.claim)


class Model(torch.nn.Module):
    """MiniLM with the head."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(str(bundled_model_path()), add_pooling_layer=False)
        self.bert.embeddings.requires_grad_(False)
        self.head = torch.nn.Linear(self.bert.config.hidden_size, 4)
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits, (rows, tokens, 4)."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.training):
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        logits: Tensor = self.head(states.float())
        return logits


def loss(model: Model, rows: Sequence[Coded]) -> Tensor:
    """Of one batch: all questions, or all claims."""
    ids, sentence = _padded([row.ids for row in rows]), _padded([row.sentence for row in rows])
    logits = model(ids, _padded([[1] * len(row.ids) for row in rows]))
    inside = functional.one_hot(sentence)[..., 1:].float()  # (rows, tokens, sentences)
    if rows[0].claim:
        read = (sentence > 0).float()
        supports = (logits[..., 3] * read).sum(1) / read.sum(1).clamp(min=1)
        return functional.binary_cross_entropy_with_logits(supports, torch.tensor([float(r.holds) for r in rows]))
    counts = inside.sum(1)
    answers = torch.einsum("bts,bt->bs", inside, logits[..., 0]) / counts.clamp(min=1)
    labels = _padded([row.labels for row in rows], answers.shape[1]).float()
    apart = functional.binary_cross_entropy_with_logits(answers, labels, reduction="none") * (counts > 0)
    total = 2 * apart.sum() / (counts > 0).sum()
    known = [i for i, row in enumerate(rows) if row.value is not None]
    if known:
        allowed = sentence > 0
        allowed[:, 0] = True
        places = logits[..., 1:3].masked_fill(~allowed[..., None], -1e4)[known]
        first, last = torch.tensor([rows[i].value for i in known]).T
        ends = functional.cross_entropy(places[..., 0], first) + functional.cross_entropy(places[..., 1], last)
        total = total + ends / 4
    return total


def train(model: Model, batches: Sequence[Sequence[Coded]]) -> None:
    """One pass over the batches, in their order; the rate rises over the first twentieth, then falls to none."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE)
    count, warm = len(batches), max(1, len(batches) // 20)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / warm) * max(0.02, (count - step) / count)
    )
    model.train()
    begun, mean = time.monotonic(), 0.0
    for step, rows in enumerate(batches, 1):
        found = loss(model, rows)
        found.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        rate.step()
        optimizer.zero_grad()
        mean += (found.item() - mean) * (0.02 if step > 1 else 1)
        if step % 100 == 0:
            print(f"{step} of {count}, loss {mean:.3f}, {(time.monotonic() - begun) / 60:.1f} min", flush=True)
    model.eval()


def plan(data: Path, chance: random.Random) -> list[list[Coded]]:
    """The batches of three stages: much that is easy first, and the adversarial questions in each."""
    with tempfile.TemporaryDirectory() as folder:
        adversarial = list(squad(data / "eval" / "squad2-dev-half", chance, MiniLM(Path(folder)).vectors))
    read = {
        name: _coded(questions(data / "train" / f"{name}.jsonl.gz", chance))
        for name in ("squadshifts-new-wiki", "qed-nq-dev", "selqa-dev-test", "squad2-train-part")
    }
    wiki, qed, selqa, beyonce = read.values()
    real = _coded(claims(data / "train" / "vitaminc-real-test.jsonl.gz"))
    few = [
        row
        for name in ("fever-symmetric", "entailmentbank-task2")
        for row in _coded(claims(data / "train" / f"{name}.jsonl.gz"))
    ]
    hard = _coded(row for title, row in adversarial if title not in HELD_OUT)
    qed = chance.sample(qed, len(qed))[250:]  # the others were for checking while it was made
    chance.shuffle(wiki)
    chance.shuffle(real)
    stages = (
        wiki + selqa + qed + beyonce + hard + real[:18000] + few,
        hard + wiki[:2500] + qed + real[18000:26000],
        hard + qed + selqa[:800] + real[26000:31000] + few,
    )
    return [batch for stage in stages for batch in _batches(stage, chance)]


def _coded(rows: Any) -> list[Coded]:
    return [coded for coded in map(Coder(), rows) if coded.labels or coded.claim]


def _batches(rows: list[Coded], chance: random.Random) -> list[list[Coded]]:
    """Rows of one kind and about one length together, in random order."""
    rows = chance.sample(rows, len(rows))
    batches: list[list[Coded]] = []
    for at in range(0, len(rows), 1500):
        batch: list[Coded] = []
        for row in sorted(rows[at : at + 1500], key=lambda row: (row.claim, len(row.ids))):
            if batch and (batch[0].claim != row.claim or len(row.ids) * (len(batch) + 1) > TOKENS_A_BATCH):
                batches.append(batch)
                batch = []
            batch.append(row)
        batches.append(batch)
    chance.shuffle(batches)
    return batches


def _padded(rows: Sequence[Sequence[int]], width: int = 0) -> Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])


def with_head(model: bytes, trained: Mapping[str, np.ndarray]) -> bytes:
    """The model with another output: `logits`, (texts, tokens, 4), by `head.weight` (outputs, size) and `head.bias`."""
    made = onnx.load_model_from_string(model)
    weight, bias = np.ascontiguousarray(trained["head.weight"].T), trained["head.bias"]
    for name, values in (("head_weight", weight), ("head_bias", bias)):
        made.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    product = onnx.helper.make_node("MatMul", ["states", "head_weight"], ["unbiased"])
    made.graph.node.extend([product, onnx.helper.make_node("Add", ["unbiased", "head_bias"], ["logits"])])
    shape = ["texts", "tokens", len(bias)]
    made.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, shape))
    return bytes(made.SerializeToString())


def main() -> None:
    """Train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = Model()
    train(model, plan(options.data, random.Random(0)))
    weights = {name.removeprefix("bert."): value.float().numpy() for name, value in model.state_dict().items()}
    trained = {name: value for name, value in weights.items() if not name.startswith("embeddings.")}
    options.out.write_bytes(with_head(onnx_model(bundled_model_path(), "int8", trained), trained))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
