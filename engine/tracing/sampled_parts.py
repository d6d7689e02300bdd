"""Which parts of a sampled grid's cells the surface may reach, and how steep the field is in each: sampled, too.

A part is `PART_SIDE` times smaller than its cell, so the field in it is nearly linear and what is seen at its corners and
its centre tells more: steps are several times those of whole cells. Margins are those of `step_grid`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .packed_grid import PART_SIDE, PackedGrid, in_parts
from .step_grid import with_margin

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Evaluate = Callable[[FloatArray], FloatArray]

MOST_CELLS = 60_000  # a field that may be zero in more is no distance, and would take memory
CORNERS = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])


def with_sampled_parts(grid: PackedGrid, value: Evaluate, gradient: Evaluate) -> PackedGrid:
    """Give the grid with parts, or as it is where it has none or too many cells.

    Args:
        grid: Of whole cells.
        value: Signed distance (N,) at points (N, 3) float32.
        gradient: Gradient (N, 3) at points (N, 3) float32.
    """
    cells = np.argwhere(grid.cell >= 0)
    if not 0 < len(cells) <= MOST_CELLS:
        return grid
    side = PART_SIDE * len(grid.cell)
    inside = np.stack(np.unravel_index(np.arange(PART_SIDE**3), (PART_SIDE,) * 3), axis=1)
    parts = (PART_SIDE * cells[:, None] + inside).reshape(-1, 3)
    low, high = grid.gradient[:, :3], grid.gradient[:, 3:]
    steepest = np.linalg.norm(np.maximum(-low, high).astype(np.float64), axis=1)
    reach = np.repeat(steepest * (np.sqrt(3.0) / side), PART_SIDE**3)
    is_open = ~(np.abs(value(_places(2 * parts + 1, 2 * side))) > reach)
    parts = parts[is_open]
    bounds = np.concatenate(with_margin(*_gradients_seen(gradient, parts, side)), axis=1)
    return in_parts(grid, is_open.reshape(len(cells), -1), bounds)


def _gradients_seen(gradient: Evaluate, parts: IntArray, side: int) -> tuple[FloatArray, FloatArray]:
    """Give the lowest and the highest of the gradients (P, 3) at corners and centres of parts."""
    low = _finite(gradient(_places(2 * parts + 1, 2 * side)))
    high = low.copy()
    strides = np.array([(side + 1) ** 2, side + 1, 1])
    numbers = parts @ strides
    number_of = np.zeros((side + 1) ** 3, np.int32)  # of a corner, which up to eight parts share
    for corner in CORNERS @ strides:
        number_of[numbers + corner] = 1
    used = np.flatnonzero(number_of)
    number_of[used] = np.arange(len(used), dtype=np.int32)
    corners = np.stack(np.unravel_index(used, (side + 1,) * 3), axis=1)
    seen = _finite(gradient(_places(corners, side)))
    for corner in CORNERS @ strides:
        one = seen[number_of[numbers + corner]]
        np.minimum(low, one, out=low)
        np.maximum(high, one, out=high)
    return low, high


def _finite(gradients: FloatArray) -> FloatArray:
    return np.nan_to_num(gradients, nan=1e30, posinf=1e30, neginf=-1e30)


def _places(numbers: IntArray, side: int) -> FloatArray:
    """Give points (N, 3) of a lattice over [-1, 1]^3 with `side` intervals a side."""
    return (np.float32(2.0 / side) * numbers.astype(np.float32)) - np.float32(1.0)
