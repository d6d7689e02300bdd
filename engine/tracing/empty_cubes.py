"""How far a ray may go through cells without the surface: the largest empty cube that begins with a cell, by octant.

A ray with directions of known signs leaves a cube that begins with its own cell by one of the far faces, so what lies
behind or beside it stops no step: along a surface, and away from one, steps are several times those of a distance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from scipy import ndimage

from .parallel import over_slices
from .ray_state import inlined

MOST_AHEAD = 127  # cells: what seven bits hold


@inlined
def octant_of(x: float, y: float, z: float) -> int:
    """Give the octant of a direction: 4 for x below 0, 2 for y, 1 for z."""
    return (4 if x < 0.0 else 0) + (2 if y < 0.0 else 0) + (1 if z < 0.0 else 0)


@nb.njit(cache=True, nogil=True)
def _fill(reachable: Any, octant: int, out: Any) -> None:
    """Write one octant's cubes; a cube may reach beyond the domain."""
    side = reachable.shape[0]
    x, y, z = (-1 if octant & 4 else 1), (-1 if octant & 2 else 1), (-1 if octant & 1 else 1)
    for a in range(side):
        i = a if x < 0 else side - 1 - a
        for b in range(side):
            j = b if y < 0 else side - 1 - b
            before = np.int64(MOST_AHEAD)
            for c in range(side):
                k = c if z < 0 else side - 1 - c
                if reachable[i, j, k]:
                    before = np.int64(0)
                    out[i, j, k] = np.uint8(0)
                    continue
                least = before
                for f in range(1, 4):
                    for g in range(2):
                        if (g == 1 and c == 0) or (f & 2 and a == 0) or (f & 1 and b == 0):
                            continue
                        there = out[i + (x if f & 2 else 0), j + (y if f & 1 else 0), k + (z if g else 0)]
                        least = min(least, np.int64(there))
                before = min(least + 1, np.int64(MOST_AHEAD))
                out[i, j, k] = np.uint8(before)


def cubes_ahead(reachable: np.ndarray) -> np.ndarray:
    """Give the side in cells (8, R, R, R) uint8 of the largest cube without a reachable cell, by octant; 0: reachable itself."""
    out = np.empty((8, *reachable.shape), np.uint8)
    _fill(reachable[:0, :0, :0], 0, out[0, :0, :0, :0])  # loaded once, in this thread

    def work(octants: slice) -> None:
        for octant in range(octants.start, octants.stop):
            _fill(reachable, octant, out[octant])

    over_slices(8, work, smallest=1)
    return out


@nb.njit(cache=True, nogil=True)
def _deepest(pieces: Any, distance: Any, count: int) -> Any:
    """Give the cell (count, 3) of each piece that is farthest from the surface."""
    places, most = np.zeros((count, 3), np.int64), np.zeros(count, np.int64)
    for i in range(pieces.shape[0]):
        for j in range(pieces.shape[1]):
            for k in range(pieces.shape[2]):
                piece = pieces[i, j, k] - 1
                if piece >= 0 and np.int64(distance[i, j, k]) > most[piece]:
                    most[piece] = distance[i, j, k]
                    places[piece, 0], places[piece, 1], places[piece, 2] = i, j, k
    return places


def signs_of_empty(ahead: np.ndarray, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Say where the field is negative (R, R, R) among the cells the surface cannot reach.

    Args:
        ahead: (8, R, R, R) `cubes_ahead`; the smallest of a cell's eight is its distance from the surface.
        value: Field (N,) at points (N, 3).
    """
    distance = ahead.min(axis=0)
    pieces, count = ndimage.label(distance > 0)
    if count == 0:
        return np.zeros(distance.shape, bool)
    deepest = _deepest(pieces, distance, count)
    values = value(((2.0 / len(distance)) * (deepest + 0.5) - 1.0).astype(np.float32))
    negative: np.ndarray = np.concatenate([[False], values < 0.0])[pieces]
    return negative
