"""Launches of the kernels: arguments filled in, shared memory planned, persistent blocks counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from ..tracing.packed_grid import PackedGrid, whole_cells
from . import layouts
from .errors import DeviceMemoryError
from .network_data import NetworkData, network_data, scratch_floats
from .session import CudaSession, DeviceArray

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
WARPS = 8  # of a block of `march` and `evaluate`: their launch bounds
THREADS = 32 * WARPS
LEAST_SPARE = 4  # times what parts of cells take must be free: pictures need memory, too
_GRID_ARRAYS = {"ahead": "u1", "cell": "i4", "part": "u1", "first": "i4", "rows": "f4"}
POINTS = ("evaluate", "evaluate_points")  # source and kernel of full precision


class DeviceNetwork:
    """A network's arrays on the device."""

    def __init__(self, session: CudaSession, weights: NeuralWeights, time: float = 0.0) -> None:
        """Copy the arrays; `time` is the fourth input of a network that has four."""
        data = network_data(weights, time)
        self.data: NetworkData = data
        self.architecture = weights.architecture
        self.struct = np.zeros(1, layouts.NETWORK)
        for name, value in data.numbers.items():
            self.struct[name] = value
        self._memory = []
        for name in ("parameters", "encoding", "fragments", "fragment_biases"):
            array = session.array(getattr(data, name))
            self._memory.append(array)
            self.struct[name] = array.address if array.num_bytes else 0


class DeviceGrid:
    """A step grid on the device."""

    def __init__(self, session: CudaSession, grid: PackedGrid, half_error: float) -> None:
        """Copy the arrays of a grid `for_march`; `half_error` is what steps allow for a value of the matrix unit."""
        self.struct = np.zeros(1, layouts.GRID)
        self._memory = []
        for name, dtype in _GRID_ARRAYS.items():
            array = session.array(np.ascontiguousarray(getattr(grid, name), dtype))
            self._memory.append(array)
            self.struct[name] = array.address
        self.struct["error"], self.struct["half_error"] = grid.error, half_error
        self.struct["resolution"], self.struct["parts"] = grid.cell.shape[0], grid.parts


def place_grid(session: CudaSession, grid: PackedGrid, half_error: float) -> tuple[PackedGrid, DeviceGrid]:
    """Copy a grid `for_march`; gives what was copied: whole cells, and the reason in the log, where parts find no room.

    Raises:
        DeviceMemoryError: Not even whole cells do.
    """
    if grid.parts == 1:
        return grid, DeviceGrid(session, grid, half_error)
    wanted = sum(getattr(grid, name).nbytes for name in ("part", "first", "rows"))
    free = session.free_bytes()
    reason = f"the parts of cells take {wanted >> 20} MiB and {free >> 20} MiB are free"
    if wanted <= free // LEAST_SPARE:
        try:
            return grid, DeviceGrid(session, grid, half_error)
        except DeviceMemoryError as error:
            reason = str(error)
    log.info("%s: the march there reads whole cells", reason)
    whole = whole_cells(grid)
    return whole, DeviceGrid(session, whole, half_error)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where a block keeps weights and scratch."""

    weights_in_shared: bool
    scratch_in_shared: bool
    scratch_floats: int  # of a warp
    shared_bytes: int


def plan_memory(network: DeviceNetwork, channels: int, use_half: bool, most: int) -> MemoryPlan:
    """Put what fits into shared memory: scratch first, which every step writes, then weights."""
    scratch = layouts.LANES * scratch_floats(network.architecture, channels)
    scratch_bytes = 4 * scratch * WARPS
    in_shared = scratch_bytes <= most
    left = most - (scratch_bytes if in_shared else 0)
    weights_bytes = _rounded(len(network.data.parameters))
    if use_half:
        weights_bytes += _rounded(len(network.data.fragments)) + 4 * network.data.fragment_biases.size
    fits = weights_bytes <= left
    total = (scratch_bytes if in_shared else 0) + (weights_bytes if fits else 0)
    return MemoryPlan(fits, in_shared, scratch, total)


def _rounded(words: int) -> int:
    return 4 * (-(-words // 4) * 4)


def place_scratch(
    session: CudaSession, plan: MemoryPlan, blocks: int, arguments: Array
) -> DeviceArray | None:
    """Fill in where scratch lies; gives the memory, to be held until the launch has begun."""
    arguments["scratch_in_shared"] = plan.scratch_in_shared
    arguments["weights_in_shared"] = plan.weights_in_shared
    arguments["scratch_floats"] = plan.scratch_floats
    if plan.scratch_in_shared:
        return None
    scratch = session.empty(4 * plan.scratch_floats * WARPS * blocks)
    arguments["scratch"] = scratch.address
    return scratch


class Evaluation:
    """Points on the device and what their evaluation writes; `launch` may be called again and again."""

    def __init__(
        self, session: CudaSession, network: DeviceNetwork, points: Array, gradients: bool, use_half: bool
    ) -> None:
        """Copy points (N, 3), N at least 1, anywhere."""
        self._session, self._count = session, len(points)
        use_half = use_half and not gradients
        self._kernel = ("evaluate_half", f"evaluate_half_{network.data.width}") if use_half else POINTS
        self._source = session.array(np.ascontiguousarray(points, np.float32))
        self._values = session.empty(4 * self._count)
        self._slopes = session.empty(12 * self._count) if gradients else None
        arguments = np.zeros(1, layouts.EVALUATE_ARGUMENTS)
        arguments["network"], arguments["count"], arguments["extend"] = network.struct, self._count, 1
        arguments["points"], arguments["values"] = self._source.address, self._values.address
        arguments["gradients"] = self._slopes.address if self._slopes else 0
        plan = plan_memory(network, 4 if gradients else 1, use_half, session.device.info.shared_bytes)
        self._shared = plan.shared_bytes
        blocks = session.resident_blocks(*self._kernel, THREADS, self._shared)
        self._blocks = min(blocks, -(-self._count // THREADS))
        self._scratch = place_scratch(session, plan, self._blocks, arguments)
        self._arguments = arguments

    def launch(self) -> None:
        """Begin the kernel."""
        self._session.launch(*self._kernel, self._blocks, THREADS, self._shared, self._arguments)

    def result(self) -> tuple[Array, Array | None]:
        """Wait and give values (N,) and gradients (N, 3), where wanted."""
        values = self._session.download(self._values, (self._count,), np.float32)
        if self._slopes is None:
            return values, None
        return values, self._session.download(self._slopes, (self._count, 3), np.float32)


def evaluate(
    session: CudaSession, network: DeviceNetwork, points: Array, gradients: bool, use_half: bool = False
) -> tuple[Array, Array | None]:
    """Give values (N,) float32 at points (N, 3), outside the box too, and gradients (N, 3) where wanted."""
    if len(points) == 0:
        return np.zeros(0, np.float32), np.zeros((0, 3), np.float32) if gradients else None
    evaluation = Evaluation(session, network, points, gradients, use_half)
    evaluation.launch()
    return evaluation.result()


@dataclass(slots=True)
class DeviceRays:
    """N rays on the device."""

    origins: DeviceArray
    directions: DeviceArray
    t_min: DeviceArray | None
    t_max: DeviceArray
    count: int

    def fill(self, struct: Array, any_hit: bool) -> None:
        """Write a `Rays` struct."""
        struct["origins"], struct["directions"] = self.origins.address, self.directions.address
        struct["t_min"] = self.t_min.address if self.t_min else 0
        struct["t_max"], struct["count"], struct["any_hit"] = self.t_max.address, self.count, any_hit


def upload_rays(
    session: CudaSession, origins: Array, directions: Array, t_min: Any, t_max: Array
) -> DeviceRays:
    """Copy rays (N, 3), (N, 3), (N,), (N,) as float64; `t_min` may be None for 0."""
    arrays = [np.ascontiguousarray(a, np.float64) for a in (origins, directions, t_max)]
    o, d, high = (session.array(a) for a in arrays)
    low = None if t_min is None else session.array(np.ascontiguousarray(t_min, np.float64))
    return DeviceRays(o, d, low, high, len(arrays[2]))


def march(
    session: CudaSession,
    network: DeviceNetwork,
    grid: DeviceGrid,
    rays: DeviceRays,
    t_hit: DeviceArray | None,
    any_hit: bool = False,
    use_half: bool = True,
    scene: Array | None = None,
    objects: DeviceArray | None = None,
    counts: DeviceArray | None = None,
) -> None:
    """Begin the march of rays.

    Args:
        session: The device.
        network: The network.
        grid: Its step grid.
        rays: In unit space, or in world space if there is a `scene`.
        t_hit: Out, (N,) float64; may be None with a scene, whose rays are shortened.
        any_hit: Whether any crossing will do.
        use_half: Whether the matrix unit may be used on the way.
        scene: An `Instances` struct.
        objects: Out, (N,) int32, numbers of instances, with a scene.
        counts: Out, three uint64: values in full and in half precision, and rays.
    """
    arguments = np.zeros(1, layouts.MARCH_ARGUMENTS)
    arguments["network"], arguments["grid"] = network.struct, grid.struct
    rays.fill(arguments["rays"], any_hit)
    if scene is not None:
        arguments["instances"] = scene
    queue = session.zeros(4)
    arguments["t_hit"], arguments["queue"] = t_hit.address if t_hit else 0, queue.address
    arguments["object"] = objects.address if objects else 0
    arguments["counts"] = counts.address if counts else 0
    arguments["use_half"] = use_half
    plan = plan_memory(network, 1, use_half, session.device.info.shared_bytes)
    name = f"march_{network.data.width}"
    blocks = session.resident_blocks("march", name, THREADS, plan.shared_bytes)
    blocks = max(1, min(blocks, -(-rays.count // THREADS)))
    scratch = place_scratch(session, plan, blocks, arguments)
    session.launch("march", name, blocks, THREADS, plan.shared_bytes, arguments)
    del scratch, queue  # what gets their memory next comes later in the stream
