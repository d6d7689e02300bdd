"""Blender objects as triangles for a conversion: the only reader of a source's geometry.

Whatever has a surface does: meshes with their modifiers evaluated as the viewport shows them, curves, texts, metaballs
and surfaces. Vertices are in the object's own space, in float64; nothing depends on their size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .geometry_export import evaluated_mesh
from .mesh_arrays import MeshArrays, read_mesh

SURFACE_TYPES = ("MESH", "CURVE", "SURFACE", "FONT", "META")
FLAT_SCALE = 1e-12  # of the largest scale: float32 matrices hold nothing below


class SurfaceError(Exception):
    """An object has no surface that can be converted; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceSurface:
    """The triangles of one object."""

    name: str
    vertices: np.ndarray  # (V, 3) float64, object space
    triangles: np.ndarray  # (T, 3) int32
    material_slot: int  # the slot that covers the largest area
    num_materials: int  # slots in use
    digest: str  # SHA-256, the same as long as the surface is

    def save(self, path: Path) -> None:
        """Write the engine's input (.npz).

        Raises:
            OSError: The folder is not writable or full.
        """
        np.savez(path, vertices=self.vertices, triangles=self.triangles, name=np.array(self.name))


def check_type(obj: bpy.types.Object) -> None:
    """Check what can be seen without evaluating an object.

    Raises:
        SurfaceError: It is of a kind without a surface, or its scale is zero.
    """
    kind = obj.bl_rna.properties["type"].enum_items[obj.type].name.lower()
    if obj.type not in SURFACE_TYPES:
        instances = " Realize its instances first." if obj.instance_type == "COLLECTION" else ""
        raise SurfaceError(
            f"{obj.name} is of type {kind}, which has no surface. Select a mesh, curve, surface, text or metaball."
            + instances
        )
    scales = np.linalg.svd(np.array(obj.matrix_world, np.float64)[:3, :3], compute_uv=False)
    if not np.isfinite(scales).all() or scales[2] <= FLAT_SCALE * scales[0]:
        raise SurfaceError(
            f"{obj.name} has a scale of zero (perhaps by its parent or a constraint), so it has no volume. "
            "Give it a scale in all three directions, then convert again."
        )


def export_surface(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> SourceSurface:
    """Read an object's triangles and check them; see `read_source` for the arguments.

    Raises:
        SurfaceError: It has no surface, or one that is no use.
    """
    return read_source(obj, depsgraph).surface()


def read_source(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> SourceArrays:
    """Copy an object's faces as the viewport shows them; edits under way in Edit Mode included.

    Args:
        obj: An original object; one from a linked library does as well.
        depsgraph: The evaluated scene it is in.

    Raises:
        SurfaceError: It has no surface, as far as that can be seen without looking at each face.
    """
    check_type(obj)
    if obj.mode == "EDIT":
        obj.update_from_editmode()
        depsgraph.update()
    try:
        with evaluated_mesh(obj.evaluated_get(depsgraph)) as mesh:
            if mesh is None or len(mesh.polygons) == 0:
                raise SurfaceError(_why_no_faces(obj, 0 if mesh is None else len(mesh.vertices)))
            return SourceArrays(name=obj.name, arrays=read_mesh(mesh))
    except RuntimeError as error:
        raise SurfaceError(
            f"{obj.name} has no geometry that can be read ({error}). Convert it to a mesh first."
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceArrays:
    """A source as it was when it was read; knows nothing of Blender any more, so any thread may go on with it."""

    name: str
    arrays: MeshArrays

    def surface(self) -> SourceSurface:
        """Cut it into triangles and check them.

        Raises:
            SurfaceError: Coordinates are not finite numbers.
        """
        corners, faces = self.arrays.triangles()
        vertices, triangles = self.arrays.positions, self.arrays.corner_vertices[corners]
        _check_finite(self.name, vertices, triangles)
        covered = _covered(self.arrays.materials(faces), vertices[triangles])
        return SourceSurface(
            name=self.name,
            vertices=vertices.astype(np.float64),
            triangles=triangles,
            material_slot=int(np.argmax(covered)),
            num_materials=int((covered > 0.0).sum()),
            digest=_digest(vertices, triangles),
        )


def _digest(vertices: np.ndarray, triangles: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(vertices, np.float32))
    digest.update(np.ascontiguousarray(triangles, np.int32))
    return digest.hexdigest()


def _check_finite(name: str, vertices: np.ndarray, triangles: np.ndarray) -> None:
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    num_bad = int((used & ~np.isfinite(vertices).all(axis=1)).sum())
    if num_bad:
        raise SurfaceError(
            f"{name} has {num_bad} vertices whose coordinates are not finite numbers. Delete or repair them "
            "(a modifier may have made them), then convert again."
        )


def _covered(materials: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Give the area that each material slot covers."""
    if not materials.any():
        return np.ones(1)
    edges = corners[:, 1:].astype(np.float64) - corners[:, :1]
    areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    return np.bincount(np.maximum(materials, 0), areas)


def _why_no_faces(obj: bpy.types.Object, num_vertices: int) -> str:
    if obj.type == "META":
        family = obj.name.partition(".")[0]
        return (
            f"{obj.name} has no surface of its own; it may be a part of {family}. Convert {family} instead."
        )
    if obj.type in ("CURVE", "SURFACE", "FONT"):
        return (
            f"{obj.name} has no faces. Give it an extrusion, a bevel depth or a fill mode (Properties > Data > "
            "Geometry), then convert again."
        )
    found = f"only {num_vertices} loose vertices or edges" if num_vertices else "it is empty"
    return (
        f"{obj.name} has no faces; {found}. Fill its faces, or realize its instances if geometry nodes make them, "
        "then convert again."
    )
