"""Pictures of a prepared scene: tiles over all cores, in rounds of 1, 2, 4, ... samples per pixel.

The first sample falls on the pixel's centre and alone fills the planes of depth, normals and ids, so that they are
never blended across an edge; colour and ambient occlusion are means of all samples. Cancelling is asked for between batches of rays.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import DeviceError, SceneError
from ..protocol.scene import PLANE_CHANNELS, Camera, PlaneName
from ..transforms import Array
from .denoise import Denoiser
from .device_pictures import DevicePicture, device_picture
from .device_planes import DevicePlanes
from .noise import NoiseWatch
from .panorama import make_camera
from .pixel_order import pixel_order
from .sample_patterns import disk, pixel_offset, sample_2d
from .scene import PreparedScene, SceneCache, prepare_scene
from .shading import ambient_share, shade
from .surfaces import Surfaces, find_surfaces
from .tile_planes import background_planes, fill_planes
from .tile_pool import RenderCancelled, num_cores, run_tiles
from .transparency import see_through, solid_surfaces

__all__ = [
    "Picture",
    "PreparedScene",
    "RenderCancelled",
    "SceneCache",
    "ViewRequest",
    "prepare_scene",
    "render_picture",
    "render_rounds",
]

log = logging.getLogger(__name__)

Shader = Callable[[PreparedScene, Surfaces, Array, Array, int, int], Array]  # as `shading.shade`
LENS_DIMENSION = 5  # of the sample pattern; the world has 2 to 4, lights begin at 8
MAX_SAMPLES = 65536
TILE_SIDES = (
    128,
    96,
    64,
)  # pixels; large ones keep the tracer's packets full, but every core needs some tiles
TILES_PER_CORE = 3
DEFAULT_PARAMETERS = (
    7553  # of the default network; tiles of larger ones shrink, so that cancelling stays quick
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRequest:
    """What to draw of a scene."""

    camera: Camera
    width: int  # of the whole picture, pixels
    height: int
    region: tuple[int, int, int, int] | None = None  # x0, y0, x1, y1 in pixels, y up; None: all
    planes: tuple[PlaneName, ...] = ("combined", "depth")
    samples: int = 16  # per pixel
    seed: int = 0
    noise_threshold: float = 0.0  # pixels that hardly change any more get no more samples; 0: all get all
    denoise: bool = False  # smooth the complete picture, save where a lens blurs it
    shader: Shader = shade  # gives surfaces their colour

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= MAX_SAMPLES:
            raise SceneError(f"{self.samples} samples per pixel cannot be drawn; use 1 to {MAX_SAMPLES}.")
        if not 0.0 <= self.noise_threshold < np.inf:
            raise SceneError(f"A noise threshold is 0 or more, not {self.noise_threshold}.")
        x0, y0, x1, y1 = self.window
        if not (0 <= x0 < x1 <= self.width and 0 <= y0 < y1 <= self.height):
            raise SceneError(f"The region {self.window} is not inside {self.width} x {self.height} pixels.")

    @property
    def window(self) -> tuple[int, int, int, int]:
        """The part to draw: x0, y0, x1, y1."""
        return self.region if self.region is not None else (0, 0, self.width, self.height)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Planes of one region, each (h, w, channels) float32, bottom row first."""

    planes: Mapping[PlaneName, Array]
    samples: int  # per pixel so far
    complete: bool
    left_to_cpu: str = ""  # why the CPU drew what a GPU was to draw, or a part of it

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, without bringing planes from a device."""
        if isinstance(self.planes, DevicePlanes):
            return self.planes.size
        height, width = next(iter(self.planes.values())).shape[:2]
        return height, width

    def copy_to(self, views: dict[PlaneName, Array], mapped: Array) -> None:
        """Copy the planes to a frame's `views` into `mapped` memory.

        Raises:
            DeviceLostError: They are on a device that works no more.
        """
        if isinstance(self.planes, DevicePlanes):
            self.planes.copy_to(views, mapped)
            return
        for name, view in views.items():
            view[...] = self.planes[name]


def render_rounds(
    prepared: PreparedScene,
    request: ViewRequest,
    cancelled: Callable[[], bool],
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[Picture]:
    """Yield the picture after 1, 2, 4, ... and at last `request.samples` samples per pixel.

    Args:
        prepared: The scene.
        request: What to draw.
        cancelled: Asked from several threads, about every 50 ms of work.
        progress: Told by the calling thread which share of the work is done, 0 to 1.

    Raises:
        SceneError: The camera cannot be used.
        RenderCancelled: `cancelled` said so.
    """
    on_device = device_picture(prepared, request) if request.shader is shade else None
    if on_device is not None:
        try:
            yield from _device_rounds(on_device, request, cancelled, progress)
            return
        except DeviceError as error:  # the picture begins anew, so that all of it is of one kind
            log.warning("%s: the CPU draws this picture", error)
            prepared.troubles.append(str(error))
    frame = _Frame(prepared, request)
    done = 0
    for last in _rounds(request.samples):
        share = (last - done) / request.samples
        for part in run_tiles(frame.tiles(), frame.draw, range(done, last), cancelled):
            progress(done / request.samples + part * share)
        done = last
        frame.settle(done)
        yield frame.picture(done, cancelled)
        if frame.settled:
            return


def _device_rounds(
    picture: DevicePicture,
    request: ViewRequest,
    cancelled: Callable[[], bool],
    progress: Callable[[float], None],
) -> Iterator[Picture]:
    """Yield the picture after each round, drawn by the GPU."""
    done = 0
    for last in _rounds(request.samples):
        for part in picture.draw(range(done, last), cancelled):
            progress((done + part * (last - done)) / request.samples)
        if cancelled():
            raise RenderCancelled
        done = last
        picture.settle(done)
        complete = picture.settled or done >= request.samples
        if complete:
            picture.smooth(done, cancelled)
        yield Picture(picture.planes(done), done, complete)
        if picture.settled:
            return


def render_picture(prepared: PreparedScene, request: ViewRequest) -> Picture:
    """Give the complete picture.

    Raises:
        SceneError: The camera cannot be used.
    """
    *_, picture = render_rounds(prepared, request, lambda: False)
    return picture


def _rounds(samples: int) -> list[int]:
    return [*itertools.takewhile(lambda n: n < samples, (1 << k for k in range(20))), samples]


class _Frame:
    """The planes under way; each tile writes its own pixels only."""

    def __init__(self, prepared: PreparedScene, request: ViewRequest) -> None:
        self.prepared = prepared
        self.request = request
        self.camera = make_camera(request.camera, request.width, request.height)
        x0, y0, x1, y1 = request.window
        self.planes = background_planes(request.planes, y1 - y0, x1 - x0)
        self.sum = np.zeros((y1 - y0, x1 - x0, PLANE_CHANNELS["combined"]), np.float32)
        self.counts = np.zeros((y1 - y0, x1 - x0, 1), np.float32)  # samples of each pixel
        adapts = request.noise_threshold > 0.0 and "combined" in request.planes
        self._noise = NoiseWatch(request.noise_threshold, (y1 - y0, x1 - x0)) if adapts else None
        smooths = request.denoise and "combined" in request.planes and not self.camera.has_lens
        self._denoiser = Denoiser(y1 - y0, x1 - x0) if smooths else None

    @property
    def settled(self) -> bool:
        """Whether no pixel needs another sample."""
        return self._noise is not None and not self._noise.active.any()

    def settle(self, samples: int) -> None:
        """Look for pixels that need no more samples, at the end of a round."""
        if self._noise is not None:
            self._noise.look(self.sum / self.counts, samples)

    def tiles(self) -> list[tuple[int, int, int, int]]:
        """Give the tiles as x0, y0, x1, y1 of the whole picture, in rows."""
        x0, y0, x1, y1 = self.request.window
        wanted = (x1 - x0) * (y1 - y0) / (TILES_PER_CORE * num_cores())
        largest = next((s for s in TILE_SIDES if s * s <= wanted), TILE_SIDES[-1])
        side = max(8, int(largest / max(1.0, self.prepared.size / DEFAULT_PARAMETERS) ** 0.5))
        return [
            (x, y, min(x + side, x1), min(y + side, y1))
            for y in range(y0, y1, side)
            for x in range(x0, x1, side)
        ]

    def draw(self, tile: tuple[int, int, int, int], sample: int) -> None:
        """Add one sample to each pixel of a tile."""
        x0, y0, x1, y1 = tile
        column, row = pixel_order(x1 - x0, y1 - y0)
        x, y = x0 + column, y0 + row
        left, bottom = self.request.window[:2]
        if self._noise is not None:
            going_on = np.flatnonzero(self._noise.active[y - bottom, x - left])
            if not len(going_on):
                return
            x, y = x[going_on], y[going_on]
        row, column = y - bottom, x - left
        offset_x, offset_y = pixel_offset(sample)
        rays = self.camera.rays(x + offset_x, y + offset_y)
        if sample == 0 and self.camera.has_lens:  # planes beside colour are sharp
            sharp = solid_surfaces(self.prepared, rays)
        if self.camera.has_lens:
            on_lens = disk(sample_2d(x, y, sample, LENS_DIMENSION, self.request.seed))
            rays = self.camera.rays(x + offset_x, y + offset_y, on_lens)
        materials = self.prepared.materials
        opaque = materials.opaque and not materials.has_holdout
        surfaces = (find_surfaces if materials.opaque else solid_surfaces)(self.prepared, rays)
        color = self.prepared.background(rays.directions)
        color[rays.t_max <= 0.0] = 0.0  # outside a fisheye's circle
        if not opaque:
            color = see_through(self.prepared, rays, color, x, y, sample, self.request.seed)
        elif "combined" in self.request.planes and len(surfaces.rays):
            hit = surfaces.rays
            color[hit, :3] = self.request.shader(
                self.prepared, surfaces, x[hit], y[hit], sample, self.request.seed
            )
            color[hit, 3] = 1.0
        pixel = row * self.sum.shape[1] + column
        self.sum.reshape(-1, self.sum.shape[2])[pixel] += color
        self.counts.reshape(-1)[pixel] += 1.0
        if self._denoiser is not None:
            self._denoiser.add(row, column, sample, color, self.prepared, surfaces)
        if "ambient_occlusion" in self.planes:
            hit = surfaces.rays
            share = ambient_share(self.prepared, surfaces, x[hit], y[hit], sample, self.request.seed)
            self.planes["ambient_occlusion"][row[hit], column[hit]] += share[:, None]
        if sample == 0:
            met = sharp if self.camera.has_lens else surfaces
            fill_planes(self.planes, pixel, self.prepared, self.camera, met)

    def picture(self, samples: int, cancelled: Callable[[], bool]) -> Picture:
        """Give a copy of the picture so far; the complete one without noise, where that is wanted."""
        planes = {name: plane.copy() for name, plane in self.planes.items()}
        complete = self.settled or samples >= self.request.samples
        if "combined" in planes:
            planes["combined"] = self.sum / self.counts
            if complete and self._denoiser is not None:
                planes["combined"] = self._denoiser.denoised(planes["combined"], self.counts, cancelled)
        if "ambient_occlusion" in planes:
            planes["ambient_occlusion"] /= self.counts
        return Picture(planes, samples, complete, self.prepared.left_to_cpu())
