"""Some pixels of a picture on the device: arrays for them, and the launches that add a sample to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import layouts
from ..cuda.session import CudaSession, DeviceArray
from .device_scene import DeviceScene
from .device_surfaces import ALONE, BYTES, SHADOWS, SUMS, DeviceSurfaces
from .sample_patterns import pixel_offset
from .transmission import MAX_LAYERS

Array = npt.NDArray[Any]
NUM_PLANES = layouts.TILE_ARRAYS["planes"][1]
GUIDES = {"guides": 16, "brightness": 4}  # bytes of a pixel of what a filter has to know of its samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a picture that is drawn, and how."""

    x0: int
    y0: int
    x1: int
    y1: int
    seed: int
    use_color: bool  # whether lights are wanted
    use_ambient: bool  # whether the plane of ambient occlusion is
    use_lens: bool  # whether what is out of focus is blurred
    planes: tuple[int, ...]  # rows of a tile's planes that are wanted
    noise_threshold: float = 0.0  # of pixels that need no more samples; 0: all get all
    denoise: bool = False  # whether the complete picture is smoothed; not with a lens

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
    guides: DeviceArray | None = None  # where the picture is to be denoised
    brightness: DeviceArray | None = None

    @classmethod
    def zeros(cls, session: CudaSession, count: int, is_guided: bool = False) -> DeviceSums:
        """Give sums of nothing, with guides or without.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        color, planes = (session.zeros(each * count) for each in SUMS.values())
        guides = (session.zeros(each * count) for each in GUIDES.values()) if is_guided else ()
        return cls(color, planes, count, *guides)

    def row(self, plane: int) -> int:
        """Give where one plane lies."""
        return self.planes.address + 4 * self.count * plane

    def download_color(self, session: CudaSession) -> Array:
        """Wait for all work and give the colours (N, 4)."""
        return session.download(self.color, (self.count, 4), np.float32)

    def download_plane(self, session: CudaSession, plane: int) -> Array:
        """Wait for all work and give one plane (N,)."""
        return session.download_from(self.row(plane), (self.count,), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Which pixels of a window a tile has."""

    first: int  # of the window's, row by row, or of `chosen`
    count: int
    chosen: DeviceArray | None = None  # numbers of pixels of the window; None: all, one after the other


def bytes_per_pixel(scene: DeviceScene) -> int:
    """Give what a pixel of a tile takes on the device, its sums included."""
    everything = sum(BYTES.values())
    if scene.scene.materials.opaque:
        return everything
    return 2 * everything - sum(BYTES[name] for name in (*ALONE, *SHADOWS))


class DeviceTile:
    """Arrays of some pixels, and the launches that fill them."""

    def __init__(
        self, scene: DeviceScene, camera: Array, window: Window, pixels: Pixels, sums: DeviceSums
    ) -> None:
        """Take memory for pixels of the window; `sums` are those of the whole window, or of these pixels alone.

        Raises:
            DeviceMemoryError: They do not fit.
        """
        self._scene, self._session, self._window, self._sums = scene, scene.session, window, sums
        frame = scene.frame.copy()
        frame["camera"] = camera
        self._place(frame, pixels)
        frame["columns"], frame["count"] = window.x1 - window.x0, pixels.count
        frame["seed"], frame["stride"] = window.seed, sums.count
        self._surfaces = DeviceSurfaces.of_pixels(scene, frame, pixels.count)
        self._to_lights: DeviceSurfaces | None = None
        if not scene.scene.materials.opaque:
            self._to_lights = self._surfaces.to_lights()
            frame["shadow_left"] = self._to_lights.address("left")
        self._lights = [*range(len(scene.scene.lights)), *self._surroundings()]

    def _place(self, frame: Array, pixels: Pixels) -> None:
        """Say which pixels these are, and where their sums lie."""
        window, sums = self._window, self._sums
        frame["x0"], frame["y0"] = window.x0, window.y0
        first = 0
        if pixels.chosen is not None:
            frame["pixels"] = pixels.chosen.address + 4 * pixels.first
        else:
            frame["y0"] += pixels.first // (window.x1 - window.x0)
            first = 0 if sums.count == pixels.count else pixels.first
        frame["color"] = sums.color.address + SUMS["color"] * first
        frame["planes"] = sums.planes.address + 4 * first
        if sums.guides is not None and sums.brightness is not None:
            frame["guides"] = sums.guides.address + GUIDES["guides"] * first
            frame["brightness"] = sums.brightness.address + GUIDES["brightness"] * first

    def _surroundings(self) -> list[int]:
        """Give the lights that have no place, in the renderer's order."""
        scene, chosen = self._scene.scene, []
        if scene.world_color.any():
            chosen.append(layouts.WORLD_LIGHT)
            if scene.environment is not None:
                chosen.append(layouts.BRIGHT_PARTS)
        if scene.ambient_factor != 0.0 or self._window.use_ambient:
            chosen.append(layouts.AMBIENT_LIGHT)
        return chosen

    def draw(self, sample: int) -> None:
        """Begin to add one sample to every pixel."""
        frame, is_first = self._surfaces.frame, sample == 0
        frame["sample"] = sample
        frame["offset_x"], frame["offset_y"] = pixel_offset(sample)
        if is_first and self._window.use_lens:  # planes beside colour are sharp
            self._trace(use_lens=False, write_planes=True, is_counted=False)
        use_lens = self._window.use_lens
        self._trace(use_lens=use_lens, write_planes=is_first and not use_lens, is_counted=True)
        if self._sums.guides is not None:
            self._surfaces.launch("denoise", "note_samples")

    def _trace(self, *, use_lens: bool, write_planes: bool, is_counted: bool) -> None:
        """Follow rays from the camera; only those that are counted bring colour."""
        frame = self._surfaces.frame
        frame["use_lens"], frame["write_planes"], frame["is_counted"] = use_lens, write_planes, is_counted
        frame["use_color"] = is_counted and self._window.use_color
        frame["use_ambient"] = is_counted and self._window.use_ambient
        self._surfaces.launch("begin_pixel", "begin_pixels")
        for layer in range(MAX_LAYERS):
            self._surfaces.find()
            for light in self._lights if is_counted else []:
                if self._window.use_color or light == layouts.AMBIENT_LIGHT:
                    self._shine(light)
            if self._to_lights is None or not self._surfaces.go_on(layer):
                break

    def _shine(self, light: int) -> None:
        """Add what one light brings to the surfaces."""
        self._surfaces.frame["light"] = light
        self._surfaces.launch("begin_light", "begin_lights")
        if self._to_lights is None:
            self._surfaces.block()
        else:
            self._to_lights.launch("layer", "begin_shadows")
            for layer in range(MAX_LAYERS):
                self._to_lights.find()
                if not self._to_lights.go_on(layer):
                    break
        self._surfaces.launch("add_light", "add_lights")
