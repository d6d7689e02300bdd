"""Shading without lights: by a picture of a sphere (matcap), by how much a surface faces the viewer, or by its normal.

All three look at a normal in axes that stand on the ray to the viewer, so that a shape at the picture's edge is shaded as one in its
middle. A matcap is any picture; those of Blender are OpenEXR files with a layer `diffuse` and a layer `specular`, found in an
installed Blender by their name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DeviceError, OptionError
from ..rendering.renderer import Shader
from ..rendering.scene import PreparedScene
from ..rendering.surfaces import Surfaces
from ..transforms import Array, dot, normalized
from .picture_files import linear_from_srgb

RIM = 0.98  # of the sphere's radius: the outermost ring of a picture is half background
LARGEST_SIDE = 8192
MATCAPS = "datafiles/studiolights/matcap"


def matcap_shader(picture: Array, up: Array) -> Shader:
    """Shade by a picture (h, w, 3) of a sphere, scene-linear, top row first; `up` (3,) is the camera's."""

    def shader(scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int) -> Array:
        right, upward, _ = _in_view(surfaces, up)
        rows = (0.5 - 0.5 * RIM * upward) * picture.shape[0] - 0.5
        columns = (0.5 + 0.5 * RIM * right) * picture.shape[1] - 0.5
        return _bilinear(picture, rows, columns)

    return shader


def facing_shader(up: Array) -> Shader:
    """Shade by the cosine between the normal and the ray: white where a surface faces the viewer, black at its rim."""

    def shader(scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int) -> Array:
        facing = np.clip(_in_view(surfaces, up)[2], 0.0, 1.0)
        return np.repeat(linear_from_srgb(facing)[:, None], 3, axis=1).astype(np.float32)

    return shader


def normal_shader(up: Array) -> Shader:
    """Shade by the normal, 0.5 + 0.5 n, its axes right, up and toward the viewer."""

    def shader(scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int) -> Array:
        normals = np.stack(_in_view(surfaces, up), axis=1)
        return linear_from_srgb(0.5 + 0.5 * normals).astype(np.float32)

    return shader


def load_matcap(name: str, blender: Path | None) -> Array:
    """Give a matcap's picture (h, w, 3) float32, scene-linear, top row first.

    Args:
        name: A picture file, or with `blender` the name of one of its matcaps.
        blender: Where a Blender is installed.

    Raises:
        OptionError: There is no such picture, or it cannot be read.
        DeviceError: It is OpenEXR, and that package is missing.
    """
    path = Path(name) if blender is None else _of_blender(name, blender)
    if not path.is_file():
        raise OptionError(f"{path} is not there. Name a picture of a sphere, or a Blender that has it.")
    try:
        return _read_exr(path) if path.suffix.lower() == ".exr" else _read_picture(path)
    except (OSError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise OptionError(
            f"{path.name} cannot be read as a picture ({error}). Use a PNG or an EXR."
        ) from error


def _of_blender(name: str, blender: Path) -> Path:
    found = sorted(blender.rglob(f"{MATCAPS}/*.exr"))
    for path in found:
        if path.stem == name.removesuffix(".exr"):
            return path
    if not found:
        raise OptionError(f"{blender} holds no {MATCAPS}. Name the folder that Blender is installed in.")
    raise OptionError(f"{blender} has no matcap {name}. It has {', '.join(path.stem for path in found)}.")


def _read_picture(path: Path) -> Array:
    with Image.open(path) as image:
        if max(image.size) > LARGEST_SIDE:
            raise OptionError(
                f"{path.name} is {image.size[0]} pixels wide; a matcap has at most {LARGEST_SIDE}."
            )
        display = np.asarray(image.convert("RGB"), np.float32) / np.float32(255.0)
    return linear_from_srgb(display).astype(np.float32)


def _read_exr(path: Path) -> Array:
    try:
        import OpenEXR
    except ImportError as error:
        raise DeviceError("Reading .exr needs the package OpenEXR (pip install OpenEXR).") from error
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {key: channel.pixels for key, channel in file.channels().items()}
    layers = [prefix for prefix in ("diffuse.", "specular.", "") if f"{prefix}R" in channels]
    if not layers:
        raise OptionError(f"{path.name} has no channels R, G and B; it has {', '.join(channels)}.")
    total: Array = np.stack([_colors(channels, layer) for layer in layers]).sum(axis=0)
    return total


def _colors(channels: dict[str, Any], layer: str) -> Array:
    return np.stack([channels[f"{layer}{c}"] for c in "RGB"], axis=-1).astype(np.float32)


def _in_view(surfaces: Surfaces, up: Array) -> tuple[Array, Array, Array]:
    """Give the normals' parts (M,) to the right, up and toward the viewer."""
    right = normalized(np.cross(np.broadcast_to(up, surfaces.view.shape), surfaces.view))
    upward = np.cross(surfaces.view, right)
    return dot(surfaces.normals, right), dot(surfaces.normals, upward), dot(surfaces.normals, surfaces.view)


def _bilinear(picture: Array, rows: Array, columns: Array) -> Array:
    height, width = picture.shape[:2]
    rows, columns = np.clip(rows, 0.0, height - 1.0), np.clip(columns, 0.0, width - 1.0)
    top, left = rows.astype(int), columns.astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, along = (rows - top)[:, None], (columns - left)[:, None]
    upper = picture[top, left] * (1.0 - along) + picture[top, right] * along
    lower = picture[bottom, left] * (1.0 - along) + picture[bottom, right] * along
    mixed: Array = (upper * (1.0 - down) + lower * down).astype(np.float32)
    return mixed
