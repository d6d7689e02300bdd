"""A whole picture on the device: rays, hits, normals, lights and shadows, tile by tile; only planes come back.

A wavefront of few launches for each sample: camera rays; native triangles; one march for each network, through all of its
instances; normals; and for each light and for the world rays towards it, cast and marched, and added where they are free.
The picture is the CPU's: the same rays, sample patterns, materials and lights. Surfaces that let light through, and
shaders other than lights, are drawn by the renderer with the GPU as its tracer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import launches, layouts
from ..cuda.errors import DeviceMemoryError
from ..cuda.session import CudaSession, DeviceArray
from ..protocol.scene import PlaneName
from .camera import PixelCamera
from .device_planes import DevicePlanes, finished_planes
from .device_scene import DeviceScene, fill_camera
from .sample_patterns import pixel_offset
from .scene import PreparedScene

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
PIXEL_THREADS = 128
NUM_PLANES = 10
SUMS = ("color", "planes")  # arrays of a tile that samples add to
LARGEST_TILE = 1 << 21  # pixels
SMALLEST_TILE = 1 << 12
KEPT_SCENES = 3  # on the device, the newest ones
BYTES_PER_PIXEL = sum(np.dtype(kind).itemsize * count for kind, count in layouts.TILE_ARRAYS.values())


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


class DeviceFrame:
    """One picture under way."""

    def __init__(self, scene: DeviceScene, camera: PixelCamera, window: Window) -> None:
        """Prepare; nothing is drawn yet."""
        self._scene, self._window = scene, window
        self._session = scene.session
        self._camera = np.zeros(1, layouts.CAMERA)
        fill_camera(self._camera[0], camera)
        height, width = window.y1 - window.y0, window.x1 - window.x0
        self.sum = np.zeros((height, width, 4), np.float32)
        self.planes = np.zeros((NUM_PLANES, height, width), np.float32)  # of which only the wanted are filled
        self._tile = LARGEST_TILE
        self._whole: dict[str, DeviceArray] | None = None  # sums and planes of a picture that is one tile

    def draw(self, samples: range, cancelled: Callable[[], bool]) -> Iterator[float]:
        """Add samples to all pixels; yields the share of them that is done.

        Raises:
            DeviceMemoryError: Not even a small tile fits.
            DeviceLostError: The device works no more.
        """
        rows_done, height, width = 0, *self.sum.shape[:2]
        while rows_done < height:
            fits = min(self._tile, max(1, self._session.free_bytes() // (2 * BYTES_PER_PIXEL)))
            rows = min(max(1, fits // width), height - rows_done) if self._whole is None else height
            try:
                with self._session.lock:
                    if not self._draw_rows(rows_done, rows, samples, cancelled):
                        return
            except DeviceMemoryError:
                if samples.start > 0 and self._whole is not None:
                    raise  # what the device holds of earlier rounds is not whole any more
                self._whole = None
                self._tile = min(self._tile, rows * width) // 2
                if self._tile < SMALLEST_TILE or rows == 1:
                    raise
                log.info("the GPU's memory is short: going on in tiles of %d pixels", self._tile)
                continue
            rows_done += rows
            yield rows_done / height

    def _draw_rows(self, first: int, rows: int, samples: range, cancelled: Callable[[], bool]) -> bool:
        """Draw some rows; whether they are complete."""
        height, width = self.sum.shape[:2]
        whole = self._whole is not None or (rows == height and samples.start == 0)
        tile = _Tile(self._scene, self._camera, self._window, first, rows * width, width, self._whole)
        for sample in samples:
            if cancelled():
                return False
            tile.draw(sample)
        if whole:
            self._whole = tile.sums
            self._session.device.synchronize()  # before the other arrays are given back
            return True
        part = slice(first, first + rows)
        self.sum[part] += tile.download("color").reshape(rows, width, 4)
        if samples.start == 0:
            for plane in self._window.planes:
                self.planes[plane, part] = tile.download_plane(plane).reshape(rows, width)
        return True

    def finish(self, names: tuple[PlaneName, ...], samples: int) -> DevicePlanes | None:
        """Give the planes after so many samples, on the device; None: it was drawn in tiles.

        Raises:
            DeviceMemoryError: They do not fit.
            DeviceLostError: The device works no more.
        """
        if self._whole is None:
            return None
        height, width = self.sum.shape[:2]
        with self._session.lock:
            scene, size = self._scene.scene, (height, width)
            return finished_planes(self._session, scene, self._whole, names, size, samples)


class _Tile:
    """Arrays of some rows of pixels, and the launches that fill them."""

    def __init__(
        self,
        scene: DeviceScene,
        camera: Array,
        window: Window,
        row: int,
        count: int,
        width: int,
        sums: dict[str, DeviceArray] | None,
    ) -> None:
        self._scene, self._session, self._count = scene, scene.session, count
        self._arrays: dict[str, DeviceArray] = {}
        self._keep: list[DeviceArray | None] = []
        self._frame = scene.frame.copy()
        self._frame["camera"] = camera
        for name, (kind, numbers) in layouts.TILE_ARRAYS.items():
            size = np.dtype(kind).itemsize * numbers * count
            if name in SUMS:
                self._arrays[name] = self._session.zeros(size) if sums is None else sums[name]
            else:
                self._arrays[name] = self._session.empty(size)
            self._frame[name] = self._arrays[name].address
        self._frame["x0"], self._frame["y0"] = window.x0, window.y0 + row
        self._frame["columns"], self._frame["count"], self._frame["seed"] = width, count, window.seed
        self._frame["use_color"] = self._use_color = window.use_color

    @property
    def sums(self) -> dict[str, DeviceArray]:
        """What later samples add to."""
        return {name: self._arrays[name] for name in SUMS}

    def download(self, name: str) -> Array:
        """Wait for all work and give an array."""
        kind, numbers = layouts.TILE_ARRAYS[name]
        result = self._session.download(self._arrays[name], (self._count, numbers), kind)
        self._keep.clear()
        return result

    def download_plane(self, plane: int) -> Array:
        """Wait for all work and give one plane (N,)."""
        start = self._arrays["planes"].address + 4 * self._count * plane
        return self._session.download_from(start, (self._count,), np.float32)

    def draw(self, sample: int) -> None:
        """Add one sample to every pixel."""
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
                keep=self._keep,
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
            self._keep.append(launches.place_scratch(self._session, plan, blocks, arguments))
            self._session.launch("normals", "neural_normals", blocks, threads, plan.shared_bytes, arguments)


_prepared: dict[int, DeviceScene] = {}
_lock = threading.Lock()


def device_scene(scene: PreparedScene) -> DeviceScene | None:
    """Give a scene on the device that draws it, or None where the renderer must.

    Raises:
        DeviceMemoryError: It does not fit.
        DeviceLostError: The device works no more.
    """
    session = _session_of(scene)
    if session is None:
        return None
    with _lock, session.lock:
        known = _prepared.get(id(scene))
        if known is None or known.scene is not scene or known.session is not session:
            for key in list(_prepared)[: -KEPT_SCENES + 1]:
                del _prepared[key]
            known = _prepared[id(scene)] = DeviceScene(session, scene)
        return known


def _session_of(scene: PreparedScene) -> CudaSession | None:
    """Give the session that can draw all of a scene, or None."""
    from ..tracing.cuda import CudaTracer

    if (
        scene.environment is not None
        or not scene.materials.opaque
        or scene.materials.has_holdout
        or not scene.neural
    ):
        return None
    sessions = {t.session for i in scene.neural if isinstance(t := i.tracer, CudaTracer)}
    if len(sessions) != 1 or not all(isinstance(i.tracer, CudaTracer) for i in scene.neural):
        return None
    (session,) = sessions
    return None if session.lost else session
