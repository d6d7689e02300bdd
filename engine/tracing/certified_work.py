"""Scratch of the certifying kernels, and their two products of matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from ..network.vector_tile import LANES, TILE_ROWS, multiply_tile
from .certified_activations import CELLS, ROWS
from .certified_network import CertifiedNetwork

PARTS = 10  # of an expansion: value; x, y, z; xx, yy, zz, xy, xz, yz
UNIT = 6.0e-8  # a little over 2^-24
SLACK = 1.001  # on sums of up to 8,000 magnitudes


class Work(NamedTuple):
    """Scratch of one thread; W units, E encoded inputs, L layers, S sources."""

    encoded: np.ndarray  # (E, PARTS * CELLS)
    h: np.ndarray  # (W, PARTS * CELLS)
    z: np.ndarray  # (W, PARTS * CELLS)
    sigma: np.ndarray  # (S, CELLS)
    layers: np.ndarray  # (L, W, 5 * CELLS): slope, remainder, change of slope, change beyond the expansion, v
    jacobian: np.ndarray  # (L, W, 3 * CELLS)
    sizes: np.ndarray  # (3, max(W, E), CELLS): magnitudes of units, of encoded inputs; e
    encoded_error: np.ndarray  # (3, E, CELLS): of the expansion, change of slope, change beyond the expansion
    unit: np.ndarray  # (ROWS * CELLS,): a unit on its way through its activation
    propagator: np.ndarray  # (2, W, S)
    reach: np.ndarray  # (L, W, S): |P|
    slopes: np.ndarray  # (L, W): of the reference
    rows: np.ndarray  # (4, max(W, E), CELLS): of the way back
    back: np.ndarray  # (L, 3, W, CELLS): d f / d h; bound on its change; sources of that change


@nb.njit(cache=True, nogil=True)
def make_work(net: CertifiedNetwork) -> Work:
    """Give scratch for one thread."""
    depth, width, size = net.encoded.shape
    sources, tall = (size + depth * width + LANES - 1) // LANES * LANES, max(width, size)
    return Work(
        np.zeros((size, PARTS * CELLS), np.float32),
        np.zeros((width, PARTS * CELLS), np.float32),
        np.zeros((width, PARTS * CELLS), np.float32),
        np.zeros((sources, CELLS), np.float32),
        np.zeros((depth, width, 5 * CELLS), np.float32),
        np.zeros((depth, width, 3 * CELLS), np.float32),
        np.zeros((3, tall, CELLS), np.float32),
        np.zeros((3, size, CELLS), np.float32),
        np.zeros(ROWS * CELLS, np.float32),
        np.zeros((2, width, sources), np.float32),
        np.zeros((depth, width, sources), np.float32),
        np.zeros((depth, width), np.float32),
        np.zeros((4, tall, CELLS), np.float32),
        np.zeros((depth, 3, width, CELLS), np.float32),
    )


@nb.njit(cache=True, nogil=True)
def multiply(matrix: Any, x: Any, out: Any, columns: int, fan_in: int) -> None:
    """out (rows, columns) += matrix (rows, fan_in) @ x (fan_in, columns); all C-contiguous.

    Rows are a multiple of eight, and `columns` is rounded up to whole vectors.
    """
    if fan_in == 0:
        return
    width, stride, pitch = matrix.shape[1], x.shape[1], out.shape[1]
    for c in range(0, columns, LANES):
        for j in range(0, matrix.shape[0], TILE_ROWS):
            at = j * pitch + c
            multiply_tile(matrix, j * width, width, 1, x, c, stride, out, at, pitch, out, at, pitch, fan_in)


@nb.njit(cache=True, nogil=True)
def multiply_back(matrix: Any, first: int, rows: int, x: Any, out: Any, columns: int) -> None:
    """out (rows, columns) += matrix[:, first : first + rows].T @ x; see `multiply`."""
    width, fan_in, stride, pitch = matrix.shape[1], matrix.shape[0], x.shape[1], out.shape[1]
    for c in range(0, columns, LANES):
        for j in range(0, rows, TILE_ROWS):
            at = j * pitch + c
            multiply_tile(matrix, first + j, 1, width, x, c, stride, out, at, pitch, out, at, pitch, fan_in)
