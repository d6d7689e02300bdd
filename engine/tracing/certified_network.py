"""A network laid out for the certifying kernels: dense matrices and their magnitudes.

Widths are padded to multiples of eight with units that are zero and stay zero (a value of an activation at 0 that is not
zero meets zero weights only).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..protocol.weights import NeuralWeights
from .kernel_math import CODES


class CertifiedNetwork(NamedTuple):
    """What the kernels read; float32, C-contiguous, W the padded width, E the padded length of the encoded input."""

    hidden: np.ndarray  # (L, W, W): layer k acting on the units of layer k - 1; zeros for k = 0
    encoded: np.ndarray  # (L, W, E): layer k acting on the encoded input; zeros where it does not see it
    hidden_size: np.ndarray  # (L, W, W) magnitudes
    encoded_size: np.ndarray  # (L, W, E) magnitudes
    biases: np.ndarray  # (L, W)
    last: np.ndarray  # (1, W)
    last_bias: np.ndarray  # (1,)
    sees: np.ndarray  # (L,) int64: whether layer k sees the encoded input
    phases: np.ndarray  # (F, 4): 2 pi B over x, y, z, t
    inputs: np.ndarray  # (2,): number of inputs, time
    codes: np.ndarray  # (2,) int64: activation, output activation


def certified_network(weights: NeuralWeights, time: float = 0.0) -> CertifiedNetwork:
    """Lay a network out; `time` is the fourth input of one that has four."""
    arch = weights.architecture
    width, size, depth = _eight(arch.width), _eight(arch.encoded_size), arch.depth
    hidden = np.zeros((depth, width, width), np.float32)
    encoded = np.zeros((depth, width, size), np.float32)
    biases = np.zeros((depth, width), np.float32)
    sees = np.array([k == 0 or k in arch.skips for k in range(depth)], np.int64)
    for k in range(depth):
        matrix = weights.weights[k]
        own = 0 if k == 0 else arch.width
        hidden[k, : arch.width, :own] = matrix[:, :own]
        if sees[k]:
            encoded[k, : arch.width, : arch.encoded_size] = matrix[:, own:]
        biases[k, : arch.width] = weights.biases[k]
    last = np.zeros((1, width), np.float32)
    last[:, : arch.width] = weights.weights[depth]
    phases = np.zeros((arch.fourier_features, 4), np.float32)
    if weights.fourier_matrix is not None:
        phases[:, : arch.inputs] = 2.0 * np.pi * weights.fourier_matrix.astype(np.float64)
    return CertifiedNetwork(
        hidden,
        encoded,
        np.abs(hidden),
        np.abs(encoded),
        biases,
        last,
        weights.biases[depth].astype(np.float32),
        sees,
        phases,
        np.array([arch.inputs, time], np.float32),
        np.array([CODES[arch.activation], CODES[arch.output_activation]], np.int64),
    )


def _eight(count: int) -> int:
    return -(-count // 8) * 8
