"""What several objects, files and the asset browser share of one neural shape."""

import sys
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import neural_object

sys.path.insert(0, str(Path(__file__).parent))

import animation
import spot_scene

FAR = (1.3, 0.6, 0.74)
INDEX = 9  # pass index of what comes from the library


def render(inside, name):
    bpy.context.scene.render.filepath = str(inside.folder / f"{name}.exr")
    bpy.ops.render.render(write_still=True)


def duplicates(inside, spot):
    """Duplicate spot with its data (Alt D), rename the data, then make it its own; give what is shared when."""
    mesh = spot.data
    other = spot.copy()
    bpy.context.scene.collection.objects.link(other)
    other.location, other.pass_index = FAR, INDEX
    facts = {"users": mesh.users}
    mesh.name = "Shared Shape"
    facts["renamed"] = [spot.data.name, other.data.name]
    render(inside, "shared")
    other.data = other.data.copy()
    facts["alone"] = [mesh.users, other.data.users, neural_object.is_neural(other)]
    facts["same"] = neural_object.weights_of(other.data) == neural_object.weights_of(mesh)
    render(inside, "alone")
    bpy.data.objects.remove(other)
    return facts


def fake_user(inside, spot):
    """Keep the data without an object over save and load; give whether its weights are there again."""
    mesh = spot.data.copy()
    mesh.name, mesh.use_fake_user = "Kept", True
    blend = inside.folder / "library.blend"
    weights = neural_object.weights_of(mesh)
    mark(inside, spot)
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    kept = bpy.data.meshes["Kept"]
    asset = bpy.data.objects["Spot"]
    pixels = np.array(asset.preview.image_pixels_float).reshape(*tuple(asset.preview.image_size)[::-1], 4)
    np.save(inside.folder / "preview.npy", pixels)
    return {
        "users": kept.users,
        "weights": neural_object.weights_of(kept) == weights,
        "asset": asset.asset_data.description,
        "tags": [tag.name for tag in asset.asset_data.tags],
    }


def mark(inside, spot):
    bpy.ops.object.select_all(action="DESELECT")
    spot.select_set(True)
    bpy.context.view_layer.objects.active = spot
    assert bpy.ops.object.neural_implicit_mark_asset() == {"FINISHED"}


def linked(inside):
    """Link spot from the file it was saved in into another scene; override it; give what is refused, and how."""
    blend = inside.folder / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(inside.folder / "other.blend"))
    spot_scene.build(inside.arguments)  # a scene of its own, with its own spot in the same place
    animation.setup(inside)
    own = bpy.data.objects["Spot"]
    own.name, own.hide_render = "Own", True
    with bpy.data.libraries.load(str(blend), link=True) as (_, wanted):
        wanted.objects = ["Spot"]
    obj = wanted.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    render(inside, "linked")
    facts = {"library": obj.library is not None, "refused": refused(obj)}
    override = obj.override_create(remap_local_usages=True)
    override.location = FAR
    override.pass_index = INDEX
    bpy.context.view_layer.update()
    render(inside, "override")
    facts["override refused"] = refused(override)
    facts["override"] = [override.library is None, override.data.library is not None]
    bpy.data.objects.remove(override)
    own.hide_render, own.location, own.pass_index = False, FAR, INDEX
    render(inside, "own")
    own.location, own.pass_index = (0.0, 0.0, 0.74), spot_scene.SPOT
    render(inside, "own here")
    return facts


def refused(obj):
    """Give what is said when a linked shape is to be converted again."""
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    try:
        bpy.ops.object.convert_to_neural_implicit(replace=True)
    except RuntimeError as error:
        return str(error)
    return ""


def main(inside):
    spot = spot_scene.build(inside.arguments)
    animation.setup(inside)
    facts = {"duplicates": duplicates(inside, spot), "kept": fake_user(inside, spot)}
    facts["linked"] = linked(inside)
    return facts
