"""Where a proxy's vertices say that their unit space lies now: Apply Transform moves them, and tells nobody.

Each vertex keeps its unit position as an attribute, so the affine map from unit space to the mesh's present object
space follows from all of them. Edited or joined vertices disagree with the others and are left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ROUNDING = 2e-6  # of the largest coordinate: some ten float32 roundings of 2^-24 each
EDITED_TOLERANCE = 1e-3  # of the extent: less cannot be seen, and rounding far from the origin stays below
TRIMMED_ROUNDS = 8
TRIMMED_SHARE = 0.5  # more than half of the vertices must be untouched
MIN_VERTICES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFit:
    """The map that fits the vertices, and how many of them it does not fit."""

    object_from_unit: FloatArray  # (4, 4)
    num_edited: int  # vertices off by more than 1e-3 of the extent


def fit_proxy(vertices: FloatArray, vertices_unit: FloatArray, expected: FloatArray) -> ProxyFit:
    """Find the map from unit space to the space the vertices are in now.

    Args:
        vertices: Present positions (V, 3), object space.
        vertices_unit: Where each of them is in unit space (V, 3).
        expected: The map as it was when the proxy was made (4, 4); kept, to the bit, where it still fits.

    Returns:
        The map and the number of vertices that disagree with it.
    """
    if len(vertices) < MIN_VERTICES or not np.isfinite(vertices).all():
        return ProxyFit(object_from_unit=expected, num_edited=len(vertices))
    magnitude = float(np.abs(vertices).max())
    if float(_distances(expected, vertices_unit, vertices).max()) <= ROUNDING * magnitude:
        return ProxyFit(object_from_unit=expected, num_edited=0)
    tolerance = EDITED_TOLERANCE * float(np.ptp(vertices, axis=0).max())
    fitted = _least_squares(vertices_unit, vertices)
    for _ in range(TRIMMED_ROUNDS):
        distances = _distances(fitted, vertices_unit, vertices)
        if float(distances.max()) <= tolerance:
            break
        kept = distances <= np.quantile(distances, TRIMMED_SHARE)
        fitted = _least_squares(vertices_unit[kept], vertices[kept])
    if not abs(np.linalg.det(fitted[:3, :3])) > 0.0:
        return ProxyFit(object_from_unit=expected, num_edited=len(vertices))
    num_edited = int((_distances(fitted, vertices_unit, vertices) > tolerance).sum())
    return ProxyFit(object_from_unit=fitted, num_edited=num_edited)


def transform(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Apply an affine matrix (4, 4) to points (N, 3)."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _distances(matrix: FloatArray, points: FloatArray, expected: FloatArray) -> FloatArray:
    return np.linalg.norm(transform(matrix, points) - expected, axis=1)


def _least_squares(points: FloatArray, images: FloatArray) -> FloatArray:
    centre, image_centre = points.mean(axis=0), images.mean(axis=0)
    solution = np.linalg.lstsq(points - centre, images - image_centre, rcond=None)[0]
    matrix = np.eye(4)
    matrix[:3, :3] = solution.T
    matrix[:3, 3] = image_centre - matrix[:3, :3] @ centre
    return matrix
