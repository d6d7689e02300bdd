"""Blender's images as arrays for the engine, whatever they are saved in; packed or on disk, Blender has read them."""

from __future__ import annotations

import bpy
import numpy as np

READABLE = ("FILE", "GENERATED")  # kinds of images that have one picture for all frames and places


def pixels_of(image: bpy.types.Image) -> np.ndarray | None:
    """Give an image's colours (H, W, 3) float32 as they are saved, bottom row first; None where it cannot be read."""
    width, height = image.size
    if width * height == 0:
        return None
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    picture = pixels.reshape(height, width, image.channels)
    return picture[..., :3] if image.channels >= 3 else np.repeat(picture[..., :1], 3, axis=2)


def is_srgb(image: bpy.types.Image) -> bool:
    """Whether an image's numbers are to be decoded from sRGB."""
    return not image.is_float and image.colorspace_settings.name == "sRGB"


def shrunk(picture: np.ndarray, most_columns: int) -> np.ndarray:
    """Average (H, W, C) down until it has no more columns than that."""
    height, width, channels = picture.shape
    step = -(-width // most_columns)
    if step <= 1 or height < step:
        return picture
    cut = picture[: height // step * step, : width // step * step]
    means: np.ndarray = cut.reshape(height // step, step, width // step, step, channels).mean(axis=(1, 3))
    return means
