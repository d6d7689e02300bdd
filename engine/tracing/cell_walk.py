"""A ray's way through the cells of a step grid, from one look at the field to the next.

Of a cell that is cut into parts only those count that the surface may reach, and `cell` means such a part below. A cell knows the field's value c at its centre and a box of gradients, so along a ray the field lies between two functions:
c + sum over axes of the least, or largest, of gradient times offset from the centre [mean value theorem]. The lower one is
concave and the upper one convex in t, so that their values where the ray enters and leaves the cell tell whether it can
cross the surface there: most cells are left without a look. In the others, where the slope along the ray keeps its sign
the crossing is at most one, and a look at the exit or at the expected place decides. In the rest a look clears the way around
it as far as the value over the steepest slope towards zero [Hart 1996]; the next look is where both are expected to meet.

[Hart 1996] J. C. Hart, "Sphere Tracing", The Visual Computer 12(10), 1996.
[Keinert 2014] B. Keinert et al., "Enhanced Sphere Tracing", Smart Tools and Apps for Graphics, 2014.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .packed_grid import PART_SIDE, PackedGrid
from .ray_state import (
    BRACKET,
    CERTAIN,
    COUNT,
    END,
    EVALUATE,
    EXIT,
    FIRST,
    HIGH,
    HIT,
    LAST_VALUE,
    LEAVE,
    LOW,
    MISS,
    MODE,
    NUDGE,
    ROOT,
    SIGN,
    SPEED,
    STEP,
    VALUE_A,
    VALUE_B,
    A,
    B,
    T,
    uncounted,
)

SHORTEST_STEP = 2e-5  # unit space; a ray that grazes the surface closer than this walks on
PATIENCE = 50.0  # steps after which the shortest step has doubled, so that every ray ends
NARROW = 5e-5  # unit space: in a bracket like this any crossing will do, the first one is no farther away
FLATTEST = 1e-30  # a slope to divide by
CAUTION = 0.05  # how much less than the last slope, of the range of slopes, is expected of the next one


@nb.njit(cache=True, nogil=True, inline="always")
def _cell(x: float, resolution: int) -> int:
    return min(max(int((x + 1.0) * 0.5 * resolution), 0), resolution - 1)


@nb.njit(cache=True, nogil=True, inline="always")
def _leave(
    origin: Any, direction: Any, inverse: Any, t: float, i: int, j: int, k: int, reach: int, size: float
) -> float:
    """Ray parameter at which a ray leaves the cube of `reach` cells around its cell."""
    nearest = np.inf
    if direction[0] != 0.0:
        border = -1.0 + size * (i + 1 + reach if direction[0] > 0.0 else i - reach)
        nearest = min(nearest, (border - origin[0]) * inverse[0])
    if direction[1] != 0.0:
        border = -1.0 + size * (j + 1 + reach if direction[1] > 0.0 else j - reach)
        nearest = min(nearest, (border - origin[1]) * inverse[1])
    if direction[2] != 0.0:
        border = -1.0 + size * (k + 1 + reach if direction[2] > 0.0 else k - reach)
        nearest = min(nearest, (border - origin[2]) * inverse[2])
    return max(nearest, t)


@nb.njit(cache=True, nogil=True, inline="always")
def _span(grid: PackedGrid, row: int, place: Any, centre: Any) -> tuple[float, float]:
    """Bounds on the field at a place in a cell."""
    low = high = float(grid.part_value[row])
    for axis in range(3):
        offset = place[axis] - centre[axis]
        one, two = offset * grid.part_gradient[row, axis], offset * grid.part_gradient[row, axis + 3]
        low, high = low + min(one, two), high + max(one, two)
    # twice: the value at the centre is off by as much as one at the place
    return low - 2.0 * grid.error, high + 2.0 * grid.error


@nb.njit(cache=True, nogil=True, inline="always")
def _slope(grid: PackedGrid, row: int, direction: Any) -> tuple[float, float]:
    """Bounds on the field's derivative by the ray parameter in a cell."""
    low = high = 0.0
    for axis in range(3):
        one = direction[axis] * grid.part_gradient[row, axis]
        two = direction[axis] * grid.part_gradient[row, axis + 3]
        low, high = low + min(one, two), high + max(one, two)
    return low, high


@nb.njit(cache=True, nogil=True, inline="always")
def _part(grid: PackedGrid, cell: int, i: int, j: int, k: int) -> int:
    """Row of the part at place i, j, k among all parts of the domain, in a cell; -1: the surface cannot be there."""
    if grid.part.shape[1] == 1:
        return int(grid.first[cell])
    number = grid.part[cell, ((i % PART_SIDE) * PART_SIDE + j % PART_SIDE) * PART_SIDE + k % PART_SIDE]
    return int(grid.first[cell]) + int(number) - 1 if number > 0 else -1


@nb.njit(cache=True, nogil=True, inline="always")
def _look_up(
    grid: PackedGrid, origin: Any, direction: Any, inverse: Any, t: float, i: int, j: int, k: int, parts: int
) -> tuple[int, float]:
    """Give the row of the part at place i, j, k and where the ray leaves it; -1: free of the surface until there."""
    resolution = grid.distance.shape[0]
    a, b, c = i // parts, j // parts, k // parts
    reach = int(grid.distance[a, b, c])
    if reach > 0:
        return -1, _leave(origin, direction, inverse, t, a, b, c, reach - 1, 2.0 / resolution)
    row = _part(grid, grid.cell[a, b, c], i, j, k)
    return row, _leave(origin, direction, inverse, t, i, j, k, 0, 2.0 / (parts * resolution))


@uncounted
def walk(
    state: Any, grid: PackedGrid, origin: Any, direction: Any, inverse: Any, t: float, f: float, any_hit: bool
) -> int:
    """Go on from t until the field must be looked at.

    Args:
        state: The ray's row (`ray_state`).
        grid: The step grid.
        origin: (3,) float64.
        direction: (3,) float64.
        inverse: (3,) float64, 1 / direction.
        t: Where to begin; the field has had the sign SIGN up to here.
        f: The field there; nan where it is not known.
        any_hit: Whether a proven crossing will do.

    Returns:
        EVALUATE at T, HIT or MISS.
    """
    resolution = grid.distance.shape[0]
    parts = 1 if grid.part.shape[1] == 1 else PART_SIDE
    fine = parts * resolution
    size, nudge, end = 2.0 / fine, NUDGE / state[SPEED], state[END]
    while t <= end:
        x, y, z = origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        i, j, k = _cell(x, fine), _cell(y, fine), _cell(z, fine)
        row, leave = _look_up(grid, origin, direction, inverse, t, i, j, k, parts)
        if row < 0:
            t, f = leave + nudge, np.nan
            continue
        centre = (size * (i + 0.5) - 1.0, size * (j + 0.5) - 1.0, size * (k + 0.5) - 1.0)
        leave = min(leave, end)
        out = (
            origin[0] + leave * direction[0],
            origin[1] + leave * direction[1],
            origin[2] + leave * direction[2],
        )
        low_in, high_in = _span(grid, row, (x, y, z), centre)
        low_out, high_out = _span(grid, row, out, centre)
        sign = state[SIGN]
        known = 1.0 if low_in > 0.0 and low_out > 0.0 else -1.0 if high_in < 0.0 and high_out < 0.0 else 0.0
        if known == 0.0:
            if sign == 0.0:
                state[T], state[MODE] = t, FIRST
                return EVALUATE
            outcome = _inside(
                state, grid, row, direction, t, leave, f, low_in, high_in, low_out, high_out, any_hit
            )
            if outcome >= 0:
                return outcome
        elif sign == 0.0:
            state[SIGN] = known
        elif sign != known:  # the ray came by a crossing at the border, or by one that the grid denies
            state[B], state[VALUE_A], state[VALUE_B] = t, sign, known
            state[T], state[MODE], state[COUNT] = 0.5 * (state[A] + t), BRACKET, 0.0
            return HIT if any_hit else EVALUATE
        state[A], state[VALUE_A] = leave, np.nan
        t, f = leave + nudge, np.nan
    return MISS


@uncounted
def _inside(
    state: Any,
    grid: PackedGrid,
    row: int,
    direction: Any,
    t: float,
    leave: float,
    f: float,
    low_in: float,
    high_in: float,
    low_out: float,
    high_out: float,
    any_hit: bool,
) -> int:
    """Decide what to do in a cell that the ray may cross the surface in; -1: leave it."""
    sign = state[SIGN]
    low, high = _slope(grid, row, direction)
    away = low >= 0.0 if sign > 0.0 else high <= 0.0
    if away:
        return -1
    towards = high < 0.0 if sign > 0.0 else low > 0.0
    after = 1.0 if low_out > 0.0 else -1.0 if high_out < 0.0 else 0.0
    certain = after == -sign
    if certain and any_hit:
        return HIT
    if not towards:
        return _step(state, grid, t, leave, f, low, high)
    if after == sign:
        return -1
    state[A], state[B], state[LEAVE], state[CERTAIN] = t, leave, leave, 1.0 if certain else 0.0
    state[LOW], state[HIGH], state[LAST_VALUE], state[COUNT] = low, high, np.nan, 0.0
    here = f if np.isfinite(f) else 0.5 * (low_in + high_in)
    place = t - here / (0.5 * (low + high))
    if place < leave:
        state[T], state[MODE] = max(place, t), ROOT
    elif certain:
        state[T], state[MODE] = t + 0.9 * (leave - t), ROOT
    else:
        state[T], state[MODE] = leave, EXIT
    return EVALUATE


@nb.njit(cache=True, nogil=True, inline="always")
def _step(state: Any, grid: PackedGrid, t: float, leave: float, f: float, low: float, high: float) -> int:
    """Look where the way is expected to prove free: seen from both its ends, with a slope like the last [Keinert 2014].

    -1: out of the cell.
    """
    state[MODE], state[LAST_VALUE] = STEP, np.nan
    if not np.isfinite(f):
        state[T], state[VALUE_A] = t, np.nan
        return EVALUATE
    inward, outward = (-low, high) if state[SIGN] > 0.0 else (high, -low)
    outward = max(outward, FLATTEST)  # the bound may be zero itself
    size = max(abs(f) - grid.error, 0.0)
    safe = size / inward
    if t + safe >= leave:
        return -1
    growth = 0.5 * (outward - inward)
    if np.isfinite(state[VALUE_A]) and t > state[A]:
        growth = (abs(f) - abs(state[VALUE_A])) / (t - state[A])
    growth = min(max(growth - CAUTION * (inward + outward), -inward), 0.9 * outward)
    state[A], state[VALUE_A], state[LOW], state[HIGH], state[LEAVE] = t, f, inward, outward, leave
    state[COUNT] += 1.0
    shortest = SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]
    if growth < 0.0 and abs(f) <= -growth * 0.5 * NARROW / state[SPEED]:
        free = -2.0 * abs(f) / growth  # beyond the crossing, but not far
    else:
        free = size * (1.0 / inward + 1.0 / outward) / (1.0 - growth / outward)
    state[T] = min(t + max(free, safe, shortest), max(leave, t + shortest))
    return EVALUATE if state[T] <= state[END] else MISS


@uncounted
def way_is_free(state: Any, grid: PackedGrid, f: float, same: bool) -> bool:
    """Whether the way from A to T, where the field is f, has no crossing but the one that the signs show."""
    ahead = max(abs(state[VALUE_A]) - grid.error, 0.0) / state[LOW]
    way = state[T] - state[A]
    if way <= max(ahead, 1.01 * SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]):
        return True
    size = max(abs(f) - grid.error, 0.0)
    if same:
        return bool(way <= ahead + size / state[HIGH])
    return bool(way - ahead - size / state[LOW] <= NARROW / state[SPEED])


@uncounted
def step_back(state: Any, grid: PackedGrid) -> None:
    """Look at the end of the part of the way to T that is free for sure."""
    shortest = SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]
    safe = max(abs(state[VALUE_A]) - grid.error, 0.0) / state[LOW]
    state[T] = min(state[A] + max(safe, shortest), state[END])
