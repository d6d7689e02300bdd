"""Evaluated meshes as arrays: copied from Blender in a few block reads, cut into triangles on any thread.

Blender's own triangles can only be read one by one (0.4 s for a million), its corners and positions in one block
(some milliseconds). So triangles and quads are cut here, by Blender's rule; only meshes with larger faces are read by
Blender's triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

FIRST_HALVES = np.array([[0, 1, 2], [0, 1, 3]])  # of a quad: cut from its first corner, or from its second
SECOND_HALVES = np.array([[0, 2, 3], [1, 2, 3]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshArrays:
    """A mesh in object space; all arrays are copies."""

    positions: np.ndarray  # (V, 3) float32
    corner_vertices: np.ndarray  # (C,) int32
    face_starts: np.ndarray | None  # (F,) int32, each face's first corner; None: three corners a face
    face_materials: np.ndarray | None  # (F,) int32, slots; None: all 0
    cut: (
        tuple[np.ndarray, np.ndarray] | None
    )  # Blender's triangles, corners (T, 3) and faces (T,), where faces are large

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the triangles' corners (T, 3) and their faces (T,), int32; to be called from any thread."""
        if self.cut is not None:
            return self.cut
        if self.face_starts is None:
            corners = np.arange(len(self.corner_vertices), dtype=np.int32).reshape(-1, 3)
            return corners, np.arange(len(corners), dtype=np.int32)
        sides = np.diff(self.face_starts, append=np.int32(len(self.corner_vertices)))
        three, four = np.flatnonzero(sides == 3), np.flatnonzero(sides == 4)
        corners = self.face_starts[four][:, None] + np.arange(4, dtype=np.int32)
        other = _cut_other_way(self.positions[self.corner_vertices[corners]]).astype(np.int64)
        halves = [np.take_along_axis(corners, way[other], 1) for way in (FIRST_HALVES, SECOND_HALVES)]
        pairs = np.stack(halves, axis=1).reshape(-1, 3)
        alone = self.face_starts[three][:, None] + np.arange(3, dtype=np.int32)
        faces = np.concatenate([three, np.repeat(four, 2)])
        order = np.argsort(faces, kind="stable")
        joined = np.concatenate([alone, pairs])[order].astype(np.int32)
        return joined, faces[order].astype(np.int32)

    def materials(self, faces: np.ndarray) -> np.ndarray:
        """Give the material slots (T,) int32 of triangles by their faces (T,)."""
        if self.face_materials is None:
            return np.zeros(len(faces), np.int32)
        slots: np.ndarray = self.face_materials[faces]
        return slots


def read_mesh(mesh: bpy.types.Mesh) -> MeshArrays:
    """Copy a mesh; on Blender's main thread, or where the render engine may read."""
    num_corners, num_faces = len(mesh.loops), len(mesh.polygons)
    starts = cut = None
    if num_corners != 3 * num_faces:
        starts = read_array(mesh.polygons, "loop_start", np.int32, (num_faces,))
        if int(np.diff(starts, append=np.int32(num_corners)).max()) > 4:
            cut = _blenders_triangles(mesh)
    material = mesh.attributes.get("material_index")
    return MeshArrays(
        positions=_attribute(mesh, "position", "vector", np.float32, (len(mesh.vertices), 3)),
        corner_vertices=_attribute(mesh, ".corner_vert", "value", np.int32, (num_corners,)),
        face_starts=starts,
        face_materials=None
        if material is None
        else read_array(material.data, "value", np.int32, (num_faces,)),
        cut=cut,
    )


def read_array(collection: object, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Copy one property of all items of a collection."""
    values = np.empty(int(np.prod(shape)), dtype)
    collection.foreach_get(name, values)  # type: ignore[attr-defined]
    return values.reshape(shape)


def _attribute(
    mesh: bpy.types.Mesh, name: str, value: str, dtype: type, shape: tuple[int, ...]
) -> np.ndarray:
    attribute = mesh.attributes.get(name)
    if attribute is None:  # an empty mesh has none
        return np.zeros(shape, dtype)
    return read_array(attribute.data, value, dtype, shape)


def _blenders_triangles(mesh: bpy.types.Mesh) -> tuple[np.ndarray, np.ndarray]:
    mesh.calc_loop_triangles()
    num = len(mesh.loop_triangles)
    corners = read_array(mesh.loop_triangles, "loops", np.int32, (num, 3))
    return corners, read_array(mesh.loop_triangles, "polygon_index", np.int32, (num,))


def _cut_other_way(quads: np.ndarray) -> np.ndarray:
    """Whether quads (Q, 4, 3) are cut from their second corner: where the cut from the first would fold over."""
    first, second, third, fourth = (quads[:, k] for k in range(4))
    across = third - first
    one, other = np.cross(second - first, across), np.cross(fourth - first, across)
    folds: np.ndarray = np.einsum("qi,qi->q", one, other) > 0.0
    return folds
