"""Triangles of native geometry for the engine: read from an evaluated object in a few bulk copies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..engine.protocol.scene import MeshGeometry
from .mesh_arrays import read_array, read_mesh
from .session_folder import SessionFolder

CONVERTIBLE = {"CURVE", "SURFACE", "FONT", "META"}  # types that are no mesh, but give one


@dataclass(frozen=True)
class TriangleArrays:
    """A triangulated mesh in object space."""

    vertices: np.ndarray  # (V, 3) float32
    triangles: np.ndarray  # (T, 3) int32
    corner_normals: np.ndarray | None  # (T, 3, 3) float32; None: flat
    triangle_materials: np.ndarray | None  # (T,) int32, material slot; None: all 0

    def store(self, folder: SessionFolder) -> MeshGeometry:
        """Write the arrays as blobs."""
        normals, materials = self.corner_normals, self.triangle_materials
        return MeshGeometry(
            vertices=folder.put_array(self.vertices),
            triangles=folder.put_array(self.triangles),
            corner_normals=None if normals is None else folder.put_array(normals),
            triangle_materials=None if materials is None else folder.put_array(materials),
        )


@contextlib.contextmanager
def evaluated_mesh(evaluated: bpy.types.Object) -> Iterator[bpy.types.Mesh | None]:
    """Give the mesh of an evaluated object, modifiers included; None where it has no surface."""
    data = evaluated.data
    if isinstance(data, bpy.types.Mesh) and not data.is_editmode:
        yield data
        return
    if not isinstance(data, bpy.types.Mesh) and evaluated.type not in CONVERTIBLE:
        yield None
        return
    mesh = evaluated.to_mesh()
    try:
        yield mesh
    finally:
        evaluated.to_mesh_clear()


def read_triangles(mesh: bpy.types.Mesh) -> TriangleArrays | None:
    """Copy a mesh; None where it has no triangle with finite corners."""
    if len(mesh.polygons) == 0:
        return None
    arrays = read_mesh(mesh)
    corners, faces = arrays.triangles()
    vertices, triangles = arrays.positions, arrays.corner_vertices[corners]
    materials = None if arrays.face_materials is None else arrays.materials(faces)
    normals = _corner_normals(mesh)
    normals = None if normals is None else normals[corners]
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():  # the tracer's tree cannot hold them
        kept = finite[triangles].all(axis=1)
        vertices = np.where(finite[:, None], vertices, np.float32(0.0))
        triangles = triangles[kept]
        materials = None if materials is None else materials[kept]
        normals = None if normals is None else normals[kept]
    if len(triangles) == 0:
        return None
    return TriangleArrays(
        vertices, triangles, normals, materials if materials is not None and materials.any() else None
    )


def _corner_normals(mesh: bpy.types.Mesh) -> np.ndarray | None:
    """Give the normals (C, 3) of all corners; None where every face is flat."""
    if mesh.normals_domain == "FACE":
        return None
    return read_array(mesh.corner_normals, "vector", np.float32, (len(mesh.loops), 3))
