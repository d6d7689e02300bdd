"""Renders every pass of the spot scene: to a multilayer EXR, and two of them through the compositor to pictures."""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import final_request, z_composite

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene

SECOND = 20  # pass index of the cube's second material
FIRST = 10  # what is added to an object's pass index for its first


def main(inside):
    spot_scene.build(inside.arguments)
    scene, layer, render = bpy.context.scene, bpy.context.view_layer, bpy.context.scene.render
    for each in final_request.PASSES:
        setattr(layer, each.switch, True)
    for obj in scene.objects:
        for slot in obj.material_slots:
            slot.material.pass_index = FIRST + obj.pass_index
    two_materials(next(obj for obj in scene.objects if obj.pass_index == spot_scene.CUBE))
    scene.neural_implicit_render.samples = 2
    render.resolution_x, render.resolution_y = inside.arguments["size"]
    render.resolution_percentage = 100
    write(inside, "passes", "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")
    settings = scene.neural_implicit_render
    for name, settings.samples, settings.noise_threshold in (("sixteen", 16, 0.0), ("settled", 256, 1.0)):
        write(inside, name, "MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER")
    settings.samples, settings.noise_threshold = 2, 0.0
    names = {each.switch: each.name for each in final_request.PASSES}
    for name in ("use_pass_position", "use_pass_material_index"):
        compose(scene, layer, names[name])
        write(inside, name, "IMAGE", "OPEN_EXR")
    return {"world_from_camera": [list(row) for row in scene.camera.matrix_world]}


def two_materials(cube):
    """Give one of a cube's faces a material of its own."""
    other = bpy.data.materials.new("Second")
    other.pass_index = SECOND
    cube.data.materials.append(other)
    for polygon in cube.data.polygons:
        polygon.material_index = int(polygon.index == 3)


def compose(scene, layer, name):
    """Make a pass of the scene its compositor's picture."""
    tree = z_composite.compositor_tree(scene)
    tree.nodes.clear()
    end = z_composite.output_socket(tree)
    source = tree.nodes.new("CompositorNodeRLayers")
    source.scene, source.layer = scene, layer.name
    tree.links.new(source.outputs[name], end)
    scene.render.use_compositing = True


def write(inside, name, media, file_format):
    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = media
    settings.file_format, settings.color_depth = file_format, "32"
    bpy.context.scene.render.filepath = str(inside.folder / f"{name}.exr")
    bpy.ops.render.render(write_still=True)
