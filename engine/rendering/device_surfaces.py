"""Rays of a tile on the device and what they meet, one surface behind the other: the launches that find and describe it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import launches, layouts
from ..cuda.session import DeviceArray
from .device_scene import DeviceScene

Array = npt.NDArray[Any]
PIXEL_THREADS = 128
BYTES = {name: np.dtype(kind).itemsize * count for name, (kind, count) in layouts.TILE_ARRAYS.items()}
SUMS = {name: BYTES[name] for name in ("color", "planes")}  # bytes of a pixel of what samples add to
SHADOWS = {"origins": "shadow_origins", "directions": "shadow_directions", "t_max": "shadow_t_max"}
ALONE = ("contribution", "base", "solid", *SUMS, *SHADOWS.values())  # of these a ray to a light has none


class DeviceSurfaces:
    """N rays, their surfaces, and the `Frame` struct that kernels read of them."""

    def __init__(self, scene: DeviceScene, frame: Array, arrays: dict[str, DeviceArray], count: int) -> None:
        """Take over arrays by their names in a `Frame`, which gets their addresses."""
        self.frame, self.count = frame, count
        self._scene, self._session, self._arrays = scene, scene.session, arrays
        for name, array in arrays.items():
            frame[name] = array.address
        self._goes_on = scene.session.empty(4)
        frame["goes_on"] = self._goes_on.address

    @classmethod
    def of_pixels(cls, scene: DeviceScene, frame: Array, count: int) -> DeviceSurfaces:
        """Give camera rays; the sums of their pixels are in `frame`.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        names = [name for name in BYTES if name not in SUMS]
        return cls(scene, frame, {name: scene.session.empty(BYTES[name] * count) for name in names}, count)

    def to_lights(self) -> DeviceSurfaces:
        """Give the rays from these surfaces to a light, for lights that shine through surfaces.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        arrays = {name: self._arrays[other] for name, other in SHADOWS.items()}
        for name in BYTES:
            if name not in (*ALONE, *arrays):
                arrays[name] = self._session.empty(BYTES[name] * self.count)
        frame = self.frame.copy()
        frame["is_shadow"] = True
        for name in ("use_color", "use_ambient", "write_planes", "is_counted"):
            frame[name] = False
        return DeviceSurfaces(self._scene, frame, arrays, self.count)

    def address(self, name: str) -> int:
        """Give where an array lies."""
        return self._arrays[name].address

    def find(self) -> None:
        """Begin to find and describe what each ray meets first."""
        camera = self._rays("origins", "directions", "t_max")
        self._cast(camera, False)
        self._march(camera, False)
        self._normals()
        self.launch("finish_surface", "finish_surfaces")

    def go_on(self, layer: int) -> bool:
        """Let rays go on behind what they met, the surface number `layer`; waits, and gives whether any does."""
        self._session.device.fill(self._goes_on.address, 0, 1)
        self.frame["layer"] = layer
        self.launch("layer", "pass_surfaces")
        return bool(self._session.download(self._goes_on, (1,), np.int32)[0])

    def block(self) -> None:
        """Begin to find which rays to a light are free: the others' t_max becomes -1."""
        shadow = self._rays(*SHADOWS.values())
        self._cast(shadow, True)
        self._march(shadow, True)

    def launch(self, source: str, kernel: str) -> None:
        """Begin a kernel with a thread for each ray."""
        blocks = -(-self.count // PIXEL_THREADS)
        self._session.launch(source, kernel, blocks, PIXEL_THREADS, 0, self.frame)

    def _rays(self, origins: str, directions: str, t_max: str) -> launches.DeviceRays:
        arrays = self._arrays
        return launches.DeviceRays(arrays[origins], arrays[directions], None, arrays[t_max], self.count)

    def _cast(self, rays: launches.DeviceRays, any_hit: bool) -> None:
        arguments = self._scene.cast.copy()
        if arguments["count"][0] == 0:
            return
        rays.fill(arguments["rays"], any_hit)
        if not any_hit:  # rays to lights only become blocked or not
            names = ("t_native", "native_object", "face", "barycentric")
            for field, name in zip(("t_hit", "object", "face", "barycentric"), names):
                arguments[field] = self._arrays[name].address
        blocks = -(-self.count // PIXEL_THREADS)
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
            arguments["frame"], arguments["network"] = self.frame, tracer.network.struct
            arguments["network_number"] = number
            most = self._session.device.info.shared_bytes
            plan = launches.plan_memory(tracer.network, 4, False, most)
            threads = launches.THREADS
            blocks = self._session.resident_blocks("normals", "neural_normals", threads, plan.shared_bytes)
            blocks = min(blocks, -(-self.count // threads))
            scratch = launches.place_scratch(self._session, plan, blocks, arguments)
            self._session.launch("normals", "neural_normals", blocks, threads, plan.shared_bytes, arguments)
            del scratch  # the next one's memory, whose launch comes later in the stream
