"""What a ray does in a part of a cell that the surface may reach: leave it, or look at the field, and where.

A part knows a linear function and how far the field is from it: always by no more than the spread of its gradient times
the offset from the centre [mean value theorem], and where it was proven, by a number of second order in its size. So the
field lies between two functions of t, the lower one concave and the upper one convex, and their values where the ray enters
and leaves the part tell whether it can cross the surface there: most parts are left without a look. In the others, where the
slope along the ray keeps its sign the crossing is at most one, and a look at the exit or at the expected place decides. In
the rest a look clears the way around it as far as the value over the steepest slope towards zero [Hart 1996]; the next look
is where both are expected to meet.

[Hart 1996] J. C. Hart, "Sphere Tracing", The Visual Computer 12(10), 1996.
[Keinert 2014] B. Keinert et al., "Enhanced Sphere Tracing", Smart Tools and Apps for Graphics, 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .packed_grid import REST, SLOPE, SPREAD, UNKNOWN, VALUE, PackedGrid
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
    ROOM,
    ROOT,
    SIGN,
    SPEED,
    STEP,
    VALUE_A,
    VALUE_B,
    A,
    B,
    T,
    inlined,
)

SHORTEST_STEP = 2e-5  # unit space; a ray that grazes the surface closer than this walks on
PATIENCE = 50.0  # steps after which the shortest step has doubled, so that every ray ends
NARROW = 5e-5  # unit space, across the surface: in a bracket like this any crossing will do, the first is no farther away
MOST_SLANTED = 0.25  # cosine to the gradient below which a bracket grows no longer
FLATTEST = 1e-30  # a slope to divide by
ALMOST = 0.8  # of the room: where a crossing is to be expected for it
CAUTION_AT_FIRST = 0.2  # how much of the distance from the linear function is expected to be needed
CAUTION = 0.05  # how much less than the last slope, of the range of slopes, is expected of the next one
LEFT = -1  # a part is left without a look


@inlined
def crossed_before(state: Any, t: float, any_hit: bool) -> int:
    """Use that the sign is another at t: the ray came by a crossing at a border, or by one that the grid denies."""
    state[B], state[VALUE_A], state[VALUE_B] = t, np.nan, np.nan  # halved until both were looked at
    state[T], state[MODE], state[COUNT] = 0.5 * (state[A] + t), BRACKET, 0.0
    return HIT if any_hit else EVALUATE


@inlined
def through_part(
    state: Any,
    grid: PackedGrid,
    row: int,
    centre: Any,
    origin: Any,
    direction: Any,
    t: float,
    leave: float,
    f: float,
    any_hit: bool,
) -> int:
    """Decide what to do in a part between t and `leave`; LEFT: go on without a look."""
    here, there, slope, spread, swing_in, swing_out = _bounds(grid, row, centre, origin, direction, t, leave)
    known = 1.0 if here > swing_in and there > swing_out else 0.0
    known = -1.0 if here < -swing_in and there < -swing_out else known
    if known != 0.0:
        if state[SIGN] == 0.0:
            state[SIGN] = known
        return LEFT if state[SIGN] == known else crossed_before(state, t, any_hit)
    sign = state[SIGN]
    if sign == 0.0:
        state[T], state[MODE] = t, FIRST
        return EVALUATE
    if sign * slope >= spread:
        return LEFT  # away from the surface
    certain = sign * there < -swing_out
    if certain and any_hit:
        return HIT
    if sign * slope >= -spread:
        begin = t
        if sign * here > swing_in:  # the lower function is concave: it lies above its chord
            low_in, low_out = sign * here - swing_in, sign * there - swing_out
            begin = t + (leave - t) * low_in / (low_in - low_out)
        state[ROOM] = _room(grid, row, slope, state[SPEED])
        return _step(state, grid, t, leave, f, sign * slope, spread, begin, sign * here)
    if sign * there > swing_out:
        return LEFT  # the slope has one sign, and the field the same one as before
    state[A], state[B], state[LEAVE], state[CERTAIN] = t, leave, leave, 1.0 if certain else 0.0
    state[LOW], state[HIGH], state[LAST_VALUE], state[COUNT] = slope - spread, slope + spread, np.nan, 0.0
    place = t - (f if np.isfinite(f) else here) / slope
    if place < leave:
        state[T], state[MODE] = max(place, t), ROOT
    elif certain:
        state[T], state[MODE] = t + 0.9 * (leave - t), ROOT
    else:
        state[T], state[MODE] = leave, EXIT
    return EVALUATE


@inlined
def _bounds(
    grid: PackedGrid, row: int, centre: Any, origin: Any, direction: Any, t: float, leave: float
) -> tuple[float, float, float, float, float, float]:
    """Give the linear function at t and `leave`, its slope and its spread; how far the field may be from it at both."""
    here = float(grid.rows[row, VALUE])
    slope, spread, swing_in, swing_out = 0.0, 0.0, 0.0, 0.0
    for axis in range(3):
        toward, offset = direction[axis], origin[axis] + t * direction[axis] - centre[axis]
        one, other = float(grid.rows[row, SLOPE + axis]), float(grid.rows[row, SPREAD + axis])
        here += one * offset
        slope += one * toward
        spread += other * abs(toward)
        swing_in += other * abs(offset)
        swing_out += other * abs(offset + (leave - t) * toward)
    rest = float(grid.rows[row, REST])
    if rest < UNKNOWN:
        swing_in, swing_out = rest, rest
    # twice: the value at the centre is off by as much as one at the place
    swing_in, swing_out = swing_in + 2.0 * grid.error, swing_out + 2.0 * grid.error
    return here, here + (leave - t) * slope, slope, spread, swing_in, swing_out


@inlined
def _room(grid: PackedGrid, row: int, slope: float, speed: float) -> float:
    """Ray parameter of a way so slanted to the surface that it is NARROW across it."""
    x, y, z = grid.rows[row, SLOPE], grid.rows[row, SLOPE + 1], grid.rows[row, SLOPE + 2]
    steep = np.sqrt(float(x * x + y * y + z * z))
    room: float = NARROW / (speed * min(max(abs(slope) / max(speed * steep, FLATTEST), MOST_SLANTED), 1.0))
    return room


@inlined
def _step(
    state: Any,
    grid: PackedGrid,
    t: float,
    leave: float,
    f: float,
    slope: float,
    spread: float,
    begin: float,
    here: float,
) -> int:
    """Look where the way is expected to prove free: seen from both its ends, with a slope like the last [Keinert 2014].

    `slope` is that of the field's size, within `spread`; the way to `begin` is free, the size at t is about `here`.
    LEFT: out of the part.
    """
    inward, outward = spread - slope, max(spread + slope, FLATTEST)  # the bound may be zero itself
    state[MODE], state[LAST_VALUE] = STEP, np.nan
    state[LOW], state[HIGH], state[LEAVE] = inward, outward, leave
    if not np.isfinite(f):
        state[LAST_T], state[A], state[VALUE_A] = t, begin, np.nan
        place = begin + (leave - begin) * inward / (inward + outward)
        if (
            here + (place - t) * slope <= (place - begin) * outward
        ):  # else the whole way is free, if as expected
            # near the crossing, but far enough for what is seen there to clear the way back to `begin`
            gap = here + (begin - t) * slope
            place = min(begin + max((1.0 - CAUTION_AT_FIRST) * gap, 0.0) / (outward - slope), leave)
        state[T] = place
        return EVALUATE
    size = max(abs(f) - grid.error, 0.0)
    safe = size / inward
    if t + safe >= leave:
        return LEFT
    growth = slope
    if np.isfinite(state[VALUE_A]) and t > state[A]:
        growth = (abs(f) - abs(state[VALUE_A])) / (t - state[A])
    growth = min(max(growth - CAUTION * (inward + outward), -inward), 0.9 * outward)
    state[LAST_T], state[A], state[VALUE_A] = t, t, f
    state[COUNT] += 1.0
    shortest = SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]
    if growth < 0.0 and abs(f) <= -growth * (safe + ALMOST * state[ROOM]):
        free = safe + state[ROOM]  # beyond the crossing, but not far
    else:
        free = size * (1.0 / inward + 1.0 / outward) / (1.0 - growth / outward)
    state[T] = min(t + max(free, safe, shortest), max(leave, t + shortest))
    return EVALUATE if state[T] <= state[END] else MISS


@inlined
def _ahead(state: Any, error: float) -> float:
    """How far the way from A is free for what is seen there."""
    if not np.isfinite(state[VALUE_A]):
        return 0.0
    free: float = max(abs(state[VALUE_A]) - error, 0.0) / state[LOW]
    return free


@inlined
def way_is_free(state: Any, error: float, f: float, same: bool) -> bool:
    """Whether the way from A to T, where the field is f, has no crossing but the one that the signs show."""
    ahead, way = _ahead(state, error), state[T] - state[A]
    if way <= max(ahead, 1.01 * SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]):
        return True
    size = max(abs(f) - error, 0.0)
    if same:
        return bool(way <= ahead + size / state[HIGH])
    return bool(way - ahead - size / state[LOW] <= 1.001 * state[ROOM])


@inlined
def step_back(state: Any, error: float) -> None:
    """Look at the end of the part of the way to T that is free for sure; at A itself where nothing is known there."""
    if not np.isfinite(state[VALUE_A]):
        state[T] = state[A]
        return
    shortest = SHORTEST_STEP * (1.0 + state[COUNT] / PATIENCE) / state[SPEED]
    state[T] = min(state[A] + max(_ahead(state, error), shortest), state[END])
