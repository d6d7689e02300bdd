"""Converts the startup file's cube with the real engine and renders it: what a person does first."""

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object


def main(inside):
    scene, cube = bpy.context.scene, bpy.data.objects["Cube"]
    cube.rotation_euler.z = 0.4
    small = {"preset": "DRAFT", "width": 16, "depth": 3, "samples": 100_000, "activation": "RELU"}
    bpy.ops.object.convert_to_neural_implicit(**small)
    neural = bpy.data.objects["Cube Neural"]
    neural.pass_index = 1
    path = str(inside.folder / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene, neural = bpy.context.scene, bpy.data.objects["Cube Neural"]
    scene.render.engine = "NEURAL_IMPLICIT"
    layer = bpy.context.view_layer
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_object_index = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 160, 90, 100
    scene.neural_implicit_render.samples = 1
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(inside.folder / "cube.exr")
    bpy.ops.render.render(write_still=True)
    return {
        "version": bpy.app.version_string,
        "state": neural_object.state_of(neural.data),
        "errors": neural_object.report_of(neural.data)["errors"],
        "matrix": [list(row) for row in neural.matrix_world],
        "camera": [list(row) for row in scene.camera.matrix_world],
    }
