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


def rays_of(
    view: FloatArray, window: FloatArray, world_from_unit: FloatArray, boxes: FloatArray
) -> list[Rays]:
    """Give the rays of a view for each of N shapes.

    Args:
        view: `RegionView3D.view_matrix`, (4, 4).
        window: `RegionView3D.window_matrix`, (4, 4).
        world_from_unit: (N, 4, 4), invertible.
        boxes: (N, 2, 3) what holds each shape in unit space.
    """
    view_from_unit = view @ world_from_unit
    unit_from_view = np.linalg.inv(view_from_unit)
    turned = unit_from_view[:, :3, :3].transpose(0, 2, 1)
    perspective = bool(window[3, 3] == 0.0)
    shift = -view_from_unit[:, 2, 3]
    sideways = np.array([[1.0 / window[0, 0], 0.0, 0.0], [0.0, 1.0 / window[1, 1], 0.0]])
    if perspective:
        ahead = [window[0, 2] / window[0, 0], window[1, 2] / window[1, 1], -1.0]
        direction = np.array([ahead, *sideways]) @ turned
        origin = shift[:, None, None] * direction
    else:
        direction = np.zeros((len(shift), 3, 3))
        direction[:, 0] = -unit_from_view[:, :3, 2]
        base = np.broadcast_to(np.array([np.zeros(3), *sideways]), direction.shape).copy()
        base[:, 0, :2] = -window[0, 3] / window[0, 0], -window[1, 3] / window[1, 1]
        base[:, 0, 2] = -shift
        origin = base @ turned
    origin[:, 0] += unit_from_view[:, :3, 3]
    near, far = _limits(window, perspective)
    a, b = (-window[2, 2], window[2, 3]) if perspective else (window[2, 3], -window[2, 2])
    rectangles = _rectangles(window @ view_from_unit, boxes, near if perspective else None)
    return [
        Rays(
            origin=origin[k],
            direction=direction[k],
            depth=(float(a), float(b), away),
            limits=(near - away, far - away),
            is_perspective=perspective,
            view_from_normal=turned[k],
            rectangle=rectangle,
        )
        for k, (away, rectangle) in enumerate(zip(shift.tolist(), rectangles))
    ]


def _limits(window: FloatArray, perspective: bool) -> tuple[float, float]:
    if perspective:
        near, far = window[2, 3] / (window[2, 2] - 1.0), window[2, 3] / (window[2, 2] + 1.0)
    else:
        near, far = (1.0 + window[2, 3]) / window[2, 2], (window[2, 3] - 1.0) / window[2, 2]
    return float(near), float(far)


CORNERS = np.array(
    [[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
)  # of a box, low or high by axis


def _rectangles(
    clip_from_unit: FloatArray, boxes: FloatArray, near: float | None
) -> list[tuple[float, float, float, float]]:
    """Give what part of the view each box (N, 2, 3) covers; all of it where the camera is in the box or beside it."""
    corners = boxes[:, CORNERS, np.arange(3)]
    clip = corners @ clip_from_unit[:, :, :3].transpose(0, 2, 1) + clip_from_unit[:, None, :, 3]
    beside = np.zeros(len(boxes), bool) if near is None else (clip[..., 3] <= near).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # of corners on the camera's plane
        place = clip[..., :2] / clip[..., 3:]
    place[beside] = 0.0
    found = np.concatenate([place.min(axis=1), place.max(axis=1)], axis=1).clip(-1.0, 1.0)
    found[beside] = WHOLE_VIEW
    return [tuple(row) for row in found.tolist()]
