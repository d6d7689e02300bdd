"""Errors between two surfaces, the source and the zero set, from points on both of them, in unit space."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FitError
from ..ground_truth.mesh import UnitMesh
from ..ground_truth.signed_distance import SurfaceDistance
from ..ground_truth.surface_sampler import SurfaceSampler
from ..meshing.marching_cubes import directions, extract, project
from .field_errors import LOST_DISTANCE, MeasureOptions, generator

FloatArray = npt.NDArray[np.floating[Any]]

ZERO_SET_RESOLUTION = 192
REACH = 0.01  # that a point of a triangle may be moved onto the zero set
HAUSDORFF_FACTOR = 10  # times as many points as the other metrics take: 1e6 by default
F_SCORE_DISTANCES = (0.01, 0.005)


def measure_surfaces(tracer: Any, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    """Give the errors of a `CpuTracer`'s network that need both surfaces, by name; nothing where the network has no zero set.

    A shell is compared with its middle surface, so its distances hold half its thickness.
    """
    try:
        surface = extract(tracer, ZERO_SET_RESOLUTION)
    except FitError:
        return {}
    zero_set = UnitMesh(
        vertices=surface.vertices_unit,
        faces=surface.triangles.astype(np.int64),
        unit_from_object=truth.mesh.unit_from_object,
    )
    fitted = SurfaceDistance(zero_set, threads=truth.threads)
    rng = generator(options, 4)
    source_points, source_faces = SurfaceSampler(truth.source).sample(options.num_points, rng)
    zero_points = project(tracer, SurfaceSampler(zero_set).sample(options.num_points, rng)[0], REACH)
    to_fitted = fitted.nearest(source_points)[0]
    to_source, nearest = truth.nearest(zero_points)
    errors = {
        "chamfer_l1": 0.5 * float(to_fitted.mean() + to_source.mean()),
        "surface_lost_exact": float((to_fitted > LOST_DISTANCE).mean()),
    }
    for distance in F_SCORE_DISTANCES:
        errors[f"f_score_{distance:g}"] = _f_score(to_fitted, to_source, distance)
    errors |= _hausdorff(truth, fitted, options)
    errors |= _normals(tracer, truth, zero_points, nearest, source_points, source_faces)
    return errors | _eikonal(tracer, truth, options)


def _f_score(to_fitted: FloatArray, to_source: FloatArray, distance: float) -> float:
    recall, precision = float((to_fitted < distance).mean()), float((to_source < distance).mean())
    return 2.0 * recall * precision / (recall + precision) if recall + precision > 0.0 else 0.0


def _hausdorff(truth: SurfaceDistance, fitted: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    count, rng = HAUSDORFF_FACTOR * options.num_points, generator(options, 5)
    there = fitted.nearest(SurfaceSampler(truth.source).sample(count, rng)[0])[0]
    back = truth.nearest(SurfaceSampler(fitted.mesh).sample(count, rng)[0])[0]
    return {"hausdorff": float(max(there.max(), back.max()))}


def _normals(
    tracer: Any,
    truth: SurfaceDistance,
    zero_points: FloatArray,
    nearest: npt.NDArray[np.int32],
    source_points: FloatArray,
    source_faces: npt.NDArray[np.integer[Any]],
) -> dict[str, float]:
    """Compare the gradient with face normals: at the zero set's points, and at the source's own."""
    consistency = (directions(tracer, zero_points) * _face_normals(truth.mesh, nearest)).sum(axis=1)
    cosines = (directions(tracer, source_points) * _face_normals(truth.source, source_faces)).sum(axis=1)
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


def _eikonal(tracer: Any, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    rng = generator(options, 6)
    points = SurfaceSampler(truth.source).sample(options.num_points, rng)[0]
    points = np.clip(points + 0.01 * rng.standard_normal(points.shape), -1.0, 1.0)
    lengths = np.linalg.norm(tracer.gradient_parallel(points), axis=1)
    return {"eikonal_mean": float(np.abs(lengths - 1.0).mean()), "gradient_max": float(lengths.max())}
