"""What both fast backends step by: a grid that is sampled at first, and proven once somebody asks or has done so before."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .certified_cache import load_cells, save_cells
from .certified_cells import CertifiedCells, can_certify, nothing_proven
from .certified_probe import FLATTEST, LOOSEST, MOST_LOOSE
from .packed_grid import PackedGrid, for_march, with_values
from .sampled_parts import with_sampled_parts
from .step_grid import Evaluate, sampled_step_grid

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

NUM_COMPARED = 2000  # cells


class SteppedTracer(ABC):
    """The step grid of one network; the backend evaluates the network."""

    def __init__(self, weights: NeuralWeights) -> None:
        """Know the network; `_begin` makes the grid once it can be evaluated."""
        self._weights = weights
        # A network of x, y, z, t is another field at each time, so proving one is not worth it.
        self._provable = can_certify(weights) and weights.architecture.inputs == 3
        self._steps: tuple[str, PackedGrid]
        self._replacing = threading.Lock()

    def _begin(self, grid_resolution: int) -> None:
        """Take the certified grid if it was proven earlier, else sample one of so many cells a side."""
        cells = load_cells(self._weights) if self._provable else None
        self._provable = self._provable and (cells is None or self._is_worth_having(cells))
        if cells is not None and self._provable:
            self._use("certified", cells.packed())
        else:
            self._use(
                "sampled", sampled_step_grid(self.value_parallel, self.gradient_parallel, grid_resolution)
            )

    def _use(self, bound: str, grid: PackedGrid) -> None:
        self._take(bound, for_march(with_values(grid, self.value_parallel), self.value_parallel))

    def _take(self, bound: str, ready: PackedGrid, instead_of: tuple[str, PackedGrid] | None = None) -> None:
        """March through a grid `for_march` from now on, unless only instead of one that is no longer in use."""
        with self._replacing:
            if instead_of is None or self._steps is instead_of:
                self._steps = (bound, ready)  # one reference, so a march sees one grid or the other

    def sharpen(self, alone: bool = False) -> None:
        """Look into the parts of a sampled grid's cells, a second's work: from then on rays take half the time.

        Args:
            alone: By this thread only, so that others go on drawing.
        """
        steps = self._steps
        bound, grid = steps
        if bound != "sampled" or grid.parts > 1:
            return
        value, gradient = self._evaluators(alone)
        finer = with_sampled_parts(grid, value, gradient)
        if finer is not grid:
            self._take("sampled", for_march(finer, value), instead_of=steps)

    def _evaluators(self, alone: bool) -> tuple[Evaluate, Evaluate]:
        """Give what evaluates the network and its gradient; `alone`: by this thread only, where there is a choice."""
        return self.value_parallel, self.gradient_parallel

    @property
    def steps(self) -> tuple[str, PackedGrid]:
        """What steps rely on now and the grid that belongs to it."""
        return self._steps

    @property
    def bound(self) -> str:
        """What steps rely on now: "sampled" or "certified"."""
        return self._steps[0]

    @property
    def grid(self) -> PackedGrid:
        """The step grid in use; `certify` may replace it at any time."""
        return self._steps[1]

    @property
    def provable(self) -> NeuralWeights | None:
        """The network, unless it is very large, changes with time or was proven to no use: then it stays sampled."""
        return self._weights if self._provable else None

    def adopt(self, cells: CertifiedCells) -> None:
        """Keep on disk what was proven about this very network, and use it from now on where it is worth having."""
        self._provable = self._is_worth_having(cells)
        # Kept in either case: nobody is to prove it again.
        save_cells(self._weights, cells if self._provable else nothing_proven())
        if self._provable:
            self._use("certified", cells.packed())

    def _is_worth_having(self, cells: CertifiedCells) -> bool:
        """Whether bounds are near the gradients at cells' centres.

        Bounds on networks wider than the default's can be thousands of times too high, and so the steps too short.
        """
        if not cells.reachable.size:
            return False
        places = np.argwhere(cells.reachable)
        some = np.arange(0, len(places), max(1, len(places) // NUM_COMPARED))
        centres = (2.0 * places[some] + 1.0) / len(cells.reachable) - 1.0
        seen = np.linalg.norm(self.gradient_parallel(centres).astype(np.float64), axis=1)
        seen = np.maximum(seen, FLATTEST)
        with np.errstate(over="ignore"):
            low, high = cells.gradient[some, :3], cells.gradient[some, 3:]
            proven = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)).astype(np.float64), axis=1)
        loose = int((proven > LOOSEST * seen).sum())
        log.info("bounds on %d of %d cells are loose", loose, len(some))
        return loose <= MOST_LOOSE * len(some)

    def trace(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> FloatArray:
        """First crossing of the zero set in [t_min, t_max]: t (N,) float64, `inf` on a miss."""
        return self._march(origins, directions, t_min, t_max, False)

    def occluded(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> BoolArray:
        """Whether anything is hit in [t_min, t_max] (N,)."""
        return np.isfinite(self._march(origins, directions, t_min, t_max, True))

    @abstractmethod
    def _march(self, origins: Any, directions: Any, t_min: Any, t_max: Any, any_hit: bool) -> FloatArray:
        """Give t (N,) float64 of the first crossing, of any where `any_hit`; `inf` on a miss."""

    @abstractmethod
    def value_parallel(self, points: FloatArray) -> FloatArray:
        """Network's value (N,) float32 at points (N, 3) in [-1, 1]^3, on all processors."""

    @abstractmethod
    def gradient_parallel(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) float32 at points (N, 3), on all processors."""
