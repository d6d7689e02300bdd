"""Draws a neural object in Solid: its file's own, linked from a library, overridden, and as an instance of a linked collection."""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from solid_pictures import MOMENT_S, settle, shrink
from viewport_pictures import aim

ASIDE = (-0.5, -0.4, 0.74)
COLLECTION = "Kept"


def prepare(inside):
    """Build the scene with spot in a collection of its own, and save it as the library."""
    spot = spot_scene.build(inside.arguments)
    kept = bpy.data.collections.new(COLLECTION)
    bpy.context.scene.collection.children.link(kept)
    bpy.context.scene.collection.objects.unlink(spot)
    kept.objects.link(spot)
    for obj in bpy.context.scene.objects:
        if obj.pass_index in spot_scene.COLORS:
            obj.data.materials[0].diffuse_color = (*spot_scene.COLORS[obj.pass_index], 1.0)
    path = str(inside.folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    return spot, path


def load(path, kind, name):
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        setattr(wanted, kind, [name])
    return getattr(wanted, kind)[0]


def main(inside):
    spot, library = prepare(inside)
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    yield from shrink(inside)
    bpy.context.preferences.system.viewport_aa = "OFF"
    _, _, region, space = inside.view()
    space.overlay.show_overlays = space.show_gizmo = space.show_region_ui = False
    space.show_region_toolbar = space.show_region_header = space.show_region_tool_header = False
    yield MOMENT_S
    inside.shade("SOLID")
    space.shading.color_type = "MATERIAL"
    aim(space.region_3d, "PERSP")
    space.region_3d.view_distance = 3.2
    facts = {"region": [region.x, region.y, region.width, region.height]}
    home = tuple(spot.location)
    yield from settle(inside, "own")
    spot.location = ASIDE
    yield from settle(inside, "own_aside")
    bpy.data.objects.remove(spot)
    yield from settle(inside, "none")
    scene = bpy.context.scene
    linked = load(library, "objects", "Spot")
    scene.collection.objects.link(linked)
    yield from settle(inside, "linked")
    facts["linked"] = [linked.library is not None, neural_object.is_neural(linked)]
    override = linked.override_create(remap_local_usages=True)
    override.location = ASIDE
    yield from settle(inside, "override_aside")
    facts["override"] = [override.library is None, override.data.library is not None]
    bpy.data.objects.remove(override)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = (
        "COLLECTION",
        load(library, "collections", COLLECTION),
    )
    instance.location = [a - b for a, b in zip(ASIDE, home)]
    scene.collection.objects.link(instance)
    yield from settle(inside, "instance_aside")
    facts["problem"] = solid_view.problem
    return facts
