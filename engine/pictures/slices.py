"""Slices through the field as pictures: inside and outside in two colours, lines at equal distances, the surface in ink."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..network.zero_set_box import FloatArray, ValueField

AXES = "xyz"
INSIDE = np.array([[0.86, 0.93, 1.00], [0.10, 0.32, 0.62]])  # display values at the surface and far from it
OUTSIDE = np.array([[1.00, 0.95, 0.88], [0.72, 0.36, 0.12]])
INK = np.array([0.07, 0.07, 0.09])
LINE = np.array([1.0, 1.0, 1.0])
FAR = 0.8  # distance at which the darker colour is reached
LINE_WIDTH, SURFACE_WIDTH = 1.2, 2.6  # pixels
OVERSAMPLING = 2  # a side


def slice_points(axis: str, at: float, size: int) -> FloatArray:
    """Give the points (size^2, 3) of a square slice, row by row from its top.

    The plane x = at shows z to the right and y up, y = at shows x and z, z = at shows x and y.

    Raises:
        OptionError: There is no such axis, or the plane does not cut the box.
    """
    if axis not in AXES or not -1.0 <= at <= 1.0:
        raise OptionError(f"A slice is x, y or z at -1 to 1, not {axis} at {at}.")
    line = (np.arange(size) + 0.5) * (2.0 / size) - 1.0
    up, right = np.meshgrid(-line, line, indexing="ij")
    columns = {"x": (np.full_like(up, at), up, right), "y": (right, np.full_like(up, at), up)}
    chosen = columns.get(axis, (right, up, np.full_like(up, at)))
    return np.stack(chosen, axis=-1).reshape(-1, 3)


def slice_picture(
    field: ValueField, axis: str, at: float, size: int, spacing: float = 0.05
) -> npt.NDArray[np.uint8]:
    """Give a picture (size, size, 3) of the field on a plane.

    Args:
        field: Signed distance, negative inside.
        axis: Which of x, y, z stays the same.
        at: Its value.
        size: Pixels a side.
        spacing: Distance between two lines, unit space.

    Raises:
        OptionError: The plane does not cut the box, or a number is out of range.
    """
    if not 16 <= size <= 8192 or not 1e-4 <= spacing <= 1.0:
        raise OptionError("A slice has 16 to 8192 pixels a side, and lines 0.0001 to 1 apart.")
    fine = size * OVERSAMPLING
    values = field.value(slice_points(axis, at, fine)).astype(np.float64).reshape(fine, fine)
    slopes = np.hypot(*np.gradient(values))  # per fine pixel
    colors = _fill(values)
    colors = _stroke(colors, LINE, _distance_to_line(values, spacing), slopes, LINE_WIDTH, 0.55)
    colors = _stroke(colors, INK, np.abs(values), slopes, SURFACE_WIDTH, 1.0)
    smooth = colors.reshape(size, OVERSAMPLING, size, OVERSAMPLING, 3).mean(axis=(1, 3))
    picture: npt.NDArray[np.uint8] = np.rint(smooth * 255.0).astype(np.uint8)
    return picture


def _fill(values: FloatArray) -> FloatArray:
    share = np.clip(np.abs(values) / FAR, 0.0, 1.0)[..., None] ** 0.7
    inside, outside = (near + share * (far - near) for near, far in (INSIDE, OUTSIDE))
    colors: FloatArray = np.where((values < 0.0)[..., None], inside, outside)
    return colors


def _distance_to_line(values: FloatArray, spacing: float) -> FloatArray:
    rest = np.abs(values) / spacing
    away: FloatArray = np.abs(rest - np.maximum(np.rint(rest), 1.0)) * spacing
    return away


def _stroke(
    colors: FloatArray, ink: FloatArray, away: FloatArray, slopes: FloatArray, width: float, opacity: float
) -> FloatArray:
    """Draw a line where `away`, a value over the slope, is under half its width."""
    pixels = away / np.maximum(slopes, 1e-12)
    cover = opacity * np.clip(0.5 + 0.5 * width * OVERSAMPLING - pixels, 0.0, 1.0)[..., None]
    return colors + cover * (ink - colors)
