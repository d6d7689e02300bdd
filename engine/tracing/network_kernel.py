"""One network as flat arrays, and its evaluation in panels of points that stay in the first-level cache.

A panel goes through all layers before the next one begins: its two buffers are a few kilobytes, the weights come from the
second-level cache. The gradient goes backward through the layers, so it costs two evaluations, not four.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from ..protocol.weights import NeuralWeights
from .kernel_math import CODES, FAST, PIECEWISE_SLOPES, _cos, _sin, activate, f32, slopes, use_wide_vectors
from .simd_tile import PANEL, ROWS, affine_tile


class PackedNetwork(NamedTuple):
    """What the kernels read; every array is C-contiguous."""

    parameters: np.ndarray  # (P,) float32: tiles (`simd_tile`) of every layer
    transposed: np.ndarray  # (P',) float32: tiles of every layer's transpose, their biases zero
    layers: np.ndarray  # (L, 5) int64: outputs, inputs, offsets in both, whether it sees the encoding again
    encoding: np.ndarray  # (F, 4) float32, 2 pi B over x, y, z, t
    codes: np.ndarray  # (2,) int64: activation, output activation
    slopes: np.ndarray  # (2,) float32: what a tile does for them
    inputs: np.ndarray  # (2,) float32: number of inputs, time


class Scratch(NamedTuple):
    """Buffers of one thread. Offsets into one array, not arrays, change hands: Numba would count references to these."""

    panels: (
        np.ndarray
    )  # (4 * size,) float32: the encoded inputs, two that layers alternate between, and the way back
    tape: np.ndarray  # (L * size,) float32: slopes of each layer; empty without gradients
    size: int  # of a panel: rows * PANEL


def pack_network(weights: NeuralWeights, time: float = 0.0) -> PackedNetwork:
    """Lay a network out for the kernels; `time` is the fourth input of one that has four."""
    arch = weights.architecture
    forward, backward, layers = [], [], []
    at_forward = at_backward = 0
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        forward.append(_tiles(matrix, bias))
        backward.append(_tiles(matrix.T, np.zeros(matrix.shape[1], np.float32)))
        layers.append((*matrix.shape, at_forward, at_backward, int(k in arch.skips)))
        at_forward += forward[-1].size
        at_backward += backward[-1].size
    encoding = np.zeros((arch.fourier_features, 4), np.float32)
    if weights.fourier_matrix is not None:
        encoding[:, : arch.inputs] = 2.0 * np.pi * weights.fourier_matrix
    names = (arch.activation, arch.output_activation)
    return PackedNetwork(
        np.concatenate(forward),
        np.concatenate(backward),
        np.array(layers, np.int64),
        encoding,
        np.array([CODES[name] for name in names], np.int64),
        np.array([PIECEWISE_SLOPES.get(name, 1.0) for name in names], np.float32),
        np.array([arch.inputs, time], np.float32),
    )


def _tiles(matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Give the tiles of a layer, one after the other, as a flat array."""
    out, fan_in = matrix.shape
    num = -(-out // ROWS)
    padded = np.zeros((num * ROWS, 1 + fan_in), np.float32)
    padded[:out, 0], padded[:out, 1:] = bias, matrix
    tiles: np.ndarray = padded.reshape(num, ROWS, 1 + fan_in).transpose(0, 2, 1).ravel()
    return tiles


@nb.njit(cache=True, nogil=True)
def make_scratch(network: PackedNetwork, gradients: bool) -> Scratch:
    """Give the buffers that one thread needs."""
    layers = network.layers
    size = (max(layers[:, 0].max(), layers[:, 1].max()) + ROWS) * PANEL
    num_tapes = layers.shape[0] if gradients else 0
    return Scratch(np.zeros(4 * size, np.float32), np.zeros(num_tapes * size, np.float32), size)


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _encode(network: PackedNetwork, points: Any, start: int, count: int, first: Any) -> None:
    """Write the encoded inputs of `count` points (N, 3) from `start` on into a panel."""
    use_wide_vectors()
    inputs = int(network.inputs[0])
    for b in range(count):
        for axis in range(3):
            first[axis * PANEL + b] = points[start + b, axis]
    if inputs == 4:
        first[3 * PANEL : 4 * PANEL] = network.inputs[1]
    features = network.encoding.shape[0]
    for j in range(features):
        a0, a1, a2 = network.encoding[j, 0], network.encoding[j, 1], network.encoding[j, 2]
        shift = network.encoding[j, 3] * network.inputs[1]
        sine = first[(inputs + j) * PANEL : (inputs + j + 1) * PANEL]
        cosine = first[(inputs + features + j) * PANEL : (inputs + features + j + 1) * PANEL]
        for b in range(PANEL):
            phase = a0 * first[b] + a1 * first[PANEL + b] + a2 * first[2 * PANEL + b] + shift
            sine[b] = _sin(phase)
            cosine[b] = _cos(phase)


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy", inline="always")
def _affine(
    weights: Any, offset: int, rows: int, fan_in: int, panels: Any, source: int, target: int, tile_slope: Any
) -> None:
    """Write all outputs of a layer, tile by tile."""
    for j in range(0, rows, ROWS):
        at = offset + j * (1 + fan_in)
        affine_tile(weights, at, fan_in, panels, source, panels, target + j * PANEL, tile_slope)


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _forward(network: PackedNetwork, scratch: Scratch, taped: bool) -> int:
    """Take the encoded panel through all layers; the value's row begins at the offset given back."""
    use_wide_vectors()
    panels, size, layers = scratch.panels, scratch.size, network.layers
    source, target = 0, size
    last = layers.shape[0] - 1
    for k in range(last + 1):
        rows, fan_in, offset = layers[k, 0], layers[k, 1], layers[k, 2]
        if layers[k, 4]:
            before = layers[k - 1, 0] * PANEL
            for b in range(fan_in * PANEL - before):
                panels[source + before + b] = panels[b]
        kind = 1 if k == last else 0
        code, tile_slope = network.codes[kind], network.slopes[kind]
        if taped:
            _affine(network.parameters, offset, rows, fan_in, panels, source, target, f32(1.0))
            slopes(code, panels, target, rows * PANEL, scratch.tape, k * size)
            if tile_slope != f32(1.0):
                _bend(panels, target, rows * PANEL, tile_slope)
        else:
            _affine(network.parameters, offset, rows, fan_in, panels, source, target, tile_slope)
        if code > 2:
            activate(code, panels, target, rows * PANEL)
        source, target = target, (2 * size if k % 2 == 0 else size)
    return source


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _bend(panels: Any, start: int, count: int, tile_slope: Any) -> None:
    """Do what a tile does at its end."""
    use_wide_vectors()
    z = panels[start : start + count]
    for b in range(z.shape[0]):
        z[b] = max(z[b], tile_slope * z[b])


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _scale(panels: Any, start: int, count: int, tape: Any, at: int) -> None:
    use_wide_vectors()
    z, factor = panels[start : start + count], tape[at : at + count]
    for b in range(z.shape[0]):
        z[b] *= factor[b]


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _backward(network: PackedNetwork, scratch: Scratch) -> None:
    """Write the value's derivative by the encoded inputs into the fourth panel, after a taped `_forward`."""
    use_wide_vectors()
    panels, size, layers = scratch.panels, scratch.size, network.layers
    source, target = size, 2 * size
    encoded = layers[0, 1] * PANEL
    back = panels[3 * size : 3 * size + encoded]
    back[:] = f32(0.0)
    panels[source : source + PANEL] = f32(1.0)
    for step in range(layers.shape[0]):
        k = layers.shape[0] - 1 - step
        rows, fan_in, offset = layers[k, 0], layers[k, 1], layers[k, 3]
        _scale(panels, source, rows * PANEL, scratch.tape, k * size)
        _affine(network.transposed, offset, fan_in, rows, panels, source, target, f32(1.0))
        if k == 0 or layers[k, 4]:
            before = target + fan_in * PANEL - encoded
            for b in range(encoded):
                back[b] += panels[before + b]
        source, target = target, source


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _through_encoding(network: PackedNetwork, scratch: Scratch) -> Any:
    """Turn the derivative by the encoded inputs into the one by x, y, z: the first three rows (rows * PANEL,)."""
    inputs, features = int(network.inputs[0]), network.encoding.shape[0]
    first, back = scratch.panels, scratch.panels[3 * scratch.size :]
    for j in range(features):
        sine, cosine = (inputs + j) * PANEL, (inputs + features + j) * PANEL
        for axis in range(3):
            factor = network.encoding[j, axis]
            for b in range(PANEL):
                turned = back[sine + b] * first[cosine + b] - back[cosine + b] * first[sine + b]
                back[axis * PANEL + b] += factor * turned
    return back


@nb.njit(cache=True, nogil=True)
def evaluate(network: PackedNetwork, points: Any, num: int, values: Any, scratch: Scratch) -> None:
    """Write the values of the first `num` of points (N, 3) float32 in [-1, 1]^3."""
    use_wide_vectors()
    for start in range(0, num, PANEL):
        count = min(PANEL, num - start)
        _encode(network, points, start, count, scratch.panels)
        result = _forward(network, scratch, False)
        for b in range(count):
            values[start + b] = scratch.panels[result + b]


@nb.njit(cache=True, nogil=True)
def evaluate_points(network: PackedNetwork, points: Any, values: Any, gradients: Any) -> None:
    """Evaluate points (N, 3) float32 in [-1, 1]^3 into values (N,) and, unless empty, gradients (N, 3)."""
    use_wide_vectors()
    scratch = make_scratch(network, gradients.shape[0] > 0)
    if gradients.shape[0] == 0:
        evaluate(network, points, points.shape[0], values, scratch)
        return
    for start in range(0, points.shape[0], PANEL):
        count = min(PANEL, points.shape[0] - start)
        _encode(network, points, start, count, scratch.panels)
        result = _forward(network, scratch, True)
        for b in range(count):
            values[start + b] = scratch.panels[result + b]
        _backward(network, scratch)
        back = _through_encoding(network, scratch)
        for b in range(count):
            for axis in range(3):
                gradients[start + b, axis] = back[axis * PANEL + b]
