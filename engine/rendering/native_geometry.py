"""Ray casts against native triangles: Warp's mesh queries under a tree of instances.

Every geometry is one `wp.Mesh` in object space, every instance a transform; a tree over the instances' world boxes
culls them. Rays are taken to object space in double precision and started at the instance's box before they become
float32, so a far camera costs no digits; the hit's `t` is then computed again in double precision from the triangle.
One launch runs on one thread and lets go of the interpreter's lock, so several tiles can be cast at once.
"""

# Warp reads the kernels' annotations by its own rules, which mypy does not know:
# mypy: disable-error-code="index, call-overload, operator, valid-type, no-any-return, untyped-decorator, arg-type, attr-defined"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cache import use_cache_folder
from ..transforms import Array, transform_points
from ..warp_start import start_warp

use_cache_folder()
import warp as wp  # noqa: E402

DEVICE = "cpu"
BOX_PADDING = 1e-4  # of an instance's size: covers float32 rounding in the tree over world boxes


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


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """One geometry: arrays in object space and the search structure over them."""

    vertices: Array  # (V, 3) float32
    triangles: Array  # (T, 3) int32
    corner_normals: Array | None  # (T, 3, 3) float32; None: flat
    triangle_materials: Array | None  # (T,) int32
    corner_uvs: Array | None  # (T, 3, 2) float32
    mesh: Any  # wp.Mesh
    box: Array  # (2, 3) float64

    @classmethod
    def build(
        cls,
        vertices: Array,
        triangles: Array,
        corner_normals: Array | None = None,
        triangle_materials: Array | None = None,
        corner_uvs: Array | None = None,
    ) -> Triangles:
        """Build the search structure over (T, 3) triangles, T at least 1; indices must be in range."""
        start_warp()
        mesh = wp.Mesh(
            points=wp.array(vertices, dtype=wp.vec3, device=DEVICE),
            indices=wp.array(triangles.reshape(-1), dtype=wp.int32, device=DEVICE),
        )
        used = vertices[triangles.reshape(-1)].astype(np.float64)
        box = np.stack([used.min(axis=0), used.max(axis=0)])
        return cls(vertices, triangles, corner_normals, triangle_materials, corner_uvs, mesh, box)


@dataclass(frozen=True, slots=True, eq=False)
class NativeHits:
    """Nearest crossings of N rays."""

    t: Array  # (N,) float64, inf on a miss
    instance: Array  # (N,) int32, -1 on a miss
    face: Array  # (N,) int32, of the instance's geometry
    barycentric: Array  # (N, 2) float32, weights of the triangle's first and second corner


class NativeGeometry:
    """Instances of triangle meshes; casts may run in several threads at once."""

    def __init__(self, geometries: list[Triangles], world_from_object: list[Array]) -> None:
        """Place `geometries[k]` at `world_from_object[k]`; every transform has an inverse."""
        self.geometries = geometries
        self._num = len(geometries)
        if not geometries:
            return
        lows, highs = zip(*(_world_box(g.box, m) for g, m in zip(geometries, world_from_object)))
        self._tree = wp.Bvh(
            wp.array(np.array(lows, np.float32), dtype=wp.vec3, device=DEVICE),
            wp.array(np.array(highs, np.float32), dtype=wp.vec3, device=DEVICE),
        )
        boxes = np.array([_padded(g.box) for g in geometries])
        inverses = np.array([np.linalg.inv(m) for m in world_from_object])
        self._arguments: tuple[Any, ...] = (
            self._tree.id,
            wp.array([g.mesh.id for g in geometries], dtype=wp.uint64, device=DEVICE),
            wp.array(inverses, dtype=wp.mat44d, device=DEVICE),
            wp.array(boxes[:, 0], dtype=wp.vec3d, device=DEVICE),
            wp.array(boxes[:, 1], dtype=wp.vec3d, device=DEVICE),
        )
        wp.load_module(device=DEVICE)  # compiled now, not by whichever thread comes first

    def cast(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> NativeHits:
        """Find the nearest crossing in [t_min, t_max] (N,) of world-space rays (N, 3)."""
        return self._launch(origins, directions, t_min, t_max, any_hit=0)

    def occluded(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> Array:
        """Whether anything is crossed in [t_min, t_max]: (N,) bool."""
        if not self._num:
            return np.zeros(len(t_min), bool)
        hit: Array = self._launch(origins, directions, t_min, t_max, any_hit=1).instance >= 0
        return hit

    def _launch(
        self, origins: Array, directions: Array, t_min: Array, t_max: Array, any_hit: int
    ) -> NativeHits:
        num = len(t_min)
        hits = NativeHits(
            t=np.full(num, np.inf),
            instance=np.full(num, -1, np.int32),
            face=np.zeros(num, np.int32),
            barycentric=np.zeros((num, 2), np.float32),
        )
        if not self._num or not num:
            return hits
        inputs = [*self._arguments, *(_doubles(a) for a in (origins, directions, t_min, t_max)), any_hit]
        outputs = [_shared(hits.t, wp.float64), _shared(hits.instance, wp.int32)]
        outputs += [_shared(hits.face, wp.int32), _shared(hits.barycentric, wp.vec2)]
        wp.launch(_cast, dim=num, inputs=inputs, outputs=outputs, device=DEVICE)
        return hits


def _doubles(array: Array) -> Any:
    dtype = wp.vec3d if array.ndim == 2 else wp.float64
    return _shared(np.ascontiguousarray(array, np.float64), dtype)


def _shared(array: Array, dtype: Any) -> Any:
    return wp.array(array, dtype=dtype, device=DEVICE, copy=False)  # one memory, read and written in place


def _padded(box: Array) -> Array:
    margin = BOX_PADDING * float(np.max(box[1] - box[0])) + 1e-6 * float(np.abs(box).max())
    return np.stack([box[0] - margin, box[1] + margin])


def _world_box(box: Array, world_from_object: Array) -> tuple[Array, Array]:
    low, high = box
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    moved = transform_points(world_from_object, corners)
    padded = _padded(np.stack([moved.min(axis=0), moved.max(axis=0)]))
    return padded[0], padded[1]
