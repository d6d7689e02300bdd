"""A whole picture on the device: rays, hits, normals, lights and shadows, tile by tile; only planes come back.

A wavefront of few launches for each sample: camera rays; native triangles; one march for each network, through all of its
instances; normals; and for each light and for the world rays towards it, cast and marched, and added where they are free.
The picture is the CPU's: the same rays, sample patterns, materials and lights. Surfaces that let light through, textures, ambient
occlusion and shaders other than lights, are drawn by the renderer with the GPU as its tracer.

A large picture is drawn in tiles, which add to the sums of the whole picture on the device, 60 bytes a pixel. Where these
do not fit, each tile has sums of its own and the picture is put together on the host.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import layouts
from ..cuda.errors import DeviceMemoryError
from ..cuda.session import CudaSession
from ..protocol.scene import PlaneName
from .camera import PixelCamera
from .device_planes import DevicePlanes, finished_planes
from .device_scene import DeviceScene, fill_camera
from .device_tile import BYTES_PER_PIXEL, NUM_PLANES, SUMS, DeviceSums, DeviceTile, Window
from .scene import PreparedScene

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
LARGEST_TILE = 1 << 21  # pixels
SMALLEST_TILE = 1 << 12
KEPT_SCENES = 3  # on the device, the newest ones


class DeviceFrame:
    """One picture under way."""

    def __init__(self, scene: DeviceScene, camera: PixelCamera, window: Window) -> None:
        """Prepare; nothing is drawn yet."""
        self._scene, self._window = scene, window
        self._session = scene.session
        self._camera = np.zeros(1, layouts.CAMERA)
        fill_camera(self._camera[0], camera)
        self._tile = LARGEST_TILE
        self._sums: DeviceSums | None = None  # of all pixels, where the device holds them
        # Else these are filled, of the planes only the wanted ones; memory that is not touched is not there.
        self.sum = np.zeros((*window.size, 4), np.float32)
        self.planes = np.zeros((NUM_PLANES, *window.size), np.float32)

    def draw(self, samples: range, cancelled: Callable[[], bool]) -> Iterator[float]:
        """Add samples to all pixels; yields the share of them that is done.

        Raises:
            DeviceMemoryError: Not even a small tile fits.
            DeviceLostError: The device works no more.
        """
        if samples.start == 0:
            self._sums = self._sums_of_all()
        row, (height, width) = 0, self._window.size
        while row < height:
            fits = min(self._tile, max(1, self._session.free_bytes() // (2 * BYTES_PER_PIXEL)))
            rows = min(max(1, fits // width), height - row)
            try:
                if not self._draw_rows(row, rows, samples, cancelled):
                    return
            except DeviceMemoryError:
                if samples.start > 0 and self._sums is not None:
                    raise  # what the device holds of earlier rounds is spoiled
                self._tile = min(self._tile, rows * width) // 2
                if self._tile < SMALLEST_TILE or rows == 1:
                    raise
                log.info("the GPU's memory is short: going on in tiles of %d pixels", self._tile)
                if self._sums is not None:  # some of a tile's samples may be in them
                    self._sums, row = self._sums_of_all(), 0
                continue
            row += rows
            yield row / height

    def _sums_of_all(self) -> DeviceSums | None:
        """Give sums of all pixels, zero, where they take less than half of what is free."""
        self._sums = None
        height, width = self._window.size
        if 2 * sum(SUMS.values()) * height * width > self._session.free_bytes():
            return None
        try:
            return DeviceSums.zeros(self._session, height * width)
        except DeviceMemoryError:
            return None

    def _draw_rows(self, row: int, rows: int, samples: range, cancelled: Callable[[], bool]) -> bool:
        """Draw some rows; whether they are complete. Others may use the device between two samples."""
        session, width = self._session, self._window.size[1]
        count = rows * width
        with session.lock:
            sums = DeviceSums.zeros(session, count) if self._sums is None else self._sums
            tile = DeviceTile(self._scene, self._camera, self._window, row, count, sums)
        for sample in samples:
            if cancelled():
                return False
            with session.lock:
                tile.draw(sample)
                session.device.synchronize()  # or else `cancelled` is asked long before the work is done
        if self._sums is None:
            with session.lock:
                self._put_together(slice(row, row + rows), sums, samples.start == 0)
        return True

    def _put_together(self, part: slice, sums: DeviceSums, with_planes: bool) -> None:
        """Add a tile of its own to what the host has."""
        width = self._window.size[1]
        self.sum[part] += sums.download_color(self._session).reshape(-1, width, 4)
        for plane in self._window.planes if with_planes else ():
            self.planes[plane, part] = sums.download_plane(self._session, plane).reshape(-1, width)

    def finish(self, names: tuple[PlaneName, ...], samples: int) -> DevicePlanes | None:
        """Give the planes after so many samples, on the device; None: the host has them.

        Raises:
            DeviceMemoryError: They do not fit.
            DeviceLostError: The device works no more.
        """
        if self._sums is None:
            return None
        with self._session.lock:
            return finished_planes(
                self._session, self._scene.scene, self._sums, names, self._window.size, samples
            )


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
        or scene.materials.has_textures
        or scene.ambient_factor != 0.0
        or not scene.neural
    ):
        return None
    sessions = {t.session for i in scene.neural if isinstance(t := i.tracer, CudaTracer)}
    if len(sessions) != 1 or not all(isinstance(i.tracer, CudaTracer) for i in scene.neural):
        return None
    (session,) = sessions
    return None if session.lost else session
