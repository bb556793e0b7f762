"""MiniLM's weights to the bytes of an ONNX model. One home of onnx and safetensors.

The graph is written out in minilm_int8.txt and minilm_fp32.txt; here its weights are made for it. It does not know
onnxruntime, files other than the weights, or text. The model takes token ids, (texts, tokens), all texts of one
length, so that there is no padding and no mask; it gives unit vectors, (texts, dimensions).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]  # as published, by name
Part = dict[str, NDArray[Any]]  # what a part of the graph takes, in order

VERSION = 2  # of the graph: raise it with any change that changes vectors
MAX_TOKENS = 256
_LAYERS = 6
_EMBEDDINGS = "word", "token_type", "position"
_OUTLIER = 99  # its values before gamma and beta come near the most that LayerNorm can give, sqrt(384) = 19.6
_SIGMAS = 2.0  # how far other channels are taken to reach


def onnx_model(folder: Path, precision: str, trained: Mapping[str, Array] | None = None) -> bytes:
    """The model as ONNX, in int8 or fp32, from a folder with model.safetensors; `trained` has other weights."""
    from onnx import numpy_helper, parser
    from safetensors.numpy import load_file

    weights, int8 = load_file(folder / "model.safetensors") | dict(trained or {}), precision == "int8"
    made = [_embedded(weights, int8), *(_layer(weights, number, int8) for number in range(_LAYERS))]
    parts = {f"part{n}": {f"part{n}_{name}": each for name, each in part.items()} for n, part in enumerate(made)}
    form = Template(Path(__file__).with_name(f"minilm_{precision}.txt").read_text("utf-8"))
    model = parser.parse_model(form.substitute({name: ", ".join(part) for name, part in parts.items()}))
    for name, values in chain.from_iterable(part.items() for part in parts.values()):
        model.graph.initializer.append(numpy_helper.from_array(np.require(values, requirements="C"), name))
    return bytes(model.SerializeToString())


def _embedded(weights: Weights, int8: bool) -> Part:
    """What words and places are, token type 0 added to the places."""
    words, types, places = (weights[f"embeddings.{kind}_embeddings.weight"] for kind in _EMBEDDINGS)
    scales = np.abs(words).max(axis=1, keepdims=True) / 127  # (words, 1)
    held = {"words": np.round(words / scales).astype(np.int8), "scales": scales} if int8 else {"words": words}
    return {**held, "places": places[:MAX_TOKENS] + types[0], **_norm("norm", weights, "embeddings")}


def _layer(weights: Weights, number: int, int8: bool) -> Part:
    """What one layer of the transformer is given."""
    name = f"encoder.layer.{number}"
    entering = f"encoder.layer.{number - 1}.output" if number else "embeddings"
    asking = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    given = partial(_product, weights, int8)
    return {
        **given("ask", asking, after=entering),
        **given("tell", [f"{name}.attention.output.dense"]),
        **_norm("told", weights, f"{name}.attention.output"),
        **given("wide", [f"{name}.intermediate.dense"], after=f"{name}.attention.output"),
        **given("narrow", [f"{name}.output.dense"]),
        **_norm("end", weights, f"{name}.output"),
    }


def _norm(to: str, weights: Weights, name: str) -> Part:
    gamma, beta = (weights[f"{name}.LayerNorm.{kind}"] for kind in ("weight", "bias"))
    return {f"{to}_gamma": gamma, f"{to}_beta": beta}


def _product(weights: Weights, int8: bool, to: str, names: Sequence[str], after: str = "") -> Part:
    """What is multiplied and added by some dense layers side by side; `after` names the LayerNorm before them."""
    weight = np.concatenate([weights[f"{name}.weight"].T for name in names], axis=1)  # (inputs, outputs)
    bias = {f"{to}_bias": np.concatenate([weights[f"{name}.bias"] for name in names])}
    if not int8:
        return {f"{to}_weight": weight} | bias
    smooth: Part = {}
    if after:
        factors = _smoothing(weight, *_norm("", weights, after).values())
        weight, smooth = weight * factors[:, None], {f"{to}_smooth": 1 / factors}
    integers, scales = _quantized(weight)
    return smooth | {f"{to}_weight": integers, f"{to}_scales": scales} | bias


def _smoothing(weight: Array, gamma: Array, beta: Array) -> Array:
    """What to divide each channel by that comes out of a LayerNorm."""
    sigmas = np.full(len(gamma), _SIGMAS, dtype=np.float32)
    sigmas[_OUTLIER] = np.sqrt(len(gamma))
    reach = np.abs(beta) + sigmas * np.abs(gamma)
    factors: Array = np.sqrt(reach / np.abs(weight).max(axis=1)).astype(np.float32)
    return factors


def _quantized(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Integers (inputs, outputs) and a scale for each output; of two neighbouring inputs |a| + |b| <= 128."""
    inputs, outputs = weight.shape
    pairs = np.abs(weight).reshape(inputs // 2, 2, outputs).sum(axis=1)
    scales = (pairs.max(axis=0) / 127).astype(np.float32)  # each of the two may be rounded up by a half
    return np.round(weight / scales).astype(np.int8), scales
