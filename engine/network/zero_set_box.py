"""A box around the zero set, by sampling."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

BOX_RESOLUTION = 48
BOX_MARGIN = 1.5  # cells: a gradient of up to 1.7 cannot hide a crossing between grid points


class ValueField(Protocol):
    """Anything that has a value at points."""

    def value(self, points: FloatArray) -> FloatArray:
        """Give f (N,) at points (N, 3) in [-1, 1]^3."""
        ...


def zero_set_box(field: ValueField, resolution: int = BOX_RESOLUTION) -> FloatArray:
    """Give a box (2, 3), low then high, around the zero set, by sampling a grid with a margin of a cell.

    A network without a zero set gives the whole of [-1, 1]^3.
    """
    axis = np.linspace(-1.0, 1.0, resolution)
    cell = axis[1] - axis[0]
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    near = points[field.value(points) < BOX_MARGIN * cell]
    if len(near) == 0:
        return np.array([[-1.0] * 3, [1.0] * 3])
    box: FloatArray = np.stack([near.min(axis=0) - cell, near.max(axis=0) + cell])
    return box.clip(-1.0, 1.0)
