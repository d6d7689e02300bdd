"""One network as flat arrays, and its evaluation in blocks that stay in the first-level cache.

A block holds `width` rows of B points, so that every inner loop runs over points with unit stride. A layer is done
in tiles of four outputs by four inputs, which keeps the multiply-adds ahead of the loads. The gradient is carried
forward with the value: a block then has four column groups, the value and three tangents.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from ..protocol.weights import NeuralWeights
from .kernel_math import BLOCK, CODES, FAST, activate, f32, slope


class PackedNetwork(NamedTuple):
    """What the kernels read; every array is C-contiguous."""

    parameters: np.ndarray  # (P,) float32: matrix, then bias, layer by layer, padded to four rows and columns
    layers: (
        np.ndarray
    )  # (L, 4) int64: padded outputs, padded inputs, offset, whether it sees the encoding again
    encoding: np.ndarray  # (F, 4) float32, 2 pi B over x, y, z, t
    codes: np.ndarray  # (2,) int64: activation, output activation
    inputs: np.ndarray  # (2,) float32: number of inputs, time


def pack_network(weights: NeuralWeights, time: float = 0.0) -> PackedNetwork:
    """Lay a network out for the kernels."""
    arch = weights.architecture
    chunks, layers, offset = [], [], 0
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        out, fan_in = matrix.shape
        padded = np.zeros((_four(out), _four_inputs(fan_in, arch.width, k in arch.skips)), np.float32)
        if k in arch.skips:  # the encoding begins at a multiple of four
            padded[:out, : arch.width] = matrix[:, : arch.width]
            padded[:out, _four(arch.width) : _four(arch.width) + arch.encoded_size] = matrix[:, arch.width :]
        else:
            padded[:out, :fan_in] = matrix
        padded_bias = np.zeros(len(padded), np.float32)
        padded_bias[:out] = bias
        layers.append((*padded.shape, offset, int(k in arch.skips)))
        chunks += [padded.ravel(), padded_bias]
        offset += padded.size + padded_bias.size
    encoding = np.zeros((arch.fourier_features, 4), np.float32)
    if weights.fourier_matrix is not None:
        encoding[:, : arch.inputs] = 2.0 * np.pi * weights.fourier_matrix
    return PackedNetwork(
        np.concatenate(chunks),
        np.array(layers, np.int64),
        encoding,
        np.array([CODES[arch.activation], CODES[arch.output_activation]], np.int64),
        np.array([arch.inputs, time], np.float32),
    )


def _four(count: int) -> int:
    return -(-count // 4) * 4


def _four_inputs(fan_in: int, width: int, skip: bool) -> int:
    return _four(width) + _four(fan_in - width) if skip else _four(fan_in)


@nb.njit(cache=True, nogil=True)
def scratch_rows(network: PackedNetwork) -> int:
    """Count the rows that a block of this network needs."""
    return int(max(network.layers[:, 0].max(), network.layers[:, 1].max()))


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _encode(network: PackedNetwork, points: Any, count: int, tangents: bool, first: Any) -> None:
    """Write the encoded inputs of points (BLOCK, 3) into first (rows, 4, BLOCK)."""
    inputs = int(network.inputs[0])
    first[:, : 4 if tangents else 1] = f32(0.0)
    for b in range(count):
        for axis in range(3):
            first[axis, 0, b] = points[b, axis]
            if tangents:
                first[axis, axis + 1, b] = f32(1.0)
        if inputs == 4:
            first[3, 0, b] = network.inputs[1]
    features = network.encoding.shape[0]
    for j in range(features):
        row = network.encoding[j]
        for b in range(count):
            phase = row[0] * points[b, 0] + row[1] * points[b, 1] + row[2] * points[b, 2]
            if inputs == 4:
                phase += row[3] * network.inputs[1]
            sine, cosine = np.sin(phase), np.cos(phase)
            first[inputs + j, 0, b] = sine
            first[inputs + features + j, 0, b] = cosine
            if tangents:
                for axis in range(3):
                    first[inputs + j, axis + 1, b] = row[axis] * cosine
                    first[inputs + features + j, axis + 1, b] = -row[axis] * sine


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _affine(parameters: Any, offset: int, rows: int, fan_in: int, h: Any, out: Any, groups: int) -> None:
    """out = matrix (rows, fan_in) @ h, group by group; the bias goes to the first group, the values."""
    bias = offset + rows * fan_in
    for g in range(groups):
        share = f32(1.0) if g == 0 else f32(0.0)
        for j in range(0, rows, 4):
            o0, o1, o2, o3 = out[j, g], out[j + 1, g], out[j + 2, g], out[j + 3, g]
            b0, b1 = share * parameters[bias + j], share * parameters[bias + j + 1]
            b2, b3 = share * parameters[bias + j + 2], share * parameters[bias + j + 3]
            for b in range(BLOCK):
                o0[b] = b0
                o1[b] = b1
                o2[b] = b2
                o3[b] = b3
            for i in range(0, fan_in, 4):
                p = offset + j * fan_in + i
                a0, a1, a2, a3 = parameters[p], parameters[p + 1], parameters[p + 2], parameters[p + 3]
                p += fan_in
                c0, c1, c2, c3 = parameters[p], parameters[p + 1], parameters[p + 2], parameters[p + 3]
                p += fan_in
                d0, d1, d2, d3 = parameters[p], parameters[p + 1], parameters[p + 2], parameters[p + 3]
                p += fan_in
                e0, e1, e2, e3 = parameters[p], parameters[p + 1], parameters[p + 2], parameters[p + 3]
                h0, h1, h2, h3 = h[i, g], h[i + 1, g], h[i + 2, g], h[i + 3, g]
                for b in range(BLOCK):
                    x0, x1, x2, x3 = h0[b], h1[b], h2[b], h3[b]
                    o0[b] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                    o1[b] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                    o2[b] += d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3
                    o3[b] += e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _turn_tangents(code: int, z: Any, rows: int) -> None:
    """Multiply the tangents of z by the activation's slope at its values."""
    for i in range(rows):
        value, x, y, w = z[i, 0], z[i, 1], z[i, 2], z[i, 3]
        for b in range(BLOCK):
            s = slope(code, value[b])
            x[b] *= s
            y[b] *= s
            w[b] *= s


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def evaluate_block(
    network: PackedNetwork, points: Any, count: int, tangents: bool, first: Any, left: Any, right: Any
) -> Any:
    """Evaluate up to BLOCK points (BLOCK, 3) float32 in [-1, 1]^3.

    Args:
        network: The network.
        points: Positions; only the first `count` matter.
        count: How many.
        tangents: Whether the gradient is wanted.
        first: Scratch (scratch_rows, 4, BLOCK) float32, as are `left` and `right`.
        left: Scratch.
        right: Scratch.

    Returns:
        Results (4, BLOCK): values, then the gradient's x, y and z.
    """
    groups = 4 if tangents else 1
    _encode(network, points, count, tangents, first)
    last = network.layers.shape[0] - 1
    for k in range(last + 1):
        rows, fan_in, offset = network.layers[k, 0], network.layers[k, 1], network.layers[k, 2]
        source = first if k == 0 else (left if k % 2 == 1 else right)
        target = left if k % 2 == 0 else right
        if network.layers[k, 3]:
            before = network.layers[k - 1, 0]
            for i in range(fan_in - before):
                source[before + i, :groups] = first[i, :groups]
        _affine(network.parameters, offset, rows, fan_in, source, target, groups)
        code = network.codes[1 if k == last else 0]
        if tangents:
            _turn_tangents(code, target, rows)
        for i in range(rows):
            activate(code, target[i, 0])
    return (left if last % 2 == 0 else right)[0]


@nb.njit(cache=True, nogil=True)
def evaluate_points(network: PackedNetwork, points: Any, values: Any, gradients: Any) -> None:
    """Evaluate points (N, 3) float32 in [-1, 1]^3 into values (N,) and, unless empty, gradients (N, 3)."""
    rows = scratch_rows(network)
    first = np.empty((rows, 4, BLOCK), np.float32)
    left = np.empty((rows, 4, BLOCK), np.float32)
    right = np.empty((rows, 4, BLOCK), np.float32)
    tangents = gradients.shape[0] > 0
    for start in range(0, points.shape[0], BLOCK):
        count = min(BLOCK, points.shape[0] - start)
        result = evaluate_block(network, points[start:], count, tangents, first, left, right)
        for b in range(count):
            values[start + b] = result[0, b]
            if tangents:
                for axis in range(3):
                    gradients[start + b, axis] = result[axis + 1, b]
