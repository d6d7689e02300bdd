"""Triangles as they are given, checked, and moved into unit space.

Object space is the file's (or the Blender object's) own, in float64. In unit space the minimal enclosing ball
is at the origin with radius 0.9; the matrix between them is a uniform scale and a translation. Everything that
depends on size happens after that move, so coordinates of 1e8 and of 1e-8 work alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MeshError
from .enclosing_ball import enclosing_ball

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

UNIT_RADIUS = 0.9
SMALLEST_RADIUS = 1e-60  # the matrix' determinant must stay a float64
LARGEST_RADIUS = 1e60
FLAT_AREA = 1e-14  # relative to the squared extent: below it a face has no direction in float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """Triangles in object space."""

    name: str
    vertices: FloatArray  # (V, 3) float64
    faces: IntArray  # (F, 3) int64
    warnings: tuple[str, ...] = ()  # what was put right, in sentences

    def digest(self) -> str:
        """Give the SHA-256 of the triangles: float64 vertices, then int64 faces, little-endian."""
        digest = hashlib.sha256(np.ascontiguousarray(self.vertices, "<f8").tobytes())
        digest.update(np.ascontiguousarray(self.faces, "<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitMesh:
    """Triangles in unit space."""

    vertices: FloatArray  # (V, 3) float64, inside the ball of radius 0.9
    faces: IntArray  # (F, 3) int64
    unit_from_object: FloatArray  # (4, 4) float64

    @property
    def scale(self) -> float:
        """Unit lengths in one object length."""
        return float(self.unit_from_object[0, 0])

    def triangles(self) -> FloatArray:
        """Give the corners (F, 3, 3)."""
        return self.vertices[self.faces]


def check_mesh(mesh: Mesh) -> Mesh:
    """Give the mesh without what carries no surface: unused vertices, equal vertices, faces without area.

    Raises:
        MeshError: Nothing is left that a distance can be taken from, or a coordinate in use is not finite.
    """
    if len(mesh.faces) == 0:
        raise MeshError(
            f"{mesh.name} has no faces, only {len(mesh.vertices)} loose points or edges. "
            "Choose something with a surface, or fill its faces first."
        )
    mesh = _drop_unused(mesh)
    bad = ~np.isfinite(mesh.vertices).all(axis=1)
    if bad.any():
        raise MeshError(
            f"{mesh.name} has {int(bad.sum())} vertices in use whose coordinates are not finite numbers. "
            "Delete or repair them, then convert again."
        )
    return _drop_flat_faces(_merge_equal(mesh))


def to_unit(mesh: Mesh) -> UnitMesh:
    """Move a checked mesh into unit space.

    Raises:
        MeshError: It has no extent, or one that numbers cannot hold.
    """
    centre, radius = enclosing_ball(mesh.vertices)
    if not SMALLEST_RADIUS < radius < LARGEST_RADIUS:
        raise MeshError(
            f"{mesh.name} has an extent of {radius:.3g}, which cannot be converted. Scale it to a usual size."
        )
    scale = UNIT_RADIUS / radius
    matrix = np.diag([scale, scale, scale, 1.0])
    matrix[:3, 3] = -scale * centre
    return UnitMesh(vertices=(mesh.vertices - centre) * scale, faces=mesh.faces, unit_from_object=matrix)


def _drop_unused(mesh: Mesh) -> Mesh:
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces.ravel()] = True
    if used.all():
        return mesh
    lost = mesh.vertices[~used]
    warnings = mesh.warnings
    if not np.isfinite(lost).all():
        warnings += ("Loose vertices with coordinates that are not finite numbers were left out.",)
    number = np.cumsum(used) - 1
    return replace(mesh, vertices=mesh.vertices[used], faces=number[mesh.faces], warnings=warnings)


def _merge_equal(mesh: Mesh) -> Mesh:
    """Give vertices at exactly the same place one number (STL files hold each corner on its own)."""
    bits = (np.ascontiguousarray(mesh.vertices, np.float64) + 0.0).view(np.uint64)  # + 0.0: no minus zero
    keys = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(29)) ^ bits[:, 1]) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(32)) ^ bits[:, 2]) * np.uint64(0x94D049BB133111EB)
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    if not np.array_equal(mesh.vertices[first][number], mesh.vertices):  # two places share a key
        _, first, number = np.unique(mesh.vertices, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(mesh.vertices):
        return mesh
    return replace(mesh, vertices=mesh.vertices[first], faces=number.reshape(-1)[mesh.faces])


def _drop_flat_faces(mesh: Mesh) -> Mesh:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    extent = float((high - low).max())
    if not extent > 0.0:
        raise MeshError(
            f"{mesh.name} has no extent: all its points are one. Give it a size, then convert again."
        )
    corners = ((mesh.vertices - low) / extent)[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = np.linalg.norm(normals, axis=1) <= FLAT_AREA
    if flat.all():
        raise MeshError(
            f"{mesh.name} has no area: its {len(flat)} faces are lines or points (a scale of zero?). "
            "Give it a surface, then convert again."
        )
    if not flat.any():
        return mesh
    kept = replace(mesh, faces=mesh.faces[~flat])
    return replace(
        _drop_unused(kept), warnings=(*mesh.warnings, f"{int(flat.sum())} faces without area were left out.")
    )
