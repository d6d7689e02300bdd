"""The rays of a 3D view in a shape's unit space, as numbers a shader interpolates: float64 here, float32 there.

A pixel at (x, y) in [-1, 1]^2 has the ray `origin + s * direction`, each of them `a + x * b + y * c`. `s` is the distance to
the camera's plane less that of the shape's centre, so that the numbers stay small however far the camera is; the
directions keep the length that the object's scale gives them. The value in the depth buffer follows from `s` alone:
`0.5 + 0.5 * (a + b / (s + shift))` in perspective, `0.5 + 0.5 * (a + b * (s + shift))` without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

WHOLE_VIEW = (-1.0, -1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """All that one shape needs of a view."""

    origin: FloatArray  # (3, 3): constant, per x, per y
    direction: FloatArray  # (3, 3)
    depth: tuple[float, float, float]  # a, b and shift above
    limits: tuple[float, float]  # s at the near and the far clipping plane
    is_perspective: bool
    view_from_normal: FloatArray  # (3, 3), for gradients in unit space; not normalised
    rectangle: tuple[float, float, float, float]  # x and y from, x and y to, that the shape's box covers


def rays_of(view: FloatArray, window: FloatArray, world_from_unit: FloatArray, box: FloatArray) -> Rays:
    """Give the rays of a view.

    Args:
        view: `RegionView3D.view_matrix`, (4, 4).
        window: `RegionView3D.window_matrix`, (4, 4).
        world_from_unit: (4, 4), invertible.
        box: (2, 3) what holds the shape in unit space.
    """
    view_from_unit = view @ world_from_unit
    unit_from_view = np.linalg.inv(view_from_unit)
    perspective = window[3, 3] == 0.0
    shift = -float(view_from_unit[2, 3])
    sideways = np.array([[1.0 / window[0, 0], 0.0, 0.0], [0.0, 1.0 / window[1, 1], 0.0]])
    if perspective:
        ahead = [window[0, 2] / window[0, 0], window[1, 2] / window[1, 1], -1.0]
        direction = np.array([ahead, *sideways]) @ unit_from_view[:3, :3].T
        origin = shift * direction
        origin[0] += unit_from_view[:3, 3]
    else:
        direction = np.zeros((3, 3))
        direction[0] = -unit_from_view[:3, 2]
        start = [-window[0, 3] / window[0, 0], -window[1, 3] / window[1, 1], -shift]
        origin = np.array([start, *sideways]) @ unit_from_view[:3, :3].T
        origin[0] += unit_from_view[:3, 3]
    near, far = _limits(window, perspective)
    a, b = (-window[2, 2], window[2, 3]) if perspective else (window[2, 3], -window[2, 2])
    return Rays(
        origin=origin,
        direction=direction,
        depth=(float(a), float(b), shift),
        limits=(near - shift, far - shift),
        is_perspective=bool(perspective),
        view_from_normal=unit_from_view[:3, :3].T,
        rectangle=_rectangle(window @ view_from_unit, box, near if perspective else None),
    )


def _limits(window: FloatArray, perspective: bool) -> tuple[float, float]:
    if perspective:
        near, far = window[2, 3] / (window[2, 2] - 1.0), window[2, 3] / (window[2, 2] + 1.0)
    else:
        near, far = (1.0 + window[2, 3]) / window[2, 2], (window[2, 3] - 1.0) / window[2, 2]
    return float(near), float(far)


def _rectangle(
    clip_from_unit: FloatArray, box: FloatArray, near: float | None
) -> tuple[float, float, float, float]:
    corners = np.array(
        [[box[i, 0], box[j, 1], box[k, 2], 1.0] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    clip = corners @ clip_from_unit.T
    if near is not None and (clip[:, 3] <= near).any():
        return WHOLE_VIEW  # the camera is in the box or beside it
    place = clip[:, :2] / clip[:, 3:]
    low, high = np.clip(place.min(axis=0), -1.0, 1.0), np.clip(place.max(axis=0), -1.0, 1.0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
