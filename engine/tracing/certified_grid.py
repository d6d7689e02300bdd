"""The certified step grid: cells that are proven to be free of the surface, and proven gradients in the others.

Blocks of cells are bounded around one reference point each (`certified_kernel`): cells of 1/64 of the domain first, then
the halves of those that stayed undecided. What stays undecided at the last level may hold the surface.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .certified_bounds import certify
from .certified_network import CertifiedNetwork, certified_network
from .certifier import Cancelled
from .packed_grid import PackedGrid
from .step_grid import packed_grid

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

RESOLUTION = 128  # cells a side
FIRST_RESOLUTION = 64
REFERENCE_STEP = 4  # cells a side of the block that shares a reference
MOST_PARAMETERS = 40_000  # larger networks take minutes
GROUPS_AT_ONCE = 64  # between two looks at `cancelled`
NICENESS = 10  # of the threads, where the system has it: drawing goes first

NUM_THREADS = os.cpu_count() or 1
_executor = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="certify")


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedCells:
    """What was proven about the cells of [-1, 1]^3."""

    reachable: npt.NDArray[np.bool_]  # (R, R, R): not proven to be free of the surface
    gradient: npt.NDArray[np.float32]  # (C, 6): low, then high, in those cells, in the order of the array
    error: float  # bound on the error of a float32 value in those cells

    def packed(self) -> PackedGrid:
        """Give the grid that the march reads."""
        return packed_grid(self.reachable, self.gradient, self.error)


def can_certify(weights: NeuralWeights) -> bool:
    """Whether a network is small enough to be certified in reasonable time."""
    return weights.architecture.num_parameters() <= MOST_PARAMETERS


def certified_cells(
    weights: NeuralWeights,
    time_input: float = 0.0,
    resolution: int = RESOLUTION,
    cancelled: Callable[[], bool] = lambda: False,
) -> CertifiedCells:
    """Prove what can be proven; seconds of work on all processors.

    Args:
        weights: The network.
        time_input: Fourth input of a network that has four.
        resolution: Cells a side, FIRST_RESOLUTION times a power of two.
        cancelled: Asked every few milliseconds.

    Raises:
        Cancelled: `cancelled` said so.
    """
    start = time.perf_counter()
    net = certified_network(weights, time_input)
    cells, side = _all_cells(FIRST_RESOLUTION), FIRST_RESOLUTION
    while True:
        values, radii, _, _ = _bound(net, cells, side, False, cancelled)
        cells = cells[~(np.abs(values) > radii)]  # what is no number stays
        log.debug("%d of %d^3 cells undecided after %.2f s", len(cells), side, time.perf_counter() - start)
        if side == resolution:
            break
        cells, side = _halves(cells), 2 * side
    cells = cells[np.lexsort(cells.T[::-1])]
    _, _, gradient, errors = _bound(net, cells, side, True, cancelled)
    reachable = np.zeros((side,) * 3, bool)
    reachable[tuple(cells.T)] = True
    log.info("certified %d of %d^3 cells in %.2f s", side**3 - len(cells), side, time.perf_counter() - start)
    return CertifiedCells(reachable, _outward(gradient), float(np.nan_to_num(errors).max(initial=0.0)))


def _bound(
    net: CertifiedNetwork, cells: IntArray, side: int, with_gradient: bool, cancelled: Callable[[], bool]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give value, radius, and where wanted the gradient's bounds and the float32 error, of cells (N, 3)."""
    blocks = cells // REFERENCE_STEP
    keys = (blocks[:, 0] * side + blocks[:, 1]) * side + blocks[:, 2]
    order = np.argsort(keys, kind="stable")
    _, first = np.unique(keys[order], return_index=True)
    references = _centres(blocks[order][first], side // REFERENCE_STEP)
    edges = np.append(first, len(cells)).astype(np.int64)
    centres = _centres(cells[order], side)
    count = len(cells)
    found = [np.empty(count, np.float32), np.empty(count, np.float32)]
    found += [np.empty((count if with_gradient else 0, 6), np.float32), np.empty(count, np.float32)]

    def work(start: int) -> None:
        if cancelled():
            raise Cancelled
        _step_aside()
        stop = min(start + GROUPS_AT_ONCE, len(references))
        part = slice(edges[start], edges[stop])
        out = [array[part] for array in found]
        certify(
            net,
            references[start:stop],
            edges[start : stop + 1] - edges[start],
            centres[part],
            1.0 / side,
            *out,
        )

    for future in [_executor.submit(work, start) for start in range(0, len(references), GROUPS_AT_ONCE)]:
        future.result()
    back = np.empty(count, np.int64)
    back[order] = np.arange(count)
    values, radii, gradient, errors = (array[back] if len(array) else array for array in found)
    return values, radii, gradient, errors


def _step_aside() -> None:
    """Lower the calling thread's priority; Linux keeps one per thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _all_cells(side: int) -> IntArray:
    axis = np.arange(side)
    cells: IntArray = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return cells


def _halves(cells: IntArray) -> IntArray:
    corners = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
    halves: IntArray = (2 * cells[:, None] + corners).reshape(-1, 3)
    return halves


def _centres(cells: IntArray, side: int) -> npt.NDArray[np.float32]:
    """Give centres (N, 3): multiples of 1 / side, so exact in float32."""
    return np.ascontiguousarray((2.0 * cells + 1.0) / side - 1.0, np.float32)


def _outward(gradient: FloatArray) -> npt.NDArray[np.float32]:
    """Round bounds (C, 6) outward to half precision, whose range they are cut to the infinity of."""
    with np.errstate(over="ignore"):
        half = gradient.astype(np.float16)
    low, high = half[:, :3], half[:, 3:]
    down = np.where(low > gradient[:, :3], np.nextafter(low, np.float16(-np.inf)), low)
    up = np.where(high < gradient[:, 3:], np.nextafter(high, np.float16(np.inf)), high)
    rounded = np.concatenate([down, up], axis=1).astype(np.float32)
    return np.nan_to_num(rounded, nan=0.0, posinf=1e30, neginf=-1e30)
