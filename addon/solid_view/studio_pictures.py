"""The pictures behind Blender's studio lights: a matcap as it is, an environment as nine spherical harmonics.

Blender gives pixels of a file only through an image datablock, which is made and removed in a timer, since a draw handler
may not change data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import bpy
import gpu
import numpy as np

from .harmonics import environment_harmonics

log = logging.getLogger(__name__)


class StudioPictures:
    """Pictures by path; None where one is not there yet, or cannot be read."""

    def __init__(self) -> None:
        self._timer = self._load  # one object: Blender tells timers apart by identity
        self._made: dict[str, np.ndarray | None] = {}
        self._wanted: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
        self.came: Callable[[], None] = lambda: None  # called when a picture has come

    def matcap(self, path: str) -> np.ndarray | None:
        """Give a matcap, (H, W, 4) linear."""
        return self._get(path, lambda pixels: pixels)

    def harmonics(self, path: str) -> np.ndarray | None:
        """Give an environment's light by direction in the world, (9, 3) factors of the polynomials."""
        return self._get(path, environment_harmonics)

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()
        self._wanted.clear()
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)

    def _get(self, path: str, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray | None:
        if path and path not in self._made:
            self._wanted[path] = convert
            if not bpy.app.timers.is_registered(self._timer):
                bpy.app.timers.register(self._timer, first_interval=0.0)
        return self._made.get(path)

    def _load(self) -> None:
        for path, convert in self._wanted.items():
            pixels = _pixels(path)
            self._made[path] = None if pixels is None else convert(pixels)
        self._wanted.clear()
        self.came()


studio_pictures = StudioPictures()


def _pixels(path: str) -> np.ndarray | None:
    try:
        image = bpy.data.images.load(path)
    except RuntimeError as error:
        log.info("%s cannot be read: %s", path, error)
        return None
    try:
        width, height = image.size
        if width * height == 0:  # of several layers: 5.x gives their pixels to the graphics card only
            return _layer_pixels(image)
        if len(image.pixels) != 4 * width * height:
            return None
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        if not image.is_float:  # as it is in the file, in sRGB
            pixels = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
        return pixels.reshape(height, width, 4)
    finally:
        bpy.data.images.remove(image)


def _layer_pixels(image: bpy.types.Image) -> np.ndarray | None:
    try:
        layer = gpu.texture.from_image(image)  # the first one
        pixels = layer.read()
    except (RuntimeError, SystemError) as error:
        log.info("%s cannot be read: %s", image.filepath, error)
        return None
    pixels.dimensions = 4 * layer.width * layer.height
    return np.array(pixels, np.float32).reshape(layer.height, layer.width, 4)
