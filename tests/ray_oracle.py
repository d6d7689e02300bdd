"""First crossings of a network's zero set along rays, in float64: exact for piecewise linear ones, subdivided for others.

Rays have directions of length 1. `closest` is the least |f| a ray saw without crossing, so that a caller can leave out the
rays that graze nearer than float32 can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.network.activations import LEAKY_SLOPE
from engine.network.field import Field

SAMPLES = 700  # of the first pass, in float32
PARTS = 24  # of an interval that may hold a crossing, in float32
LAST_PARTS = 6  # of those of its parts that still may, in float64: 2e-5 long, between which a field of any use bends by less than GRAZING
BISECTIONS = 30
FLOAT32_ERROR = 1e-5  # more than ten times what is seen
RAYS_AT_ONCE = 4000
INTERVALS_AT_ONCE = 20_000
MOST_REGIONS = 4000
GRAZING = 1e-6  # rays that touch the zero set by less are left out
DEPTH = 1e-4  # of unit space, over the cosine to the gradient


def box_span(origins, directions):
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (-1.0 - origins) / directions, (1.0 - origins) / directions
    parallel = directions == 0.0
    inside = np.abs(origins) <= 1.0
    one = np.where(parallel, np.where(inside, -np.inf, np.inf), one)
    two = np.where(parallel, np.where(inside, np.inf, -np.inf), two)
    enter = np.maximum(np.where(parallel, one, np.minimum(one, two)).max(axis=1), 0.0)
    return enter, np.where(parallel, two, np.maximum(one, two)).min(axis=1)


def exact_first_crossing(weights, origins, directions):
    """Walk from one linear region of a relu or leaky_relu network to the next: (t, closest)."""
    slope = LEAKY_SLOPE if weights.architecture.activation == "leaky_relu" else 0.0
    assert weights.architecture.activation in ("relu", "leaky_relu")
    enter, leave = box_span(origins, directions)
    t_hit, closest = np.full(len(origins), np.inf), np.full(len(origins), np.inf)
    active = np.flatnonzero(enter < leave)
    t = enter.copy()
    for _ in range(MOST_REGIONS):
        if not len(active):
            return t_hit, closest
        value, rate, ahead = _linear_region(weights, slope, origins[active], directions[active], t[active])
        ahead = np.minimum(ahead, leave[active] - t[active])
        end = value + rate * ahead
        closest[active] = np.minimum(closest[active], np.minimum(np.abs(value), np.abs(end)))
        crossed = (value < 0.0) != (end < 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t_hit[active[crossed]] = t[active[crossed]] + (-value / rate)[crossed]
        t[active] += ahead + 1e-12
        active = active[~crossed & (t[active] < leave[active])]
    raise AssertionError("a ray passes more linear regions than a network of this size can have")


def _linear_region(weights, slope, origins, directions, t):
    """Value, derivative along the ray just after t, and how far the region goes on."""
    h, dh = origins + t[:, None] * directions, directions
    ahead = np.full(len(t), np.inf)
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        matrix = matrix.astype(np.float64)
        z, dz = h @ matrix.T + bias.astype(np.float64), dh @ matrix.T
        if k == len(weights.weights) - 1:
            return z[:, 0], dz[:, 0], ahead
        on = (z > 0.0) | ((np.abs(z) < 1e-13) & (dz > 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            until = -z / dz
        until[~((until > 1e-13) & (on != (dz > 0.0)))] = np.inf
        ahead = np.minimum(ahead, until.min(axis=1))
        factor = np.where(on, 1.0, slope)
        h, dh = z * factor, dz * factor
    raise AssertionError


def subdivided_first_crossing(weights, value, origins, directions, steepest):
    """Look everywhere a field with derivatives up to `steepest` can cross: (t, closest).

    `value` is a fast float32 evaluation for the first two passes; what they leave open is looked at in float64.
    """
    field = Field(weights)
    enter, leave = box_span(origins, directions)
    t_hit, closest = np.full(len(origins), np.inf), np.full(len(origins), np.inf)
    met = np.flatnonzero(enter < leave)
    for start in range(0, len(met), RAYS_AT_ONCE):
        rays = met[start : start + RAYS_AT_ONCE]
        low, high = enter[rays], leave[rays]
        for parts in (SAMPLES, PARTS):
            rays, low, high = _open_parts(value, origins, directions, rays, low, high, parts, steepest)
        _cross(field, origins, directions, rays, low, high, t_hit, closest)
    return t_hit, closest


def _open_parts(value, origins, directions, rays, low, high, parts, steepest):
    """Divide intervals [low, high] of rays; give those parts (ray, low, high) that may hold a ray's first crossing."""
    t = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, parts + 1)
    places = origins[rays, None] + t[..., None] * directions[rays, None]
    values = value(np.clip(places, -1.0, 1.0).reshape(-1, 3)).reshape(t.shape)
    before, after = values[:, :-1], values[:, 1:]
    changed = (before < 0.0) != (after < 0.0)
    nearest = np.minimum(np.abs(before), np.abs(after)) - FLOAT32_ERROR
    surely = np.full(len(origins), np.inf)  # there a ray's first crossing lies behind it
    which, column = np.nonzero(changed & (nearest > 0.0))
    np.minimum.at(surely, rays[which], t[which, column + 1])
    which, column = np.nonzero(
        (changed | (nearest < 0.5 * steepest * np.diff(t, axis=1))) & (t[:, :-1] < surely[rays, None])
    )
    return rays[which], t[which, column], t[which, column + 1]


def _cross(field, origins, directions, rays, low, high, t_hit, closest):
    """Divide intervals once more, in float64, and bisect the changes of sign; writes each ray's first and its least |f|."""
    for start in range(0, len(rays), INTERVALS_AT_ONCE):
        ray, a, b = (array[start : start + INTERVALS_AT_ONCE] for array in (rays, low, high))
        t = a[:, None] + (b - a)[:, None] * np.linspace(0.0, 1.0, LAST_PARTS + 1)
        values = field.value((origins[ray, None] + t[..., None] * directions[ray, None]).reshape(-1, 3))
        values = values.reshape(t.shape)
        np.minimum.at(closest, ray, np.abs(values).min(axis=1))
        changed = (values[:, :-1] < 0.0) != (values[:, 1:] < 0.0)
        which = np.flatnonzero(changed.any(axis=1))
        column, ray = changed[which].argmax(axis=1), ray[which]
        a, b, negative = t[which, column], t[which, column + 1], values[which, column] < 0.0
        for _ in range(BISECTIONS if len(which) else 0):
            middle = 0.5 * (a + b)
            same = (field.value(origins[ray] + middle[:, None] * directions[ray]) < 0.0) == negative
            a, b = np.where(same, middle, a), np.where(same, b, middle)
        np.minimum.at(t_hit, ray, a)


@dataclass
class Verdict:
    """What a tracer did with N rays; every array is (N,)."""

    crossed: np.ndarray  # whether the field is crossed
    missed: np.ndarray
    false: np.ndarray
    displaced: np.ndarray  # hit, but not at the first crossing
    grazing: np.ndarray  # left out: the difference is a touch of less than GRAZING
    depth_error: np.ndarray  # times the cosine, where both hit and none of the above holds; else 0


def judge(weights, tracer, origins, directions):
    """Compare a tracer with the oracle that fits the network."""
    field, count = Field(weights), len(origins)
    if weights.architecture.activation in ("relu", "leaky_relu"):
        expected, closest = exact_first_crossing(weights, origins, directions)
    else:
        probes = np.random.default_rng(0).uniform(-1.0, 1.0, (5000, 3))
        steepest = 2.0 * np.linalg.norm(field.gradient(probes), axis=1).max()
        expected, closest = subdivided_first_crossing(
            weights, tracer.value_parallel, origins, directions, steepest
        )
    t_hit = tracer.trace(origins, directions, np.zeros(count), np.full(count, 10.0))
    crossed, hit = np.isfinite(expected), np.isfinite(t_hit)
    both = crossed & hit
    error = np.zeros(count)
    gradient = field.gradient(origins[both] + expected[both, None] * directions[both])
    cosine = np.abs((gradient * directions[both]).sum(axis=1)) / np.linalg.norm(gradient, axis=1)
    error[both] = np.abs(t_hit[both] - expected[both]) * cosine
    wrong = (crossed != hit) | (error > DEPTH)
    grazing = np.zeros(count, bool)
    for r in np.flatnonzero(wrong):
        grazing[r] = _grazes(field, origins[r], directions[r], expected[r], t_hit[r], closest[r])
    open_ = wrong & ~grazing
    error[wrong] = 0.0
    return Verdict(crossed, open_ & crossed & ~hit, open_ & hit & ~crossed, open_ & both, grazing, error)


def _grazes(field, origin, direction, expected, t_hit, closest):
    """Whether two answers differ only by a touch, of the zero set or through it by less than GRAZING."""
    if not np.isfinite(expected):
        return closest < GRAZING
    if t_hit < expected:
        return abs(field.value((origin + t_hit * direction)[None])[0]) < GRAZING
    before = field.value((origin + (expected - 1e-5) * direction)[None])[0] < 0.0
    t = np.linspace(expected - 1e-5, min(t_hit, expected + 0.05) - 1e-5, 4001)
    values = field.value(origin + t[:, None] * direction)
    turned = values[(values < 0.0) != before]
    return not len(turned) or np.abs(turned).max() < GRAZING


def mixed_rays(field, count, seed):
    """A third from all around, a third that graze the surface, a third from inside the box."""
    rng = np.random.default_rng(seed)
    origins = rng.standard_normal((count, 3))
    origins *= 3.0 / np.linalg.norm(origins, axis=1, keepdims=True)
    through = rng.uniform(-0.9, 0.9, (count, 3))
    near = rng.uniform(-1.0, 1.0, (40 * count, 3))
    near = near[np.abs(field.value(near)) < 0.02][: count // 3]
    normal = field.gradient(near)
    along = np.cross(normal, rng.standard_normal((len(near), 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    through[: len(near)], origins[: len(near)] = near, near - 2.5 * along
    inside = slice(2 * count // 3, count)
    origins[inside] = rng.uniform(-0.9, 0.9, (count - inside.start, 3))
    directions = through - origins
    return origins, directions / np.linalg.norm(directions, axis=1, keepdims=True)
