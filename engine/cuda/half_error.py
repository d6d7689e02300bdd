"""How far a value from the matrix unit may be from the network's: what safe steps allow for.

A unit of the next layer is z = b + sum_j w_j h_j over n inputs. Both factors are split into two halves, x = high + low / 2048
with |x - high - low / 2048| <= 2^-22 |x|, since each half rounds to eleven digits; low times low, at most 2^-22 |w h|, is left
out. Products of halves are exact in float32. The unit adds 16 of them and the sum so far at once, cut off (not rounded) after
24 digits of the largest [Fasi 2021], so each addend loses at most 2^-23 of the largest and each of n / 16 results as much:

    |error of z| <= (3 * 2^-22 + (n + n / 16 + 4) 2^-23) (|b| + sum_j |w_j h_j|)  =:  d(z)        (4: bias, both sums' addition)

An activation in float32 is off by at most d(h) = 1e-6 max(1, |z|) (tested), the last layer, in float32 in any order, by
(n + 2) 2^-24 of its magnitudes, the rounded place by 2^-24 |x|. To first order the error of the value is each of these
times how much the value depends on it, which one pass backward gives:

    |error of f| <= sum over layers and units of |df/dz| d(z) + |df/dh| d(h)  =:  E(x)

What is of second order (units that change their slope within their error) is covered by MARGIN. The bound is derived at
each place; for the march it is taken at the centres of all cells that the surface may pass, so its maximum is *sampled*,
as the step grid's own `error` is. Bounding every layer by row norms instead, without the way the units depend on each
other, gives some hundred times the distance that a cell is wide: useless.

[Fasi 2021] M. Fasi et al., "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7, 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..network.activations import SLOPES, VALUES
from ..network.field import Field
from ..protocol.weights import NeuralWeights
from ..tracing.packed_grid import PackedGrid

FloatArray = npt.NDArray[np.floating[Any]]

MARGIN = 2.0
ACTIVATION_ERROR = 1e-6
MOST_PLACES = 4000  # looked at: neighbours differ by a few percent


def allowance(weights: NeuralWeights, grid: PackedGrid, time: float = 0.0) -> float:
    """Give what steps through the cells of a grid allow for a value's error."""
    where = np.argwhere(grid.cell >= 0)
    where = where[:: max(1, len(where) // MOST_PLACES)]
    centres = (2.0 / grid.cell.shape[0]) * (where + 0.5) - 1.0
    return MARGIN * float(half_error(weights, centres, time).max(initial=0.0)) + grid.error


def half_error(weights: NeuralWeights, points: FloatArray, time: float = 0.0) -> FloatArray:
    """Give the bound E (N,) at points (N, 3) in [-1, 1]^3."""
    parts = [_half_error(weights, points[k : k + 2000], time) for k in range(0, len(points), 2000)]
    joined: FloatArray = np.concatenate(parts) if parts else np.zeros(0)
    return joined


def row_norm_error(weights: NeuralWeights, points: FloatArray, time: float = 0.0) -> float:
    """Give the bound by row norms alone, the largest at points: what E is compared with."""
    befores, inputs, _ = _forward(weights, points, time)
    error = 0.0
    for k, matrix in enumerate(weights.weights):
        fresh = _layer_error(weights, k, inputs[k], befores[k]).max()
        steep = np.abs(SLOPES[_name(weights, k)](befores[k])).max()
        error = float((np.abs(matrix).sum(axis=1).max() * error + fresh) * steep + ACTIVATION_ERROR)
    return error


def _half_error(weights: NeuralWeights, points: FloatArray, time: float) -> FloatArray:
    befores, inputs, encoded = _forward(weights, points, time)
    depends = np.ones((len(points), 1))
    error = np.zeros(len(points))
    for k in range(len(weights.weights) - 1, -1, -1):
        before = befores[k]
        error += (np.abs(depends) * ACTIVATION_ERROR * np.maximum(1.0, np.abs(before))).sum(axis=1)
        depends = depends * SLOPES[_name(weights, k)](before)
        error += (np.abs(depends) * _layer_error(weights, k, inputs[k], before)).sum(axis=1)
        onward = depends @ weights.weights[k].astype(np.float64)
        if k == 0 or k in weights.architecture.skips:  # an encoded input is off by as much as an activation
            error += (np.abs(onward[:, -encoded:]) * ACTIVATION_ERROR).sum(axis=1)
        depends = onward if k == 0 else onward[:, : weights.architecture.width]
    slope = np.abs(Field(weights, time).gradient(points))
    total: FloatArray = error + (slope * 2.0**-24 * np.abs(points)).sum(axis=1)
    return total


def _layer_error(weights: NeuralWeights, k: int, inputs: FloatArray, before: FloatArray) -> FloatArray:
    matrix, bias = np.abs(weights.weights[k].astype(np.float64)), np.abs(weights.biases[k].astype(np.float64))
    fan_in = matrix.shape[1]
    if k == len(weights.weights) - 1:
        unit = (fan_in + 2) * 2.0**-24
    else:
        unit = 3.0 * 2.0**-22 + (fan_in + -(-fan_in // 16) + 4) * 2.0**-23
    error: FloatArray = unit * (np.abs(inputs) @ matrix.T + bias)
    return error


def _name(weights: NeuralWeights, k: int) -> str:
    arch = weights.architecture
    return arch.activation if k < arch.depth else arch.output_activation


def _forward(
    weights: NeuralWeights, points: FloatArray, time: float
) -> tuple[list[FloatArray], list[FloatArray], int]:
    """Give each layer's sums, each layer's inputs, and the size of the encoding."""
    arch = weights.architecture
    first: FloatArray = np.asarray(points, np.float64)
    if arch.inputs == 4:
        first = np.concatenate([first, np.full((len(first), 1), time)], axis=1)
    if weights.fourier_matrix is not None:
        phase = 2.0 * np.pi * first @ weights.fourier_matrix.astype(np.float64).T
        first = np.concatenate([first, np.sin(phase), np.cos(phase)], axis=1)
    hidden = first
    befores: list[FloatArray] = []
    inputs: list[FloatArray] = []
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        if k in arch.skips:
            hidden = np.concatenate([hidden, first], axis=1)
        inputs.append(hidden)
        befores.append(hidden @ matrix.T.astype(np.float64) + bias)
        hidden = VALUES[_name(weights, k)](befores[-1])
    return befores, inputs, int(first.shape[1])
