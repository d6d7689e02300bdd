"""A picture of the whole surroundings as a light: what a direction sees, and directions chosen by how bright they are.

The picture is equirectangular as Blender's Environment Texture takes it: its centre lies along x, its upper edge is z. Directions
are chosen in proportion to brightness, so that a small sun in it gives no noise [Pharr et al. 2016, 14.2.4].

[Pharr et al. 2016] M. Pharr, W. Jakob, G. Humphreys, "Physically Based Rendering", 3rd edition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SceneError
from ..transforms import Array, normalized

CHOICE_SIZE = (128, 256)  # rows and columns in which brightness decides; each is uniform within
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
LEAST_SHARE = 0.05  # of the mean brightness that a dark part counts by, so that nothing is never chosen


class Environment:
    """A picture ready to be looked up and sampled."""

    def __init__(self, picture: npt.NDArray[Any], from_world: Array) -> None:
        """Prepare it.

        Args:
            picture: (H, W, 3) float32, scene-linear, bottom row first.
            from_world: (4, 4) whose rotation takes world directions to the picture's.

        Raises:
            SceneError: It is not such a picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0 or not np.isfinite(picture).all():
            raise SceneError(
                "The world's environment texture holds no picture, or numbers that are not finite. Choose another image."
            )
        self._picture = np.maximum(picture, 0.0)
        self._from_world = from_world[:3, :3]
        self._world_from = np.linalg.inv(self._from_world)
        rows, columns = CHOICE_SIZE
        brightness = self._brightness(rows, columns)
        brightness = np.maximum(brightness, LEAST_SHARE * max(float(brightness.mean()), 1e-12))
        latitude = (np.arange(rows) + 0.5) / rows * np.pi - np.pi / 2.0
        self._edges_z = np.sin(np.linspace(-np.pi / 2.0, np.pi / 2.0, rows + 1))
        weight = brightness * np.cos(latitude)[:, None]
        self._share = weight / weight.sum()
        by_row = self._share.sum(axis=1)
        self._rows = np.concatenate([[0.0], np.cumsum(by_row)])
        within = np.cumsum(self._share / by_row[:, None], axis=1)
        ends = np.concatenate([np.zeros((rows, 1)), np.minimum(within, 1.0)], axis=1)
        ends[:, -1] = 1.0
        self._columns = (ends + np.arange(rows)[:, None]).ravel()  # row k runs from k to k + 1
        self._solid_angle = np.diff(self._edges_z) * 2.0 * np.pi / columns  # of a cell, by row

    def radiance(self, directions: Array) -> Array:
        """Give what unit directions (N, 3) in world space see, (N, 3) float32; bilinear."""
        return self._look_up(*self._place(directions))

    def _brightness(self, rows: int, columns: int) -> Array:
        """Give the mean brightness of each cell of a grid, of the picture as it is looked up: a lamp shines on its neighbours."""
        height, width = self._picture.shape[:2]
        if height > rows or width > columns:
            return _shrunk(_spread(_spread(self._picture @ LUMINANCE, 0), 1), rows, columns)
        fine = 2
        v, u = ((np.arange(fine * n) + 0.5) / (fine * n) for n in (rows, columns))
        seen = self._look_up(*(a.ravel() for a in np.meshgrid(u, v))) @ LUMINANCE
        mean: Array = seen.reshape(rows, fine, columns, fine).mean(axis=(1, 3))
        return mean

    def _look_up(self, u: Array, v: Array) -> Array:
        height, width = self._picture.shape[:2]
        x, y = u * width - 0.5, np.clip(v * height - 0.5, 0.0, height - 1.0)
        column, row = np.floor(x).astype(np.int64), np.minimum(y.astype(np.int64), max(height - 2, 0))
        fx, fy = (x - column)[:, None], (y - row)[:, None]
        left, right, above = column % width, (column + 1) % width, np.minimum(row + 1, height - 1)
        low = self._picture[row, left] * (1.0 - fx) + self._picture[row, right] * fx
        high = self._picture[above, left] * (1.0 - fx) + self._picture[above, right] * fx
        seen: Array = (low * (1.0 - fy) + high * fy).astype(np.float32)
        return seen

    def sample(self, square: Array) -> tuple[Array, Array]:
        """Choose world directions (N, 3) by brightness from uniform numbers (N, 2); give their density (N,) per steradian."""
        rows, columns = CHOICE_SIZE
        across, up = square[:, 0].astype(np.float64), square[:, 1].astype(np.float64)
        row = np.clip(np.searchsorted(self._rows, up, side="right") - 1, 0, rows - 1)
        height = (up - self._rows[row]) / (self._rows[row + 1] - self._rows[row])
        place = np.searchsorted(self._columns, row + across, side="right") - 1
        column = np.clip(place - row * (columns + 1), 0, columns - 1)
        left, right = (self._columns[row * (columns + 1) + column + side] for side in (0, 1))
        within = (row + across - left) / np.maximum(right - left, 1e-12)
        low, high = self._edges_z[row], self._edges_z[row + 1]
        z = low + (high - low) * np.clip(height, 0.0, 1.0)
        angle = np.pi * (1.0 - 2.0 * (column + np.clip(within, 0.0, 1.0)) / columns)
        out = np.sqrt(np.maximum(1.0 - z * z, 0.0))
        local = np.stack([out * np.cos(angle), out * np.sin(angle), z], axis=1)
        return normalized(local @ self._world_from.T), self._share[row, column] / self._solid_angle[row]

    def density(self, directions: Array) -> Array:
        """Give the density (N,) with which `sample` chooses unit directions (N, 3)."""
        rows, columns = CHOICE_SIZE
        u, v = self._place(directions)
        row = np.clip((v * rows).astype(np.int64), 0, rows - 1)
        column = np.clip((u * columns).astype(np.int64), 0, columns - 1)
        density: Array = self._share[row, column] / self._solid_angle[row]
        return density

    def _place(self, directions: Array) -> tuple[Array, Array]:
        local = normalized(np.asarray(directions, np.float64) @ self._from_world.T)
        u = 0.5 - np.arctan2(local[:, 1], local[:, 0]) / (2.0 * np.pi)
        return u, np.arcsin(np.clip(local[:, 2], -1.0, 1.0)) / np.pi + 0.5


def _spread(values: Array, axis: int) -> Array:
    """Give the means over each pixel's width of values that are interpolated between pixels' centres; across the edges too."""
    return 0.75 * values + 0.125 * (np.roll(values, 1, axis) + np.roll(values, -1, axis))


def _shrunk(values: Array, rows: int, columns: int) -> Array:
    """Give the means of `values` (H, W) over a grid, or the nearest ones where there are fewer."""
    height, width = values.shape
    down = np.linspace(0, height, rows + 1).astype(np.int64)
    across = np.linspace(0, width, columns + 1).astype(np.int64)
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, right = (
        np.maximum(down[1:], np.minimum(down[:-1] + 1, height)),
        np.maximum(across[1:], np.minimum(across[:-1] + 1, width)),
    )
    bottom, left = np.minimum(down[:-1], top - 1), np.minimum(across[:-1], right - 1)
    total = sums[top][:, right] - sums[bottom][:, right] - sums[top][:, left] + sums[bottom][:, left]
    mean: Array = np.maximum(total, 0.0) / ((top - bottom)[:, None] * (right - left)[None, :])
    return mean
