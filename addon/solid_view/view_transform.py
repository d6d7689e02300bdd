"""A scene's view transform (AgX, Filmic, ...) as a table of colours: 3D views apply it to their own pictures only.

Blender gives it to a script only where a picture is saved, so a small one is, in a timer, in a scene made for that and removed.
The table has 32 x 32 x 32 colours by the logarithms of red, green and blue; what comes out is as the screen shows it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

log = logging.getLogger(__name__)

SIDE = 32  # colours of the table along each axis, `viewed` in the shader
STOPS = 16.0  # from a thousandth to 64: log2(1 + 1024 c) of the brightest
PLAIN = ("Standard", "Raw")  # nothing to be looked up

Key = tuple[str, str, str, float, float]


def transform_key(scene: bpy.types.Scene, shading: bpy.types.View3DShading) -> Key | None:
    """Give what decides how Material Preview shows colours; None where it shows them as they are."""
    view = scene.view_settings
    of_scene = shading.use_scene_lights or shading.use_scene_world
    exposure, gamma = (view.exposure, view.gamma) if of_scene else (0.0, 1.0)
    if view.view_transform in PLAIN and exposure == 0.0 and gamma == 1.0 and view.look == "None":
        return None
    return scene.display_settings.display_device, view.view_transform, view.look, exposure, gamma


class ViewTransforms:
    """Tables by what decides them; None where one is not there yet, or cannot be had."""

    def __init__(self) -> None:
        self._timer = self._make  # one object: Blender tells timers apart by identity
        self._made: dict[Key, np.ndarray | None] = {}
        self._wanted: Key | None = None
        self.came: Callable[[], None] = lambda: None  # called when one has come

    def get(self, key: Key | None) -> np.ndarray | None:
        """Give a table (SIDE, SIDE * SIDE, 4): green by row, red and then blue along it."""
        if key is None:
            return None
        if key not in self._made:
            self._wanted = key
            if not bpy.app.timers.is_registered(self._timer):
                bpy.app.timers.register(self._timer, first_interval=0.0)
        return self._made.get(key)

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)

    def _make(self) -> None:
        assert self._wanted is not None
        try:
            self._made[self._wanted] = _table(self._wanted)
        except (RuntimeError, OSError, TypeError) as error:
            log.info("no table of the view transform: %s", error)
            self._made[self._wanted] = None
        self.came()


view_transforms = ViewTransforms()


def _table(key: Key) -> np.ndarray:
    scene = bpy.data.scenes.new("Neural Implicit view transform")
    try:
        _set_up(scene, key)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "table.png")
            _with_image(_inputs(), lambda image: image.save_render(path, scene=scene))
            return _loaded(path)
    finally:
        bpy.data.scenes.remove(scene)


def _set_up(scene: bpy.types.Scene, key: Key) -> None:
    device, transform, look, exposure, gamma = key
    scene.display_settings.display_device = device
    view, settings = scene.view_settings, scene.render.image_settings
    view.view_transform, view.look, view.exposure, view.gamma = transform, look, exposure, gamma
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "16"
    scene.render.dither_intensity = 0.0


def _inputs() -> np.ndarray:
    steps = (np.exp2(STOPS * np.arange(SIDE) / (SIDE - 1)) - 1.0) / 1024.0
    colors = np.ones((SIDE, SIDE, SIDE, 4), np.float32)  # green, blue, red
    colors[..., 0], colors[..., 1], colors[..., 2] = steps, steps[:, None, None], steps[:, None]
    return colors


def _with_image(colors: np.ndarray, use: Callable[[bpy.types.Image], object]) -> None:
    image = bpy.data.images.new("Neural Implicit view transform", SIDE * SIDE, SIDE, float_buffer=True)
    try:
        image.pixels.foreach_set(colors.ravel())
        use(image)
    finally:
        bpy.data.images.remove(image)


def _loaded(path: str) -> np.ndarray:
    image = bpy.data.images.load(path)
    try:
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(SIDE * SIDE * SIDE * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(SIDE, SIDE * SIDE, 4)
    finally:
        bpy.data.images.remove(image)
