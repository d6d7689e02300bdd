"""SOAP in Numba for the CPU: one layer's update out of register tiles, so that layers can be done in parallel.

It is `optimizer.Soap`, its reference, operation for operation. Arrays are flat, layer after layer: (rows, columns) with
both multiples of `LANES`. The bases of the columns are (rows + 1, rows + 1) in the corner of a (columns, columns) array,
since only the bias column stands beyond the rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ..network.vector_tile import LANES, TILE_ROWS, multiply_tile
from .fused_activations import OPTIONS


class SoapState(NamedTuple):
    """What the optimiser keeps of K layers; C is rows + LANES."""

    parameters: np.ndarray  # (K, rows, C) float32, as everything here
    mask: np.ndarray  # (K, rows, C): 0 where a parameter is padding
    mean: np.ndarray  # (K, rows, C), of the gradient
    square: np.ndarray  # (K, rows, C), of the turned gradient
    left_product: np.ndarray  # (K, rows, rows)
    right_product: np.ndarray  # (K, C, C)
    left: np.ndarray  # (K, rows, rows), columns are the basis
    right: np.ndarray  # (K, C, C)


@njit(**OPTIONS)
def _product(a: Any, a_row: Any, a_step: Any, b: Any, c: Any, shape: Any, count: Any) -> None:
    """C (rows, columns) = A B; A[r, k] is `a[r * a_row + k * a_step]`, B is (count, columns), all flat."""
    rows, columns = shape
    zeros = np.zeros(LANES, np.float32)
    for r in range(0, rows, TILE_ROWS):
        for j in range(0, columns, LANES):
            multiply_tile(
                a, r * a_row, a_row, a_step, b, j, columns, zeros, 0, 0, c, r * columns + j, columns, count
            )


@njit(**OPTIONS)
def _blend(average: Any, latest: Any, share: Any) -> None:
    for q in range(len(average)):
        average[q] += share * (latest[q] - average[q])


@njit(**OPTIONS)
def _transpose(x: Any, rows: Any, columns: Any, out: Any) -> None:
    for r in range(rows):
        for c in range(columns):
            out[c * rows + r] = x[r * columns + c]


@njit(**OPTIONS)
def gather_products(state: Any, part: Any, gradient: Any, share: Any) -> None:
    """Blend G G^T and G^T G of the layers part[0] <= k < part[1] into their running averages."""
    rows, columns = gradient.shape[1], gradient.shape[2]
    transposed = np.empty(rows * columns, np.float32)
    product = np.empty(columns * columns, np.float32)
    for k in range(part[0], part[1]):
        mine = gradient[k].reshape(-1)
        _transpose(mine, rows, columns, transposed)
        _product(mine, columns, 1, transposed, product, (rows, rows), rows + 1)
        _blend(state.left_product[k].reshape(-1), product, share)
        _product(mine, 1, columns, mine, product, (columns, columns), rows)
        _blend(state.right_product[k].reshape(-1), product, share)


@njit(**OPTIONS)
def _turn(x: Any, rows: Any, left: Any, right: Any, between: Any, out: Any) -> None:
    """Out = left^T x right."""
    columns = rows + LANES
    _product(left, 1, rows, x, between, (rows, columns), rows)
    _product(between, columns, 1, right, out, (rows, columns), rows + 1)


@njit(**OPTIONS)
def update_layers(state: Any, part: Any, gradient: Any, constants: Any) -> None:
    """Move the parameters of some layers; `constants` are momentum, second momentum, their corrections, epsilon, rate."""
    momentum, second, mean_scale, square_scale, epsilon, rate = constants
    rows, columns = gradient.shape[1], gradient.shape[2]
    size = rows * columns
    between, turned, back = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(columns * columns, np.float32),
    )
    for k in range(part[0], part[1]):
        left, right = state.left[k].reshape(-1), state.right[k].reshape(-1)
        mine, mean, square = gradient[k].reshape(-1), state.mean[k].reshape(-1), state.square[k].reshape(-1)
        _blend(mean, mine, np.float32(1.0) - momentum)
        _turn(mine, rows, left, right, between, turned)
        for q in range(size):
            turned[q] *= turned[q]
        _blend(square, turned, np.float32(1.0) - second)
        _turn(mean, rows, left, right, between, turned)
        for q in range(size):
            turned[q] = turned[q] * mean_scale / (np.sqrt(square[q] * square_scale) + epsilon)
        _transpose(right, columns, columns, back)
        _product(left, rows, 1, turned, between, (rows, columns), rows)
        _product(between, columns, 1, back, turned, (rows, columns), rows + 1)
        parameters, mask = state.parameters[k].reshape(-1), state.mask[k].reshape(-1)
        for q in range(size):
            parameters[q] -= rate * turned[q] * mask[q]


@njit(**OPTIONS)
def _turn_basis(product: Any, basis: Any, size: Any) -> Any:
    """Turn a basis (size, size) in the corner of a square array by one orthogonal iteration; give its old order."""
    corner = np.ascontiguousarray(product[:size, :size])
    old = np.ascontiguousarray(basis[:size, :size])
    strength = (old * np.dot(corner, old)).sum(axis=0)
    order = np.argsort(-strength, kind="mergesort")
    ordered = np.ascontiguousarray(old[:, order])
    basis[:size, :size] = np.linalg.qr(np.dot(corner, ordered))[0]
    return order


@njit(**OPTIONS)
def turn_bases(state: Any, part: Any) -> None:
    """Turn the bases of some layers, and sort their squares as the bases were sorted."""
    rows = state.square.shape[1]
    for k in range(part[0], part[1]):
        rows_order = _turn_basis(state.left_product[k], state.left[k], rows)
        columns_order = _turn_basis(state.right_product[k], state.right[k], rows + 1)
        old = state.square[k].copy()
        for r in range(rows):
            for c in range(rows + 1):
                state.square[k, r, c] = old[rows_order[r], columns_order[c]]
