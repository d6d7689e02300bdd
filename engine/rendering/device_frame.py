"""A whole picture on the device: rays, hits, normals, lights and shadows, tile by tile; only planes come back.

A wavefront of few launches for each sample: camera rays; native triangles; one march for each network, through all of its
instances; normals; and for each light and for the surroundings rays towards it, cast and marched, and added where they are
free. Where surfaces let light through, this is done again for what is behind them. The picture is the CPU's: the same rays,
sample patterns, materials and lights. Scenes without neural objects, and shaders other than lights, are the renderer's.

A large picture is drawn in tiles, which add to the sums of the whole picture on the device, 68 bytes a pixel. Where these
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
from .device_denoise import BYTES_PER_PIXEL, DeviceDenoiser
from .device_noise import DeviceNoise
from .device_planes import DevicePlanes, finished_planes
from .device_scene import DeviceScene
from .device_structs import fill_camera
from .device_surfaces import SUMS
from .device_tile import GUIDES, NUM_PLANES, DeviceSums, DeviceTile, Pixels, Window, bytes_per_pixel
from .panorama import PanoramaCamera
from .scene import PreparedScene

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
LARGEST_TILE = 1 << 21  # pixels
SMALLEST_TILE = 1 << 12
KEPT_SCENES = 3  # on the device, the newest ones


class DeviceFrame:
    """One picture under way."""

    def __init__(self, scene: DeviceScene, camera: PixelCamera | PanoramaCamera, window: Window) -> None:
        """Prepare; nothing is drawn yet."""
        self._scene, self._window = scene, window
        self._session = scene.session
        self._camera = np.zeros(1, layouts.CAMERA)
        fill_camera(self._camera[0], camera)
        self._tile = LARGEST_TILE
        self._sums: DeviceSums | None = None  # of all pixels, where the device holds them
        self._noise: DeviceNoise | None = None  # where pixels that have settled get no more samples
        self._denoiser: DeviceDenoiser | None = None  # where the complete picture is smoothed
        # Else these are filled, of the planes only the wanted ones; memory that is not touched is not there.
        self.sum = np.zeros((*window.size, 4), np.float32)
        self.planes = np.zeros((NUM_PLANES, *window.size), np.float32)

    def draw(self, samples: range, cancelled: Callable[[], bool]) -> Iterator[float]:
        """Add samples to all pixels that need them; yields the share of these that is done.

        Raises:
            DeviceMemoryError: Not even a small tile fits.
            DeviceLostError: The device works no more.
        """
        if samples.start == 0:
            with self._session.lock:
                self._begin_sums()
        done, width = 0, self._window.size[1]
        while done < (left := self._upcoming()).count:
            fits = min(self._tile, max(1, self._session.free_bytes() // (2 * bytes_per_pixel(self._scene))))
            rows = max(1, fits // width)
            pixels = Pixels(done, min(rows * width, left.count - done), left.chosen)
            try:
                if not self._draw_tile(pixels, samples, cancelled):
                    return
            except DeviceMemoryError:
                if samples.start > 0 and self._sums is not None:
                    raise  # what the device holds of earlier rounds is spoiled
                self._tile = min(self._tile, pixels.count) // 2
                if self._tile < SMALLEST_TILE or pixels.count <= width:
                    raise
                log.info("the GPU's memory is short: going on in tiles of %d pixels", self._tile)
                if self._sums is not None:  # some of a tile's samples may be in them
                    with self._session.lock:
                        self._begin_sums()
                    done = 0
                continue
            done += pixels.count
            yield done / left.count

    def _upcoming(self) -> Pixels:
        """Give the pixels that get more samples."""
        height, width = self._window.size
        return Pixels(0, height * width) if self._noise is None else self._noise.active

    def _begin_sums(self) -> None:
        """Hold sums of all pixels, zero, where they take less than half of what is free.

        Raises:
            DeviceMemoryError: They do not fit, and pixels are to settle or to be smoothed, which takes all of them.
        """
        self._sums = self._noise = self._denoiser = None
        threshold, (height, width) = self._window.noise_threshold, self._window.size
        each, denoise = sum(SUMS.values()), self._window.denoise
        if denoise:
            each += sum(GUIDES.values()) + BYTES_PER_PIXEL
        try:
            if 2 * each * height * width <= self._session.free_bytes():
                self._sums = DeviceSums.zeros(self._session, height * width, denoise)
        except DeviceMemoryError:
            log.info("the GPU's memory does not hold the picture, which the host puts together")
        if self._sums is None and (threshold > 0.0 or denoise):
            what = "to be denoised" if denoise else "with a noise threshold"
            raise DeviceMemoryError(f"the GPU's memory does not hold a picture {what}")
        if threshold > 0.0:
            self._noise = DeviceNoise(self._session, threshold, (height, width))
        if denoise:
            self._denoiser = DeviceDenoiser(self._session, (height, width))

    def settle(self, samples: int) -> None:
        """Look for pixels that need no more samples, at the end of a round.

        Raises:
            DeviceMemoryError: The device's memory is full.
            DeviceLostError: The device works no more.
        """
        if self._noise is not None and self._sums is not None:
            with self._session.lock:
                self._noise.look(self._sums, samples)

    def smooth(self, samples: int, cancelled: Callable[[], bool]) -> None:
        """Take the noise out of the complete picture, where that is wanted; `samples` is the most that a pixel has.

        Raises:
            RenderCancelled: `cancelled` said so.
            DeviceLostError: The device works no more.
        """
        if self._denoiser is not None and self._sums is not None:
            self._denoiser.smooth(self._sums, samples, cancelled)

    @property
    def settled(self) -> bool:
        """Whether no pixel needs another sample."""
        return self._noise is not None and self._noise.num_active == 0

    def _draw_tile(self, pixels: Pixels, samples: range, cancelled: Callable[[], bool]) -> bool:
        """Draw some pixels; whether they are complete. Others may use the device between two samples."""
        session = self._session
        with session.lock:
            sums = DeviceSums.zeros(session, pixels.count) if self._sums is None else self._sums
            tile = DeviceTile(self._scene, self._camera, self._window, pixels, sums)
        for sample in samples:
            if cancelled():
                return False
            with session.lock:
                tile.draw(sample)
                session.device.synchronize()  # or else `cancelled` is asked long before the work is done
        if self._sums is None:
            with session.lock:
                self._put_together(pixels, sums, samples.start == 0)
        return True

    def _put_together(self, pixels: Pixels, sums: DeviceSums, is_first: bool) -> None:
        """Add a tile of its own, of whole rows, to what the host has."""
        width = self._window.size[1]
        part = slice(pixels.first // width, (pixels.first + pixels.count) // width)
        wanted = [plane for plane in self._window.planes if is_first or plane >= layouts.AMBIENT_ROW]
        color = sums.download_color(self._session)  # all of it before any is added, as each may fail
        planes = [sums.download_plane(self._session, plane) for plane in wanted]
        self.sum[part] += color.reshape(-1, width, 4)
        for plane, values in zip(wanted, planes):
            self.planes[plane, part] += values.reshape(-1, width)

    def finish(self, names: tuple[PlaneName, ...]) -> DevicePlanes | None:
        """Give the planes of what was drawn, on the device; None: the host has them.

        Raises:
            DeviceMemoryError: They do not fit.
            DeviceLostError: The device works no more.
        """
        if self._sums is None:
            return None
        whole = self._sums, self._denoiser, names, self._window.size
        with self._session.lock:
            return finished_planes(self._session, self._scene.scene, *whole)


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

    if not scene.neural:
        return None
    sessions = {t.session for i in scene.neural if isinstance(t := i.tracer, CudaTracer)}
    if len(sessions) != 1 or not all(isinstance(i.tracer, CudaTracer) for i in scene.neural):
        return None
    (session,) = sessions
    return None if session.lost else session
