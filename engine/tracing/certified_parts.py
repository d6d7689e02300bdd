"""Which parts of cells may hold the surface, collected while cells are halved: the march looks into cells by these."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .packed_grid import PART_SIDE

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

PARTS = PART_SIDE**3  # of a cell
LEVEL = 2  # halvings that give them
MOST_OPEN = 1_500_000  # parts; a network that leaves more has its cells looked at as a whole


class OpenParts:
    """Parts of cells numbered 0, 1, ... that were not proven to be free of the surface."""

    def __init__(self) -> None:
        """Begin with none."""
        self._keys: list[IntArray] = []
        self._bounds: list[FloatArray] = []

    def add(self, owners: IntArray, pieces: IntArray, level: int, bounds: FloatArray) -> None:
        """Add what was bounded after so many halvings.

        Args:
            owners: The cells (N,) that hold the pieces.
            pieces: Their places (N, 3), numbered along each axis of the domain.
            level: How many times the cells were halved to get them.
            bounds: (N, 6) of the gradient.
        """
        if level < LEVEL:
            corners = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
            pieces = (2 * pieces[:, None] + corners).reshape(-1, 3)
            owners, bounds = np.repeat(owners, 8), np.repeat(bounds, 8, axis=0)
        x, y, z = ((pieces >> max(level - LEVEL, 0)) % PART_SIDE).T
        self._keys.append(owners * PARTS + (x * PART_SIDE + y) * PART_SIDE + z)
        self._bounds.append(bounds)

    def of(self, cells: IntArray) -> tuple[BoolArray, FloatArray] | None:
        """Give which parts (C, PARTS) of chosen cells (C,) are open, and the bounds (P, 6) in these; None: too many."""
        keys = np.concatenate([np.zeros(0, np.int64), *self._keys])
        keys, row = np.unique(keys, return_inverse=True)
        if len(keys) > MOST_OPEN:
            return None
        found = np.concatenate([np.zeros((0, 6), np.float32), *self._bounds])
        low, high = np.full((len(keys), 3), np.inf, np.float32), np.full((len(keys), 3), -np.inf, np.float32)
        np.minimum.at(low, row, found[:, :3])
        np.maximum.at(high, row, found[:, 3:])
        position = np.full(1 + max(cells.max(initial=0), (keys // PARTS).max(initial=0)), -1, np.int64)
        position[cells] = np.arange(len(cells))
        new = position[keys // PARTS]
        rows = np.full(len(cells) * PARTS, -1, np.int64)
        rows[(new * PARTS + keys % PARTS)[new >= 0]] = np.flatnonzero(new >= 0)
        chosen = rows[rows >= 0]
        return (rows >= 0).reshape(len(cells), PARTS), np.concatenate([low, high], axis=1)[chosen]
