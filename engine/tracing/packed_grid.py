"""What a march reads of a step grid: where the surface may be, and between which bounds the field lies there.

Along a ray with direction d the field's derivative in a cell lies in [lo, hi], the dot product of d with the cell's
gradient bounds, in units of the ray parameter. With a value f at the ray's place in the cell,

- f > 0 and lo >= 0, or f < 0 and hi <= 0: the ray does not cross the surface before it leaves the cell;
- lo > 0 or hi < 0: the field is monotone, so the values at the cell's border (or the ray's end) have different
  signs exactly when the ray crosses, once;
- else no crossing is nearer than f / -lo (f > 0) or -f / hi (f < 0).

A proven grid tells more: which parts of a cell the surface may reach, `PART_SIDE` a side, the bounds in each, and how far
the field is from a linear function there. The first are some four times tighter than those of the whole cell, so most rays
cross the surface in a part with a slope of one sign; the last is of second order in the part's size, so most of the
other rays are known to pass by.

A value of the float32 kernels is off by about `error`, so a step is taken from |f| - error. That number is sampled, with a
margin; the bound that is proven for it (`CertifiedCells.error`) is some hundred times larger and would stop every ray.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

PART_SIDE = 4  # parts of a cell, a side
AROUND = 1e-6  # unit space: bounds hold this far around a cell or a part
UNKNOWN = 1e29  # a bound so large, or larger, was not found
VALUE, SLOPE, SPREAD, REST, ROW = 0, 1, 4, 7, 8  # columns of `PackedGrid.rows`, and how many there are


class PackedGrid(NamedTuple):
    """Cells over [-1, 1]^3, R a side; x is the first index. Whether the bounds are proven stands beside the grid."""

    cell: np.ndarray  # (R, R, R) int32: row of a cell in `gradient`, -1 where the surface cannot be
    gradient: np.ndarray  # (C, 6) float32: low x, y, z, then high x, y, z, in the cell and 1e-6 around it
    error: float  # allowance for |float32 value - network|; 0 where the bounds are sampled
    value: np.ndarray = np.zeros(
        0, np.float32
    )  # (C,): the field at the cells' centres, as the kernels see it
    # what the march reads, of S^3 parts of each cell, S being 1 or PART_SIDE; x first
    part: np.ndarray = np.zeros(
        (0, 1), np.uint8
    )  # (C, S^3): 0: free of the surface; else one more than its number among the cell's
    first: np.ndarray = np.zeros(0, np.int32)  # (C,): row of a cell's first part in what follows
    # (P, ROW) float32: the field at a part's centre; a slope; by how much the gradient differs from it in the part and
    # 1e-6 around it; by how much the field differs from the linear function that both give
    rows: np.ndarray = np.zeros((0, ROW), np.float32)
    ahead: np.ndarray = np.zeros((8, 0, 0, 0), np.uint8)  # `empty_cubes`, with the field's sign there

    @property
    def parts(self) -> int:
        """Parts of a cell, a side: 1 or PART_SIDE."""
        return 1 if self.part.shape[1] == 1 else PART_SIDE


def whole_cells(grid: PackedGrid) -> PackedGrid:
    """Give the grid with every cell as its one part."""
    count = len(grid.gradient)
    rows = part_rows(grid.gradient)
    if len(grid.value):
        rows[:, VALUE] = grid.value
    return grid._replace(
        part=np.ones((count, 1), np.uint8), first=np.arange(count, dtype=np.int32), rows=rows
    )


def in_parts(
    grid: PackedGrid, open_parts: np.ndarray, gradient: np.ndarray, linear: np.ndarray | None = None
) -> PackedGrid:
    """Give the grid with parts.

    Args:
        grid: The grid.
        open_parts: (C, PART_SIDE^3) bool, where the surface may be.
        gradient: (P, 6) float32 bounds in these, in the order of the array.
        linear: (P, 4) a slope, and how far the field is from a function with that slope and its value at the centre.
    """
    return _numbered(grid, open_parts, part_rows(gradient, linear))


def _numbered(grid: PackedGrid, open_parts: np.ndarray, rows: np.ndarray) -> PackedGrid:
    numbers = np.cumsum(open_parts, axis=1, dtype=np.uint8)
    first = np.zeros(len(open_parts), np.int32)
    first[1:] = np.cumsum(open_parts.sum(axis=1))[:-1]
    part = np.where(open_parts, numbers, np.uint8(0))
    return grid._replace(part=part, first=first, rows=rows)


def part_rows(gradient: np.ndarray, linear: np.ndarray | None = None) -> np.ndarray:
    """Give rows (P, ROW) without values, from bounds (P, 6) and what is known of linear functions (P, 4)."""
    low, high = gradient[:, :3].astype(np.float64), gradient[:, 3:].astype(np.float64)
    rows = np.zeros((len(gradient), ROW), np.float32)
    slope = 0.5 * (low + high)
    rows[:, REST] = 2.0 * UNKNOWN
    if linear is not None:
        found = linear[:, 3] < UNKNOWN
        slope = np.where(found[:, None], linear[:, :3], slope)
        rows[found, REST] = linear[found, 3]
    rows[:, SLOPE:SPREAD] = slope
    spread = np.maximum(high - rows[:, SLOPE:SPREAD], rows[:, SLOPE:SPREAD] - low)
    rows[:, SPREAD:REST] = spread * (1.0 + 2e-7)
    return rows


def with_values(grid: PackedGrid, value: Callable[[np.ndarray], np.ndarray]) -> PackedGrid:
    """Give the grid with the field at its cells' centres, looked up by `value` (N, 3) -> (N,): what the march needs."""
    where = np.nonzero(grid.cell >= 0)
    values = np.zeros(len(grid.gradient), np.float32)
    values[grid.cell[where]] = value(_centres(np.stack(where, axis=1), grid.cell.shape[0]))
    return grid._replace(value=values)


def with_ahead(grid: PackedGrid, value: Callable[[np.ndarray], np.ndarray]) -> PackedGrid:
    """Give the grid with the way ahead through empty cells."""
    from .empty_cubes import cubes_ahead, signs_of_empty

    ahead = cubes_ahead(grid.cell >= 0)
    ahead |= signs_of_empty(ahead, value).astype(np.uint8) << np.uint8(7)
    return grid._replace(ahead=ahead)


def for_march(grid: PackedGrid, value: Callable[[np.ndarray], np.ndarray]) -> PackedGrid:
    """Give a grid `with_values` as the CPU's march reads it: with parts, their values, and the way ahead."""
    grid = with_ahead(grid, value)
    if grid.parts == 1:
        return whole_cells(grid)
    where = np.nonzero(grid.cell >= 0)
    cells = np.empty((len(grid.gradient), 3), np.int64)
    cells[grid.cell[where]] = np.stack(where, axis=1)
    return _with_part_values(grid, cells, value)


def _centres(cells: np.ndarray, side: int) -> np.ndarray:
    centres: np.ndarray = ((2.0 / side) * (cells + 0.5) - 1.0).astype(np.float32)
    return centres


def _with_part_values(
    grid: PackedGrid, cells: np.ndarray, value: Callable[[np.ndarray], np.ndarray]
) -> PackedGrid:
    """Look the field up at the parts' centres, and let go of those in which it cannot become zero from there."""
    owner, bit = np.nonzero(grid.part)
    inside = np.stack(np.unravel_index(bit, (PART_SIDE,) * 3), axis=1)
    side = PART_SIDE * grid.cell.shape[0]
    values = value(_centres(PART_SIDE * cells[owner] + inside, side))
    rows, half = grid.rows, 1.0 / side + AROUND
    slope, spread = np.abs(rows[:, SLOPE:SPREAD]).sum(axis=1), rows[:, SPREAD:REST].sum(axis=1)
    reach = half * slope + np.minimum(half * spread, rows[:, REST])
    near = ~(np.abs(values) - 2.0 * grid.error > reach)
    open_parts = np.zeros(grid.part.shape, bool)
    open_parts[owner[near], bit[near]] = True
    kept = rows[near]
    kept[:, VALUE] = values[near]
    return _numbered(grid, open_parts, kept)
