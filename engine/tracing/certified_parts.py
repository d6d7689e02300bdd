"""What cells are bounded by piece by piece: their halves, the halves of those that are loose, and theirs.

Bounds are the tighter the smaller the piece: the gradient's because what an expansion leaves out shrinks with it, and those on
the value even faster. Which of the 4^3 parts of a cell may hold the surface, and what is known in each, is kept for the
march.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .packed_grid import AROUND, PART_SIDE, UNKNOWN

log = logging.getLogger(__name__)

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
Look = Callable[[IntArray, int, bool], tuple[FloatArray, FloatArray, FloatArray, FloatArray]]
Seen = Callable[
    [IntArray, int], tuple[FloatArray, FloatArray]
]  # values, and gradients' lengths, at the centres of cells of so many a side

PARTS = PART_SIDE**3  # of a cell
LOOSE = 2.6  # a bound so many times the steepest gradient seen in the cell is looked into again
LOOSE_OPEN = 1.3  # where the surface may be: there the march profits by tighter bounds
MOST_PIECES = 8_000_000  # at once, under 2 GB; where more are loose the bounds stay as they are
MOST_OPEN = 1_500_000  # parts; a network that leaves more has its cells looked at as a whole
ROUNDING = 2e-6  # of a part's steepest slope: what a linear function may lose to float32
CORNERS = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What was proven about N pieces of cells."""

    undecided: BoolArray  # (N,): not proven to be free of the surface
    bounds: npt.NDArray[np.float32]  # (N, 6) low and high gradient
    values: npt.NDArray[np.float32]  # (N,) at centres
    linear: npt.NDArray[
        np.float32
    ]  # (N, 4) a slope, and how far the field is from the function with it and the value
    error: npt.NDArray[np.float32]  # (N,) of a float32 value

    def repeated(self, values: FloatArray) -> Pieces:
        """Give the same for their halves, of which no more is known than their values (8 N,)."""
        linear = np.repeat(self.linear, 8, axis=0)
        linear[:, 3] *= 2.0  # from a half's own centre
        return Pieces(
            np.repeat(self.undecided, 8),
            np.repeat(self.bounds, 8, axis=0),
            values.astype(np.float32),
            linear,
            np.repeat(self.error, 8),
        )

    def replace(self, rows: IntArray, other: Pieces) -> None:
        """Put others in place of some; values stay, and the difference is added to the distance."""
        for name in ("undecided", "bounds", "linear", "error"):
            getattr(self, name)[rows] = getattr(other, name)
        self.linear[rows, 3] += np.abs(self.values[rows] - other.values)

    def tighten(self, rows: IntArray, halves: Pieces, half: float) -> None:
        """Use what was proven about all halves (8 M,), half a side each, of some (M,)."""
        self.undecided[rows] = halves.undecided.reshape(-1, 8).any(axis=1)
        self.bounds[rows] = hull(halves.bounds, 8)
        self.error[rows] = halves.error.reshape(-1, 8).max(axis=1)
        linear = halves.linear.reshape(-1, 8, 4).astype(np.float64)
        slope = linear[..., :3].mean(axis=1)
        ends = self.values[rows, None] + half * slope @ (2.0 * CORNERS - 1.0).T
        rest = np.abs(halves.values.reshape(-1, 8) - ends) + linear[..., 3]
        rest += (half + AROUND) * np.abs(linear[..., :3] - slope[:, None]).sum(axis=2)
        found = rest.max(axis=1)
        better = found < self.linear[rows, 3]
        self.linear[rows[better], :3], self.linear[rows[better], 3] = slope[better], found[better]


@dataclass(frozen=True, slots=True, eq=False)
class Insides:
    """What was found in cells."""

    kept: IntArray  # (C,) numbers of the cells that are left
    bounds: npt.NDArray[np.float32]  # (C, 6)
    error: float
    open_parts: BoolArray | None = None  # (C, PARTS) x first
    part_bounds: npt.NDArray[np.float32] | None = None  # (P, 6) in the open parts
    part_linear: npt.NDArray[np.float32] | None = None  # (P, 4)

    def sorted(self, order: IntArray) -> Insides:
        """Give the same with the cells in another order."""
        kept, bounds = self.kept[order], self.bounds[order]
        if self.open_parts is None or self.part_bounds is None or self.part_linear is None:
            return Insides(kept, bounds, self.error)
        counts = self.open_parts.sum(axis=1)
        ends = np.cumsum(counts)
        # the rows of each cell's parts, cell after cell
        counts, starts = counts[order], (ends - counts)[order]
        before = np.cumsum(counts) - counts
        rows = np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
        parts = self.open_parts[order]
        return Insides(kept, bounds, self.error, parts, self.part_bounds[rows], self.part_linear[rows])


def hull(bounds: FloatArray, count: int) -> npt.NDArray[np.float32]:
    """Give bounds (N / count, 6) that hold in each run of `count` pieces (N, 6)."""
    runs = bounds.reshape(-1, count, 6)
    return np.concatenate([runs[..., :3].min(axis=1), runs[..., 3:].max(axis=1)], axis=1).astype(np.float32)


def halves(cells: IntArray) -> IntArray:
    """Give the halves (8 N, 3) of cells (N, 3), numbered along each axis of the domain."""
    parts: IntArray = (2 * cells[:, None] + CORNERS).reshape(-1, 3)
    return parts


def look_inside(look: Look, seen: Seen, cells: IntArray, side: int, linear: bool) -> Insides:
    """Bound the field in the pieces of cells (N, 3), and drop cells that hold nothing.

    Args:
        look: Gives value, radius, and where wanted gradient's bounds and float32 error, of cells of so many a side.
        seen: See there.
        cells: Cells along a Z-order curve.
        side: How many of these the domain has.
        linear: Whether values are those of the field itself, so that they tell how far it is from a linear function.
    """
    pieces = halves(cells)
    values, radii, _, _ = look(pieces, 2 * side, False)
    kept = np.flatnonzero((~(np.abs(values) > radii)).reshape(-1, 8).any(axis=1))
    cells, pieces = cells[kept], pieces.reshape(-1, 8, 3)[kept].reshape(-1, 3)
    found = _pieces(look, pieces, 2 * side, linear)
    if PARTS * len(cells) > MOST_PIECES:
        error = float(found.error.max(initial=0.0))
        return Insides(kept, hull(found.bounds, 8), error)
    steepest = np.repeat(seen(pieces, 2 * side)[1].reshape(-1, 8).max(axis=1), 8)
    smaller = halves(pieces)
    parts = found.repeated(seen(smaller, 4 * side)[0])
    loose = np.flatnonzero(_loose(found, steepest))
    rows = (8 * loose[:, None] + np.arange(8)).ravel()
    if len(loose):
        finer = _pieces(look, smaller[rows], 4 * side, linear)
        parts.replace(rows, finer)
        worst = np.flatnonzero(_loose(finer, np.repeat(steepest[loose], 8)))
        log.debug("%d of %d pieces of %d^3 are loose", len(worst), len(rows), 4 * side)
        if 0 < 8 * len(worst) <= MOST_PIECES:
            smallest = halves(smaller[rows[worst]])
            finest = _pieces(look, smallest, 8 * side, linear)
            _look_again(look, finest, smallest, np.repeat(steepest[loose[worst // 8]], 8), 8 * side, linear)
            parts.tighten(rows[worst], finest, 1.0 / (8 * side))
    return _insides(kept, parts)


def _look_again(
    look: Look, found: Pieces, pieces: IntArray, steepest: FloatArray, side: int, linear: bool
) -> None:
    """Halve the few pieces (N, 3) whose gradient is bounded loosely even now."""
    loose = np.flatnonzero(~(_steepness(found.bounds) <= LOOSE * steepest))
    log.debug("%d of %d pieces of %d^3 are loose", len(loose), len(pieces), side)
    if 0 < 8 * len(loose) <= MOST_PIECES:
        found.tighten(loose, _pieces(look, halves(pieces[loose]), 2 * side, linear), 1.0 / (2 * side))


def _pieces(look: Look, pieces: IntArray, side: int, linear: bool) -> Pieces:
    values, radii, bounds, errors = look(pieces, side, True)
    half = (1.0 + 1e-6) / side + AROUND
    function = np.full((len(pieces), 4), 2.0 * UNKNOWN, np.float32)
    if linear:
        low, high = bounds[:, :3].astype(np.float64), bounds[:, 3:].astype(np.float64)
        slope = 0.5 * (low + high)
        steepest = np.maximum(np.abs(low), np.abs(high)).sum(axis=1)
        rest = radii - half * np.abs(slope).sum(axis=1) + ROUNDING * half * steepest
        sound = (steepest < UNKNOWN) & (rest < UNKNOWN)
        function[sound, :3], function[sound, 3] = slope[sound], np.maximum(rest[sound], 0.0)
    errors = np.nan_to_num(errors, nan=np.inf)
    return Pieces(~(np.abs(values) > radii), bounds, values.astype(np.float32), function, errors)


def _loose(pieces: Pieces, steepest: FloatArray) -> BoolArray:
    """Say which pieces are to be looked into; `steepest` (N,) gradient seen in the cell of each."""
    limit = np.where(pieces.undecided, LOOSE_OPEN, LOOSE) * steepest
    loose: BoolArray = ~(_steepness(pieces.bounds) <= limit)
    return loose


def _steepness(bounds: FloatArray) -> FloatArray:
    """Give the largest length (N,) of a gradient within bounds (N, 6)."""
    largest: FloatArray = np.linalg.norm(np.maximum(np.abs(bounds[:, :3]), np.abs(bounds[:, 3:])), axis=1)
    return largest


def _insides(kept: IntArray, parts: Pieces) -> Insides:
    """Take parts in Z-order, PARTS of each cell, to cells."""
    first, second = CORNERS[:, None], CORNERS[None]
    x, y, z = (2 * first + second).reshape(-1, 3).T
    order = np.argsort((x * PART_SIDE + y) * PART_SIDE + z)
    is_open = parts.undecided.reshape(-1, PARTS)
    left = np.flatnonzero(is_open.any(axis=1))
    rows = PARTS * left[:, None] + order
    open_parts = parts.undecided[rows]
    bounds, error = hull(parts.bounds, PARTS)[left], float(parts.error.max(initial=0.0))
    if int(open_parts.sum()) > MOST_OPEN:
        return Insides(kept[left], bounds, error)
    chosen = rows[open_parts]
    return Insides(
        kept[left],
        bounds,
        error,
        open_parts,
        parts.bounds[chosen],
        parts.linear[chosen],
    )
