"""The rays of a linear camera, one after the other: NumPy would go over them thirty times."""

from __future__ import annotations

from typing import Any

from ..cache import use_cache_folder

use_cache_folder()
import numba as nb  # noqa: E402
import numpy as np  # noqa: E402


@nb.njit(cache=True, nogil=True, error_model="numpy")
def fill_rays(
    x: Any, y: Any, scale: Any, world_from_clip: Any, row: Any, pixel: float, ends: Any, numbers: Any
) -> None:
    """Write rays from the near to the far plane through places of a picture.

    Args:
        x: (N,) float64, in pixels from the left edge.
        y: (N,) float64, in pixels from the bottom edge.
        scale: (2,) clip coordinates over a pixel.
        world_from_clip: (4, 4).
        row: (4,) of the clip coordinate w over world space.
        pixel: Size of a pixel at w = 1, m.
        ends: Out (2, N, 3): origins, directions.
        numbers: Out (3, N): lengths, sizes of a pixel at the origin, and their growth per metre.
    """
    m = world_from_clip
    for ray in range(x.shape[0]):
        u, v = x[ray] * scale[0] - 1.0, y[ray] * scale[1] - 1.0
        near_w = m[3, 0] * u + m[3, 1] * v - m[3, 2] + m[3, 3]
        far_w = near_w + 2.0 * m[3, 2]
        sign = np.sign(near_w)
        square, size, turn = 0.0, row[3], 0.0
        for axis in range(3):
            near = m[axis, 0] * u + m[axis, 1] * v - m[axis, 2] + m[axis, 3]
            start = near / near_w
            # Not far / w - near / w: this also holds for a far plane at infinity (w = 0). Both w have one sign.
            toward = (near + 2.0 * m[axis, 2] - far_w * start) * sign
            ends[0, ray, axis], ends[1, ray, axis] = start, toward
            square += toward * toward
            size += row[axis] * start
        length = np.sqrt(square)
        divisor = length if length > 0.0 else 1.0
        for axis in range(3):
            ends[1, ray, axis] /= divisor
            turn += row[axis] * ends[1, ray, axis]
        numbers[0, ray] = length / abs(far_w)
        numbers[1, ray] = abs(size) * pixel
        numbers[2, ray] = abs(size + turn) * pixel - numbers[1, ray]
