"""What a neural object takes over from its source, and how the two change places in the scene."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .animation_copy import copy_animation

TRANSFORM = (
    *("location", "rotation_mode", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale"),
    *("delta_location", "delta_rotation_euler", "delta_rotation_quaternion", "delta_scale"),
)
DEFORMING = ("ARMATURE", "LATTICE")  # parents whose deformation is in the shape already
DISPLAY = ("color", "pass_index", "show_name", "show_in_front", "hide_select")


def with_uid(collection: bpy.types.bpy_prop_collection, uid: int) -> bpy.types.ID | None:
    """Find a data-block by its session_uid, which outlives renaming and undo; None where it is gone."""
    return next((block for block in collection if block.session_uid == uid), None)


def new_object(
    source: bpy.types.Object, mesh: bpy.types.Mesh, scene: bpy.types.Scene, material_slot: int
) -> bpy.types.Object:
    """Make an object for `mesh` that stands and moves as `source` does: transform, parent, constraints, animation, collections.

    Args:
        source: The object that was converted, local or from a library.
        mesh: The neural object's mesh; it gets the source's material.
        scene: Where the object goes if no local collection of it holds the source.
        material_slot: Which of the source's materials to take; a neural object has one.
    """
    obj = bpy.data.objects.new(mesh.name, mesh)
    obj.parent = source.parent
    obj.parent_type = "OBJECT" if source.parent_type in DEFORMING else source.parent_type
    if source.parent_type == "BONE":
        obj.parent_bone = source.parent_bone
    elif source.parent_type in ("VERTEX", "VERTEX_3"):
        obj.parent_vertices = source.parent_vertices
    obj.matrix_parent_inverse = source.matrix_parent_inverse
    for name in (*TRANSFORM, *DISPLAY):
        setattr(obj, name, getattr(source, name))
    for constraint in source.constraints:
        obj.constraints.copy(constraint)
    copy_animation(source, obj)
    if material_slot < len(source.material_slots) and not mesh.materials:
        mesh.materials.append(source.material_slots[material_slot].material)
    for collection in _local_collections(source, scene):
        collection.objects.link(obj)
    return obj


def _local_collections(source: bpy.types.Object, scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    in_scene = [scene.collection, *scene.collection.children_recursive]
    holding = [c for c in in_scene if c.library is None and source.name in c.objects]
    return [c for c in holding if c.objects[source.name] == source] or [scene.collection]


def hide_source(source: bpy.types.Object, view_layer: bpy.types.ViewLayer) -> bool:
    """Hide the source in views and renders; False while it is being edited, when it has to stay."""
    if source.mode != "OBJECT":
        return False
    if source.name in view_layer.objects:
        source.hide_set(True, view_layer=view_layer)
    source.hide_render = True
    return True


def show_source(source: bpy.types.Object, view_layer: bpy.types.ViewLayer) -> None:
    """Undo `hide_source`."""
    if source.name in view_layer.objects:
        source.hide_set(False, view_layer=view_layer)
    source.hide_render = False


def take_over_selection(
    source: bpy.types.Object, obj: bpy.types.Object, view_layer: bpy.types.ViewLayer
) -> None:
    """Select `obj` in place of `source`, and show it in the local views that show the source.

    Where the user has gone on to something else the selection stays theirs.
    """
    layer_objects = view_layer.objects
    if obj.name not in layer_objects or source.name not in layer_objects or source.mode != "OBJECT":
        return
    for space in _local_views(view_layer):
        if source.evaluated_get(view_layer.depsgraph).local_view_get(space):  # the original one does not know
            obj.local_view_set(space, True)
    obj.select_set(source.select_get(view_layer=view_layer), view_layer=view_layer)
    source.select_set(False, view_layer=view_layer)
    if layer_objects.active == source:
        layer_objects.active = obj


def _local_views(view_layer: bpy.types.ViewLayer) -> Iterator[bpy.types.SpaceView3D]:
    windows = [w for w in bpy.context.window_manager.windows if w.view_layer == view_layer]
    for window in windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D" and area.spaces.active.local_view:
                yield area.spaces.active
