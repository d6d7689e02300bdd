"""The CUDA backend: rays and points in tiles on the GPU, on the CPU where the GPU cannot go on.

The step grid, and how it is proven, are the CPU backend's; both kinds are built with the GPU's help. Memory that runs out
halves the tiles, and below SMALLEST_TILE this request goes to the CPU; a GPU that is lost is never asked again. Either is told
in the log, once.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cuda import launches
from ..cuda.errors import DeviceLostError, DeviceMemoryError
from ..cuda.half_error import allowance
from ..cuda.session import CudaSession
from ..network.field import Field
from ..protocol.weights import NeuralWeights
from .packed_grid import PackedGrid
from .step_grid import RESOLUTION
from .stepped import SteppedTracer

if TYPE_CHECKING:
    from .cpu import CpuTracer

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
LARGEST_TILE = 1 << 21  # rays or points of a launch
SMALLEST_TILE = 1 << 13


class CudaTracer(SteppedTracer):
    """Sphere tracing of one network on a GPU (`Tracer`); every method may be called from several threads."""

    def __init__(
        self,
        weights: NeuralWeights,
        session: CudaSession,
        time: float = 0.0,
        grid_resolution: int = RESOLUTION,
        use_half: bool = True,
    ) -> None:
        """Copy the network to the GPU and take its certified grid if it was proven earlier, else sample one.

        Raises:
            DeviceMemoryError: The GPU's memory does not hold the network.
            DeviceLostError: The GPU works no more.
        """
        start = perf_counter()
        super().__init__(weights)
        self._time, self._session, self._use_half = time, session, use_half
        self._cpu: CpuTracer | None = None
        self._is_sharpened = False
        self._cpu_lock = threading.Lock()
        with session.lock:
            self._network = launches.DeviceNetwork(session, weights, time)
        self._begin(grid_resolution)
        log.info(
            "step grid (%s) on %s in %.2f s", self.bound, session.device.info.name, perf_counter() - start
        )

    def _take(self, bound: str, ready: PackedGrid, instead_of: tuple[str, PackedGrid] | None = None) -> None:
        half_error = allowance(self._weights, ready, self._time) if self._use_half else 0.0
        with self._session.lock:
            if instead_of is None or self._steps is instead_of:
                placed, self._on_device = launches.place_grid(self._session, ready, half_error)
                self._steps = (bound, placed)

    def sharpen(self, alone: bool = False) -> None:
        """Look into the parts of a sampled grid's cells, once: where the GPU has no room for them it has none later."""
        if self._is_sharpened or self._session.lost:
            return
        self._is_sharpened = True
        try:
            super().sharpen(alone)
        except (DeviceMemoryError, DeviceLostError) as error:
            log.warning("%s: this shape keeps its coarse grid there", error)

    @property
    def session(self) -> CudaSession:
        """The GPU it works on."""
        return self._session

    @property
    def network(self) -> launches.DeviceNetwork:
        """The network there."""
        return self._network

    @property
    def use_half(self) -> bool:
        """Whether the matrix unit is used on the way."""
        return self._use_half

    @property
    def left_to_cpu(self) -> bool:
        """Whether the GPU could not go on with some request."""
        return self._cpu is not None

    @property
    def device_grid(self) -> launches.DeviceGrid:
        """The step grid there."""
        return self._on_device

    def certify(self) -> bool:
        """Build the certified grid, keep it on disk and use it from now on; whether it is in use."""
        if self.bound != "certified" and self._provable and not self.certify_on_device():
            from .certified_grid import certified_cells

            try:
                self.adopt(certified_cells(self._weights))
            except (DeviceMemoryError, DeviceLostError) as error:
                log.warning("%s: this shape keeps its sampled grid there", error)
        return self.bound == "certified"

    def certify_on_device(self) -> bool:
        """`certify` by the GPU alone, without compiling anything; False: it cannot."""
        if self.bound == "certified" or not self._provable:
            return self.bound == "certified"
        from ..cuda.certification import DeviceBounder
        from .certified_grid import certified_cells
        from .certified_network import certified_network

        try:
            bounder = DeviceBounder(self._session, certified_network(self._weights), self._before_output)
            self.adopt(certified_cells(self._weights, bounder=bounder))
        except (DeviceMemoryError, DeviceLostError) as error:
            log.warning("%s: the CPU certifies this shape", error)
            return False
        return True

    def _before_output(self, points: FloatArray) -> FloatArray:
        architecture = dataclasses.replace(self._weights.architecture, output_activation="none")
        return Field(self._weights.with_description(architecture=architecture)).value(points)

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) float32 at points (N, 3), anywhere."""
        return self._in_tiles(
            len(points),
            np.empty(len(points), np.float32),
            lambda part: launches.evaluate(self._session, self._network, points[part], False)[0],
            lambda cpu, part: cpu.value(points[part]),
        )

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) float32 of the network at points (N, 3) in [-1, 1]^3."""
        points = np.clip(points, -1.0, 1.0)

        def on_device(part: slice) -> FloatArray:
            slopes = launches.evaluate(self._session, self._network, points[part], True)[1]
            assert slopes is not None
            return slopes

        return self._in_tiles(
            len(points),
            np.empty((len(points), 3), np.float32),
            on_device,
            lambda cpu, part: cpu.gradient(points[part]),
        )

    def value_parallel(self, points: FloatArray) -> FloatArray:
        """`value`, of points in [-1, 1]^3."""
        return self.value(points)

    def gradient_parallel(self, points: FloatArray) -> FloatArray:
        """`gradient`."""
        return self.gradient(points)

    def _march(self, origins: Any, directions: Any, t_min: Any, t_max: Any, any_hit: bool) -> FloatArray:
        def on_device(part: slice) -> FloatArray:
            session, grid = self._session, self._on_device
            rays = launches.upload_rays(session, origins[part], directions[part], t_min[part], t_max[part])
            t_hit = session.empty(8 * rays.count)
            launches.march(session, self._network, grid, rays, t_hit, any_hit, self._use_half)
            return session.download(t_hit, (rays.count,), np.float64)

        def on_cpu(cpu: CpuTracer, part: slice) -> FloatArray:
            rays = (origins[part], directions[part], t_min[part], t_max[part])
            return np.where(cpu.occluded(*rays), 0.0, np.inf) if any_hit else cpu.trace(*rays)

        return self._in_tiles(len(origins), np.empty(len(origins)), on_device, on_cpu)

    def _in_tiles(
        self,
        count: int,
        out: FloatArray,
        on_device: Callable[[slice], FloatArray],
        on_cpu: Callable[[CpuTracer, slice], FloatArray],
    ) -> FloatArray:
        """Fill `out` piece by piece, on the GPU as long as that works."""
        done, side = 0, LARGEST_TILE
        while done < count:
            part = slice(done, min(done + side, count))
            try:
                with self._session.lock:
                    out[part] = on_device(part)
                done = part.stop
            except DeviceMemoryError as error:
                side = min(side, part.stop - part.start) // 2
                if side < SMALLEST_TILE:
                    return self._rest_on_cpu(done, out, on_cpu, str(error))
                log.info("%s: going on in tiles of %d", error, side)
            except DeviceLostError as error:
                return self._rest_on_cpu(done, out, on_cpu, str(error))
        return out

    def _rest_on_cpu(self, done: int, out: FloatArray, on_cpu: Any, reason: str) -> FloatArray:
        with self._cpu_lock:
            if self._cpu is None:
                from .cpu import CpuTracer

                log.warning("%s: the CPU goes on with this shape", reason)
                self._cpu = CpuTracer(self._weights, time=self._time)
        part = slice(done, len(out))
        out[part] = on_cpu(self._cpu, part)
        return out
