"""The neural objects that a 3D view shows, and in which colours; read again when Blender says that something changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import bpy
import mathutils
import numpy as np

from ..material_export import export_material
from ..moving_object import time_of
from ..neural_object import applied_transform, weights_of
from .random_color import random_color

DEFAULT_COLOR = (0.8, 0.8, 0.8)
NOT_SHADED = ("WIRE", "BOUNDS")  # objects displayed so
MANY = 16  # shapes, from which on all objects are listed
ROUGHNESS_STEPS, METALLIC_STEPS = 31, 7  # Solid shading keeps both in one byte


Finder = Callable[[str, str | None], bpy.types.Object | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneShape:
    """One neural object, or an instance of one; plain values, which outlive Blender's own."""

    name: str  # of the object
    library: str | None  # path of the file it is linked from
    shown_by: str  # the object whose visibility counts: the instancer, if there is one
    shown_library: str | None
    mesh_uid: int
    weights: bytes
    time: float
    world_from_object: np.ndarray  # (4, 4), for the object space the weights were fitted in


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """How a shape is coloured."""

    color: tuple[float, float, float]
    roughness: float = 19 / ROUGHNESS_STEPS  # of Solid shading's own material: `in_steps` of the root of 0.4
    metallic: float = 0.0
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    selected: int = 0  # 1; 2: the active one


def in_steps(value: float, steps: int) -> float:
    """Give what Solid shading makes of a roughness or metallic value: a byte, cut to `steps` steps."""
    return math.floor(round(255.0 * value) * steps / 255.0) / steps


class SceneShapes:
    """Shapes by scene and view layer."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], list[SceneShape]] = {}
        self._meshes: dict[int, tuple[bytes | None, mathutils.Matrix]] = {}  # by session_uid

    def forget(self, geometry: bool) -> None:
        """Read the scene again at the next drawing; its meshes as well, where `geometry` has changed."""
        self._known.clear()
        if geometry:
            self._meshes.clear()

    def of(self, depsgraph: bpy.types.Depsgraph) -> list[SceneShape]:
        """Give the shapes of an evaluated scene."""
        key = (depsgraph.scene.session_uid, depsgraph.view_layer.name)
        if key not in self._known:
            self._known[key] = self._collect(depsgraph)
        return self._known[key]

    def _collect(self, depsgraph: bpy.types.Depsgraph) -> list[SceneShape]:
        if not any(self._mesh(mesh)[0] is not None for mesh in bpy.data.meshes):
            return []
        shapes = []
        for instance in depsgraph.object_instances:
            obj = instance.object.original
            if obj.type != "MESH" or obj.data is None:
                continue
            data, applied = self._mesh(obj.data)
            if data is not None:
                shapes.append(_shape(instance, obj, data, applied, depsgraph.scene))
        return shapes

    def _mesh(self, mesh: bpy.types.Mesh) -> tuple[bytes | None, mathutils.Matrix]:
        """Give a mesh's weights, if it has any, and the transform that was applied to it."""
        if mesh.session_uid not in self._meshes:
            data = weights_of(mesh)
            applied = np.eye(4) if data is None else applied_transform(mesh)
            self._meshes[mesh.session_uid] = data, mathutils.Matrix(applied.tolist())
        return self._meshes[mesh.session_uid]


scene_shapes = SceneShapes()


def object_of(name: str, library: str | None) -> bpy.types.Object | None:
    """Give an object by its name; None where it is gone."""
    return bpy.data.objects.get((name, library) if library else name)


def finder(shapes: list[SceneShape]) -> Finder:
    """Give what does as `object_of`; that goes through all objects, so for many shapes they are listed once."""
    if len(shapes) < MANY:
        return object_of
    known = {(obj.name, obj.library.filepath if obj.library else None): obj for obj in bpy.data.objects}
    return lambda name, library: known.get((name, library))


def is_shown(shape: SceneShape, context: bpy.types.Context, find: Finder) -> bool:
    """Whether the view shows a shape, and shows it shaded."""
    obj, shown_by = find(shape.name, shape.library), find(shape.shown_by, shape.shown_library)
    if obj is None or shown_by is None or obj.mode != "OBJECT":
        return False
    space = context.space_data
    if obj.display_type in NOT_SHADED or not space.show_object_viewport_mesh:
        return False
    return shown_by.visible_get(view_layer=context.view_layer, viewport=space)


def finish_of(shape: SceneShape, context: bpy.types.Context, find: Finder) -> Finish:
    """Give a shape's colour in the view's shading."""
    obj, shading = find(shape.name, shape.library), context.space_data.shading
    assert obj is not None
    selected = _selected(find(shape.shown_by, shape.shown_library), context)
    material = obj.material_slots[0].material if obj.material_slots else None
    if shading.type == "MATERIAL":
        seen = export_material(material)
        return Finish(
            color=seen.base_color,
            roughness=seen.roughness,
            metallic=seen.metallic,
            emission=seen.emission,
            selected=selected,
        )
    if shading.color_type == "SINGLE":
        return Finish(color=tuple(shading.single_color), selected=selected)
    if shading.color_type == "OBJECT":
        return Finish(color=tuple(obj.color)[:3], selected=selected)
    if shading.color_type == "RANDOM":
        return Finish(color=random_color(shape.name), selected=selected)
    if shading.color_type == "MATERIAL" and material is not None:
        return Finish(
            color=tuple(material.diffuse_color)[:3],
            roughness=in_steps(math.sqrt(material.roughness), ROUGHNESS_STEPS),
            metallic=in_steps(material.metallic, METALLIC_STEPS),
            selected=selected,
        )
    return Finish(color=DEFAULT_COLOR, selected=selected)


def _selected(shown_by: bpy.types.Object | None, context: bpy.types.Context) -> int:
    if shown_by is None or not shown_by.select_get(view_layer=context.view_layer):
        return 0
    return 2 if context.view_layer.objects.active == shown_by else 1


def _shape(
    instance: bpy.types.DepsgraphObjectInstance,
    obj: bpy.types.Object,
    data: bytes,
    applied: mathutils.Matrix,
    scene: bpy.types.Scene,
) -> SceneShape:
    shown_by = instance.parent.original if instance.is_instance and instance.parent else obj
    return SceneShape(
        name=obj.name,
        library=obj.library.filepath if obj.library else None,
        shown_by=shown_by.name,
        shown_library=shown_by.library.filepath if shown_by.library else None,
        mesh_uid=obj.data.session_uid,
        weights=data,
        time=time_of(obj.data, scene) or 0.0,
        world_from_object=np.array(instance.matrix_world @ applied, np.float64),
    )
