"""Converts a ball that a shape key moves, plays it with the timeline, and renders frames of it."""

import math

import bpy
from bl_ext.user_default.neural_implicit.addon import moving_object, moving_proxy, neural_object
from bl_ext.user_default.neural_implicit.addon.scene_export import SceneExporter
from bl_ext.user_default.neural_implicit.addon.session_folder import SessionFolder

FIRST, LAST, WAY = 11, 21, 2.0


def main(inside):
    scene = bpy.context.scene
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=0.5)
    ball = bpy.context.object
    ball.name = "Ball"
    moving_key(ball)
    scene.frame_start, scene.frame_end = FIRST, LAST
    scene.frame_set(14)
    refused = refusal(ball)
    small = {"preset": "DRAFT", "width": 24, "depth": 4, "samples": 400_000}
    bpy.ops.object.convert_to_neural_implicit(animated=True, frame_step=2, **small)
    neural = bpy.data.objects["Ball Neural"]
    after = scene.frame_current
    path = str(inside.folder / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene, neural = bpy.context.scene, bpy.data.objects["Ball Neural"]
    look(scene, neural)
    return {
        "version": bpy.app.version_string,
        "frame after": after,
        "refused": refused,
        "frames": list(neural.data[neural_object.FRAMES_KEY]),
        "inputs": neural_object.architecture_of(neural.data).inputs,
        "trained at": [frame["time"] for frame in neural_object.report_of(neural.data)["frames"]],
        "errors": neural_object.report_of(neural.data)["errors"],
        "times": times(scene, neural),
        "exported": exported(inside),
        "proxy": proxies(scene, neural),
        "damaged": damaged(neural),
        "rendered": rendered(inside, scene),
        "meshed at the last frame": meshed(scene, neural),
    }


def moving_key(ball):
    ball.shape_key_add(name="Basis")
    key = ball.shape_key_add(name="There")
    for point in key.data:
        point.co.x += WAY
    for frame, value in ((FIRST, 0.0), (LAST, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    action = ball.data.shape_keys.animation_data.action
    curves = (
        action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves
    )
    for point in curves[0].keyframe_points:
        point.interpolation = "LINEAR"


def refusal(ball):
    """The sentence for a motion of one frame."""
    ball.select_set(True)
    try:
        bpy.ops.object.convert_to_neural_implicit(animated=True, frame_start=5, frame_end=5, preset="DRAFT")
    except RuntimeError as error:
        return str(error)
    return ""


def look(scene, neural):
    """Look along y, with the whole way in the picture."""
    neural.pass_index = 1
    scene.render.engine = "NEURAL_IMPLICIT"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 160, 64, 100
    scene.neural_implicit_render.samples = 1
    bpy.context.view_layer.use_pass_object_index = True
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 4.0
    camera.location, camera.rotation_euler = (1.0, -5.0, 0.0), (math.radians(90), 0.0, 0.0)
    scene.camera = camera
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"


def times(scene, neural):
    """What the network sees as t at frames before, in and after its motion."""
    found = {}
    for frame in (1, FIRST, 16, LAST, 90):
        scene.frame_set(frame)
        found[frame] = moving_object.time_of(neural.data, scene)
    return found


def proxies(scene, neural):
    """Where the proxy is in the object's space at a few frames, and what is said of it."""
    found = {}
    for frame in (1, FIRST, 16, LAST):
        scene.frame_set(frame)
        vertices = neural.data.vertices
        found[frame] = sum(v.co.x for v in vertices) / len(vertices)
    return found | {"complaint": neural_object.proxy_complaint(neural.data)}


def damaged(neural):
    """What is read of packed proxies that a hostile file may hold."""
    packed = neural.data[neural_object.MOMENTS_KEY]
    return [moving_proxy.moments_of(data) is None for data in (packed[:-200], b"", b"PK junk", packed)]


def exported(inside):
    """The time in the engine's scene, at a frame and a half."""
    bpy.context.scene.frame_set(13, subframe=0.5)
    exporter = SceneExporter(SessionFolder())
    scene = exporter.export(bpy.context.evaluated_depsgraph_get())
    return {"moves": exporter.moves, "time": scene.neural_objects[0].time}


def rendered(inside, scene):
    names = []
    for frame in (FIRST, 16, LAST):
        scene.frame_set(frame)
        scene.render.filepath = str(inside.folder / f"frame_{frame}.exr")
        bpy.ops.render.render(write_still=True)
        names.append(f"frame_{frame}")
    return names


def meshed(scene, neural):
    """Where the mesh is that Convert Back to Mesh makes at the last frame."""
    scene.frame_set(LAST)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = neural
    neural.select_set(True)
    bpy.ops.object.neural_implicit_to_mesh(resolution=48)
    mesh = bpy.context.view_layer.objects.active
    return sum((mesh.matrix_world @ v.co).x for v in mesh.data.vertices) / len(mesh.data.vertices)
