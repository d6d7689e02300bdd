"""Sphere tracing of packets: rays share blocks of evaluations, and a finished ray makes room for the next one.

`cell_walk` and `part_walk` say where a ray must look at the field; what it sees is used here. A hit is a change of sign. Where the slope
along the ray has bounds of one sign, the crossing is closed in by Newton's method with the secant's slope, kept between
these bounds, and its own interval [Moore 1966]; elsewhere by the Illinois method. Ray parameters are float64.

Kernels that allocate nothing are `uncounted`: counting references to views of rows took a third of the time.

[Moore 1966] R. E. Moore, "Interval Analysis", Prentice-Hall, 1966.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from .beams import start_beams
from .cell_walk import walk
from .network_kernel import PackedNetwork, Scratch, evaluate, make_scratch
from .packed_grid import PART_SIDE, PackedGrid
from .part_walk import step_back, way_is_free
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
    LAST_T,
    LAST_VALUE,
    LEAVE,
    LOW,
    MISS,
    MODE,
    NUDGE,
    NUM_COLUMNS,
    ROOT,
    SIGN,
    SPEED,
    STEP,
    TOLERANCE,
    VALUE_A,
    VALUE_B,
    VALUE_T,
    WALK,
    A,
    B,
    T,
    inlined,
    uncounted,
)

MOST_REFINEMENTS = 40
NEARLY_STRAIGHT = 2e-4  # unit space: over such a way the field is as good as linear
PACKET = 64  # rays that share evaluations


class _Rays(NamedTuple):
    origins: np.ndarray  # (N, 3) float64
    directions: np.ndarray  # (N, 3) float64
    starts: np.ndarray  # (N,) float64
    signs: np.ndarray  # (N,) float64: of the field there, 0 not known
    ends: np.ndarray  # (N,) float64


class _Lanes(NamedTuple):
    ray: np.ndarray  # (PACKET,) int64
    state: np.ndarray  # (PACKET, NUM_COLUMNS) float64
    inverse: np.ndarray  # (PACKET, 3) float64, 1 / direction


@inlined
def _enter(
    state: Any, inverse: Any, origin: Any, direction: Any, low: float, high: float, sign: float
) -> int:
    """Make a lane's row for a new ray; WALK, or MISS where it passes the domain by. `sign`: the field's at `low`, if known."""
    length = np.sqrt(direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2)
    if not (length > 0.0 and length < np.inf):
        return MISS
    for axis in range(3):
        if direction[axis] == 0.0:
            inverse[axis] = np.inf
            if not -1.0 <= origin[axis] <= 1.0:
                return MISS
            continue
        inverse[axis] = 1.0 / direction[axis]
        one, two = (-1.0 - origin[axis]) * inverse[axis], (1.0 - origin[axis]) * inverse[axis]
        low, high = max(low, min(one, two)), min(high, max(one, two))
    if not low <= high:
        return MISS
    state[END], state[SPEED], state[SIGN], state[COUNT], state[A] = high, length, sign, 0.0, low
    state[VALUE_A] = np.nan
    state[T], state[VALUE_T] = low, np.nan
    return WALK


@inlined
def _refine_bracket(state: Any, f: float) -> int:
    """Close the bracket [A, B] with a new value at T, by the Illinois method."""
    rise, width = abs(state[VALUE_B] - state[VALUE_A]), state[B] - state[A]
    if abs(f) * width * state[SPEED] <= 0.3 * TOLERANCE * rise and width * state[SPEED] <= NEARLY_STRAIGHT:
        return HIT
    if (f < 0.0) == (state[SIGN] < 0.0):
        state[A], state[VALUE_A] = state[T], f
        state[VALUE_B] *= 0.5
    else:
        state[B], state[VALUE_B] = state[T], f
        state[VALUE_A] *= 0.5
    return _next_place(state)


@inlined
def _next_place(state: Any) -> int:
    low, high = state[A], state[B]
    state[COUNT] += 1.0
    gap = state[VALUE_A] - state[VALUE_B]
    share = state[VALUE_A] / gap if gap != 0.0 else 0.5
    if int(state[COUNT]) % 4 == 0 or not 0.0 <= share <= 1.0:
        share = 0.5
    margin = min(0.5, 0.25 * TOLERANCE / max((high - low) * state[SPEED], 1e-300))
    state[T] = low + min(max(share, margin), 1.0 - margin) * (high - low)
    narrow = (high - low) * state[SPEED] <= TOLERANCE or state[COUNT] >= MOST_REFINEMENTS
    return HIT if narrow else EVALUATE


@inlined
def _refine_root(state: Any, f: float, size: float, any_hit: bool) -> int:
    """Close in on the one crossing of a part with a value at T; MISS: the part has none. `size`: of parts, along the ray."""
    t, low, high = state[T], state[LOW], state[HIGH]
    if (f < 0.0) == (state[SIGN] < 0.0):
        state[A] = t
    else:
        state[B], state[CERTAIN] = t, 1.0
        if any_hit:
            return HIT
    one, two = t - f / low, t - f / high
    near, far = min(one, two), max(one, two)
    certain = state[CERTAIN] == 1.0
    if not certain and near > state[LEAVE]:
        return MISS
    if not certain and far <= state[LEAVE]:  # the slope is steep enough to get there
        certain, state[CERTAIN] = True, 1.0
    if max(near, state[A]) <= min(far, state[B]):  # it is not where a sampled bound is wrong
        state[A], state[B] = max(near, state[A]), min(far, state[B])
    slope, doubt = 0.5 * (low + high), 0.5 * (high - low)
    if np.isfinite(state[LAST_VALUE]) and t != state[LAST_T]:
        slope = min(max((f - state[LAST_VALUE]) / (t - state[LAST_T]), low), high)
        # it is that of the middle between both looks, and changes by all of its range in a part
        doubt *= min((abs(t - state[LAST_T]) + abs(f / slope)) / size, 1.0)
    state[LAST_T], state[LAST_VALUE] = t, f
    state[COUNT] += 1.0
    step = -f / slope
    close = abs(step) * state[SPEED] * min(doubt / abs(slope), 1.0) <= 0.3 * TOLERANCE
    close = close or (state[B] - state[A]) * state[SPEED] <= TOLERANCE or state[COUNT] >= MOST_REFINEMENTS
    if not certain and (close or t + step >= state[LEAVE]):
        state[T], state[MODE] = state[LEAVE], EXIT
        return EVALUATE
    place = t + step
    if not state[A] <= place <= state[B]:
        place = 0.5 * (state[A] + state[B])
    state[T] = place
    return HIT if close else EVALUATE


@inlined
def _take(state: Any, f: float, size: float, error: float, any_hit: bool) -> int:
    """Use a value at T: EVALUATE at the next place, HIT at T, MISS, or WALK on from T. `size`: see `_refine_root`."""
    if not np.isfinite(f):
        return MISS
    mode, t = state[MODE], state[T]
    same = (f < 0.0) == (state[SIGN] < 0.0)
    state[VALUE_T] = f
    if mode == BRACKET:
        return _refine_bracket(state, f)
    if mode == FIRST:
        state[SIGN], state[A], state[VALUE_A] = -1.0 if f < 0.0 else 1.0, t, np.nan
        return WALK
    if mode == ROOT or (mode == EXIT and not same):
        state[MODE] = ROOT
        outcome = _refine_root(state, f, size, any_hit)
        if outcome != MISS:
            return outcome
        t = state[LEAVE]
    elif mode == STEP:
        if not same and any_hit:
            return HIT
        if not way_is_free(state, error, f, same):
            step_back(state, error)
            return EVALUATE
        if same:
            return WALK
        if state[A] == t:  # what was thought to be free is not
            state[A] = state[LAST_T]
        if not np.isfinite(state[VALUE_A]) or (state[VALUE_A] < 0.0) != (state[SIGN] < 0.0):
            state[VALUE_A] = -f
        state[B], state[VALUE_B], state[MODE], state[COUNT] = t, f, BRACKET, 0.0
        return _next_place(state)
    # a part is left
    state[A], state[VALUE_A] = t, np.nan
    state[T], state[VALUE_T] = t + NUDGE / state[SPEED], np.nan
    return WALK


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
    scratch = make_scratch(network, False)
    points, values = np.zeros((PACKET, 3), np.float32), np.zeros(PACKET, np.float32)
    lanes = _Lanes(np.zeros(PACKET, np.int64), np.zeros((PACKET, NUM_COLUMNS)), np.zeros((PACKET, 3)))
    t_hit[:] = np.inf
    starts, signs = t_min.copy(), np.zeros(origins.shape[0])
    if not any_hit:  # rays to a light begin at the surface
        start_beams(grid, origins, directions, t_min, t_max, starts, signs, np.zeros((4, 3)))
    rays = _Rays(origins, directions, starts, signs, t_max)
    return _march(network, grid, rays, any_hit, t_hit, scratch, points, values, lanes)


@uncounted
def _march(
    network: PackedNetwork,
    grid: PackedGrid,
    rays: _Rays,
    any_hit: bool,
    t_hit: Any,
    scratch: Scratch,
    points: Any,
    values: Any,
    lanes: _Lanes,
) -> int:
    """`march` with its buffers; no reference to an array is counted here."""
    origins, directions = rays.origins, rays.directions
    num_rays, upcoming, active, evaluations = origins.shape[0], 0, 0, 0
    parts = 1 if grid.part.shape[1] == 1 else PART_SIDE
    size = 2.0 / (parts * grid.cell.shape[0])
    while True:
        for b in range(active):
            r, t = lanes.ray[b], lanes.state[b, T]
            for axis in range(3):
                points[b, axis] = min(max(origins[r, axis] + t * directions[r, axis], -1.0), 1.0)
        evaluate(network, points, active, values, scratch)
        evaluations += active
        before, active = active, 0
        for lane in range(PACKET):
            state, inverse, r = lanes.state[lane], lanes.inverse[lane], lanes.ray[lane]
            outcome = MISS
            if lane < before:
                outcome = _take(state, float(values[lane]), size / state[SPEED], grid.error, any_hit)
            while True:
                if outcome == WALK:
                    outcome = walk(state, grid, origins[r], directions[r], inverse, any_hit)
                if outcome == EVALUATE:
                    break
                if outcome == HIT:
                    t_hit[r] = state[T]
                if upcoming == num_rays:
                    break
                r = upcoming
                upcoming += 1
                outcome = _enter(
                    state, inverse, origins[r], directions[r], rays.starts[r], rays.ends[r], rays.signs[r]
                )
            if outcome == EVALUATE:
                lanes.ray[active] = r
                if active != lane:
                    for column in range(NUM_COLUMNS):
                        lanes.state[active, column] = state[column]
                    for axis in range(3):
                        lanes.inverse[active, axis] = inverse[axis]
                active += 1
        if active == 0:
            return evaluations
