"""What a shader wants to know of native triangles: corners, normals and materials by instance and face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..transforms import Array, dot, normalized
from .native_geometry import Triangles

BIAS = 2e-6  # of the triangle's and the object's size: above float32 rounding in a hit


@dataclass(frozen=True, slots=True, eq=False)
class NativePoints:
    """M points on native triangles, world space, normals outward by the triangles' winding."""

    geometric_normals: Array  # (M, 3) float64
    normals: Array  # (M, 3) float64, smooth where the mesh is
    bias: Array  # (M,) float64, m
    lift: Array  # (M, 3) float64, m: to the smooth surface the triangle stands for; 0 where flat
    materials: Array  # (M,) int, index into the scene's materials
    uvs: Array  # (M, 2) float32; 0 where a mesh has none


class TriangleArrays(NamedTuple):
    """All that a shader on another device needs of a table."""

    start: Array  # (instances,) first row of each
    corners: Array  # (T, 3, 3) float32
    corner_normals: Array  # (T, 3, 3) float32; 0: flat
    corner_uvs: Array | None  # (T, 3, 2) float32; None where no mesh has any
    slots: Array  # (T,)
    slot_table: Array  # (instances, slots)
    world_from_object: Array  # (instances, 4, 4)
    size: Array  # (instances,)
    bias: Array  # (instances,), of a length in object space


class TriangleTable:
    """Arrays of all geometries, one after the other, and where each instance's begin."""

    def __init__(
        self,
        geometries: list[Triangles],
        world_from_object: list[Array],
        material_slots: list[tuple[int, ...]],
    ) -> None:
        """Lay out the geometries of instances; an instance's slots are indices into the scene's materials."""
        unique = {id(g): g for g in geometries}
        self._world_from_object = np.array(world_from_object).reshape(-1, 4, 4)
        self._object_from_world = np.linalg.inv(self._world_from_object)
        corners, normals, slots, start, begin = [], [], [], {}, 0
        for key, g in unique.items():
            start[key] = begin
            begin += len(g.triangles)
            corners.append(g.vertices[g.triangles])
            normals.append(np.zeros_like(corners[-1]) if g.corner_normals is None else g.corner_normals)
            zeros = np.zeros(len(g.triangles), np.int32)
            slots.append(zeros if g.triangle_materials is None else g.triangle_materials)
        self._start = np.array([start[id(g)] for g in geometries], np.int64)
        self._corners = np.concatenate(corners) if corners else np.zeros((0, 3, 3), np.float32)
        self._corner_normals = np.concatenate(normals) if normals else np.zeros((0, 3, 3), np.float32)
        self._corner_uvs = _corner_uvs(list(unique.values()))
        self._is_smooth: Array = np.any(self._corner_normals, axis=(1, 2))
        self._slots = np.concatenate(slots) if slots else np.zeros(0, np.int32)
        self._slot_table = _slot_table(material_slots)
        edges = (self._corners[:, 1:] - self._corners[:, :1]).astype(np.float64)
        # A mirrored instance turns the winding round, so the normal comes from object space.
        self._flat = np.cross(edges[:, 0], edges[:, 1])
        self._longest = np.linalg.norm(edges, axis=2).max(axis=1)
        self._size = np.array([float(np.max(g.box[1] - g.box[0])) for g in geometries])
        self._scale = np.linalg.norm(self._world_from_object[:, :3, :3], axis=1).max(axis=1)

    def arrays(self) -> TriangleArrays:
        """Give what the table holds."""
        return TriangleArrays(
            self._start,
            self._corners,
            self._corner_normals,
            self._corner_uvs,
            self._slots,
            self._slot_table,
            self._world_from_object,
            self._size,
            BIAS * self._scale,
        )

    def points(self, instance: Array, face: Array, barycentric: Array) -> NativePoints:
        """Describe M hits by instance (M,), face (M,) and the weights (M, 2) of its first and second corner."""
        row = self._start[instance] + face
        geometric = self._to_world(instance, self._flat[row])
        normals, lift = geometric, np.zeros_like(geometric)
        smooth = np.flatnonzero(self._is_smooth[row])
        if len(smooth):
            normals = geometric.copy()
            weights = np.concatenate([barycentric, 1.0 - barycentric.sum(axis=1, keepdims=True)], axis=1)
            normals[smooth], lift[smooth] = self._smooth(
                instance[smooth], row[smooth], weights[smooth], geometric[smooth]
            )
        bias = BIAS * self._scale[instance] * (self._longest[row] + self._size[instance])
        slot = np.clip(self._slots[row], 0, self._slot_table.shape[1] - 1)
        uvs = self._uvs(row, barycentric)
        return NativePoints(geometric, normals, bias, lift, self._slot_table[instance, slot], uvs)

    def _uvs(self, row: Array, barycentric: Array) -> Array:
        if self._corner_uvs is None:
            return np.zeros((len(row), 2), np.float32)
        first, second, third = (self._corner_uvs[row, k] for k in range(3))
        uvs: Array = third + barycentric[:, :1] * (first - third) + barycentric[:, 1:] * (second - third)
        return uvs

    def _to_world(self, instance: Array, normals: Array) -> Array:
        object_from_world = self._object_from_world[instance]
        turned = np.empty(normals.shape, np.float64)
        for axis in range(3):
            turned[:, axis] = dot(object_from_world[:, :3, axis], normals)
        return normalized(turned)

    def _smooth(self, instance: Array, row: Array, weights: Array, geometric: Array) -> tuple[Array, Array]:
        """Interpolate corner normals; the lift is the mean of the point's way to each corner's plane [Hanika 2021].

        [Hanika 2021] J. Hanika, "Hacking the Shadow Terminator", Ray Tracing Gems II, 2021.
        """
        world_from_object = self._world_from_object[instance, :3, :3]
        corners = np.einsum("nij,nkj->nki", world_from_object, self._corners[row].astype(np.float64))
        corner_normals = self._corner_normals[row].astype(np.float64)
        blended = np.einsum("nk,nkj->nj", weights, corner_normals)
        smooth = dot(blended, blended)[:, None] > 1e-12
        normals = np.where(smooth, self._to_world(instance, blended), geometric)
        lift = np.zeros_like(geometric)
        point = np.einsum("nk,nkj->nj", weights, corners)
        for k in range(3):
            plane = self._to_world(instance, corner_normals[:, k])
            height = np.minimum(dot(point - corners[:, k], plane), 0.0)
            lift -= (weights[:, k] * height)[:, None] * plane
        return normals, np.where(smooth, lift, 0.0)


def _corner_uvs(geometries: list[Triangles]) -> Array | None:
    """Give the UV coordinates (T, 3, 2) of all geometries, one after the other; None where none has any."""
    if all(g.corner_uvs is None for g in geometries):
        return None
    return np.concatenate(
        [
            np.zeros((len(g.triangles), 3, 2), np.float32) if g.corner_uvs is None else g.corner_uvs
            for g in geometries
        ]
    )


def _slot_table(material_slots: list[tuple[int, ...]]) -> Array:
    """Give (instances, slots) material indices; a slot beyond the last uses the last, as Blender does."""
    widest = max((len(slots) for slots in material_slots), default=1) or 1
    rows = [
        [*slots, *([slots[-1]] * (widest - len(slots)))] if slots else [0] * widest
        for slots in material_slots
    ]
    return np.array(rows, np.int64).reshape(len(material_slots), widest)
