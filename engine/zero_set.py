"""The zero set as points and as triangles, for measuring: marching cubes, then Newton steps along the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .mesh import UnitMesh
from .network import NetworkField

FloatArray = npt.NDArray[np.floating[Any]]

NEWTON_STEPS = 3
LONGEST_STEP = 0.01  # a vanishing gradient must not throw a vertex away


def zero_set_mesh(field: NetworkField, resolution: int) -> UnitMesh | None:
    """Give the zero set inside [-1, 1]^3 as triangles on a grid of `resolution` points a side, or None."""
    from skimage.measure import marching_cubes  # 0.5 s

    axis = np.linspace(-1.0, 1.0, resolution, dtype=np.float32)
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.empty((resolution,) * 3, np.float32)
    for k, x in enumerate(axis):
        points = np.concatenate([np.full((len(plane), 1), x, np.float32), plane], axis=1)
        values[k] = field.value(points).reshape(resolution, resolution)
    if not values.min() < 0.0 < values.max():
        return None
    corners, faces, _, _ = marching_cubes(values, 0.0)  # type: ignore[no-untyped-call]
    places = project(field, corners * (2.0 / (resolution - 1)) - 1.0)
    return UnitMesh(vertices=places, faces=faces[:, ::-1].astype(np.int64), unit_from_object=np.eye(4))


def project(field: NetworkField, points: FloatArray) -> FloatArray:
    """Move points (N, 3) near the zero set onto it."""
    points = np.asarray(points, np.float64)
    for _ in range(NEWTON_STEPS):
        gradient = field.gradient(points).astype(np.float64)
        squared = np.maximum((gradient * gradient).sum(axis=1), 1e-12)
        step = (field.value(points) / squared)[:, None] * gradient
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-30))
        points = np.clip(points - step, -1.0, 1.0)
    return points
