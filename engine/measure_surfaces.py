"""Errors between two surfaces, the source and the zero set, from points on both of them, in unit space."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .measure import LOST_DISTANCE, MeasureOptions, generator
from .mesh import UnitMesh
from .network import NetworkField
from .sampling import SurfaceSampler
from .signed_distance import SurfaceDistance
from .zero_set import project, zero_set_mesh

FloatArray = npt.NDArray[np.floating[Any]]

ZERO_SET_RESOLUTION = 192
HAUSDORFF_FACTOR = 10  # times as many points as the other metrics take: 1e6 by default
F_SCORE_DISTANCES = (0.01, 0.005)


def measure_surfaces(
    field: NetworkField, truth: SurfaceDistance, options: MeasureOptions
) -> dict[str, float]:
    """Give the errors that need both surfaces, by name; nothing where the network has no zero set.

    A shell is compared with its middle surface, so its distances hold half its thickness.
    """
    zero_set = zero_set_mesh(field, ZERO_SET_RESOLUTION)
    if zero_set is None:
        return {}
    fitted = SurfaceDistance(zero_set, threads=truth.threads)
    rng = generator(options, 4)
    source_points, source_faces = SurfaceSampler(truth.source).sample(options.num_points, rng)
    zero_points = project(field, SurfaceSampler(zero_set).sample(options.num_points, rng)[0])
    to_fitted = fitted.nearest(source_points)[0]
    to_source, nearest = truth.nearest(zero_points)
    errors = {
        "chamfer_l1": 0.5 * float(to_fitted.mean() + to_source.mean()),
        "surface_lost_exact": float((to_fitted > LOST_DISTANCE).mean()),
    }
    for distance in F_SCORE_DISTANCES:
        errors[f"f_score_{distance:g}"] = _f_score(to_fitted, to_source, distance)
    errors |= _hausdorff(truth, fitted, options)
    errors |= _normals(field, truth, zero_points, nearest, source_points, source_faces)
    return errors | _eikonal(field, truth, options)


def _f_score(to_fitted: FloatArray, to_source: FloatArray, distance: float) -> float:
    recall, precision = float((to_fitted < distance).mean()), float((to_source < distance).mean())
    return 2.0 * recall * precision / (recall + precision) if recall + precision > 0.0 else 0.0


def _hausdorff(truth: SurfaceDistance, fitted: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    count, rng = HAUSDORFF_FACTOR * options.num_points, generator(options, 5)
    there = fitted.nearest(SurfaceSampler(truth.source).sample(count, rng)[0])[0]
    back = truth.nearest(SurfaceSampler(fitted.mesh).sample(count, rng)[0])[0]
    return {"hausdorff": float(max(there.max(), back.max()))}


def _normals(
    field: NetworkField,
    truth: SurfaceDistance,
    zero_points: FloatArray,
    nearest: npt.NDArray[np.int32],
    source_points: FloatArray,
    source_faces: npt.NDArray[np.integer[Any]],
) -> dict[str, float]:
    """Compare the gradient with face normals: at the zero set's points, and at the source's own."""
    consistency = (_directions(field, zero_points) * _face_normals(truth.mesh, nearest)).sum(axis=1)
    cosines = (_directions(field, source_points) * _face_normals(truth.source, source_faces)).sum(axis=1)
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return {
        "normal_consistency": float(consistency.mean()),
        "normal_angle_median_deg": float(np.median(angles)),
    }


def _face_normals(mesh: UnitMesh, faces: npt.NDArray[np.integer[Any]]) -> FloatArray:
    corners = mesh.triangles()[faces]
    normals: FloatArray = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals


def _directions(field: NetworkField, points: FloatArray) -> FloatArray:
    gradient = field.gradient(points).astype(np.float64)
    lengths = np.linalg.norm(gradient, axis=1, keepdims=True)
    directions: FloatArray = gradient / np.maximum(lengths, 1e-30)
    return directions


def _eikonal(field: NetworkField, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    rng = generator(options, 6)
    points = SurfaceSampler(truth.source).sample(options.num_points, rng)[0]
    points = np.clip(points + 0.01 * rng.standard_normal(points.shape), -1.0, 1.0)
    lengths = np.linalg.norm(field.gradient(points), axis=1)
    return {"eikonal_mean": float(np.abs(lengths - 1.0).mean()), "gradient_max": float(lengths.max())}
