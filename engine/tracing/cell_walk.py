"""A ray's way through the cells of a step grid, from one look at the field to the next.

Cells without the surface are left by the largest empty cube ahead (`empty_cubes`). A cell that the surface may reach is
crossed part by part; `part_walk` says whether the field must be looked at in one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .empty_cubes import MOST_AHEAD, octant_of
from .packed_grid import PART_SIDE, PackedGrid
from .part_walk import LEFT, crossed_before, through_part
from .ray_state import (
    END,
    MISS,
    NUDGE,
    SIGN,
    SPEED,
    VALUE_A,
    VALUE_T,
    A,
    T,
    inlined,
)


@inlined
def _cell(x: float, half: float, resolution: int) -> int:
    return min(max(int((x + 1.0) * half), 0), resolution - 1)


@inlined
def _far_side(origin: float, direction: float, inverse: float, first: int, count: int, size: float) -> float:
    """Ray parameter at the far border, along one axis, of `count` cells that begin with cell `first`."""
    if direction == 0.0:
        return np.inf
    border = first + count if direction > 0.0 else first + 1 - count
    return (size * border - 1.0 - origin) * inverse


@inlined
def walk(state: Any, grid: PackedGrid, origin: Any, direction: Any, inverse: Any, any_hit: bool) -> int:
    """Go on from T until the field must be looked at.

    Args:
        state: The ray's row (`ray_state`).
        grid: The step grid.
        origin: (3,) float64.
        direction: (3,) float64.
        inverse: (3,) float64, 1 / direction.
        any_hit: Whether a proven crossing will do.

    Returns:
        EVALUATE at T, HIT or MISS.
    """
    resolution = grid.cell.shape[0]
    half, size = 0.5 * resolution, 2.0 / resolution
    nudge, end, t, f = NUDGE / state[SPEED], state[END], state[T], state[VALUE_T]
    x, y, z = origin[0], origin[1], origin[2]
    u, v, w = direction[0], direction[1], direction[2]
    octant = octant_of(u, v, w)
    while t <= end:
        i = _cell(x + t * u, half, resolution)
        j = _cell(y + t * v, half, resolution)
        k = _cell(z + t * w, half, resolution)
        ahead = int(grid.ahead[octant, i, j, k])
        reach = ahead & MOST_AHEAD
        if reach > 0:
            sign = -1.0 if ahead > MOST_AHEAD else 1.0
            if state[SIGN] == 0.0:
                state[SIGN] = sign
            elif state[SIGN] != sign:
                return crossed_before(state, t, any_hit)
            leave = min(
                _far_side(x, u, inverse[0], i, reach, size),
                _far_side(y, v, inverse[1], j, reach, size),
                _far_side(z, w, inverse[2], k, reach, size),
            )
            t = max(leave, t)
            state[A], state[VALUE_A] = t, np.nan
        else:
            outcome = _through_cell(state, grid, origin, direction, inverse, t, f, i, j, k, any_hit)
            if outcome != LEFT:
                return outcome
            t = state[T]
        t, f = t + nudge, np.nan
    return MISS


@inlined
def _through_cell(
    state: Any,
    grid: PackedGrid,
    origin: Any,
    direction: Any,
    inverse: Any,
    t: float,
    f: float,
    i: int,
    j: int,
    k: int,
    any_hit: bool,
) -> int:
    """Go through the parts of cell i, j, k from t on; LEFT: its end, in T, is reached without a look."""
    parts = 1 if grid.part.shape[1] == 1 else PART_SIDE
    fine = parts * grid.cell.shape[0]
    size, half, end = 2.0 / fine, 0.5 * fine, state[END]
    cell = grid.cell[i, j, k]
    first = int(grid.first[cell]) - 1
    a = min(max(_cell(origin[0] + t * direction[0], half, fine) - parts * i, 0), parts - 1)
    b = min(max(_cell(origin[1] + t * direction[1], half, fine) - parts * j, 0), parts - 1)
    c = min(max(_cell(origin[2] + t * direction[2], half, fine) - parts * k, 0), parts - 1)
    over_x = _far_side(origin[0], direction[0], inverse[0], parts * i + a, 1, size)
    over_y = _far_side(origin[1], direction[1], inverse[1], parts * j + b, 1, size)
    over_z = _far_side(origin[2], direction[2], inverse[2], parts * k + c, 1, size)
    while True:
        leave = max(min(over_x, over_y, over_z), t)
        number = int(grid.part[cell, (a * parts + b) * parts + c])
        if number > 0:
            centre = (
                size * (parts * i + a + 0.5) - 1.0,
                size * (parts * j + b + 0.5) - 1.0,
                size * (parts * k + c + 0.5) - 1.0,
            )
            outcome = through_part(
                state, grid, first + number, centre, origin, direction, t, min(leave, end), f, any_hit
            )
            if outcome != LEFT:
                return outcome
            state[A], state[VALUE_A] = min(leave, end), np.nan
        if leave > t + NUDGE / state[SPEED]:  # else t is this part's end already, as rounded
            f = np.nan
        t = leave
        if over_x <= leave:
            a += 1 if direction[0] > 0.0 else -1
            over_x = _far_side(origin[0], direction[0], inverse[0], parts * i + a, 1, size)
            left = a < 0 or a >= parts
        elif over_y <= leave:
            b += 1 if direction[1] > 0.0 else -1
            over_y = _far_side(origin[1], direction[1], inverse[1], parts * j + b, 1, size)
            left = b < 0 or b >= parts
        else:
            c += 1 if direction[2] > 0.0 else -1
            over_z = _far_side(origin[2], direction[2], inverse[2], parts * k + c, 1, size)
            left = c < 0 or c >= parts
        if left or t > end:
            state[T] = t
            return LEFT
