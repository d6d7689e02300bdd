"""A network in NumPy for the add-on: float32 values at many points, a block at a time, on a thread of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...engine.protocol.weights import NeuralWeights

FloatArray = npt.NDArray[np.floating[Any]]

BLOCK = 4096  # points whose hidden units stay in a processor's cache


def network_values(weights: NeuralWeights, points: FloatArray, time: float = 0.0) -> FloatArray:
    """Give the network's value (N,) at points (N, 3) in [-1, 1]^3.

    Args:
        weights: Any network.
        points: In unit space.
        time: The fourth input of a network that has one.
    """
    blocks = [_values(weights, points[i : i + BLOCK], time) for i in range(0, len(points), BLOCK)]
    return np.concatenate(blocks)


def _values(weights: NeuralWeights, points: FloatArray, time: float) -> FloatArray:
    arch = weights.architecture
    encoded = np.asarray(points, np.float32)
    if arch.inputs == 4:
        encoded = np.column_stack([encoded, np.full(len(encoded), time, np.float32)])
    if weights.fourier_matrix is not None:
        phase = encoded @ (np.float32(2.0 * np.pi) * weights.fourier_matrix.T)
        encoded = np.concatenate([encoded, np.sin(phase), np.cos(phase)], axis=1)
    hidden = encoded
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        if k in arch.skips:
            hidden = np.concatenate([hidden, encoded], axis=1)
        hidden = hidden @ matrix.T + bias
        if k < arch.depth:
            hidden = _activate(arch.activation, hidden)
    values: FloatArray = hidden[:, 0]
    return np.tanh(values) if arch.output_activation == "tanh" else values


def _activate(name: str, z: FloatArray) -> FloatArray:
    """Give the activation in float32; `engine/network/activations.py` is the reference."""
    with np.errstate(over="ignore", under="ignore"):
        result: FloatArray = _ACTIVATIONS[name](z)
    return result


def _sigmoid(z: FloatArray) -> FloatArray:
    half: FloatArray = 0.5 * np.tanh(0.5 * z) + 0.5
    return half


def _gelu(z: FloatArray) -> FloatArray:
    """By Abramowitz and Stegun 7.1.26: NumPy has no error function."""
    x = np.float32(0.70710678) * np.abs(z)
    t = 1.0 / (1.0 + np.float32(0.3275911) * x)
    p = np.float32(1.061405429)
    for term in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        p = np.float32(term) + t * p
    tail = 0.5 * t * p * np.exp(-x * x)
    share: FloatArray = z * np.where(z > 0.0, 1.0 - tail, tail)
    return share


def _hard_gelu(z: FloatArray) -> FloatArray:
    u = np.clip(np.float32(0.4) * z, -1.0, 1.0)
    square = u * u
    gate: FloatArray = z * (0.5 + u * (0.9375 + square * (0.1875 * square - 0.625)))
    return gate


_ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.maximum(z, np.float32(0.01) * z),
    "elu": lambda z: np.where(z > 0.0, z, np.expm1(np.minimum(z, 0.0))),
    "softplus": lambda z: np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "sine": np.sin,
    "silu": lambda z: z * _sigmoid(z),
    "gelu": _gelu,
    "hard_gelu": _hard_gelu,
}
