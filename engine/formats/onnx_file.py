"""Weights as an ONNX model: input `points` (N, 3 or 4) float32 in unit space, output `signed_distance` (N, 1).

Needs the optional package onnx. The description is the model's metadata entry `neural_implicit`.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..errors import DeviceError
from ..network.activations import LEAKY_SLOPE
from ..protocol import codec
from ..protocol.weights import METADATA_KEY, NeuralWeights

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # which runtimes of 2024 read
OPERATORS = {
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "softplus": "Softplus",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "sine": "Sin",
    "gelu": "Gelu",
}


def to_bytes(weights: NeuralWeights) -> bytes:
    """Give the model's bytes.

    Raises:
        DeviceError: The package onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise DeviceError(
            "Writing .onnx needs the package onnx in the engine's environment: pip install onnx."
        ) from error
    graph = _Graph(onnx.helper)
    encoded = graph.encode(weights)
    hidden, last = encoded, len(weights.weights) - 1
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        if k in weights.architecture.skips:
            hidden = graph.add("Concat", [hidden, encoded], axis=1)
        names = [graph.constant(f"layers.{k}.weight", matrix), graph.constant(f"layers.{k}.bias", bias)]
        hidden = graph.add("Gemm", [hidden, *names], transB=1)
        name = weights.architecture.activation if k < last else weights.architecture.output_activation
        hidden = graph.activate(name, hidden)
    graph.add("Identity", [hidden], output="signed_distance")
    model: bytes = graph.model(weights).SerializeToString()
    return model


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._numbers: set[str] = set()

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        kind = self._helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        values = np.ascontiguousarray(array, np.float32)
        self._constants.append(self._helper.make_tensor(name, kind, values.shape, values.tobytes(), raw=True))
        return name

    def activate(self, name: str, value: str) -> str:
        if name == "none":
            return value
        if name == "silu":
            return self.add("Mul", [value, self.add("Sigmoid", [value])])
        if name == "hard_gelu":
            return self._hard_gelu(value)
        attributes: dict[str, Any] = {"alpha": LEAKY_SLOPE} if name == "leaky_relu" else {}
        return self.add(OPERATORS[name], [value], **attributes)

    def _hard_gelu(self, value: str) -> str:
        low, high = self.number(-1.0), self.number(1.0)
        u = self.add("Clip", [self.add("Mul", [value, self.number(0.4)]), low, high])
        square = self.add("Mul", [u, u])
        inner = self.add("Sub", [self.add("Mul", [square, self.number(0.1875)]), self.number(0.625)])
        inner = self.add("Add", [self.add("Mul", [square, inner]), self.number(0.9375)])
        gate = self.add("Add", [self.add("Mul", [u, inner]), self.number(0.5)])
        return self.add("Mul", [value, gate])

    def number(self, value: float) -> str:
        """Give a constant of no dimensions."""
        name = f"number_{value!r}"
        return name if name in self._numbers else self._add_number(name, value)

    def _add_number(self, name: str, value: float) -> str:
        self._numbers.add(name)
        return self.constant(name, np.array(value))

    def encode(self, weights: NeuralWeights) -> str:
        if weights.fourier_matrix is None:
            return "points"
        turns = 2.0 * np.pi * weights.fourier_matrix.T.astype(np.float64)
        phase = self.add("MatMul", ["points", self.constant("encoding.turns", turns)])
        return self.add("Concat", ["points", self.add("Sin", [phase]), self.add("Cos", [phase])], axis=1)

    def model(self, weights: NeuralWeights) -> Any:
        helper = self._helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        points = helper.make_tensor_value_info("points", kind, ["N", weights.architecture.inputs])
        distance = helper.make_tensor_value_info("signed_distance", kind, ["N", 1])
        graph = helper.make_graph(
            self._nodes, "neural_implicit", [points], [distance], initializer=self._constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="neural-implicit"
        )
        model.ir_version = IR_VERSION
        text = json.dumps(codec.to_plain(weights.description), sort_keys=True)
        helper.set_model_props(model, {METADATA_KEY: text})
        return model
