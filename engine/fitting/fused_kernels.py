"""Numba kernels of the fused step: one block of points through all layers and back.

Arrays of a block are flat, point after point: (BLOCK, rows) with `rows` a multiple of `LANES`, so that every product is
made of register tiles. Parameters are flat too, (depth + 1, rows, columns) with `columns = rows + LANES`: the bias is in
column `rows`, and zeros fill the rest. A sample is what the first layer sees, its distance and its weight. Reference: `torch_network.torch_step`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ..network.vector_tile import LANES, TILE_ROWS, multiply_tile
from .fused_activations import OPTIONS, activate

BLOCK = 64  # points; the values and slopes of 8 layers of 32 are 130 kB
LOSS_CODES = {"l1": 0, "l2": 1, "clamped": 2}


@njit(**OPTIONS)
def _forward(x: Any, stride: Any, fan_in: Any, matrix: Any, at: Any, bias: Any, rows: Any, z: Any) -> None:
    """Z (BLOCK, rows) = X (BLOCK, fan_in) times the transposed matrix (fan_in, rows) at `at`, and a bias (rows,)."""
    for o in range(0, rows, LANES):
        for p in range(0, BLOCK, TILE_ROWS):
            multiply_tile(
                x, p * stride, stride, 1, matrix, at + o, rows, bias, o, 0, z, p * rows + o, rows, fan_in
            )


@njit(**OPTIONS)
def _add_outer(slope: Any, rows: Any, x: Any, stride: Any, fan_in: Any, gradient: Any, at: Any) -> None:
    """Gradient (rows, columns) at `at` += slope^T x, and its bias column += the sum of slope."""
    columns = rows + LANES
    for o in range(0, rows, TILE_ROWS):
        for i in range(0, fan_in, LANES):
            place = at + o * columns + i
            multiply_tile(
                slope, o, 1, rows, x, i, stride, gradient, place, columns, gradient, place, columns, BLOCK
            )
    total = np.zeros(rows, np.float32)
    for p in range(BLOCK):
        for o in range(rows):
            total[o] += slope[p * rows + o]
    for o in range(rows):
        gradient[at + o * columns + rows] += total[o]


@njit(**OPTIONS)
def _backward(slope: Any, rows: Any, parameters: Any, at: Any, zeros: Any, out: Any) -> None:
    """Out (BLOCK, rows) = slope (BLOCK, rows) times the matrix (rows, rows) at `at`."""
    columns = rows + LANES
    for i in range(0, rows, LANES):
        for p in range(0, BLOCK, TILE_ROWS):
            place = p * rows + i
            multiply_tile(
                slope, p * rows, rows, 1, parameters, at + i, columns, zeros, 0, 0, out, place, rows, rows
            )


@njit(inline="always", **OPTIONS)
def _loss(kind: Any, value: Any, distance: Any, limits: Any) -> Any:
    """Give the loss of one value and its slope; `limits` are clamp, start and weight of the tail."""
    if kind == 2:
        bound = limits[0]
        clamped = min(max(value, -bound), bound)
        error = clamped - min(max(distance, -bound), bound)
        inside = np.float32(1.0) if clamped == value else np.float32(0.0)
        return abs(error), inside if error > np.float32(0.0) else -inside
    error = value - distance
    if kind == 1:
        return error * error, np.float32(2.0) * error
    over = max(abs(error) - limits[1], np.float32(0.0))
    steep = np.float32(1.0) + limits[2] * over
    loss = abs(error) + np.float32(0.5) * limits[2] * over * over
    return loss, steep if error > np.float32(0.0) else -steep


@njit(**OPTIONS)
def _output(h: Any, weights: Any, bias: Any, samples: Any, codes: Any, limits: Any, output: Any) -> Any:
    """Set `output` (BLOCK,) to the loss's slope, zero beyond the samples; give the sum of the loss."""
    rows, total, inputs = len(h) // BLOCK, 0.0, samples.shape[1] - 2
    output[:] = np.float32(0.0)
    for p in range(len(samples)):
        value = bias
        for o in range(rows):
            value += weights[o] * h[p * rows + o]
        squashed = np.float32(np.tanh(value)) if codes[2] else value
        loss, slope = _loss(codes[1], squashed, samples[p, inputs], limits)
        if codes[2]:
            slope *= np.float32(1.0) - squashed * squashed
        total += loss * samples[p, inputs + 1]
        output[p] = slope * samples[p, inputs + 1]
    return total


@njit(**OPTIONS)
def _through_output(output: Any, weights: Any, h: Any, d: Any, rows: Any, slope: Any, gradient: Any) -> None:
    """Set `slope` to what the output's slope is before the last activation; add the last layer's gradient."""
    for p in range(BLOCK):
        gradient[rows] += output[p]
        for o in range(rows):
            gradient[o] += output[p] * h[p * rows + o]
            slope[p * rows + o] = output[p] * weights[o] * d[p * rows + o]


@njit(**OPTIONS)
def _stride(samples: Any) -> Any:
    """Give the numbers between two points of the first layer's inputs: whole vectors."""
    return LANES * ((samples.shape[1] - 2 + LANES - 1) // LANES)


@njit(**OPTIONS)
def _hidden_layers(
    samples: Any, transposed: Any, biases: Any, rows: Any, code: Any, first: Any, z: Any, h: Any, d: Any
) -> None:
    """Set the values h[k + 1] and slopes d[k] of every hidden layer at up to BLOCK samples."""
    inputs, stride = samples.shape[1] - 2, len(first) // BLOCK
    for p in range(BLOCK):
        for axis in range(inputs):
            first[p * stride + axis] = samples[min(p, len(samples) - 1), axis]
    _forward(first, stride, inputs, transposed, 0, biases[0], rows, z)
    activate(code, z, h[1], d[0])
    for k in range(1, len(d)):
        _forward(h[k], rows, rows, transposed, k * rows * rows, biases[k], rows, z)
        activate(code, z, h[k + 1], d[k])


@njit(**OPTIONS)
def block_errors(
    parameters: Any, transposed: Any, biases: Any, rows: Any, samples: Any, codes: Any, errors: Any
) -> None:
    """Set |f - d| (N,) at samples (N, inputs + 2); the arguments are those of `block_gradients`."""
    depth, inputs = len(biases) - 1, samples.shape[1] - 2
    h, d = np.empty((depth + 1, BLOCK * rows), np.float32), np.empty((depth, BLOCK * rows), np.float32)
    first, z = np.zeros(BLOCK * _stride(samples), np.float32), np.empty(BLOCK * rows, np.float32)
    last = depth * rows * (rows + LANES)
    for start in range(0, len(samples), BLOCK):
        rest = samples[start : start + BLOCK]
        _hidden_layers(rest, transposed, biases, rows, codes[0], first, z, h, d)
        for p in range(len(rest)):
            value = biases[depth, 0]
            for o in range(rows):
                value += parameters[last + o] * h[depth, p * rows + o]
            squashed = np.float32(np.tanh(value)) if codes[2] else value
            errors[start + p] = abs(squashed - rest[p, inputs])


@njit(**OPTIONS)
def block_gradients(
    parameters: Any,
    transposed: Any,
    biases: Any,
    depth: Any,
    rows: Any,
    samples: Any,
    codes: Any,
    limits: Any,
    gradient: Any,
) -> Any:
    """Add up the loss and its gradient over samples; give the weighted sum of the loss.

    Args:
        parameters: Flat (depth + 1, rows, columns).
        transposed: Flat (depth + 1, rows in, rows out): the matrices once more.
        biases: (depth + 1, rows).
        depth: Hidden layers.
        rows: Padded width.
        samples: (N, inputs + 2): the encoded place, distance, weight.
        codes: Activation, loss, whether the output passes through tanh.
        limits: Of the loss, see `_loss`.
        gradient: Flat, of the parameters' shape; added to.
    """
    h, d = np.empty((depth + 1, BLOCK * rows), np.float32), np.empty((depth, BLOCK * rows), np.float32)
    first, z = np.zeros(BLOCK * _stride(samples), np.float32), np.empty(BLOCK * rows, np.float32)
    slope, output = np.empty(BLOCK * rows, np.float32), np.empty(BLOCK, np.float32)
    zeros = np.zeros(LANES, np.float32)
    size, last, stride = rows * (rows + LANES), depth * rows * (rows + LANES), _stride(samples)
    total = 0.0
    for start in range(0, len(samples), BLOCK):
        count = min(BLOCK, len(samples) - start)
        rest = samples[start : start + count]
        _hidden_layers(rest, transposed, biases, rows, codes[0], first, z, h, d)
        total += _output(h[depth], parameters[last:], biases[depth, 0], rest, codes, limits, output)
        _through_output(output, parameters[last:], h[depth], d[depth - 1], rows, slope, gradient[last:])
        for k in range(depth - 1, 0, -1):
            _add_outer(slope, rows, h[k], rows, rows, gradient, k * size)
            _backward(slope, rows, parameters, k * size, zeros, z)
            for q in range(BLOCK * rows):
                slope[q] = z[q] * d[k - 1, q]
        _add_outer(slope, rows, first, stride, stride, gradient, 0)
    return total
