"""What a march reads of a step grid: where the surface may be, and between which bounds the gradient lies there.

Along a ray with direction d the field's derivative in a cell lies in [lo, hi], the dot product of d with the cell's
gradient bounds, in units of the ray parameter. With a value f at the ray's place in the cell,

- f > 0 and lo >= 0, or f < 0 and hi <= 0: the ray does not cross the surface before it leaves the cell;
- lo > 0 or hi < 0: the field is monotone, so the values at the cell's border (or the ray's end) have different
  signs exactly when the ray crosses, once;
- else no crossing is nearer than f / -lo (f > 0) or -f / hi (f < 0).

A proven grid tells more: which parts of a cell the surface may reach, `PART_SIDE` a side, and the bounds in each. They
are some four times tighter than those of the whole cell, so most rays cross the surface in a part with a slope of one sign.

A value of the float32 kernels is off by about `error`, so a step is taken from |f| - error. That number is sampled, with a
margin; the bound that is proven for it (`CertifiedCells.error`) is some hundred times larger and would stop every ray.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

PART_SIDE = 4  # parts of a cell, a side
AROUND = 1e-6  # unit space: bounds hold this far around a cell or a part


class PackedGrid(NamedTuple):
    """Cells over [-1, 1]^3, R a side; x is the first index. Whether the bounds are proven stands beside the grid."""

    distance: np.ndarray  # (R, R, R) uint8: cells to the nearest one the surface may reach, 0: this one
    cell: np.ndarray  # (R, R, R) int32: row of a cell in `gradient`, -1 where the surface cannot be
    gradient: np.ndarray  # (C, 6) float32: low x, y, z, then high x, y, z, in the cell and 1e-6 around it
    error: float  # allowance for |float32 value - network|; 0 where the bounds are sampled
    value: np.ndarray = np.zeros(
        0, np.float32
    )  # (C,): the field at the cells' centres, as the kernels see it
    # what the march on the CPU reads, of S^3 parts of each cell, S being 1 or PART_SIDE; x first
    part: np.ndarray = np.zeros(
        (0, 1), np.uint8
    )  # (C, S^3): 0: free of the surface; else one more than its number among the cell's
    first: np.ndarray = np.zeros(0, np.int32)  # (C,): row of a cell's first part in what follows
    part_gradient: np.ndarray = np.zeros((0, 6), np.float32)  # (P, 6)
    part_value: np.ndarray = np.zeros(0, np.float32)  # (P,)


def whole_cells(grid: PackedGrid) -> PackedGrid:
    """Give the grid with every cell as its one part."""
    count = len(grid.gradient)
    return grid._replace(
        part=np.ones((count, 1), np.uint8),
        first=np.arange(count, dtype=np.int32),
        part_gradient=grid.gradient,
        part_value=grid.value,
    )


def in_parts(grid: PackedGrid, open_parts: np.ndarray, gradient: np.ndarray) -> PackedGrid:
    """Give the grid with parts.

    Args:
        grid: The grid.
        open_parts: (C, PART_SIDE^3) bool, where the surface may be.
        gradient: (P, 6) float32 bounds in these, in the order of the array.
    """
    numbers = np.cumsum(open_parts, axis=1, dtype=np.uint8)
    first = np.zeros(len(open_parts), np.int32)
    first[1:] = np.cumsum(open_parts.sum(axis=1))[:-1]
    part = np.where(open_parts, numbers, np.uint8(0))
    return grid._replace(part=part, first=first, part_gradient=np.ascontiguousarray(gradient, np.float32))


def with_values(grid: PackedGrid, value: Callable[[np.ndarray], np.ndarray]) -> PackedGrid:
    """Give the grid with the field at its cells' centres, looked up by `value` (N, 3) -> (N,): what the march needs."""
    resolution = grid.distance.shape[0]
    where = np.nonzero(grid.cell >= 0)
    centres = (2.0 / resolution) * (np.stack(where, axis=1) + 0.5) - 1.0
    values = np.zeros(len(grid.gradient), np.float32)
    rows = grid.cell[where]
    values[rows] = value(centres.astype(np.float32))
    grid = grid._replace(value=values)
    if grid.part.shape[1] == 1:
        return whole_cells(grid)
    cells = np.empty((len(values), 3), np.int64)
    cells[rows] = np.stack(where, axis=1)
    return _with_part_values(grid, cells, value)


def _with_part_values(
    grid: PackedGrid, cells: np.ndarray, value: Callable[[np.ndarray], np.ndarray]
) -> PackedGrid:
    """Look the field up at the parts' centres, and let go of those in which it cannot become zero from there."""
    owner, bit = np.nonzero(grid.part)
    inside = np.stack(np.unravel_index(bit, (PART_SIDE,) * 3), axis=1)
    side = PART_SIDE * grid.distance.shape[0]
    centres = (2.0 * (PART_SIDE * cells[owner] + inside) + 1.0) / side - 1.0
    values = value(centres.astype(np.float32))
    steepest = np.maximum(np.abs(grid.part_gradient[:, :3]), np.abs(grid.part_gradient[:, 3:])).sum(axis=1)
    near = ~(np.abs(values) - 2.0 * grid.error > steepest * (1.0 / side + AROUND))
    open_parts = np.zeros(grid.part.shape, bool)
    open_parts[owner[near], bit[near]] = True
    return in_parts(grid, open_parts, grid.part_gradient[near])._replace(part_value=values[near])
