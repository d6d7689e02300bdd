"""The grid that steps rely on, one byte for each of 32^3 cells of [-1, 1]^3: 32 KiB.

A byte from 128 on says that the surface is not in the cell, nor in those within `byte - 128` cells of it; below 128 the
surface may be there, and the field is nowhere steeper in the cell than `byte * steepest / 127`. Both are sampled: values at
the cells' corners and centres tell a slope for each cell, and probes at a much finer distance tell by how much the true
slope exceeds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

RESOLUTION = 32  # cells a side
FAR = 128
COVERING_RADIUS = 0.559017  # sqrt(5) / 4 cells: no point is farther from a corner or a centre
MARGIN = 1.15  # on the slope of a cell and those around it
NUM_PROBES = 1200
PROBE_STEP = 2e-3  # unit space
SMALLEST_SLOPE = 0.05  # a flat field has none, and a step needs a bound


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepBytes:
    """What a march reads."""

    cells: npt.NDArray[np.uint8]  # (32, 32, 32), x is the first index
    steepest: float  # slope that the byte 127 stands for
    box_low: FloatArray  # (3,) the box of the cells that the surface may reach
    box_high: FloatArray


def step_bytes(value: Callable[[FloatArray], FloatArray]) -> StepBytes:
    """Sample a field: first on cells twice as large, then those that the surface may reach.

    Args:
        value: The field (N,) at points (N, 3) float32 in [-1, 1]^3.
    """
    coarse = RESOLUTION // 2
    near, _ = _reachable(value, np.ones((coarse,) * 3, bool))
    near = near.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    reachable, slope = _reachable(value, near)
    return _packed(reachable, np.nan_to_num(slope, nan=1e3, posinf=1e3), 2.0 / RESOLUTION)


def _reachable(value: Callable[[FloatArray], FloatArray], cells: BoolArray) -> tuple[BoolArray, FloatArray]:
    """Give which of `cells` the surface may reach, and a bound on the slope in each."""
    count = len(cells)
    size = 2.0 / count
    corners = _sampled(value, _touched(cells), -1.0, size)
    centres = _sampled(value, cells, -1.0 + 0.5 * size, size)
    slope = MARGIN * _with_neighbours(_slopes(corners, centres, size), np.fmax)
    slope = np.fmax(slope, SMALLEST_SLOPE)
    slope *= max(1.0, MARGIN * _excess(value, slope, cells))
    low, high = _range(corners, centres)
    nearest = np.minimum(np.abs(low), np.abs(high))
    crossed = ~((low > 0.0) | (high < 0.0))
    return cells & (crossed | ~(nearest > slope * COVERING_RADIUS * size)), slope  # also where not finite


def _touched(cells: BoolArray) -> BoolArray:
    """Mark the corners of the marked cells."""
    corners = np.zeros(tuple(n + 1 for n in cells.shape), bool)
    for part in _corner_parts(corners):
        part |= cells
    return corners


def _sampled(
    value: Callable[[FloatArray], FloatArray], wanted: BoolArray, start: float, step: float
) -> FloatArray:
    """Give the field where it is wanted; elsewhere no number."""
    values = np.full(wanted.shape, np.nan, np.float32)
    if wanted.any():
        values[wanted] = value((start + step * np.argwhere(wanted)).astype(np.float32))
    return values


def _packed(reachable: BoolArray, slope: FloatArray, size: float) -> StepBytes:
    steepest = float(slope[reachable].max()) if reachable.any() else SMALLEST_SLOPE
    near = np.ceil(slope * (127.0 / steepest)).clip(1, 127)
    cells = np.where(reachable, near, FAR + _cells_away(reachable) - 1).astype(np.uint8)
    places = np.argwhere(reachable)
    low = places.min(axis=0) if len(places) else np.zeros(3)
    high = places.max(axis=0) + 1 if len(places) else np.zeros(3)
    return StepBytes(cells=cells, steepest=steepest, box_low=low * size - 1.0, box_high=high * size - 1.0)


def _corner_parts(corners: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    ends = [slice(0, -1), slice(1, None)]
    return [corners[ends[i], ends[j], ends[k]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def _range(corners: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    low = high = centres
    for part in _corner_parts(corners):
        low, high = np.minimum(low, part), np.maximum(high, part)
    return low, high


def _slopes(corners: FloatArray, centres: FloatArray, size: float) -> FloatArray:
    """Give each cell's slope as its edges and the ways from its centre to its corners tell it."""
    square = np.zeros_like(centres)
    parts = _corner_parts(corners)
    for bit in (4, 2, 1):
        edges = [np.abs(parts[k] - parts[k | bit]) / size for k in range(8) if not k & bit]
        square += np.maximum.reduce(edges) ** 2
    across = np.maximum.reduce([np.abs(part - centres) for part in parts]) / (0.8660254 * size)
    slope: FloatArray = np.maximum(np.sqrt(square), across)
    return slope


def _excess(value: Callable[[FloatArray], FloatArray], slope: FloatArray, cells: BoolArray) -> float:
    """Give the largest ratio of a slope seen at the probes' short distance to the cell's."""
    places = np.argwhere(cells)
    if len(places) == 0:
        return 1.0
    rng = np.random.default_rng(0)
    chosen = places[rng.integers(len(places), size=NUM_PROBES)]
    size = 2.0 / len(cells)
    points = (size * (chosen + rng.uniform(0.05, 0.95, (NUM_PROBES, 3))) - 1.0).astype(np.float32)
    here = value(points)
    square = np.zeros(NUM_PROBES)
    for axis in range(3):
        moved = points.copy()
        moved[:, axis] += np.float32(PROBE_STEP)
        square += ((value(moved) - here) / PROBE_STEP) ** 2
    ratio = np.sqrt(square) / slope[tuple(chosen.T)]
    return float(np.max(ratio, initial=0.0, where=np.isfinite(ratio)))


def _with_neighbours(cells: npt.NDArray[Any], combine: Any) -> npt.NDArray[Any]:
    """Combine each cell with the 26 around it."""
    for axis in range(3):
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(0, -1), slice(1, None)
        result = cells.copy()
        result[tuple(first)] = combine(result[tuple(first)], cells[tuple(second)])
        result[tuple(second)] = combine(result[tuple(second)], cells[tuple(first)])
        cells = result
    return cells


def _cells_away(reachable: BoolArray) -> npt.NDArray[np.int64]:
    """Give the distance in cells, diagonals counting one, to the nearest reachable cell."""
    away = np.where(reachable, 0, RESOLUTION)
    reached, distance = reachable, 0
    while reached.any() and not reached.all():
        distance += 1
        grown = _with_neighbours(reached, np.logical_or)
        away[grown & ~reached] = distance
        reached = grown
    return away
