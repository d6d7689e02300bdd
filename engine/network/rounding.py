"""Weights to half precision so that the field hardly moves: what one rounding spoils, the others mend.

Rounding each number for itself moves the field by about 1e-4, a third of what a good fit is off by. Here a layer's
numbers are rounded one after the other, and those still free take over the error, by the Gauss-Newton Hessian of the
field over sample points [Frantar 2022]; before that the layer takes over what the layers before it have spoiled.

[Frantar 2022] "Optimal Brain Compression", NeurIPS 2022: the update; here with the whole network's output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from ..protocol.weights import NeuralWeights
from .activations import SLOPES, VALUES

FloatArray = npt.NDArray[np.floating[Any]]

DAMPING = 1e-3  # of the mean diagonal: how little a number may matter and still be moved at will
LARGEST = 6.0e4  # float16 ends at 65,504
MOST_COLUMNS = 1100  # numbers of a layer that are rounded together; wider layers go in groups of units


def rounded_plainly(weights: NeuralWeights) -> NeuralWeights:
    """Give the network that float16 holds when each number is rounded for itself."""
    return replace(
        weights,
        weights=tuple(_half(matrix) for matrix in weights.weights),
        biases=tuple(_half(bias) for bias in weights.biases),
        float16=True,
    )


def rounded_together(weights: NeuralWeights, points: FloatArray) -> NeuralWeights:
    """Give a network of float16 numbers whose field is nearest to the given one at encoded points (N, encoded size).

    The network must have no skips.
    """
    layers: list[FloatArray] = [
        np.concatenate([matrix, bias[:, None]], axis=1).astype(np.float64)
        for matrix, bias in zip(weights.weights, weights.biases)
    ]
    network = _Network(weights, points.astype(np.float64))
    wanted = network.value(layers)
    for k, layer in enumerate(layers):
        per_group = max(1, min(len(layer), MOST_COLUMNS // layer.shape[1]))
        for start in range(0, len(layer), per_group):
            units = slice(start, start + per_group)
            value, inputs, slopes = network.linearised(layers, k)
            jacobian = np.einsum(
                "no,ni->noi", slopes[:, units], inputs, dtype=np.float32, casting="same_kind"
            )
            layers[k][units] = _rounded(
                layer[units].ravel(), jacobian.reshape(len(value), -1), value - wanted
            ).reshape(-1, layer.shape[1])
    return replace(
        weights,
        weights=tuple(layer[:, :-1].astype(np.float32) for layer in layers),
        biases=tuple(layer[:, -1].astype(np.float32) for layer in layers),
        float16=True,
    )


def _rounded(numbers: FloatArray, jacobian: FloatArray, residual: FloatArray) -> FloatArray:
    """Give float16 numbers (P,) for which |residual + jacobian (result - numbers)| is small."""
    hessian = (jacobian.T @ jacobian).astype(np.float64)
    hessian[np.diag_indices_from(hessian)] += DAMPING * max(float(np.trace(hessian)) / len(numbers), 1e-30)
    upper = np.linalg.cholesky(hessian[::-1, ::-1])[::-1, ::-1]  # hessian = upper @ upper.T
    forward = solve_triangular(upper, jacobian.T.astype(np.float64) @ residual)
    free = numbers - solve_triangular(upper, forward, trans="T")
    factor = solve_triangular(upper, np.eye(len(free)))
    result: FloatArray = np.empty_like(free)
    for i in range(len(free)):
        result[i] = _half(free[i])
        free[i:] -= (free[i] - result[i]) / factor[i, i] * factor[i, i:]
    return result


def _half(values: Any) -> Any:
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16).astype(np.float32)


class _Network:
    """The value at fixed points, and how it answers to a layer."""

    def __init__(self, weights: NeuralWeights, points: FloatArray) -> None:
        self._points = points
        self._hidden, self._last = (
            weights.architecture.activation,
            weights.architecture.output_activation,
        )

    def value(self, layers: list[FloatArray]) -> FloatArray:
        return self.linearised(layers, len(layers) - 1)[0]

    def linearised(self, layers: list[FloatArray], chosen: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the value (N,), a layer's inputs (N, in + 1), and the value's slope by its sums (N, out)."""
        hidden, slopes = self._points, []
        for k, layer in enumerate(layers):
            extended = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
            if k == chosen:
                inputs = extended
            activation = self._hidden if k + 1 < len(layers) else self._last
            sums = extended @ layer.T
            hidden = VALUES[activation](sums)
            slopes.append(SLOPES[activation](sums))
        back = slopes[-1]
        for k in range(len(layers) - 1, chosen, -1):
            back = (back @ layers[k][:, :-1]) * slopes[k - 1]
        return hidden[:, 0], inputs, back
