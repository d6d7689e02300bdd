"""Holds the table of a view transform against what Blender saves of random colours; gives the differences of 255."""

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.solid_view.view_transform import SIDE, STOPS, _table

COUNT = 64  # a side of the picture of colours


def looked_up(table, colors):
    """Interpolate as the shader does."""
    place = (SIDE - 1) * np.clip(np.log2(1.0 + 1024.0 * colors) / STOPS, 0.0, 1.0)
    low = np.minimum(place.astype(int), SIDE - 2)
    part, total = place - low, np.zeros_like(colors)
    for k in range(8):
        corner = np.array([k & 1, k >> 1 & 1, k >> 2])
        at, share = low + corner, np.where(corner, part, 1.0 - part).prod(axis=1)
        total += share[:, None] * table[at[:, 1], at[:, 0] + SIDE * at[:, 2], :3]
    return total


def saved(colors, path, transform):
    """Give what Blender makes of colours when it saves them, 0 to 1 as on the screen."""
    scene = bpy.context.scene
    scene.view_settings.view_transform = transform
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = "PNG", "16", "RGB"
    scene.render.dither_intensity = 0.0
    image = bpy.data.images.new("Colors", COUNT, COUNT, float_buffer=True)
    image.pixels.foreach_set(np.column_stack([colors, np.ones(len(colors))]).astype(np.float32).ravel())
    image.save_render(path, scene=scene)
    shown = bpy.data.images.load(path)
    shown.colorspace_settings.name = "Non-Color"
    pixels = np.empty(COUNT * COUNT * 4, np.float32)
    shown.pixels.foreach_get(pixels)
    return pixels.reshape(-1, 4)[:, :3]


def main(inside):
    colors = 2.0 ** np.random.default_rng(5).uniform(-7.0, 3.0, (COUNT * COUNT, 3))
    before = {name: len(getattr(bpy.data, name)) for name in ("scenes", "images")}
    differences = {}
    for transform in inside.arguments["transforms"]:
        device = bpy.context.scene.display_settings.display_device
        shown = looked_up(_table((device, transform, "None", 0.0, 1.0)), colors)
        after = {name: len(getattr(bpy.data, name)) for name in before}
        if transform == inside.arguments["transforms"][0] and after != before:
            raise AssertionError(f"left behind: {after} instead of {before}")
        error = 255.0 * np.abs(shown - saved(colors, str(inside.folder / f"{transform}.png"), transform)).max(
            axis=1
        )
        differences[transform] = [float(np.percentile(error, p)) for p in (50, 99, 100)]
    return differences
