"""A lid for a hole: a surface over a disc that ends on a loop of points, flat or carrying on the surface around it.

Over the unit disc the position is a clamped biharmonic function: it takes the loop's points on the rim and leaves
it with a given slope. By Fourier series over the rim's angle it has a closed form, for each frequency m
r^|m| (a + b r^2) with a + b and |m| a + (|m| + 2) b given. With b = 0 it is harmonic, which is the flat lid. The rim
is walked by arc length, so the disc is mapped without distortion there and the slope has the rim's own length.

A surface that turns sharply towards its opening (a box without a face, a pipe) was cut along an edge: its lid is
flat. One that turns gently was damaged, and its lid carries on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
ComplexArray = npt.NDArray[np.complexfloating[Any, Any]]
IntArray = npt.NDArray[np.integer[Any]]

NUM_RIM = 256  # points to which a loop is resampled
SLOPE_FREQUENCIES = 6  # of the rim's slope: a jagged hole must not make a jagged lid
SMOOTH_COSINE = 0.5  # between the surface's continuation and the flat lid; below it the rim is an edge
RING_GROWTH = 1.35  # of the width of a ring of triangles, from the rim inward
WIDEST_RING = 0.12
SMALLEST_ROUND = 5  # loops of fewer points get a fan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lid:
    """Triangles that close one loop of n points."""

    inner: FloatArray  # (K, 3) points of its own
    faces: IntArray  # (T, 3), numbers below n are the loop's points, the others n + those of `inner`
    smooth: bool  # whether it carries on the surface around it


def close_loop(points: FloatArray, normals: FloatArray) -> Lid:
    """Give a lid for a loop of points (n, 3), each with a face normal (n, 3) of the surface that ends there.

    The loop runs as the surface's faces do; the lid's faces run against it, so the two together are closed.
    """
    if len(points) < SMALLEST_ROUND:
        fan = [[0, k + 1, k] for k in range(1, len(points) - 1)]
        return Lid(inner=np.zeros((0, 3)), faces=np.array(fan, np.int64).reshape(-1, 3), smooth=False)
    lengths = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    angles = 2.0 * np.pi * np.concatenate([[0.0], np.cumsum(lengths)[:-1]]) / lengths.sum()
    position, bulge, smooth = _series(points, normals, angles)
    rings = _ring_angles(angles)
    inner = [_evaluate(position, bulge, radius, ring) for radius, ring in rings]
    return Lid(
        inner=np.concatenate(inner), faces=_stitch([angles, *(ring for _, ring in rings)]), smooth=smooth
    )


def _series(
    points: FloatArray, normals: FloatArray, angles: FloatArray
) -> tuple[ComplexArray, ComplexArray, bool]:
    """Give the coefficients a and b (frequencies, 3) of r^m (a + b r^2), and whether the lid is smooth."""
    rim, around = _resampled(points, angles), _resampled(normals, angles)
    position = np.fft.rfft(rim, axis=0) / NUM_RIM
    orders = np.arange(len(position))[:, None]
    low = orders <= SLOPE_FREQUENCIES
    tangent = np.fft.irfft(np.where(low, 1j * orders * position, 0.0), NUM_RIM, axis=0)
    normal = np.fft.irfft(np.where(low, np.fft.rfft(around, axis=0), 0.0), NUM_RIM, axis=0)
    onward = np.cross(tangent, normal)  # along the surface, into the hole
    onward /= np.maximum(np.linalg.norm(onward, axis=1, keepdims=True), 1e-12)
    steepness = NUM_RIM * np.linalg.norm(
        tangent, axis=1, keepdims=True
    )  # as far in as around: no distortion at the rim
    inward = -np.fft.irfft(np.where(low, orders * position, 0.0), NUM_RIM, axis=0)
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-12)
    smooth = bool(np.mean((onward * inward).sum(axis=1)) > SMOOTH_COSINE)
    slope = np.fft.rfft(-onward * steepness, axis=0) / NUM_RIM
    bulge = np.where(low & smooth, 0.5 * (slope - orders * position), 0.0)
    return position - bulge, bulge, smooth


def _resampled(values: FloatArray, angles: FloatArray) -> FloatArray:
    grid = 2.0 * np.pi * np.arange(NUM_RIM) / NUM_RIM
    columns = [np.interp(grid, angles, values[:, k], period=2.0 * np.pi) for k in range(3)]
    return np.stack(columns, axis=1)


def _ring_angles(angles: FloatArray) -> list[tuple[float, FloatArray]]:
    """Give radius and angles of each ring inside the rim; the last one is the middle."""
    width, radius = 2.0 * np.pi / len(angles), 1.0
    rings: list[tuple[float, FloatArray]] = []
    while radius > 1.5 * width:
        radius -= width
        width = min(RING_GROWTH * width, WIDEST_RING)
        count = max(6, min(len(angles), round(2.0 * np.pi * radius / width)))
        phase = 0.5 * (len(rings) % 2)
        rings.append((radius, 2.0 * np.pi * (np.arange(count) + phase) / count))
    return [*rings, (0.0, np.zeros(1))]


def _evaluate(position: ComplexArray, bulge: ComplexArray, radius: float, angles: FloatArray) -> FloatArray:
    orders = np.arange(len(position))
    weights = np.where((orders == 0) | (orders == NUM_RIM // 2), 1.0, 2.0) * radius**orders
    terms = weights[:, None] * (position + radius**2 * bulge)
    waves = np.exp(1j * orders[None] * angles[:, None])
    places: FloatArray = (waves @ terms).real
    return places


def _stitch(rings: list[FloatArray]) -> IntArray:
    """Join rings of points by triangles, the outer rim first; they run against the rim's order."""
    faces, start = [], 0
    for outer, inner in pairwise(rings):
        after = start + len(outer)
        i, j = 0, 0
        while i < len(outer) or (j < len(inner) and len(inner) > 1):
            here, there = start + i % len(outer), after + j % len(inner)
            more_inner = len(inner) > 1 and j < len(inner)
            if i == len(outer) or (more_inner and _at(inner, j + 1) < _at(outer, i + 1)):
                faces.append([here, there, after + (j + 1) % len(inner)])
                j += 1
            else:
                faces.append([here, there, start + (i + 1) % len(outer)])
                i += 1
        start = after
    return np.array(faces, np.int64)


def _at(angles: FloatArray, k: int) -> float:
    return float(angles[k % len(angles)]) + 2.0 * np.pi * (k // len(angles))
