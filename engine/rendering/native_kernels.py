"""Warp's side of native geometry: search structures, and the kernel that casts rays through the instances' tree.

Warp takes a third of a second to import, so only scenes with native geometry load this module.
"""

# Warp reads the kernels' annotations by its own rules, which mypy does not know:
# mypy: disable-error-code="index, call-overload, operator, valid-type, no-any-return, untyped-decorator, arg-type, attr-defined"
from __future__ import annotations

from typing import Any

import numpy as np

from ..cache import use_cache_folder
from ..transforms import Array
from ..warp_start import start_warp

use_cache_folder()
import warp as wp  # noqa: E402

DEVICE = "cpu"


@wp.func
def _box_span(
    origin: wp.vec3d, direction: wp.vec3d, low: wp.vec3d, high: wp.vec3d, t_min: wp.float64, t_max: wp.float64
) -> wp.vec2d:
    enter = t_min
    leave = t_max
    for axis in range(3):
        if direction[axis] != wp.float64(0.0):
            a = (low[axis] - origin[axis]) / direction[axis]
            b = (high[axis] - origin[axis]) / direction[axis]
            enter = wp.max(enter, wp.min(a, b))
            leave = wp.min(leave, wp.max(a, b))
        elif origin[axis] < low[axis] or origin[axis] > high[axis]:
            leave = enter - wp.float64(1.0)
    return wp.vec2d(enter, leave)


@wp.func
def _exact_t(
    mesh: wp.uint64, face: int, origin: wp.vec3d, direction: wp.vec3d, t_rough: wp.float64
) -> wp.float64:
    a = wp.vec3d(wp.mesh_get_point(mesh, 3 * face))
    b = wp.vec3d(wp.mesh_get_point(mesh, 3 * face + 1))
    c = wp.vec3d(wp.mesh_get_point(mesh, 3 * face + 2))
    normal = wp.cross(b - a, c - a)
    slope = wp.dot(normal, direction)
    if wp.abs(slope) <= wp.float64(1.0e-6) * wp.length(normal) * wp.length(direction):
        return t_rough  # along the triangle its plane says nothing about t
    return wp.dot(normal, a - origin) / slope


@wp.kernel(enable_backward=False)
def _cast(
    tree: wp.uint64,
    meshes: wp.array(dtype=wp.uint64),  # [instances]
    object_from_world: wp.array(dtype=wp.mat44d),  # [instances]
    lows: wp.array(dtype=wp.vec3d),  # [instances] object space
    highs: wp.array(dtype=wp.vec3d),
    origins: wp.array(dtype=wp.vec3d),  # [rays] world space
    directions: wp.array(dtype=wp.vec3d),
    t_min: wp.array(dtype=wp.float64),
    t_max: wp.array(dtype=wp.float64),
    any_hit: int,  # 1: the first crossing found will do
    t_hit: wp.array(dtype=wp.float64),  # out: inf on a miss
    instance_hit: wp.array(dtype=wp.int32),  # out: -1 on a miss
    face_hit: wp.array(dtype=wp.int32),  # out
    barycentric: wp.array(dtype=wp.vec2),  # out: weights of the first and second corner
) -> None:
    ray = wp.tid()
    best = t_max[ray]
    found = wp.int32(-1)
    face = wp.int32(0)
    u = wp.float32(0.0)
    v = wp.float32(0.0)
    index = wp.int32(0)
    query = wp.bvh_query_ray(tree, wp.vec3(origins[ray]), wp.vec3(directions[ray]))
    while wp.bvh_query_next(query, index):
        if any_hit == 1 and found >= 0:
            continue
        origin = wp.transform_point(object_from_world[index], origins[ray])
        direction = wp.transform_vector(object_from_world[index], directions[ray])
        span = _box_span(origin, direction, lows[index], highs[index], t_min[ray], best)
        if span[0] > span[1]:
            continue
        start = wp.vec3(origin + span[0] * direction)
        hit = wp.mesh_query_ray(meshes[index], start, wp.vec3(direction), float(span[1] - span[0]))
        if hit.result:
            t = _exact_t(meshes[index], hit.face, origin, direction, span[0] + wp.float64(hit.t))
            if t < best or found < 0:
                best = t
                found = index
                face = hit.face
                u = hit.u
                v = hit.v
    instance_hit[ray] = found
    face_hit[ray] = face
    barycentric[ray] = wp.vec2(u, v)
    t_hit[ray] = best
    if found < 0:
        t_hit[ray] = wp.float64(wp.inf)


def search_structure(vertices: Array, triangles: Array) -> Any:
    """Give a `wp.Mesh` over triangles (T, 3) int32 of vertices (V, 3) float32."""
    start_warp()
    return wp.Mesh(
        points=wp.array(vertices, dtype=wp.vec3, device=DEVICE),
        indices=wp.array(triangles.reshape(-1), dtype=wp.int32, device=DEVICE),
    )


class Instances:
    """A tree over the boxes of instances, and what the kernel needs of each."""

    def __init__(self, meshes: list[Any], world_boxes: Array, boxes: Array, object_from_world: Array) -> None:
        """Build the tree over N instances.

        Args:
            meshes: The `search_structure` of each.
            world_boxes: (N, 2, 3).
            boxes: (N, 2, 3) in object space.
            object_from_world: (N, 4, 4).
        """
        self._tree = wp.Bvh(
            wp.array(world_boxes[:, 0].astype(np.float32), dtype=wp.vec3, device=DEVICE),
            wp.array(world_boxes[:, 1].astype(np.float32), dtype=wp.vec3, device=DEVICE),
        )
        self._arguments: tuple[Any, ...] = (
            self._tree.id,
            wp.array([mesh.id for mesh in meshes], dtype=wp.uint64, device=DEVICE),
            wp.array(object_from_world, dtype=wp.mat44d, device=DEVICE),
            wp.array(boxes[:, 0], dtype=wp.vec3d, device=DEVICE),
            wp.array(boxes[:, 1], dtype=wp.vec3d, device=DEVICE),
        )
        wp.load_module(device=DEVICE)  # compiled now, not by whichever thread comes first

    def cast(self, rays: tuple[Array, Array, Array, Array], any_hit: bool, out: tuple[Array, ...]) -> None:
        """Write t, instance, face and barycentric coordinates (N, ...) of rays: origins, directions, t_min, t_max."""
        inputs = [*self._arguments, *(_doubles(a) for a in rays), int(any_hit)]
        kinds = (wp.float64, wp.int32, wp.int32, wp.vec2)
        outputs = [_shared(array, kind) for array, kind in zip(out, kinds)]
        wp.launch(_cast, dim=len(out[0]), inputs=inputs, outputs=outputs, device=DEVICE)


def _doubles(array: Array) -> Any:
    dtype = wp.vec3d if array.ndim == 2 else wp.float64
    return _shared(np.ascontiguousarray(array, np.float64), dtype)


def _shared(array: Array, dtype: Any) -> Any:
    return wp.array(array, dtype=dtype, device=DEVICE, copy=False)  # one memory, read and written in place
