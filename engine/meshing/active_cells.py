"""Which cells of a fine grid the zero set can pass, found without evaluating the field anywhere else.

The step grid's reachable cells are cut in eight again and again; a part stays while |f| at its centre is within the
step grid's bound on the slope times the way to its corners. What holds for that bound, proven or sampled, holds here.

Cells of the fine grid are numbered with one more layer around [-1, 1]^3, in which everything is outside: there the mesh
is closed where the shape leaves the box. `cell_number` of (i, j, k), each 0 to R + 1, is (i (R + 2) + j) (R + 2) + k.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..tracing.packed_grid import PackedGrid

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

SLACK = 1e-5  # of a part's size, for the rounding of its centre
ROUNDING = 1e-6  # of f in float32
OCTANTS = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], np.int32)


def active_cells(tracer: Any, resolution: int, grid: PackedGrid | None = None) -> IntArray:
    """Give the sorted numbers (N,) of cells that the zero set of a `CpuTracer`'s network can pass.

    Args:
        tracer: The network.
        resolution: Cells a side.
        grid: Where the surface may be; by default the tracer's step grid.
    """
    grid = tracer.grid if grid is None else grid
    assert grid is not None
    coarse = grid.cell.shape[0]
    parts = np.argwhere(grid.cell >= 0).astype(np.int32)
    slope, rounding = slope_bounds(grid), max(ROUNDING, grid.error)
    parts_a_side = coarse
    while 2 * parts_a_side < resolution:  # the last level is left to the cells' own corners
        parts, slope = _divide(tracer, parts, slope, parts_a_side, rounding)
        parts_a_side *= 2
    if parts_a_side < resolution:
        parts = (2 * parts[:, None] + OCTANTS).reshape(-1, 3)
        parts_a_side *= 2
    cells = _touched(parts, parts_a_side, resolution)
    return sorted_unique(np.concatenate([cells, _border_cells(tracer, resolution)]))


def sorted_unique(numbers: IntArray) -> IntArray:
    """Give numbers sorted and each once; `np.unique` hashes them first, which takes ten times as long here."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def all_cells(resolution: int) -> IntArray:
    """Give the number of every cell, the layer around the box included."""
    return np.arange((resolution + 2) ** 3, dtype=np.int64)


def slope_bounds(grid: PackedGrid) -> FloatArray:
    """Give the bound on |grad f| in each reachable cell (C,), in the order of `argwhere`."""
    rows = grid.gradient[grid.cell[grid.cell >= 0]].astype(np.float64)
    bounds: FloatArray = np.linalg.norm(np.maximum(-rows[:, :3], rows[:, 3:]), axis=1)
    return bounds


def _divide(
    tracer: Any, parts: npt.NDArray[np.int32], slope: FloatArray, parts_a_side: int, rounding: float
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Cut parts in eight and keep those that the zero set can reach from their centre."""
    parts = (2 * parts[:, None] + OCTANTS).reshape(-1, 3)
    slope = np.repeat(slope, 8)
    size = 1.0 / parts_a_side  # of a part: 2 / (2 parts a side)
    centres = ((parts + 0.5) * size - 1.0).astype(np.float32)
    reach = slope * (0.5 * np.sqrt(3.0) * size * (1.0 + SLACK)) + rounding
    near = np.abs(tracer.value_parallel(centres)) <= reach
    return parts[near], slope[near]


def _touched(parts: npt.NDArray[np.int32], parts_a_side: int, resolution: int) -> IntArray:
    """Give the cells of the fine grid that parts reach into (several may be the same)."""
    ratio = resolution / parts_a_side
    low = np.floor(parts * ratio + 1e-9).astype(np.int64)
    high = np.minimum(np.ceil((parts + 1) * ratio - 1e-9).astype(np.int64), resolution) - 1
    if parts_a_side == resolution:
        return _number(low + 1, resolution)
    cells = []
    most = int((high - low).max(initial=-1)) + 1
    for i in range(most):
        for j in range(most):
            for k in range(most):
                place = low + np.array([i, j, k])
                cells.append(_number(place[(place <= high).all(axis=1)] + 1, resolution))
    return np.concatenate(cells) if cells else np.zeros(0, np.int64)


def _border_cells(tracer: Any, resolution: int) -> IntArray:
    """Give cells at the border of the box that may lie inside the shape."""
    coarse = tracer.grid.cell.shape[0]
    cells = []
    across = np.arange(resolution)
    coarse_cell = np.minimum((across + 0.5) * coarse / resolution, coarse - 1).astype(np.int64)
    centre = (np.arange(coarse) + 0.5) * (2.0 / coarse) - 1.0
    for axis in range(3):
        for side in (0, 1):
            plane = np.stack(np.meshgrid(centre, centre, indexing="ij"), axis=-1).reshape(-1, 2)
            points = np.insert(plane, axis, 2.0 * side - 1.0, axis=1)
            inside = (tracer.value_parallel(points) < 0.0).reshape(coarse, coarse)
            j, k = np.nonzero(inside[np.ix_(coarse_cell, coarse_cell)])
            place = np.insert(np.stack([j, k], axis=1), axis, side * (resolution - 1), axis=1)
            cells.append(_number(place + 1, resolution))
    return np.concatenate(cells)


def _number(cells: IntArray, resolution: int) -> IntArray:
    side = resolution + 2
    return (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2]
