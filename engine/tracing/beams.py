"""How far neighbouring rays may go together through cells without the surface, before each of them is walked alone.

The places of a beam's rays at one ray parameter lie in a box. As long as one of the largest empty cubes (`empty_cubes`)
holds it, all may go on until the box touches a far side of that cube, as in cone tracing [Amanatides 1984]. The rays of a
picture come in blocks of pixels, so beams are narrow, and most of the way to the surface, or past it, is walked once
for BEAM rays.

[Amanatides 1984] J. Amanatides, "Ray Tracing with Cones", SIGGRAPH 1984.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .empty_cubes import MOST_AHEAD, octant_of
from .packed_grid import PackedGrid
from .ray_state import inlined, uncounted

BEAM = 32  # rays
SHORTEST_ADVANCE = 0.5  # cells that a step must gain; rays with less before them are better off alone
ORIGIN_LOW, ORIGIN_HIGH, LOW, HIGH = range(4)  # rows of a box: of origins, of directions


@inlined
def _span(origin: Any, direction: Any, low: float, high: float) -> tuple[float, float]:
    """Clip a ray to the domain; the first is the larger one where it passes it by."""
    for axis in range(3):
        if direction[axis] == 0.0:
            if not -1.0 <= origin[axis] <= 1.0:
                return np.inf, -np.inf
            continue
        inverse = 1.0 / direction[axis]
        one, two = (-1.0 - origin[axis]) * inverse, (1.0 - origin[axis]) * inverse
        low, high = max(low, min(one, two)), min(high, max(one, two))
    return low, high


@inlined
def _gather(
    origins: Any, directions: Any, t_min: Any, t_max: Any, first: int, last: int, box: Any, starts: Any
) -> tuple[float, float]:
    """Put the rays from `first` on into a box (4, 3) and their entries into `starts`; gives the span of them all."""
    begin, end = np.inf, -np.inf
    for axis in range(3):
        box[ORIGIN_LOW, axis], box[ORIGIN_HIGH, axis] = np.inf, -np.inf
        box[LOW, axis], box[HIGH, axis] = np.inf, -np.inf
    for r in range(first, last):
        low, high = _span(origins[r], directions[r], t_min[r], t_max[r])
        starts[r] = low
        if not low <= high:
            continue
        begin, end = min(begin, low), max(end, high)
        for axis in range(3):
            o, d = origins[r, axis], directions[r, axis]
            box[ORIGIN_LOW, axis] = min(box[ORIGIN_LOW, axis], o)
            box[ORIGIN_HIGH, axis] = max(box[ORIGIN_HIGH, axis], o)
            box[LOW, axis], box[HIGH, axis] = min(box[LOW, axis], d), max(box[HIGH, axis], d)
    return begin, end


@inlined
def _lead(grid: PackedGrid, box: Any, octant: int, t: float) -> tuple[float, float]:
    """Give the field's sign in the largest empty cube that holds the box at t, 0 without one, and how far it goes on."""
    resolution = grid.cell.shape[0]
    half, size = 0.5 * resolution, 2.0 / resolution
    i = _rear_cell(box, 0, octant & 4, t, half, resolution)
    j = _rear_cell(box, 1, octant & 2, t, half, resolution)
    k = _rear_cell(box, 2, octant & 1, t, half, resolution)
    ahead = int(grid.ahead[octant, i, j, k])
    reach = ahead & MOST_AHEAD
    if reach == 0:
        return 0.0, t
    leave = min(
        _far_side(box, 0, octant & 4, i, reach, size, resolution),
        _far_side(box, 1, octant & 2, j, reach, size, resolution),
        _far_side(box, 2, octant & 1, k, reach, size, resolution),
    )
    return (0.0 if leave <= t else -1.0 if ahead > MOST_AHEAD else 1.0), leave


@inlined
def _rear_cell(box: Any, axis: int, backward: int, t: float, half: float, resolution: int) -> int:
    """Cell, along one axis, of the last of the rays at t."""
    if backward:
        rear = box[ORIGIN_HIGH, axis] + t * box[HIGH, axis]
    else:
        rear = box[ORIGIN_LOW, axis] + t * box[LOW, axis]
    return min(max(int((rear + 1.0) * half), 0), resolution - 1)


@inlined
def _far_side(
    box: Any, axis: int, backward: int, cell: int, reach: int, size: float, resolution: int
) -> float:
    """Ray parameter at which the first of the rays leaves `reach` cells from `cell` on; inf where the domain ends before."""
    if backward:
        border, origin, speed = cell + 1 - reach, box[ORIGIN_LOW, axis], box[LOW, axis]
        beyond = border <= 0
    else:
        border, origin, speed = cell + reach, box[ORIGIN_HIGH, axis], box[HIGH, axis]
        beyond = border >= resolution
    if beyond:
        return np.inf
    way = size * border - 1.0 - origin
    if speed == 0.0:
        inside = way < 0.0 if backward else way > 0.0
        return np.inf if inside else -np.inf
    leave: float = way / speed
    return leave


@uncounted
def start_beams(
    grid: PackedGrid,
    origins: Any,
    directions: Any,
    t_min: Any,
    t_max: Any,
    starts: Any,
    signs: Any,
    box: Any,
) -> None:
    """Find where rays must be walked from.

    Args:
        grid: The step grid.
        origins: (N, 3) float64, unit space; those of neighbours follow each other.
        directions: (N, 3) float64.
        t_min: (N,) float64.
        t_max: (N,) float64.
        starts: Out, (N,) float64: no crossing is nearer than that; beyond the ray's end where there is none.
        signs: Out, (N,) float64: the field's sign up to there, 0 not known.
        box: (4, 3) float64, scratch.
    """
    count, size = origins.shape[0], 2.0 / grid.cell.shape[0]
    for first in range(0, count, BEAM):
        last = min(first + BEAM, count)
        begin, end = _gather(origins, directions, t_min, t_max, first, last, box, starts)
        t, sign, fastest, narrow = begin, 0.0, 0.0, 0.0 <= begin <= end
        for axis in range(3):
            narrow = narrow and not box[LOW, axis] < 0.0 < box[HIGH, axis]
            fastest = max(fastest, -box[LOW, axis], box[HIGH, axis])
        if narrow:
            octant = octant_of(
                box[LOW, 0] + box[HIGH, 0], box[LOW, 1] + box[HIGH, 1], box[LOW, 2] + box[HIGH, 2]
            )
            while t <= end:
                found, leave = _lead(grid, box, octant, t)
                if found == 0.0 or (sign != 0.0 and found != sign):
                    break
                sign = found
                if leave - t < SHORTEST_ADVANCE * size / fastest:
                    break
                t = leave
        for r in range(first, last):
            signs[r] = 0.0
            if narrow and sign != 0.0 and starts[r] <= t:
                starts[r], signs[r] = t, sign
