# mypy: disable-error-code="attr-defined,valid-type"
"""Warp kernels: one thread per point, nearest triangle by a tree search, sign by winding number or normals.

`points` are in unit space; `reach` bounds each search. Warp compiles them at the first launch (3 s, then cached).
"""

from __future__ import annotations

from ..cache import use_cache_folder

use_cache_folder()  # before Warp is imported
import warp as wp  # noqa: E402


@wp.kernel
def distance_by_winding(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: wp.array(dtype=float),
    accuracy: float,
    threshold: float,
    distances: wp.array(dtype=float),
) -> None:
    """Signed distance of each point, by the winding number; NaN where nothing is within reach."""
    i = wp.tid()
    found = wp.mesh_query_point_sign_winding_number(mesh, points[i], reach[i], accuracy, threshold)
    distances[i] = wp.nan
    if found.result:
        nearest = wp.mesh_eval_position(mesh, found.face, found.u, found.v)
        distances[i] = found.sign * wp.length(nearest - points[i])


@wp.kernel
def distance_and_solid(
    mesh: wp.uint64,
    solid: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: wp.array(dtype=float),
    accuracy: float,
    threshold: float,
    distances: wp.array(dtype=float),
) -> None:
    """Distance to one mesh, with the sign by the winding number of another; NaN where nothing is within reach."""
    i = wp.tid()
    found = wp.mesh_query_point_no_sign(mesh, points[i], reach[i])
    distances[i] = wp.nan
    if found.result:
        nearest = wp.mesh_eval_position(mesh, found.face, found.u, found.v)
        side = wp.mesh_query_point_sign_winding_number(solid, points[i], 16.0, accuracy, threshold)
        distances[i] = side.sign * wp.length(nearest - points[i])


@wp.kernel
def distance_by_normals(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: wp.array(dtype=float),
    epsilon: float,
    distances: wp.array(dtype=float),
) -> None:
    """Signed distance of each point, by the nearest feature's normal; NaN where nothing is within reach."""
    i = wp.tid()
    found = wp.mesh_query_point_sign_normal(mesh, points[i], reach[i], epsilon)
    distances[i] = wp.nan
    if found.result:
        nearest = wp.mesh_eval_position(mesh, found.face, found.u, found.v)
        distances[i] = found.sign * wp.length(nearest - points[i])


@wp.kernel
def nearest_face(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: wp.array(dtype=float),
    distances: wp.array(dtype=float),
    faces: wp.array(dtype=wp.int32),
) -> None:
    """Distance of each point and its nearest face; NaN where nothing is within reach."""
    i = wp.tid()
    found = wp.mesh_query_point_no_sign(mesh, points[i], reach[i])
    distances[i] = wp.nan
    if found.result:
        nearest = wp.mesh_eval_position(mesh, found.face, found.u, found.v)
        distances[i] = wp.length(nearest - points[i])
        faces[i] = found.face
