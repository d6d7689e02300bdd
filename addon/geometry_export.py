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
    corner_uvs: np.ndarray | None = None  # (T, 3, 2) float32; None: no texture wants them

    def store(self, folder: SessionFolder) -> MeshGeometry:
        """Write the arrays as blobs."""
        normals, materials, uvs = self.corner_normals, self.triangle_materials, self.corner_uvs
        return MeshGeometry(
            vertices=folder.put_array(self.vertices),
            triangles=folder.put_array(self.triangles),
            corner_normals=None if normals is None else folder.put_array(normals),
            triangle_materials=None if materials is None else folder.put_array(materials),
            corner_uvs=None if uvs is None else folder.put_array(uvs),
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


def read_triangles(mesh: bpy.types.Mesh, uv_layer: str | None = None) -> TriangleArrays | None:
    """Copy a mesh; None where it has no triangle with finite corners.

    Args:
        mesh: Evaluated.
        uv_layer: The layer of UV coordinates to copy; "": the one it renders with; None: none.
    """
    if len(mesh.polygons) == 0:
        return None
    arrays = read_mesh(mesh)
    corners, faces = arrays.triangles()
    vertices, triangles = arrays.positions, arrays.corner_vertices[corners]
    materials = None if arrays.face_materials is None else arrays.materials(faces)
    normals = _corner_normals(mesh)
    normals = None if normals is None else normals[corners]
    uvs = None if uv_layer is None else _corner_uvs(mesh, uv_layer)
    uvs = None if uvs is None else uvs[corners]
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():  # the tracer's tree cannot hold them
        kept = finite[triangles].all(axis=1)
        vertices = np.where(finite[:, None], vertices, np.float32(0.0))
        triangles = triangles[kept]
        materials = None if materials is None else materials[kept]
        normals = None if normals is None else normals[kept]
        uvs = None if uvs is None else uvs[kept]
    if len(triangles) == 0:
        return None
    return TriangleArrays(
        vertices, triangles, normals, materials if materials is not None and materials.any() else None, uvs
    )


def _corner_normals(mesh: bpy.types.Mesh) -> np.ndarray | None:
    """Give the normals (C, 3) of all corners; None where every face is flat."""
    if mesh.normals_domain == "FACE":
        return None
    return read_array(mesh.corner_normals, "vector", np.float32, (len(mesh.loops), 3))


def _corner_uvs(mesh: bpy.types.Mesh, name: str) -> np.ndarray | None:
    """Give the UV coordinates (C, 2) of all corners; zeros where it has no such layer, as Blender's shaders get."""
    num_corners = len(mesh.loops)
    layer = mesh.uv_layers.get(name) if name else None
    if layer is None and not name:
        layer = next((each for each in mesh.uv_layers if each.active_render), None)
    if layer is None or len(layer.uv) != num_corners:
        return np.zeros((num_corners, 2), np.float32)
    return read_array(layer.uv, "vector", np.float32, (num_corners, 2))
