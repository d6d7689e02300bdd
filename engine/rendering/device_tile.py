"""Some rows of a picture on the device: arrays for its pixels, and the launches that add a sample to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import launches, layouts
from ..cuda.session import CudaSession, DeviceArray
from .device_scene import DeviceScene
from .sample_patterns import pixel_offset

Array = npt.NDArray[Any]
PIXEL_THREADS = 128
NUM_PLANES = 11
_BYTES = {name: np.dtype(kind).itemsize * count for name, (kind, count) in layouts.TILE_ARRAYS.items()}
SUMS = {name: _BYTES[name] for name in ("color", "planes")}  # bytes of a pixel of what samples add to
BYTES_PER_PIXEL = sum(_BYTES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a picture that is drawn, and how."""

    x0: int
    y0: int
    x1: int
    y1: int
    seed: int
    use_color: bool  # whether lights are wanted
    planes: tuple[int, ...]  # rows of a tile's planes that are wanted

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0


@dataclass(frozen=True, slots=True, eq=False)
class DeviceSums:
    """What samples add to: colours, and the planes of the first one, of so many pixels."""

    color: DeviceArray
    planes: DeviceArray
    count: int

    @classmethod
    def zeros(cls, session: CudaSession, count: int) -> DeviceSums:
        """Give sums of nothing.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        color, planes = (session.zeros(each * count) for each in SUMS.values())
        return cls(color, planes, count)

    def download_color(self, session: CudaSession) -> Array:
        """Wait for all work and give the colours (N, 4)."""
        return session.download(self.color, (self.count, 4), np.float32)

    def download_plane(self, session: CudaSession, plane: int) -> Array:
        """Wait for all work and give one plane (N,)."""
        start = self.planes.address + 4 * self.count * plane
        return session.download_from(start, (self.count,), np.float32)


class DeviceTile:
    """Arrays of some rows of pixels, and the launches that fill them."""

    def __init__(
        self, scene: DeviceScene, camera: Array, window: Window, row: int, count: int, sums: DeviceSums
    ) -> None:
        """Take memory for `count` pixels from a row of the window on.

        `sums` are those of the whole window, or of these pixels alone.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        width = window.x1 - window.x0
        first = 0 if sums.count == count else row * width
        self._scene, self._session, self._count, self._sums = scene, scene.session, count, sums
        self._frame = scene.frame.copy()
        self._frame["camera"] = camera
        self._arrays = {}
        for name in layouts.TILE_ARRAYS:
            if name not in SUMS:
                self._arrays[name] = self._session.empty(_BYTES[name] * count)
                self._frame[name] = self._arrays[name].address
        self._frame["color"] = sums.color.address + SUMS["color"] * first
        self._frame["planes"], self._frame["stride"] = sums.planes.address + 4 * first, sums.count
        self._frame["x0"], self._frame["y0"] = window.x0, window.y0 + row
        self._frame["columns"], self._frame["count"], self._frame["seed"] = width, count, window.seed
        self._frame["use_color"] = self._use_color = window.use_color

    def draw(self, sample: int) -> None:
        """Begin to add one sample to every pixel."""
        self._frame["sample"], self._frame["first_sample"] = sample, sample == 0
        self._frame["offset_x"], self._frame["offset_y"] = pixel_offset(sample)
        self._launch("begin_pixel")
        camera = self._rays("origins", "directions", "t_max")
        self._cast(camera, False)
        self._march(camera, False)
        self._normals()
        self._launch("finish_surface")
        scene = self._scene.scene
        lights = [*range(len(scene.lights)), *([-1] if scene.world_color.any() else [])]
        shadow = self._rays("shadow_origins", "shadow_directions", "shadow_t_max")
        for light in lights if self._use_color else []:
            self._frame["light"] = light
            self._launch("begin_light")
            self._cast(shadow, True)
            self._march(shadow, True)
            self._launch("add_light")

    def _rays(self, origins: str, directions: str, t_max: str) -> launches.DeviceRays:
        arrays = self._arrays
        return launches.DeviceRays(arrays[origins], arrays[directions], None, arrays[t_max], self._count)

    def _launch(self, name: str) -> None:
        blocks = -(-self._count // PIXEL_THREADS)
        self._session.launch(name, f"{name}s", blocks, PIXEL_THREADS, 0, self._frame)

    def _cast(self, rays: launches.DeviceRays, any_hit: bool) -> None:
        arguments = self._scene.cast.copy()
        if arguments["count"][0] == 0:
            return
        rays.fill(arguments["rays"], any_hit)
        if not any_hit:  # rays to lights only become blocked or not
            names = ("t_native", "native_object", "face", "barycentric")
            for field, name in zip(("t_hit", "object", "face", "barycentric"), names):
                arguments[field] = self._arrays[name].address
        blocks = -(-self._count // PIXEL_THREADS)
        self._session.launch("cast", "cast_rays", blocks, PIXEL_THREADS, 0, arguments)

    def _march(self, rays: launches.DeviceRays, any_hit: bool) -> None:
        for number, tracer in enumerate(self._scene.tracers):
            scene = self._scene.instances.copy()
            scene["network"] = number
            launches.march(
                self._session,
                tracer.network,
                tracer.device_grid,
                rays,
                None if any_hit else self._arrays["t_neural"],
                any_hit,
                tracer.use_half,
                scene,
                None if any_hit else self._arrays["neural_object"],
            )

    def _normals(self) -> None:
        for number, tracer in enumerate(self._scene.tracers):
            arguments = np.zeros(1, layouts.NORMALS_ARGUMENTS)
            arguments["frame"], arguments["network"] = self._frame, tracer.network.struct
            arguments["network_number"] = number
            most = self._session.device.info.shared_bytes
            plan = launches.plan_memory(tracer.network, 4, False, most)
            threads = launches.THREADS
            blocks = self._session.resident_blocks("normals", "neural_normals", threads, plan.shared_bytes)
            blocks = min(blocks, -(-self._count // threads))
            scratch = launches.place_scratch(self._session, plan, blocks, arguments)
            self._session.launch("normals", "neural_normals", blocks, threads, plan.shared_bytes, arguments)
            del scratch  # the next one's memory, whose launch comes later in the stream
