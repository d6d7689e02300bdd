"""Ray casts against native triangles: Warp's mesh queries under a tree of instances.

Every geometry is one `wp.Mesh` in object space, every instance a transform; a tree over the instances' world boxes
culls them. Rays are taken to object space in double precision and started at the instance's box before they become
float32, so a far camera costs no digits; the hit's `t` is then computed again in double precision from the triangle.
One launch runs on one thread and lets go of the interpreter's lock, so several tiles can be cast at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..transforms import Array, transform_points

BOX_PADDING = 1e-4  # of an instance's size: covers float32 rounding in the tree over world boxes


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
        from .native_kernels import search_structure

        mesh = search_structure(vertices, triangles)
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
        from .native_kernels import Instances

        self._instances = Instances(
            [g.mesh for g in geometries],
            np.array([_world_box(g.box, m) for g, m in zip(geometries, world_from_object)]),
            np.array([_padded(g.box) for g in geometries]),
            np.array([np.linalg.inv(m) for m in world_from_object]),
        )

    def cast(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> NativeHits:
        """Find the nearest crossing in [t_min, t_max] (N,) of world-space rays (N, 3)."""
        return self._launch(origins, directions, t_min, t_max, any_hit=False)

    def occluded(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> Array:
        """Whether anything is crossed in [t_min, t_max]: (N,) bool."""
        if not self._num:
            return np.zeros(len(t_min), bool)
        hit: Array = self._launch(origins, directions, t_min, t_max, any_hit=True).instance >= 0
        return hit

    def _launch(
        self, origins: Array, directions: Array, t_min: Array, t_max: Array, any_hit: bool
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
        found = (hits.t, hits.instance, hits.face, hits.barycentric)
        self._instances.cast((origins, directions, t_min, t_max), any_hit, found)
        return hits


def _padded(box: Array) -> Array:
    margin = BOX_PADDING * float(np.max(box[1] - box[0])) + 1e-6 * float(np.abs(box).max())
    return np.stack([box[0] - margin, box[1] + margin])


def _world_box(box: Array, world_from_object: Array) -> Array:
    low, high = box
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    moved = transform_points(world_from_object, corners)
    return _padded(np.stack([moved.min(axis=0), moved.max(axis=0)]))
