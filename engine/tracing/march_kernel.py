"""Sphere tracing of packets: rays share blocks of evaluations, and a finished ray makes room for the next one.

Space is a grid over [-1, 1]^3. A cell that the surface cannot reach is left without evaluating anything, and so is
the whole cube of such cells around it. In the other cells a step is the value over the cell's bound on the slope along the
ray, and ends at the cell's border [Hart 1996]; where the slope keeps its sign it goes there at once. A hit is a change of sign, closed in by the Illinois method. Ray parameters are float64.

[Hart 1996] J. C. Hart, "Sphere Tracing", The Visual Computer 12(10), 1996.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from .kernel_math import BLOCK
from .network_kernel import PackedNetwork, evaluate_block, scratch_rows
from .packed_grid import PackedGrid

SHORTEST_STEP = 2e-5  # unit space; a ray that grazes the surface closer than this walks on
PATIENCE = 50.0  # steps after which the shortest step has doubled, so that every ray ends
TOLERANCE = 1e-6  # unit space, width of the final bracket
MOST_REFINEMENTS = 40


class _Lanes(NamedTuple):
    ray: np.ndarray  # (BLOCK,) int64
    state: np.ndarray  # (BLOCK, 8) float64, see the columns below
    inverse: np.ndarray  # (BLOCK, 3) float64, 1 / direction


_T, _END, _SPEED, _PAST_T, _PAST_F, _LOW_F, _COUNT, _MODE = range(8)
_FIRST, _MARCHING, _REFINING = 0.0, 1.0, 2.0


@nb.njit(cache=True, nogil=True)
def _cell(x: float, resolution: int) -> int:
    return min(max(int((x + 1.0) * 0.5 * resolution), 0), resolution - 1)


@nb.njit(cache=True, nogil=True)
def _exit(
    origin: Any, direction: Any, inverse: Any, t: float, cells: Any, reach: int, resolution: int
) -> float:
    """Ray parameter at which a ray leaves the cube of `reach` cells around its cell."""
    size = 2.0 / resolution
    nearest = np.inf
    for axis in range(3):
        if direction[axis] > 0.0:
            border = -1.0 + size * (cells[axis] + 1 + reach)
        elif direction[axis] < 0.0:
            border = -1.0 + size * (cells[axis] - reach)
        else:
            continue
        nearest = min(nearest, (border - origin[axis]) * inverse[axis])
    return max(nearest, t)


@nb.njit(cache=True, nogil=True)
def _skip(
    grid: PackedGrid, origin: Any, direction: Any, inverse: Any, t: float, end: float, nudge: float
) -> float:
    """Go on from t through cells that the surface cannot reach; inf when the ray ends first."""
    resolution = grid.distance.shape[0]
    while t <= end:
        i = _cell(origin[0] + t * direction[0], resolution)
        j = _cell(origin[1] + t * direction[1], resolution)
        k = _cell(origin[2] + t * direction[2], resolution)
        reach = int(grid.distance[i, j, k])
        if reach == 0:
            return t
        t = _exit(origin, direction, inverse, t, (i, j, k), reach - 1, resolution) + nudge
    return np.inf


@nb.njit(cache=True, nogil=True)
def _enter(
    lanes: _Lanes, b: int, r: int, grid: PackedGrid, origin: Any, direction: Any, low: float, high: float
) -> bool:
    """Put ray r into lane b at its first cell that the surface may reach; whether there is one."""
    length = np.sqrt(direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2)
    if not (length > 0.0 and length < np.inf):
        return False
    for axis in range(3):
        if direction[axis] == 0.0:
            lanes.inverse[b, axis] = np.inf
            if not -1.0 <= origin[axis] <= 1.0:
                return False
            continue
        inverse = 1.0 / direction[axis]
        lanes.inverse[b, axis] = inverse
        one, two = (-1.0 - origin[axis]) * inverse, (1.0 - origin[axis]) * inverse
        low, high = max(low, min(one, two)), min(high, max(one, two))
    if not low <= high:
        return False
    t = _skip(grid, origin, direction, lanes.inverse[b], low, high, 1e-7 / length)
    if t == np.inf:
        return False
    lanes.ray[b] = r
    state = lanes.state[b]
    state[_T], state[_END], state[_SPEED], state[_MODE], state[_COUNT] = t, high, length, _FIRST, 0.0
    return True


@nb.njit(cache=True, nogil=True)
def _slopes(grid: PackedGrid, row: int, direction: Any) -> tuple[float, float]:
    """Bounds on the derivative along a ray in a cell, in t."""
    low, high = 0.0, 0.0
    for axis in range(3):
        one = direction[axis] * grid.gradient[row, axis]
        two = direction[axis] * grid.gradient[row, axis + 3]
        low, high = low + min(one, two), high + max(one, two)
    return low, high


@nb.njit(cache=True, nogil=True)
def _advance(state: Any, grid: PackedGrid, origin: Any, direction: Any, inverse: Any, f: float) -> bool:
    """Step on from a point of the same sign as the last; whether the ray goes on."""
    t, speed = state[_T], state[_SPEED]
    state[_PAST_T], state[_PAST_F], state[_MODE] = t, f, _MARCHING
    if t >= state[_END]:
        return False
    resolution = grid.distance.shape[0]
    i = _cell(origin[0] + t * direction[0], resolution)
    j = _cell(origin[1] + t * direction[1], resolution)
    k = _cell(origin[2] + t * direction[2], resolution)
    state[_COUNT] += 1.0
    shortest = SHORTEST_STEP * (1.0 + state[_COUNT] / PATIENCE)
    border = _exit(origin, direction, inverse, t, (i, j, k), 0, resolution) + 1e-7 / speed
    free, monotone = (
        0.0,
        False,
    )  # rounding may take the ray into a cell without bounds: the shortest step takes it on
    if grid.cell[i, j, k] >= 0:
        low, high = _slopes(grid, grid.cell[i, j, k], direction)
        toward_zero = -low if f > 0.0 else high
        free = max(abs(f) - grid.error, 0.0) / toward_zero if toward_zero > 0.0 else np.inf
        monotone = low > 0.0 or high < 0.0
    if t + free >= border:
        state[_T] = _skip(grid, origin, direction, inverse, border, state[_END], 1e-7 / speed)
    else:  # the border and the ray's end must be looked at, since the ray may have crossed before them
        ahead = border if monotone else min(t + max(free, shortest / speed), border)
        state[_T] = min(ahead, state[_END])
    return bool(state[_T] <= state[_END])


@nb.njit(cache=True, nogil=True)
def _refine(state: Any, f: float) -> bool:
    """Close the bracket [_PAST_T, _END] around the crossing with a new value at _T; whether it is not narrow yet.

    In this mode _PAST_F and _LOW_F are the values at its ends; _T is the next place to look at, in the end the hit.
    """
    t = state[_T]
    if (f < 0.0) == (state[_PAST_F] < 0.0):
        state[_PAST_T], state[_PAST_F] = t, f
        state[_LOW_F] *= 0.5
    else:
        state[_END], state[_LOW_F] = t, f
        state[_PAST_F] *= 0.5
    return _next_place(state)


@nb.njit(cache=True, nogil=True)
def _next_place(state: Any) -> bool:
    low, high = state[_PAST_T], state[_END]
    state[_COUNT] += 1.0
    share = state[_PAST_F] / (state[_PAST_F] - state[_LOW_F])
    if int(state[_COUNT]) % 4 == 0 or not 0.0 <= share <= 1.0:
        share = 0.5
    margin = min(0.5, 0.25 * TOLERANCE / max((high - low) * state[_SPEED], 1e-300))
    state[_T] = low + min(max(share, margin), 1.0 - margin) * (high - low)
    return bool((high - low) * state[_SPEED] > TOLERANCE and state[_COUNT] < MOST_REFINEMENTS)


@nb.njit(cache=True, nogil=True)
def _take(
    state: Any, grid: PackedGrid, origin: Any, direction: Any, inverse: Any, f: float, any_hit: bool
) -> int:
    """Use a value: 0 the ray goes on, 1 it hit at _T, 2 it missed."""
    if not np.isfinite(f):
        return 2
    if state[_MODE] == _REFINING:
        return 0 if _refine(state, f) else 1
    if state[_MODE] == _MARCHING and (f < 0.0) != (state[_PAST_F] < 0.0):
        state[_MODE], state[_END], state[_LOW_F], state[_COUNT] = _REFINING, state[_T], f, 0.0
        return 1 if any_hit or not _next_place(state) else 0
    return 0 if _advance(state, grid, origin, direction, inverse, f) else 2


@nb.njit(cache=True, nogil=True)
def march(
    network: PackedNetwork,
    grid: PackedGrid,
    origins: Any,
    directions: Any,
    t_min: Any,
    t_max: Any,
    any_hit: bool,
    t_hit: Any,
) -> int:
    """Trace rays; gives the number of evaluations.

    Args:
        network: The network.
        grid: The step grid.
        origins: (N, 3) float64, unit space.
        directions: (N, 3) float64, of any length.
        t_min: (N,) float64.
        t_max: (N,) float64.
        any_hit: Whether any crossing will do, not refined.
        t_hit: Out, (N,) float64; inf on a miss.
    """
    rows = scratch_rows(network)
    first, left = np.empty((rows, 4, BLOCK), np.float32), np.empty((rows, 4, BLOCK), np.float32)
    right, points = np.empty((rows, 4, BLOCK), np.float32), np.zeros((BLOCK, 3), np.float32)
    lanes = _Lanes(np.zeros(BLOCK, np.int64), np.zeros((BLOCK, 8)), np.zeros((BLOCK, 3)))
    num_rays, upcoming, active, evaluations = origins.shape[0], 0, 0, 0
    t_hit[:] = np.inf
    while True:
        while active < BLOCK and upcoming < num_rays:
            r = upcoming
            upcoming += 1
            if _enter(lanes, active, r, grid, origins[r], directions[r], t_min[r], t_max[r]):
                active += 1
        if active == 0:
            return evaluations
        for b in range(active):
            r, t = lanes.ray[b], lanes.state[b, _T]
            for axis in range(3):
                points[b, axis] = min(max(origins[r, axis] + t * directions[r, axis], -1.0), 1.0)
        values = evaluate_block(network, points, active, False, first, left, right)
        evaluations += active
        b = 0
        for lane in range(active):
            r = lanes.ray[lane]
            state, inverse = lanes.state[lane], lanes.inverse[lane]
            outcome = _take(state, grid, origins[r], directions[r], inverse, float(values[0, lane]), any_hit)
            if outcome == 1:
                t_hit[r] = state[_T]
            elif outcome == 0:
                if b != lane:
                    lanes.ray[b] = r
                    lanes.state[b] = state
                    lanes.inverse[b] = inverse
                b += 1
        active = b
