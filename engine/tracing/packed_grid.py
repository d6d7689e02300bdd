"""What a march reads of a step grid: where the surface may be, and between which bounds the gradient lies there.

Along a ray with direction d the field's derivative in a cell lies in [lo, hi], the dot product of d with the cell's
gradient bounds, in units of the ray parameter. With a value f at the ray's place in the cell,

- f > 0 and lo >= 0, or f < 0 and hi <= 0: the ray does not cross the surface before it leaves the cell;
- lo > 0 or hi < 0: the field is monotone, so the values at the cell's border (or the ray's end) have different
  signs exactly when the ray crosses, once;
- else no crossing is nearer than f / -lo (f > 0) or -f / hi (f < 0).

A value of the float32 kernels is off by about `error`, so a step is taken from |f| - error. That number is sampled, with a
margin; the bound that is proven for it (`CertifiedCells.error`) is some hundred times larger and would stop every ray.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class PackedGrid(NamedTuple):
    """Cells over [-1, 1]^3, R a side; x is the first index. Whether the bounds are proven stands beside the grid."""

    distance: np.ndarray  # (R, R, R) uint8: cells to the nearest one the surface may reach, 0: this one
    cell: np.ndarray  # (R, R, R) int32: row of a cell in `gradient`, -1 where the surface cannot be
    gradient: np.ndarray  # (C, 6) float32: low x, y, z, then high x, y, z, in the cell and 1e-6 around it
    error: float  # allowance for |float32 value - network|; 0 where the bounds are sampled
    value: np.ndarray = np.zeros(
        0, np.float32
    )  # (C,): the field at the cells' centres, as the kernels see it


def with_values(grid: PackedGrid, value: Callable[[np.ndarray], np.ndarray]) -> PackedGrid:
    """Give the grid with the field at its cells' centres, looked up by `value` (N, 3) -> (N,): what the march needs."""
    resolution = grid.distance.shape[0]
    where = np.nonzero(grid.cell >= 0)
    centres = (2.0 / resolution) * (np.stack(where, axis=1) + 0.5) - 1.0
    values = np.zeros(len(grid.gradient), np.float32)
    values[grid.cell[where]] = value(centres.astype(np.float32))
    return grid._replace(value=values)
