"""MiniLM's weights to the bytes of an ONNX model: the BERT graph, written out. One home of onnx and safetensors.

It does not know onnxruntime, files other than the weights, or text. The model takes token ids, (texts, tokens),
all texts of one length, so that there is no padding and no mask; it gives unit vectors, (texts, dimensions).

In int8, every matrix product but those inside attention is of integers; docs/int8.md has how little that loses.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Input = str | NDArray[Any] | np.generic  # the name of what another operation gave, or a constant

VERSION = 2  # of the graph: raise it with any change that changes vectors
MAX_TOKENS = 256
_OPSET, _IR_VERSION = 20, 10
_OUTLIER = 99  # its values before gamma and beta come near the most that LayerNorm can give, sqrt(384) = 19.6
_SIGMAS = 2.0  # how far other channels are taken to reach
_GELU_LEAST = 0.17  # GELU is never below -0.17


def onnx_model(folder: Path, precision: str, trained: Mapping[str, Array] | None = None) -> bytes:
    """The model as ONNX, in int8 or fp32, from a folder with model.safetensors and config.json.

    :param trained: weights in place of the folder's; with `head.weight` (outputs, size) and `head.bias` the model also
        gives `logits`, (texts, tokens, outputs).
    """
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    weights = load_file(folder / "model.safetensors") | dict(trained or {})
    return _Graph(weights, config, precision == "int8").bytes()


class _Graph:
    """The nodes and constants of the model, in order."""

    def __init__(self, weights: dict[str, Array], config: dict[str, Any], int8: bool) -> None:
        self._weights = weights
        self._config = config
        self._int8 = int8
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def bytes(self) -> bytes:
        """The whole model, serialised."""
        from onnx import TensorProto, helper

        x = self._normed(self._embedded(), "embeddings.LayerNorm")
        for number in range(self._config["num_hidden_layers"]):
            x = self._layer(x, f"encoder.layer.{number}")
        x = self._node("Identity", x, outputs=["states"])
        mean = self._node("ReduceMean", x, _axes(1), keepdims=0)
        self._node("LpNormalization", mean, axis=-1, p=2, outputs=["vectors"])
        size = self._config["hidden_size"]
        shapes = {"vectors": ["texts", size], "states": ["texts", "tokens", size]}
        if "head.weight" in self._weights:
            weight, bias = self._dense("head")
            self._node("Add", self._node("MatMul", x, weight), bias, outputs=["logits"])
            shapes["logits"] = ["texts", "tokens", weight.shape[1]]
        given = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
        graph = helper.make_graph(self._nodes, "MiniLM", given, made, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())

    def _embedded(self) -> str:
        """Word + position + token type 0."""
        words = self._weights["embeddings.word_embeddings.weight"]
        types = self._weights["embeddings.token_type_embeddings.weight"]
        places = self._weights["embeddings.position_embeddings.weight"][:MAX_TOKENS] + types[0]
        if self._int8:
            scales = np.abs(words).max(axis=1, keepdims=True) / 127  # (words, 1)
            integers = self._node("Gather", np.round(words / scales).astype(np.int8), "ids")
            x = self._node("Mul", self._node("Cast", integers, to=1), self._node("Gather", scales, "ids"))
        else:
            x = self._node("Gather", words, "ids")
        tokens = self._node("Slice", self._node("Shape", "ids"), _axes(1), _axes(2))
        return self._node("Add", x, self._node("Slice", places, _axes(0), tokens, _axes(0)))

    def _layer(self, x: str, name: str) -> str:
        """One layer of the transformer: attention, then the feed-forward network, each added and normalised."""
        before = f"{name}.attention.output.LayerNorm"
        number = int(name.rpartition(".")[2])
        entering = f"encoder.layer.{number - 1}.output.LayerNorm" if number else "embeddings.LayerNorm"
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        weight, bias = self._dense(*parts)
        self._node("Split", self._product(x, weight, norm=entering), outputs=parts, axis=-1, num_outputs=3)
        heads = self._config["num_attention_heads"]
        attended = self._node("MultiHeadAttention", *parts, bias, num_heads=heads)
        weight, bias = self._dense(f"{name}.attention.output.dense")
        added = self._node("Add", self._node("Add", self._product(attended, weight), bias), x)
        x = self._normed(added, before)
        weight, bias = self._dense(f"{name}.intermediate.dense")
        gelu = "FastGelu" if self._int8 else "BiasGelu"  # by tanh: a fourth faster, far nearer than int8 can tell
        wide = self._node(gelu, self._product(x, weight, norm=before), bias)
        weight, bias = self._dense(f"{name}.output.dense")
        narrow = self._product(wide, weight, floor=_GELU_LEAST)
        added = self._node("Add", self._node("Add", narrow, bias), x)
        return self._normed(added, f"{name}.output.LayerNorm")

    def _dense(self, *names: str) -> tuple[Array, Array]:
        """Weight (inputs, outputs) and bias of some dense layers, side by side."""
        weight = np.concatenate([self._weights[f"{name}.weight"].T for name in names], axis=1)
        return weight, np.concatenate([self._weights[f"{name}.bias"] for name in names])

    def _normed(self, x: str, name: str) -> str:
        gamma, beta = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return self._node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=self._config["layer_norm_eps"])

    def _product(self, x: str, weight: Array, norm: str = "", floor: float = 0.0) -> str:
        """X times weight, without a bias; `norm` is the LayerNorm that x comes from, and no x is below -`floor`."""
        if not self._int8:
            return self._node("MatMul", x, weight)
        if norm:
            factors = self._smoothing(weight, norm)
            weight = weight * factors[:, None]
            x = self._node("Mul", x, 1 / factors)
        integers, scales = _quantized(weight)
        if floor:  # few negative values, and near 0: more of the 256 steps for the others
            zero, steps = np.uint8(43), 212  # 43 / 212 * 0.85 > 0.17
            largest = self._node("Max", self._node("ReduceMax", x, _axes(-1)), np.float32(0.85))
        else:
            zero, steps = np.uint8(128), 127
            largest = self._node("ReduceMax", self._node("Abs", x), _axes(-1))  # (texts, tokens, 1)
        step = np.float32(1 / steps)
        x = self._node("QuantizeLinear", self._node("Div", x, largest), step, zero)
        product = self._node("MatMulIntegerToFloat", x, integers, step, scales, zero)
        return self._node("Mul", product, largest)

    def _smoothing(self, weight: Array, norm: str) -> Array:
        """What to divide each channel by that comes out of a LayerNorm."""
        gamma, beta = self._weights[f"{norm}.weight"], self._weights[f"{norm}.bias"]
        sigmas = np.full(len(gamma), _SIGMAS, dtype=np.float32)
        sigmas[_OUTLIER] = np.sqrt(len(gamma))
        reach = np.abs(beta) + sigmas * np.abs(gamma)
        factors: Array = np.sqrt(reach / np.abs(weight).max(axis=1)).astype(np.float32)
        return factors

    def _node(self, kind: str, *inputs: Input, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add an operation; what its only or first output is called. An array among its inputs becomes a constant."""
        from onnx import helper

        names = [each if isinstance(each, str) else self._constant(np.asarray(each)) for each in inputs]
        outputs = outputs or [f"{kind}_{len(self._nodes)}"]
        domain = "com.microsoft" if kind in _CONTRIBUTED else ""
        self._nodes.append(helper.make_node(kind, names, outputs, domain=domain, **attributes))
        return outputs[0]

    def _constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.require(values, requirements="C"), name))
        return name


_CONTRIBUTED = {"BiasGelu", "FastGelu", "MatMulIntegerToFloat", "MultiHeadAttention"}  # onnxruntime's own


def _axes(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


def _quantized(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Integers (inputs, outputs) and a scale for each output; of two neighbouring inputs |a| + |b| <= 128."""
    inputs, outputs = weight.shape
    pairs = np.abs(weight).reshape(inputs // 2, 2, outputs).sum(axis=1)
    scales = (pairs.max(axis=0) / 127).astype(np.float32)  # each of the two may be rounded up by a half
    return np.round(weight / scales).astype(np.int8), scales
