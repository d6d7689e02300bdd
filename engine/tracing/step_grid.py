"""The grid that steps rely on: which cells of [-1, 1]^3 the surface may reach, and how steep the field is in them.

Both are *sampled* here: the field at the corners and the centre of every cell, and the gradient at those of the cells near
the surface, with a margin. `certified_grid` proves them; whoever uses one says which it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .packed_grid import PackedGrid

FloatArray = npt.NDArray[np.floating[Any]]
Evaluate = Callable[[FloatArray], FloatArray]

RESOLUTION = 64  # cells a side
COVERING_RADIUS = 0.559017  # sqrt(5) / 4 cells: no point is farther from a corner or a centre of the lattice
MARGIN = 0.6  # of the range of gradients seen in a cell, on both sides of it
RELATIVE_MARGIN = 0.05  # of the steepest one
STEEPEST_MARGIN = 1.4  # on the steepest gradient seen anywhere
NUM_PROBES = 20_000  # for the steepest gradient anywhere
SMALLEST_LIPSCHITZ = 0.05  # a constant field has no slope, and a step needs a bound


def sampled_step_grid(value: Evaluate, gradient: Evaluate, resolution: int = RESOLUTION) -> PackedGrid:
    """Build the grid from samples.

    Args:
        value: Signed distance (N,) at points (N, 3) float32.
        gradient: Gradient (N, 3) at points (N, 3) float32.
        resolution: Cells a side.
    """
    size = 2.0 / resolution
    corners, centres = _lattice(resolution + 1, -1.0, size), _lattice(resolution, -1.0 + 0.5 * size, size)
    smallest, changes = _look(value(corners), value(centres), resolution)
    probes = np.random.default_rng(0).uniform(-1.0, 1.0, (NUM_PROBES, 3)).astype(np.float32)
    steepest = STEEPEST_MARGIN * max(_steepness(gradient(probes)).max(), SMALLEST_LIPSCHITZ)
    near = changes | (smallest <= steepest * COVERING_RADIUS * size)
    low, high = _gradients_nearby(gradient, centres, near, size)
    lipschitz = np.linalg.norm(np.maximum(-low, high), axis=-1)
    reachable = changes | (near & (smallest <= lipschitz * COVERING_RADIUS * size))
    return packed_grid(reachable, np.concatenate([low, high], axis=-1)[reachable], 0.0)


def packed_grid(reachable: npt.NDArray[np.bool_], gradient: FloatArray, error: float) -> PackedGrid:
    """Lay a grid out for the march.

    Args:
        reachable: (R, R, R), where the surface may be.
        gradient: (C, 6) bounds in those cells, in the order of the array.
        error: Bound on the error of a float32 value.
    """
    cell = np.full(reachable.shape, -1, np.int32)
    cell[reachable] = np.arange(int(reachable.sum()), dtype=np.int32)
    rows = np.ascontiguousarray(gradient, np.float32).reshape(-1, 6)
    return PackedGrid(cell, rows, float(error))


def _lattice(count: int, start: float, step: float) -> FloatArray:
    axis = (start + step * np.arange(count)).astype(np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    return np.clip(points.reshape(-1, 3), np.float32(-1.0), np.float32(1.0))


def _look(
    corner: FloatArray, centre: FloatArray, resolution: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Give the smallest |f| of each cell's nine samples, and whether their signs differ or one is no number."""
    corner = corner.reshape((resolution + 1,) * 3)
    low = high = centre.reshape((resolution,) * 3)
    for k in range(8):
        ends = [slice(k >> axis & 1, resolution + (k >> axis & 1)) for axis in range(3)]
        part = corner[tuple(ends)]
        low, high = np.minimum(low, part), np.maximum(high, part)
    smallest = np.minimum(np.abs(low), np.abs(high))
    return smallest, ~((low > 0.0) | (high < 0.0))


def _steepness(gradients: FloatArray) -> FloatArray:
    length: FloatArray = np.linalg.norm(gradients.astype(np.float64), axis=1)
    return np.nan_to_num(length, nan=1e30, posinf=1e30)


def _gradients_nearby(
    gradient: Evaluate, centres: FloatArray, near: npt.NDArray[np.bool_], size: float
) -> tuple[FloatArray, FloatArray]:
    """Give bounds (R, R, R, 3) on what was seen in each cell, with a margin."""
    low = np.full((*near.shape, 3), np.inf, np.float32)
    high = np.full((*near.shape, 3), -np.inf, np.float32)
    places = centres.reshape(*near.shape, 3)[near]
    for signs in ((0, 0, 0), *itertools.product((-1, 1), repeat=3)):
        seen = gradient(places + np.array(signs, np.float32) * np.float32(0.5 * size))
        seen = np.nan_to_num(seen, nan=1e30, posinf=1e30, neginf=-1e30)
        low[near], high[near] = np.minimum(low[near], seen), np.maximum(high[near], seen)
    low[~near], high[~near] = 0.0, 0.0
    return with_margin(low, high)


def with_margin(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give bounds on gradients of which the lowest and the highest (..., 3) were seen."""
    margin = MARGIN * (high - low) + RELATIVE_MARGIN * np.maximum(-low, high) + SMALLEST_LIPSCHITZ
    return low - margin, high + margin
