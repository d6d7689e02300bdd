"""Blender objects as triangles for a conversion: the only reader of a source's geometry.

Whatever has a surface does: meshes with their modifiers evaluated as the viewport shows them, curves, texts, metaballs
and surfaces. Vertices are in the object's own space, in float64; nothing depends on their size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

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
    """Read an object's triangles as the viewport shows them; edits under way in Edit Mode included.

    Args:
        obj: An original object; one from a linked library does as well.
        depsgraph: The evaluated scene it is in.

    Raises:
        SurfaceError: It has no surface, or one that is no use.
    """
    check_type(obj)
    if obj.mode == "EDIT":
        obj.update_from_editmode()
        depsgraph.update()
    with _evaluated_mesh(obj.evaluated_get(depsgraph), obj.name) as mesh:
        mesh.calc_loop_triangles()
        vertices = np.empty(3 * len(mesh.vertices), np.float32)
        triangles = np.empty(3 * len(mesh.loop_triangles), np.int32)
        materials = np.empty(len(mesh.loop_triangles), np.int32)
        areas = np.empty(len(mesh.loop_triangles), np.float32)
        mesh.vertices.foreach_get("co", vertices)
        mesh.loop_triangles.foreach_get("vertices", triangles)
        mesh.loop_triangles.foreach_get("material_index", materials)
        mesh.loop_triangles.foreach_get("area", areas)
    surface = SourceSurface(
        name=obj.name,
        vertices=vertices.reshape(-1, 3).astype(np.float64),
        triangles=triangles.reshape(-1, 3),
        material_slot=_largest(materials, areas),
        num_materials=len(np.unique(materials)),
    )
    _check_surface(surface, obj)
    return surface


@contextlib.contextmanager
def _evaluated_mesh(evaluated: bpy.types.Object, name: str) -> Iterator[bpy.types.Mesh]:
    try:
        mesh = evaluated.to_mesh()
    except RuntimeError as error:
        raise SurfaceError(
            f"{name} has no geometry that can be read ({error}). Convert it to a mesh first."
        ) from error
    try:
        yield mesh
    finally:
        evaluated.to_mesh_clear()


def _check_surface(surface: SourceSurface, obj: bpy.types.Object) -> None:
    if len(surface.triangles) == 0:
        raise SurfaceError(_why_no_faces(surface, obj))
    used = np.unique(surface.triangles)
    num_bad = int((~np.isfinite(surface.vertices[used])).any(axis=1).sum())
    if num_bad:
        raise SurfaceError(
            f"{surface.name} has {num_bad} vertices whose coordinates are not finite numbers. Delete or repair them "
            "(a modifier may have made them), then convert again."
        )


def _why_no_faces(surface: SourceSurface, obj: bpy.types.Object) -> str:
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
    found = (
        f"only {len(surface.vertices)} loose vertices or edges" if len(surface.vertices) else "it is empty"
    )
    return (
        f"{surface.name} has no faces; {found}. Fill its faces, or realize its instances if geometry nodes make them, "
        "then convert again."
    )


def _largest(materials: np.ndarray, areas: np.ndarray) -> int:
    if len(materials) == 0:
        return 0
    covered = np.bincount(np.maximum(materials, 0), np.nan_to_num(areas, posinf=0.0))
    return int(np.argmax(covered))
