"""The certified step grid: cells that are proven to be free of the surface, and proven gradients in the others.

Blocks of cells are bounded around one reference point each (`certified_kernel`): cells of 1/64 of the domain first, then
the halves of those that stayed undecided. The halves of these, and theirs where a bound is still loose, tell about the
cell they are in, and which parts of it may hold the surface. What stays undecided then may hold the surface.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.field import Field
from ..protocol.weights import NeuralWeights
from .certified_bounds import certify
from .certified_cells import CertifiedCells, nothing_proven, rounded_linear
from .certified_network import CertifiedNetwork, certified_network
from .certified_parts import Insides, Look, Seen, halves, look_inside
from .certified_probe import MOST_LOOSE, share_of_loose, too_many_loose
from .network_kernel import PackedNetwork, evaluate_points, pack_network
from .packed_grid import PART_SIDE

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

RESOLUTION = 128  # cells a side
FIRST_RESOLUTION = 64
BLOCK = 4  # cells a side that share a reference
SMALL = 1024  # a side: of such pieces half are wanted in a block, and near each other,
SMALL_BLOCK = 8  # so more of them share a reference
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
    """Prove what can be proven; seconds of work on all processors. Nothing, where bounds are found to be of no use.

    Args:
        weights: The network.
        time_input: Fourth input of a network that has four.
        resolution: Cells a side, FIRST_RESOLUTION times a power of two.
        bounder: What bounds this very network instead of the processors.
    """
    packed = pack_network(weights, time_input)
    linear = weights.architecture.output_activation == "none"

    def seen(cells: IntArray, side: int) -> tuple[FloatArray, FloatArray]:
        return _values_and_lengths(packed, _centres(cells, side))

    if bounder is not None:
        cells = _refine(bounder, seen, resolution, linear)
    else:
        net = certified_network(weights, time_input)
        _compile(net)
        with ThreadPoolExecutor(NUM_THREADS, "certify") as executor:
            cells = _refine(_OnProcessors(net, executor), seen, resolution, linear)
    if not cells.reachable.size:
        return cells
    error = _error_seen(weights, time_input, _centres(np.argwhere(cells.reachable), resolution))
    return replace(cells, sampled_error=error)


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


def _values_and_lengths(
    packed: PackedNetwork, places: npt.NDArray[np.float32]
) -> tuple[FloatArray, FloatArray]:
    """Give the values (N,) and the lengths (N,) of the gradients at places (N, 3)."""
    values, gradients = np.empty(len(places), np.float32), np.empty((len(places), 3), np.float32)
    if len(places):
        evaluate_points(packed, places, values, gradients)
    return values, np.linalg.norm(gradients, axis=1)


def _refine(bounder: Bounder, seen: Seen, resolution: int, linear: bool) -> CertifiedCells:
    start = time.perf_counter()

    def look(pieces: IntArray, side: int, with_gradient: bool) -> Any:
        return _bound(bounder, pieces, side, with_gradient)

    loose = share_of_loose(seen, lambda pieces, side: look(pieces, side, True)[2])
    if loose > MOST_LOOSE:
        log.info("bounds on %.0f %% of some pieces are loose: nothing is proven", 100.0 * loose)
        return nothing_proven()
    cells, side = _all_cells(FIRST_RESOLUTION), FIRST_RESOLUTION
    while True:
        values, radii, _, _ = _bound(bounder, cells, side, False)
        cells = cells[~(np.abs(values) > radii)]  # what is no number stays
        log.debug("%d of %d^3 cells undecided after %.2f s", len(cells), side, time.perf_counter() - start)
        if side == resolution:
            break
        cells, side = halves(cells), 2 * side
        if side == resolution and too_many_loose(seen, look, cells, side, MOST_HALVED):
            log.info("bounds on %d^3 cells leave too many, and are loose: nothing is proven", side)
            return nothing_proven()
    found = _inside(look, seen, cells, side, linear)
    reachable = np.zeros((side,) * 3, bool)
    reachable[tuple(cells[found.kept].T)] = True
    log.info(
        "certified %d of %d^3 cells in %.2f s",
        side**3 - len(found.kept),
        side,
        time.perf_counter() - start,
    )
    bounds = _outward(found.bounds)
    if found.open_parts is None or found.part_bounds is None or found.part_linear is None:
        return CertifiedCells(reachable, bounds, found.error, 0.0)
    part_linear = rounded_linear(found.part_linear, 1.0 / (PART_SIDE * side))
    return CertifiedCells(
        reachable, bounds, found.error, 0.0, found.open_parts, _outward(found.part_bounds), part_linear
    )


def _inside(look: Look, seen: Seen, cells: IntArray, side: int, linear: bool) -> Insides:
    """Look into cells along a Z-order curve; those left are in the order of an array."""
    if len(cells) > MOST_HALVED:
        _, _, gradient, errors = look(cells, side, True)
        worst = float(np.nan_to_num(errors, nan=np.inf).max(initial=0.0))
        found = Insides(np.arange(len(cells)), gradient, worst)
    else:
        found = look_inside(look, seen, cells, side, linear)
    return found.sorted(np.lexsort(cells[found.kept].T[::-1]))


def _bound(
    bounder: Bounder, cells: IntArray, side: int, with_gradient: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give value, radius, and where wanted the gradient's bounds and the float32 error, of cells (N, 3).

    Cells follow each other along a Z-order curve, so those of one block do.
    """
    count = len(cells)
    block = SMALL_BLOCK if side >= SMALL else BLOCK
    borders = np.flatnonzero((cells[1:] // block != cells[:-1] // block).any(axis=1)) + 1
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
        cells = halves(cells)
    return cells


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
