"""Draws a neural object in Solid: its file's own, linked from a library, overridden, and as an instance of a linked collection."""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view

sys.path.insert(0, str(Path(__file__).parent))

import solid_scene
from solid_scene import settle

ASIDE = (-0.5, -0.4, 0.74)
COLLECTION = "Kept"


def prepare(inside):
    """Build the scene with spot in a collection of its own, and save it as the library."""
    spot = solid_scene.build(inside)
    kept = bpy.data.collections.new(COLLECTION)
    bpy.context.scene.collection.children.link(kept)
    bpy.context.scene.collection.objects.unlink(spot)
    kept.objects.link(spot)
    path = str(inside.folder / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    return spot, path


def load(path, kind, name):
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        setattr(wanted, kind, [name])
    return getattr(wanted, kind)[0]


def main(inside):
    spot, library = prepare(inside)
    yield from solid_scene.show(inside)
    facts = {"region": solid_scene.rectangle(inside)}
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
