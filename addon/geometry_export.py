"""Triangles of native geometry for the engine: read from an evaluated object in a few bulk copies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ..engine.protocol.scene import MeshGeometry
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
    mesh.calc_loop_triangles()
    num_triangles = len(mesh.loop_triangles)
    if num_triangles == 0:
        return None
    vertices = _bulk(mesh.vertices, "co", np.float32, (len(mesh.vertices), 3))
    triangles = _bulk(mesh.loop_triangles, "vertices", np.int32, (num_triangles, 3))
    materials = _bulk(mesh.loop_triangles, "material_index", np.int32, (num_triangles,))
    normals = _corner_normals(mesh, num_triangles)
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():  # the tracer's tree cannot hold them
        kept = finite[triangles].all(axis=1)
        vertices = np.where(finite[:, None], vertices, np.float32(0.0))
        triangles, materials = triangles[kept], materials[kept]
        normals = None if normals is None else normals[kept]
    if len(triangles) == 0:
        return None
    return TriangleArrays(vertices, triangles, normals, materials if materials.any() else None)


def _corner_normals(mesh: bpy.types.Mesh, num_triangles: int) -> np.ndarray | None:
    if mesh.normals_domain == "FACE":
        return None
    normals = _bulk(mesh.corner_normals, "vector", np.float32, (len(mesh.loops), 3))
    loops = _bulk(mesh.loop_triangles, "loops", np.int32, (num_triangles, 3))
    return normals[loops]


def _bulk(collection: object, attribute: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    values = np.empty(int(np.prod(shape)), dtype)
    collection.foreach_get(attribute, values)  # type: ignore[attr-defined]
    return values.reshape(shape)
