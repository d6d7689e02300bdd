"""Planes of a picture as files: colour and normals as PNG, distances as 16-bit PNG, OpenEXR or NumPy.

Colour goes through the sRGB view transform (Blender's "Standard": the sRGB curve, clipped at 1); alpha in a PNG is not
premultiplied. Planes are bottom row first and files top row first. Every file is replaced in one step.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import DeviceError, OutputError
from ..protocol.weights import write_atomically
from ..rendering.camera import BACKGROUND_VIEW_Z
from ..transforms import Array

DISTANCE_KINDS = (".png", ".exr", ".npy")
NOTHING = 65535  # in a 16-bit PNG: no surface there


def srgb_from_linear(linear: Array) -> Array:
    """Give display values in [0, 1] of scene-linear ones, of any shape."""
    clipped = np.clip(linear, 0.0, 1.0)
    curved: Array = np.where(
        clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055
    )
    return curved


def linear_from_srgb(display: Array) -> Array:
    """Give scene-linear values of display values in [0, 1], of any shape."""
    linear: Array = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    return linear


def over(combined: Array, background: Array) -> Array:
    """Lay a premultiplied picture (h, w, 4) over a scene-linear colour (3,); the result is opaque."""
    result = combined.copy()
    result[..., :3] += (1.0 - combined[..., 3:]) * background
    result[..., 3] = 1.0
    return result


def save_color(path: Path, combined: Array) -> None:
    """Write a scene-linear, premultiplied picture (h, w, 4) as an 8-bit PNG; without alpha where all is opaque.

    Raises:
        OutputError: It cannot be written.
    """
    _save_png(path, Image.fromarray(display_bytes(combined)), PngInfo())


def display_bytes(combined: Array) -> Array:
    """Give a scene-linear, premultiplied picture (h, w, 4) as 8-bit sRGB, top row first, (h, w, 3) where all is opaque."""
    alpha = np.clip(combined[..., 3:], 0.0, 1.0)
    straight = combined[..., :3] / np.where(alpha > 0.0, alpha, 1.0)
    values = np.concatenate([srgb_from_linear(straight), alpha], axis=2)
    channels = 3 if bool((alpha == 1.0).all()) else 4
    return _bytes(values[::-1, :, :channels])


def save_normals(path: Path, normals: Array) -> None:
    """Write unit normals (h, w, 3) as an 8-bit PNG, 0.5 + 0.5 n in each channel; transparent where there are none.

    Raises:
        OutputError: It cannot be written.
    """
    there = normals.any(axis=2, keepdims=True)
    values = np.concatenate([np.where(there, 0.5 + 0.5 * normals, 0.0), there], axis=2)
    _save_png(path, Image.fromarray(_bytes(values[::-1])), PngInfo())


def check_distance_kind(path: Path) -> None:
    """Check that `save_distances` can write such a file.

    Raises:
        OutputError: It is of an unknown kind.
        DeviceError: OpenEXR is asked for and not installed.
    """
    if path.suffix.lower() not in DISTANCE_KINDS:
        raise OutputError(f"{path.name} is of an unknown kind. Use one of {', '.join(DISTANCE_KINDS)}.")
    if path.suffix.lower() == ".exr":
        try:
            import OpenEXR  # noqa: F401
        except ImportError as error:
            raise DeviceError(
                "Writing .exr needs the package OpenEXR (pip install OpenEXR); .npy and .png do not."
            ) from error


def save_distances(path: Path, view_z: Array) -> None:
    """Write distances to the camera plane (h, w, 1), by the kind of the file.

    .npy: (h, w) float32, `inf` where nothing was hit. .exr: channel Z, float32, 1e10 where nothing was hit, as
    Blender does. .png: 16 bits from the nearest (0) to the farthest (65534), 65535 where nothing was hit; its text
    entries `near` and `far` are those two distances.

    Raises:
        OutputError: It is of an unknown kind or cannot be written.
        DeviceError: OpenEXR is asked for and not installed.
    """
    check_distance_kind(path)
    image = np.ascontiguousarray(view_z[::-1, :, 0], np.float32)
    writers: dict[str, Callable[[Path, Array], None]] = {
        ".npy": _save_npy,
        ".exr": _save_exr,
        ".png": _save_depth_png,
    }
    writers[path.suffix.lower()](path, image)


def _save_npy(path: Path, image: Array) -> None:
    stream = io.BytesIO()
    np.save(stream, np.where(image < BACKGROUND_VIEW_Z, image, np.float32(np.inf)))
    write_atomically(path, stream.getvalue())


def _save_exr(path: Path, image: Array) -> None:
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:  # the library writes files only
        scratch = Path(folder) / "depth.exr"
        with OpenEXR.File(header, {"Z": image}) as file:
            file.write(str(scratch))
        write_atomically(path, scratch.read_bytes())


def _save_depth_png(path: Path, image: Array) -> None:
    there = image < BACKGROUND_VIEW_Z
    near, far = (float(image[there].min()), float(image[there].max())) if there.any() else (0.0, 0.0)
    share = (np.where(there, image, near) - near) / max(far - near, 1e-30)
    values = np.where(there, np.rint(share * (NOTHING - 1)), NOTHING).astype(np.uint16)
    text = PngInfo()
    text.add_text("near", repr(near))
    text.add_text("far", repr(far))
    _save_png(path, Image.fromarray(values), text)


def _bytes(values: Array) -> Array:
    return np.ascontiguousarray(np.rint(values * 255.0), np.uint8)


def _save_png(path: Path, image: Image.Image, text: PngInfo) -> None:
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=text)
    write_atomically(path, stream.getvalue())
