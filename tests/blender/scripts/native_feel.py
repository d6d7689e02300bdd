"""What artists find in menus: Bake to Mesh, its error colours, Show Error, Add, saved settings, the Z composite."""

import sys
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import error_overlay, mesh_back, neural_object

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene


def give_source(spot, path):
    """Put the triangles that the network was made from into the file."""
    with np.load(path) as arrays:
        mesh = bpy.data.meshes.new("Source")
        mesh.from_pydata(arrays["vertices"], [], arrays["triangles"])
    source = bpy.data.objects.new("Source", mesh)
    bpy.context.scene.collection.objects.link(source)
    source.matrix_world = spot.matrix_world
    source.hide_render = True
    spot.data[neural_object.SOURCE_KEY], spot.data[neural_object.DIGEST_KEY] = "Source", "a"


def bake(spot, **settings):
    """Bake, and give the mesh."""
    spot.hide_set(False)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = spot
    assert bpy.ops.object.neural_implicit_to_mesh(**settings) == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def baking(spot):
    spot.keyframe_insert("location", frame=1)
    plain, colored = bake(spot, resolution=64), bake(spot, resolution=48, errors=True)
    errors = np.empty(len(colored.data.vertices), np.float32)
    colored.data.attributes[mesh_back.ERROR_ATTRIBUTE].data.foreach_get("value", errors)
    facts = {
        "faces": len(plain.data.polygons),
        "materials": [slot.material.name for slot in plain.material_slots],
        "error_materials": [slot.material.name for slot in colored.material_slots],
        "follows": plain.animation_data is not None,
        "placed": np.abs(np.array(plain.matrix_world) - np.array(spot.matrix_world)).max().item(),
        "hidden": spot.hide_get() and spot.hide_render,
        "errors": [float(errors.mean()), float(errors.max())],
        "colors": len(colored.data.color_attributes[0].data) == len(errors),
    }
    for obj in (plain, colored):
        bpy.data.objects.remove(obj)
    spot.hide_set(False)
    spot.hide_render = False
    return facts


def showing(spot):
    bpy.context.view_layer.objects.active = spot
    bpy.ops.neural_implicit.show_error()
    overlay = error_overlay.error_overlay
    facts = {"mean": overlay.mean, "top": overlay.top}
    del spot.data[neural_object.DIGEST_KEY]
    try:
        bpy.ops.neural_implicit.show_error()
    except RuntimeError as error:
        facts["refused"] = str(error)
    overlay.hide()
    return facts


def presets():
    settings = bpy.context.scene.neural_implicit
    settings.preset, settings.custom, settings.width = "DRAFT", True, 48
    bpy.ops.neural_implicit.add_preset(name="Mine")
    settings.preset, settings.custom, settings.width = "FINE", False, 16
    (path,) = (
        Path(folder) / "Mine.py"
        for folder in bpy.utils.preset_paths("neural_implicit/conversion")
        if (Path(folder) / "Mine.py").exists()
    )
    bpy.ops.script.execute_preset(filepath=str(path), menu_idname="NEURAL_IMPLICIT_MT_presets")
    return [settings.preset, settings.custom, settings.width]


def adding():
    """Convert a new primitive with as little training as there is."""
    settings = bpy.context.scene.neural_implicit
    settings.preset, settings.custom, settings.width, settings.samples = "DRAFT", True, 16, 20_000
    bpy.ops.object.neural_implicit_add(shape="CUBE")
    made = [
        obj
        for obj in bpy.context.scene.objects
        if neural_object.is_neural(obj) and obj.name.startswith("Cube")
    ]
    return [obj.name for obj in made]


def render(name):
    picture = bpy.context.scene.render
    picture.filepath = str(bpy.context.scene["folder"] + f"/{name}.exr")
    bpy.ops.render.render(write_still=True)


def choose_engine(scene, name):
    """Choose Cycles, or EEVEE by whatever name this Blender has for it."""
    if name == "EEVEE":
        name = "BLENDER_EEVEE_NEXT" if (4, 2, 0) <= bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
        scene.eevee.taa_render_samples = 16
    scene.render.engine = name
    if name == "CYCLES":
        scene.cycles.samples, scene.cycles.use_denoising = 16, False


def compositing(inside, spot):
    """Render the scene with ours alone, then with another engine and the composite, then with that engine alone."""
    scene = bpy.context.scene
    scene["folder"] = str(inside.folder)
    picture = scene.render
    picture.resolution_x, picture.resolution_y, picture.resolution_percentage = *inside.arguments["size"], 100
    if hasattr(picture.image_settings, "media_type"):
        picture.image_settings.media_type = "IMAGE"
    picture.image_settings.file_format, picture.image_settings.color_depth = "OPEN_EXR", "32"
    scene.neural_implicit_render.samples = 16
    render("ours")
    choose_engine(scene, inside.arguments.get("engine", "CYCLES"))
    bpy.ops.neural_implicit.z_composite()
    first = (len(bpy.data.scenes), len(bpy.data.node_groups))
    bpy.ops.neural_implicit.z_composite()
    render("composite")
    partner = scene.neural_implicit_render.partner
    spot.hide_render = True
    picture.use_compositing = False
    render("native")
    return {
        "partner": [
            partner.render.engine,
            partner.camera == scene.camera,
            len(partner.objects) == len(scene.objects),
        ],
        "again": first == (len(bpy.data.scenes), len(bpy.data.node_groups)),
        "engine": scene.render.engine,
    }


def main(inside):
    spot = spot_scene.build(inside.arguments)
    facts = {"composite": compositing(inside, spot)} if inside.arguments.get("composite") else {}
    bpy.context.scene.render.engine = "NEURAL_IMPLICIT"
    if "source" not in inside.arguments:
        return facts
    give_source(spot, inside.arguments["source"])
    facts |= {"bake": baking(spot), "show": showing(spot), "presets": presets(), "added": adding()}
    return facts
