"""The certified step grid: cells that are proven to be free of the surface, and proven gradients in the others.

Blocks of cells are bounded around one reference point each (`certified_kernel`): cells of 1/64 of the domain first, then
the halves of those that stayed undecided, and once more the halves of these, which only tell about the cell they are in.
What stays undecided then may hold the surface.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.field import Field
from ..protocol.weights import NeuralWeights
from .certified_bounds import certify
from .certified_cells import CertifiedCells
from .certified_network import CertifiedNetwork, certified_network
from .network_kernel import evaluate_points, pack_network

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

RESOLUTION = 128  # cells a side
FIRST_RESOLUTION = 64
BLOCK = 4  # cells a side that share a reference
MOST_HALVED = 300_000  # cells; networks that leave more are no distance fields, and take memory
NUM_COMPARED = 2000  # places at which float32 and float64 are compared
ERROR_MARGIN = 4.0
SMALLEST_ERROR = 1e-7
BATCHES_AT_ONCE = 64  # of one call; threads take turns
NUM_THREADS = os.cpu_count() or 1


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
    if bounder is not None:
        reachable, gradient, error = _refine(bounder, resolution)
    else:
        net = certified_network(weights, time_input)
        _compile(net)
        with ThreadPoolExecutor(NUM_THREADS, "certify") as executor:
            reachable, gradient, error = _refine(_OnProcessors(net, executor), resolution)
    seen = _error_seen(weights, time_input, _centres(np.argwhere(reachable), resolution))
    return CertifiedCells(reachable, gradient, error, seen)


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


def _refine(bounder: Bounder, resolution: int) -> tuple[BoolArray, npt.NDArray[np.float32], float]:
    start = time.perf_counter()
    cells, side = _all_cells(FIRST_RESOLUTION), FIRST_RESOLUTION
    while True:
        values, radii, _, _ = _bound(bounder, cells, side, False)
        cells = cells[~(np.abs(values) > radii)]  # what is no number stays
        log.debug("%d of %d^3 cells undecided after %.2f s", len(cells), side, time.perf_counter() - start)
        if side == resolution:
            break
        cells, side = _halves(cells), 2 * side
    cells, gradient, error = _look_inside(bounder, cells, side)
    order = np.lexsort(cells.T[::-1])
    cells, gradient = cells[order], gradient[order]
    reachable = np.zeros((side,) * 3, bool)
    reachable[tuple(cells.T)] = True
    log.info("certified %d of %d^3 cells in %.2f s", side**3 - len(cells), side, time.perf_counter() - start)
    return reachable, _outward(gradient), error


def _look_inside(
    bounder: Bounder, cells: IntArray, side: int
) -> tuple[IntArray, npt.NDArray[np.float32], float]:
    """Bound the gradient in the halves of cells (N, 3), where it is several times tighter; drop cells that hold nothing.

    Gives the cells that are left, their gradients' bounds, and the largest error of a float32 value.
    """
    if len(cells) > MOST_HALVED:
        _, _, gradient, errors = _bound(bounder, cells, side, True)
        return cells, gradient, float(np.nan_to_num(errors, nan=np.inf).max(initial=0.0))
    values, radii, gradient, errors = _bound(bounder, _halves(cells), 2 * side, True)
    kept = (~(np.abs(values) > radii)).reshape(-1, 8).any(axis=1)
    parts = gradient.reshape(-1, 8, 6)[kept]
    bounds = np.concatenate([parts[..., :3].min(axis=1), parts[..., 3:].max(axis=1)], axis=1)
    error = float(np.nan_to_num(errors.reshape(-1, 8)[kept], nan=np.inf).max(initial=0.0))
    return cells[kept], bounds, error


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
