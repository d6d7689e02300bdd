"""A network as the arrays that the kernels read: float32 tiles, and fragments of the matrix unit.

`network.cuh` and `half_network.cuh` say how the arrays are laid out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import Architecture, NeuralWeights
from .layouts import MOST_DEPTH, TILE_ROWS, WIDTHS

FloatArray = npt.NDArray[np.floating[Any]]
WordArray = npt.NDArray[np.uint32]

ACTIVATION_CODES = {
    name: code
    for code, name in enumerate(
        (
            *("none", "relu", "leaky_relu", "elu", "softplus", "tanh"),
            *("sigmoid", "sine", "silu", "gelu", "hard_gelu"),
        )
    )
}
HALF_SCALE = 2048.0  # of the second half of a number, so that it keeps eleven digits


def unfit(architecture: Architecture) -> str | None:
    """Say why the kernels cannot evaluate a network; None: they can."""
    if architecture.width > WIDTHS[-1]:
        return f"it is {architecture.width} units wide and the CUDA kernels go to {WIDTHS[-1]}"
    if architecture.depth > MOST_DEPTH:
        return f"it has {architecture.depth} layers and the CUDA kernels go to {MOST_DEPTH}"
    return None


def kernel_width(architecture: Architecture) -> int:
    """Give the narrowest instance of the kernels that holds a network."""
    return next(width for width in WIDTHS if width >= architecture.width)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkData:
    """Arrays of one network."""

    parameters: npt.NDArray[np.float32]  # flat
    encoding: npt.NDArray[np.float32]  # (F, 4)
    fragments: WordArray  # flat
    fragment_biases: npt.NDArray[np.float32]  # (depth, kernel width)
    numbers: dict[str, Any]  # of the struct `Network`, but for the addresses
    width: int  # of the kernels' instance


def network_data(weights: NeuralWeights, time: float = 0.0) -> NetworkData:
    """Lay a network out; `time` is the fourth input of one that has four."""
    arch = weights.architecture
    width = kernel_width(arch)
    encoding = np.zeros((arch.fourier_features, 4), np.float32)
    if weights.fourier_matrix is not None:
        encoding[:, : arch.inputs] = 2.0 * np.pi * weights.fourier_matrix
    layers = list(zip(weights.weights, weights.biases))
    parameters = np.concatenate(
        [_tiles(*layer, TILE_ROWS) for layer in layers[:-1]] + [_tiles(*layers[-1], 1)]
    )
    fragments = _fragments(weights, width)
    biases = np.zeros((arch.depth, width), np.float32)
    for k, bias in enumerate(weights.biases[:-1]):
        biases[k, : len(bias)] = bias
    numbers = {
        "skips": sum(1 << k for k in arch.skips),
        "inputs": arch.inputs,
        "features": arch.fourier_features,
        "encoded": arch.encoded_size,
        "width": arch.width,
        "depth": arch.depth,
        "activation": ACTIVATION_CODES[arch.activation],
        "output_activation": ACTIVATION_CODES[arch.output_activation],
        "num_parameters": len(parameters),
        "num_fragments": len(fragments),
        "time": time,
    }
    return NetworkData(parameters, encoding, fragments, biases, numbers, width)


def scratch_floats(arch: Architecture, channels: int) -> int:
    """Give the floats of scratch that one point needs; 1 channel for values, 4 with gradients."""
    return channels * (arch.encoded_size + 2 * (-(-arch.width // TILE_ROWS) * TILE_ROWS))


def _tiles(matrix: FloatArray, bias: FloatArray, rows: int) -> npt.NDArray[np.float32]:
    """Give the tiles of a layer, flat."""
    out, fan_in = matrix.shape
    num = -(-out // rows)
    whole = np.zeros((num * rows, 1 + fan_in), np.float32)
    whole[:out, 0], whole[:out, 1:] = bias, matrix
    tiles: npt.NDArray[np.float32] = whole.reshape(num, rows, 1 + fan_in).transpose(0, 2, 1).ravel()
    return tiles


def _fragments(weights: NeuralWeights, width: int) -> WordArray:
    """Give the words of all hidden layers, then the last layer as floats."""
    arch = weights.architecture
    encoded = -(-arch.encoded_size // 16) * 16
    parts = []
    for k, matrix in enumerate(weights.weights[:-1]):
        hidden = 0 if k == 0 else arch.width
        wide = np.zeros((width, (0 if k == 0 else width) + (encoded if k == 0 or k in arch.skips else 0)))
        wide[: arch.width, :hidden] = matrix[:, :hidden]
        rest = matrix[:, hidden:]
        begin = 0 if k == 0 else width
        wide[: arch.width, begin : begin + rest.shape[1]] = rest
        parts.append(_layer_fragments(wide.astype(np.float32)))
    last = np.zeros(width + 16, np.float32)
    last[: arch.width], last[width] = weights.weights[-1][0], weights.biases[-1][0]
    return np.concatenate([*parts, last.view(np.uint32)])


def _layer_fragments(matrix: npt.NDArray[np.float32]) -> WordArray:
    """Give the words of a matrix (units, inputs), both multiples of 16: pairs of column tiles, then inputs, then lanes."""
    with np.errstate(over="ignore", invalid="ignore"):
        high = matrix.astype(np.float16)
        low = ((matrix - high.astype(np.float32)) * np.float32(HALF_SCALE)).astype(np.float16)
    lane = np.arange(32)
    unit, place = lane // 4, 2 * (lane % 4)
    units = np.arange(0, matrix.shape[0], 8).reshape(-1, 2)  # (pairs, 2)
    inputs = np.arange(0, matrix.shape[1], 16)
    row = units[:, None, :, None] + unit  # (pairs, 1, 2, 32)
    words = []
    for part in (high, low):
        bits = part.view(np.uint16).astype(np.uint32)
        for shift in (0, 8):
            column = inputs[None, :, None, None] + place + shift
            words.append(bits[row, column] | bits[row, column + 1] << 16)
    stacked: WordArray = np.stack(words, axis=-1).astype(np.uint32).ravel()  # h0, h1, l0, l1 of each lane
    return stacked
