"""The certified step grid: cells that are proven to be free of the surface, and proven gradients in the others.

Blocks of cells are bounded around one reference point each (`certified_kernel`): cells of 1/64 of the domain first, then
the halves of those that stayed undecided. The halves of these, and theirs where a bound is still loose, tell about the
cell they are in, and which parts of it may hold the surface. What stays undecided then may hold the surface.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.field import Field
from ..protocol.weights import NeuralWeights
from .certified_bounds import certify
from .certified_cells import CertifiedCells
from .certified_network import CertifiedNetwork, certified_network
from .certified_parts import OpenParts
from .network_kernel import PackedNetwork, evaluate_points, pack_network

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

RESOLUTION = 128  # cells a side
FIRST_RESOLUTION = 64
BLOCK = 4  # cells a side that share a reference
MOST_HALVED = 300_000  # cells; networks that leave more are no distance fields, and take memory
LOOSE = 2.2  # a bound so many times the steepest gradient seen in the cell is looked into again
MOST_LEVELS = 3  # of halving a cell of the last resolution
NOTHING = np.array([np.inf] * 3 + [-np.inf] * 3, np.float32)  # a bound that holds nothing
MOST_PARTS = 8_000_000  # at once, under 2 GB; where more are loose the bounds stay as they are
NUM_COMPARED = 2000  # places at which float32 and float64 are compared
ERROR_MARGIN = 4.0
SMALLEST_ERROR = 1e-7
BATCHES_AT_ONCE = 64  # of one call; threads take turns
NUM_THREADS = os.cpu_count() or 1


Steepest = Callable[
    [IntArray, int], FloatArray
]  # gradients' lengths at the centres of cells of so many a side


class Bounder(Protocol):
    """Bounds a network in cells, wherever: `certified_bounds.certify` without its first argument."""

    def __call__(
        self,
        references: Any,
        first: Any,
        centres: Any,
        half: float,
        *out: Any,
    ) -> None:
        """Fill the last four arrays, `out`."""
        ...


def certified_cells(
    weights: NeuralWeights,
    time_input: float = 0.0,
    resolution: int = RESOLUTION,
    bounder: Bounder | None = None,
) -> CertifiedCells:
    """Prove what can be proven; seconds of work on all processors.

    Args:
        weights: The network.
        time_input: Fourth input of a network that has four.
        resolution: Cells a side, FIRST_RESOLUTION times a power of two.
        bounder: What bounds this very network instead of the processors.
    """
    packed = pack_network(weights, time_input)

    def steepest(cells: IntArray, side: int) -> FloatArray:
        return _lengths(packed, _centres(cells, side))

    if bounder is not None:
        cells = _refine(bounder, steepest, resolution)
    else:
        net = certified_network(weights, time_input)
        _compile(net)
        with ThreadPoolExecutor(NUM_THREADS, "certify") as executor:
            cells = _refine(_OnProcessors(net, executor), steepest, resolution)
    seen = _error_seen(weights, time_input, _centres(np.argwhere(cells.reachable), resolution))
    return replace(cells, sampled_error=seen)


def _compile(net: CertifiedNetwork) -> None:
    """Bound one cell, so that Numba compiles once, in this thread."""
    place, out = np.zeros((1, 3), np.float32), [np.empty(1, np.float32), np.empty(1, np.float32)]
    out += [np.empty((1, 6), np.float32), np.empty(1, np.float32)]
    certify(net, place, np.array([0, 1], np.int64), place, 1.0 / FIRST_RESOLUTION, *out)


@dataclass(frozen=True, slots=True)
class _OnProcessors:
    """`Bounder` by Numba, some blocks at a time on each thread."""

    net: CertifiedNetwork
    executor: ThreadPoolExecutor

    def __call__(self, references: Any, first: Any, centres: Any, half: float, *out: Any) -> None:
        def work(start: int) -> None:
            stop = min(start + BATCHES_AT_ONCE, len(references))
            part = slice(first[start], first[stop])
            edges = first[start : stop + 1] - first[start]
            found = [array[part] for array in out]
            certify(self.net, references[start:stop], edges, centres[part], half, *found)

        starts = range(0, len(references), BATCHES_AT_ONCE)
        for future in [self.executor.submit(work, start) for start in starts]:
            future.result()


def _error_seen(weights: NeuralWeights, time_input: float, places: npt.NDArray[np.float32]) -> float:
    """Compare the float32 kernel with float64 at some of the places; with a margin."""
    chosen = np.ascontiguousarray(places[:: max(1, len(places) // NUM_COMPARED)])
    values = np.empty(len(chosen), np.float32)
    evaluate_points(pack_network(weights, time_input), chosen, values, np.empty((0, 3), np.float32))
    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.abs(values - Field(weights, time_input).value(chosen))
    return ERROR_MARGIN * float(np.nan_to_num(difference, posinf=0.0).max(initial=0.0)) + SMALLEST_ERROR


def _lengths(packed: PackedNetwork, places: npt.NDArray[np.float32]) -> FloatArray:
    """Give the lengths (N,) of the gradients at places (N, 3)."""
    values, gradients = np.empty(len(places), np.float32), np.empty((len(places), 3), np.float32)
    if len(places):
        evaluate_points(packed, places, values, gradients)
    lengths: FloatArray = np.linalg.norm(gradients, axis=1)
    return lengths


def _refine(bounder: Bounder, steepest: Steepest, resolution: int) -> CertifiedCells:
    start = time.perf_counter()
    cells, side = _all_cells(FIRST_RESOLUTION), FIRST_RESOLUTION
    while True:
        values, radii, _, _ = _bound(bounder, cells, side, False)
        cells = cells[~(np.abs(values) > radii)]  # what is no number stays
        log.debug("%d of %d^3 cells undecided after %.2f s", len(cells), side, time.perf_counter() - start)
        if side == resolution:
            break
        cells, side = _halves(cells), 2 * side
    kept, gradient, error, parts = _look_inside(bounder, steepest, cells, side)
    order = np.lexsort(cells[kept].T[::-1])
    kept, gradient = kept[order], gradient[order]
    cells, found = cells[kept], parts.of(kept) if parts is not None else None
    reachable = np.zeros((side,) * 3, bool)
    reachable[tuple(cells.T)] = True
    log.info("certified %d of %d^3 cells in %.2f s", side**3 - len(cells), side, time.perf_counter() - start)
    if found is None:
        return CertifiedCells(reachable, _outward(gradient), error, 0.0)
    return CertifiedCells(reachable, _outward(gradient), error, 0.0, found[0], _outward(found[1]))


def _look_inside(
    bounder: Bounder, steepest: Steepest, cells: IntArray, side: int
) -> tuple[IntArray, npt.NDArray[np.float32], float, OpenParts | None]:
    """Bound the gradient in the halves of cells (N, 3), where it is several times tighter; drop cells that hold nothing.

    A half whose bound is loose against what is seen in its cell is halved again, and so on: bounds are the tighter the
    smaller the cell. Gives the numbers of the cells that are left, their gradients' bounds, the largest error of a float32
    value, and their open parts.
    """
    if len(cells) > MOST_HALVED:
        _, _, gradient, errors = _bound(bounder, cells, side, True)
        worst = float(np.nan_to_num(errors, nan=np.inf).max(initial=0.0))
        return np.arange(len(cells)), gradient, worst, None
    limit = LOOSE * steepest(_halves(cells), 2 * side).reshape(-1, 8).max(axis=1)
    bounds = np.tile(NOTHING, (len(cells), 1))
    kept, error = np.zeros(len(cells), bool), np.zeros(len(cells))
    parts, owners = _halves(cells), np.repeat(np.arange(len(cells)), 8)
    open_parts = OpenParts()
    for level in range(1, MOST_LEVELS + 1):
        values, radii, gradient, errors = _bound(bounder, parts, side << level, True)
        undecided = ~(np.abs(values) > radii)
        if level == 1:
            kept[owners[undecided]] = True
        loose = kept[owners] & ~(_steepness(gradient) <= limit[owners])
        if level == MOST_LEVELS or 8 * int(loose.sum()) > MOST_PARTS:
            loose[:] = False
        done = owners[~loose]
        np.minimum.at(bounds[:, :3], done, gradient[~loose, :3])
        np.maximum.at(bounds[:, 3:], done, gradient[~loose, 3:])
        np.maximum.at(error, done, np.nan_to_num(errors[~loose], nan=np.inf))
        left = undecided & ~loose
        open_parts.add(owners[left], parts[left], level, gradient[left])
        parts, owners = _halves(parts[loose]), np.repeat(owners[loose], 8)
        if not len(parts):
            break
    return np.flatnonzero(kept), bounds[kept], float(error[kept].max(initial=0.0)), open_parts


def _steepness(bounds: FloatArray) -> FloatArray:
    """Give the largest length (N,) of a gradient within bounds (N, 6)."""
    largest: FloatArray = np.linalg.norm(np.maximum(np.abs(bounds[:, :3]), np.abs(bounds[:, 3:])), axis=1)
    return largest


def _bound(
    bounder: Bounder, cells: IntArray, side: int, with_gradient: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give value, radius, and where wanted the gradient's bounds and the float32 error, of cells (N, 3).

    Cells follow each other along a Z-order curve, so those of one block do.
    """
    count = len(cells)
    borders = np.flatnonzero((cells[1:] // BLOCK != cells[:-1] // BLOCK).any(axis=1)) + 1
    edges = np.concatenate([[0], borders, [count]]).astype(np.int64) if count else np.zeros(1, np.int64)
    centres = _centres(cells, side)
    references = _means(centres, edges)
    found = [np.empty(count, np.float32), np.empty(count, np.float32)]
    found += [np.empty((count if with_gradient else 0, 6), np.float32), np.empty(count, np.float32)]

    bounder(references, edges, centres, 1.0 / side, *found)
    values, radii, gradient, errors = found
    return values, radii, gradient, errors


def _all_cells(side: int) -> IntArray:
    """Give all cells (N, 3) along a Z-order curve."""
    cells: IntArray = np.zeros((1, 3), np.int64)
    while len(cells) < side**3:
        cells = _halves(cells)
    return cells


def _halves(cells: IntArray) -> IntArray:
    corners = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
    halves: IntArray = (2 * cells[:, None] + corners).reshape(-1, 3)
    return halves


def _centres(cells: IntArray, side: int) -> npt.NDArray[np.float32]:
    """Give centres (N, 3): multiples of 1 / side, so exact in float32."""
    return np.ascontiguousarray((2.0 * cells + 1.0) / side - 1.0, np.float32)


def _means(places: npt.NDArray[np.float32], edges: IntArray) -> npt.NDArray[np.float32]:
    """Give the mean (G, 3) of each run of places (N, 3)."""
    if not len(places):
        return np.zeros((0, 3), np.float32)
    sums = np.add.reduceat(places.astype(np.float64), edges[:-1])
    return np.ascontiguousarray(sums / np.diff(edges)[:, None], np.float32)


def _outward(gradient: FloatArray) -> npt.NDArray[np.float32]:
    """Round bounds (C, 6) outward to half precision, whose range they are cut to the infinity of."""
    with np.errstate(over="ignore"):
        half = gradient.astype(np.float16)
        low, high = half[:, :3], half[:, 3:]
        down = np.where(low > gradient[:, :3], np.nextafter(low, np.float16(-np.inf)), low)
        up = np.where(high < gradient[:, 3:], np.nextafter(high, np.float16(np.inf)), high)
    rounded = np.concatenate([down, up], axis=1).astype(np.float32)
    return np.nan_to_num(rounded, nan=0.0, posinf=1e30, neginf=-1e30)
