"""Sphere tracing in NumPy: the readable reference every other backend is tested against.

Each step is the signed distance divided by a Lipschitz bound, so a ray never crosses the zero level set [Hart 1996];
a hit is a change of sign, closed in by bisection. Slow, and for any field, closed forms included.

[Hart 1996] J. C. Hart, "Sphere Tracing", The Visual Computer 12(10), 1996.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

SHORTEST_STEP = 2e-5  # unit space
MOST_STEPS = 20_000
NUM_BISECTIONS = 40
MARGIN = 1.4
NUM_PROBES = 20_000


class DistanceField(Protocol):
    """A signed distance field, of a network or in closed form."""

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) at points (N, 3)."""
        ...

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) at points (N, 3)."""
        ...


class ReferenceTracer:
    """Sphere tracing of any field in [-1, 1]^3 (`Tracer`)."""

    def __init__(self, field: DistanceField, lipschitz_bound: float | None = None) -> None:
        """Trace `field`; without a bound the steepest of many sampled gradients, with a margin, is taken."""
        self.field = field
        self.bound = "sampled" if lipschitz_bound is None else "given"
        self.lipschitz_bound = self._steepest() if lipschitz_bound is None else lipschitz_bound

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) at points (N, 3)."""
        return self.field.value(points)

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) at points (N, 3)."""
        return self.field.gradient(points)

    def trace(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> FloatArray:
        """First crossing of the zero set in [t_min, t_max]: t (N,), `inf` on a miss."""
        origins, directions = np.asarray(origins, np.float64), np.asarray(directions, np.float64)
        speed = np.linalg.norm(directions, axis=1)
        low, high = _clip_to_box(origins, directions, t_min, t_max)
        t_hit = np.full(len(origins), np.inf)
        active = np.flatnonzero((low <= high) & (speed > 0.0))
        t, before = low.copy(), np.full(len(origins), np.nan)
        for _ in range(MOST_STEPS):
            value = self._value_at(origins, directions, t, active)
            crossed = (value < 0.0) != (before[active] < 0.0)
            crossed &= ~np.isnan(before[active])
            hits = active[crossed]
            t_hit[hits] = self._bisect(origins[hits], directions[hits], low[hits], t[hits], before[hits])
            active, value = active[~crossed], value[~crossed]
            low[active], before[active] = t[active], value
            step = np.maximum(np.abs(value) / self.lipschitz_bound, SHORTEST_STEP) / speed[active]
            done = t[active] >= high[active]
            t[active] = np.minimum(t[active] + step, high[active])
            active = active[~done]
            if not len(active):
                break
        return t_hit

    def occluded(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> BoolArray:
        """Whether anything is hit in [t_min, t_max] (N,)."""
        return np.isfinite(self.trace(origins, directions, t_min, t_max))

    def _value_at(self, origins: FloatArray, directions: FloatArray, t: FloatArray, rays: Any) -> FloatArray:
        return self.field.value(origins[rays] + t[rays, None] * directions[rays])

    def _bisect(
        self,
        origins: FloatArray,
        directions: FloatArray,
        low: FloatArray,
        high: FloatArray,
        before: FloatArray,
    ) -> FloatArray:
        low, high = low.copy(), high.copy()
        for _ in range(NUM_BISECTIONS if len(low) else 0):
            middle = 0.5 * (low + high)
            same = (self.field.value(origins + middle[:, None] * directions) < 0.0) == (before < 0.0)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return 0.5 * (low + high)

    def _steepest(self) -> float:
        points = np.random.default_rng(0).uniform(-1.0, 1.0, (NUM_PROBES, 3))
        return MARGIN * max(float(np.linalg.norm(self.field.gradient(points), axis=1).max()), 1e-3)


def _clip_to_box(
    origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (-1.0 - origins) / directions, (1.0 - origins) / directions
    inside = np.abs(origins) <= 1.0
    parallel = directions == 0.0
    one = np.where(parallel, np.where(inside, -np.inf, np.inf), one)
    two = np.where(parallel, np.where(inside, np.inf, -np.inf), two)
    enter = np.where(parallel, one, np.minimum(one, two)).max(axis=1)
    leave = np.where(parallel, two, np.maximum(one, two)).min(axis=1)
    return np.maximum(enter, t_min), np.minimum(leave, t_max)
