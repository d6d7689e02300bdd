"""One pass of the edge-avoiding wavelet filter, pixel by pixel; `denoise.py` says what it is for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cache import use_cache_folder

use_cache_folder()
import numba as nb  # noqa: E402

SPLINE = np.array([1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16], np.float32)  # of a B3 spline
SHARPER = 6  # doublings of the exponent of normals' cosines: 64
PLANE = np.float32(1.0)  # pixels off a surface's plane, per pixel along it, at which a weight is a third
LIGHT = np.float32(3.0)  # standard errors between two colours at which a weight is a third
LEAST = np.float32(1e-4)  # of that error: where nothing is noisy nothing is to be smoothed
BEND = np.float32(0.9)  # least cosine between the normals of neighbours on one surface
STEP = np.float32(3.0)  # pixels' sizes between neighbours, most, off the plane of one


@nb.njit(cache=True, nogil=True, error_model="numpy")
def find_inner(surface: Any, normal: Any, position: Any, first: int, last: int, size: Any) -> None:
    """Find pixels of the rows from `first` to `last` all of whose neighbours lie on the same smooth surface.

    Args:
        surface: (H, W) int32, what the first sample met; 0: nothing.
        normal: (H, W, 3) float32.
        position: (H, W, 3) float32, m.
        first: Row.
        last: Row after the last one.
        size: Out (H, W) float32: the distance to the next pixel on the surface, m; 0: not inside it.
    """
    height, width = surface.shape
    for y in range(first, last):
        for x in range(width):
            size[y, x] = 0.0
            if surface[y, x] == 0 or y == 0 or x == 0 or y == height - 1 or x == width - 1:
                continue
            far = np.float32(0.0)
            inner: Any = True
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    v, u = y + dy, x + dx
                    cosine, apart = np.float32(0.0), np.float32(0.0)
                    for axis in range(3):
                        cosine += normal[y, x, axis] * normal[v, u, axis]
                        apart += (position[v, u, axis] - position[y, x, axis]) ** 2
                    inner = inner and surface[v, u] == surface[y, x] and cosine > BEND
                    if dy == 0 or dx == 0:
                        far = max(far, np.sqrt(apart))
            if inner:
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        off = np.float32(0.0)
                        for axis in range(3):
                            way = position[y + dy, x + dx, axis] - position[y, x, axis]
                            off += way * normal[y, x, axis]
                        inner = inner and abs(off) <= STEP * far
                size[y, x] = far if inner else 0.0


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _error(variance: Any, size: Any, y: int, x: int) -> Any:
    """Give the standard error of a pixel's light, as it and its neighbours tell."""
    total, count = np.float32(0.0), np.float32(0.0)
    for v in range(max(y - 1, 0), min(y + 2, size.shape[0])):
        for u in range(max(x - 1, 0), min(x + 2, size.shape[1])):
            if size[v, u] > 0.0:
                total += variance[v, u]
                count += np.float32(1.0)
    return np.sqrt(total / count)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _likeness(
    light: Any, normal: Any, position: Any, y: int, x: int, v: int, u: int, lighter: Any, off_plane: Any
) -> Any:
    """Give how much the pixel (v, u) tells about (y, x): 1 where normal, place and light are the same."""
    cosine, off, apart = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for axis in range(3):
        cosine += normal[y, x, axis] * normal[v, u, axis]
        off += normal[y, x, axis] * (position[v, u, axis] - position[y, x, axis])
        apart += light[v, u, axis] - light[y, x, axis]
    cosine = max(cosine, np.float32(0.0))
    for _ in range(SHARPER):
        cosine *= cosine
    faded = max(
        np.float32(1.0) - (abs(apart) * lighter + abs(off) * off_plane) / np.float32(8.0), np.float32(0.0)
    )
    for _ in range(3):  # to the eighth power: near the exponential function, and much cheaper
        faded *= faded
    return cosine * faded


@nb.njit(cache=True, nogil=True, error_model="numpy")
def filter_rows(
    light: Any,
    variance: Any,
    surface: Any,
    normal: Any,
    position: Any,
    size: Any,
    spread: int,
    first: int,
    last: int,
    out_light: Any,
    out_variance: Any,
) -> None:
    """Filter the rows from `first` to `last` once.

    Args:
        light: (H, W, 3) float32, without the surfaces' own colours.
        variance: (H, W) float32, of the mean of its channels.
        surface: As `find_inner` has it, and the next two.
        normal: (H, W, 3).
        position: (H, W, 3).
        size: What `find_inner` found.
        spread: Pixels between two that are mixed: 1, 2, 4, ...
        first: Row.
        last: Row after the last one.
        out_light: Out (H, W, 3).
        out_variance: Out (H, W).
    """
    height, width = surface.shape
    for y in range(first, last):
        for x in range(width):
            out_light[y, x] = light[y, x]
            out_variance[y, x] = variance[y, x]
            if size[y, x] == 0.0:
                continue
            lighter = np.float32(1.0) / (np.float32(3.0) * (LIGHT * _error(variance, size, y, x) + LEAST))
            off_plane = np.float32(1.0) / (PLANE * size[y, x] * np.float32(spread))
            total, squares = np.float32(0.0), np.float32(0.0)
            red, green, blue = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for k in range(25):
                v, u = y + (k // 5 - 2) * spread, x + (k % 5 - 2) * spread
                if v < 0 or v >= height or u < 0 or u >= width:
                    continue
                if size[v, u] == 0.0 or surface[v, u] != surface[y, x]:
                    continue
                alike = _likeness(light, normal, position, y, x, v, u, lighter, off_plane)
                weight = SPLINE[k // 5] * SPLINE[k % 5] * alike
                red += weight * light[v, u, 0]
                green += weight * light[v, u, 1]
                blue += weight * light[v, u, 2]
                squares += weight * weight * variance[v, u]
                total += weight
            out_light[y, x, 0] = red / total
            out_light[y, x, 1] = green / total
            out_light[y, x, 2] = blue / total
            out_variance[y, x] = squares / (total * total)
