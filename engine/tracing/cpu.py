"""The CPU backend: Numba kernels over blocks of points, without a missed hit as far as its step grid is right.

The grid is sampled at first, and proven once somebody calls `certify`, or has done so for these weights before.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .march_kernel import march
from .network_kernel import evaluate_points, pack_network
from .parallel import over_slices
from .step_grid import RESOLUTION, Evaluate
from .stepped import SteppedTracer

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]


class CpuTracer(SteppedTracer):
    """Sphere tracing of one network on the CPU (`Tracer`); every method may be called from several threads."""

    def __init__(self, weights: NeuralWeights, grid_resolution: int = RESOLUTION, time: float = 0.0) -> None:
        """Pack the network and take its certified grid if it was proven earlier, else sample one.

        Args:
            weights: The network.
            grid_resolution: Cells a side of a sampled grid.
            time: The fourth input of a network that has four.
        """
        start = perf_counter()
        super().__init__(weights)
        self._network = pack_network(weights, time)
        self._begin(grid_resolution)
        log.info("step grid (%s) in %.2f s", self.bound, perf_counter() - start)

    def certify(self) -> bool:
        """Build the certified grid here, keep it on disk and use it from now on; whether it is in use."""
        if self.bound != "certified" and self._provable:
            from .certified_grid import certified_cells  # its kernels load only where they are called

            self.adopt(certified_cells(self._weights))
        return self.bound == "certified"

    def _evaluators(self, alone: bool) -> tuple[Evaluate, Evaluate]:
        return (self._value, self._gradient) if alone else super()._evaluators(alone)

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) float32 at points (N, 3), anywhere."""
        nearest = np.clip(points, -1.0, 1.0)
        outside = np.linalg.norm(points - nearest, axis=1)
        values = self._value(np.ascontiguousarray(nearest, np.float32))
        extended: FloatArray = values + outside.astype(np.float32)
        return extended

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) float32 of the network at points (N, 3) in [-1, 1]^3."""
        return self._gradient(np.ascontiguousarray(np.clip(points, -1.0, 1.0), np.float32))

    def count_evaluations(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> int:
        """How many times `trace` evaluates the network for these rays."""
        o, d, low, high = _as_doubles(origins, directions, t_min, t_max)
        return int(march(self._network, self.grid, o, d, low, high, False, np.empty(len(o))))

    def _march(self, origins: Any, directions: Any, t_min: Any, t_max: Any, any_hit: bool) -> FloatArray:
        o, d, low, high = _as_doubles(origins, directions, t_min, t_max)
        t_hit = np.empty(len(o))
        march(self._network, self.grid, o, d, low, high, any_hit, t_hit)
        return t_hit

    def _value(self, points: FloatArray) -> FloatArray:
        values = np.empty(len(points), np.float32)
        evaluate_points(self._network, points, values, np.empty((0, 3), np.float32))
        return values

    def _gradient(self, points: FloatArray) -> FloatArray:
        gradients = np.empty((len(points), 3), np.float32)
        if len(points):
            evaluate_points(self._network, points, np.empty(len(points), np.float32), gradients)
        return gradients

    def value_parallel(self, points: FloatArray) -> FloatArray:
        """Network's value (N,) float32 at points (N, 3) in [-1, 1]^3, on all processors."""
        points = np.ascontiguousarray(points, np.float32)
        values = np.empty(len(points), np.float32)

        def work(part: slice) -> None:
            values[part] = self._value(points[part])

        over_slices(len(points), work)
        return values

    def gradient_parallel(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) float32 at points (N, 3), on all processors."""
        points = np.ascontiguousarray(np.clip(points, -1.0, 1.0), np.float32)
        gradients = np.empty((len(points), 3), np.float32)

        def work(part: slice) -> None:
            gradients[part] = self._gradient(points[part])

        over_slices(len(points), work)
        return gradients


def _as_doubles(*arrays: Any) -> list[FloatArray]:
    return [np.ascontiguousarray(array, np.float64) for array in arrays]
