"""Renders the spot scene as `arguments["renders"]` says: each a name and settings of the scene's RenderSettings."""

import sys
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import final_render

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene


def write(inside, name, settings):
    """Render to `NAME.exr`, all passes, 32 bits."""
    render = bpy.context.scene.render
    before = {key: getattr(render, key) for key in settings}
    for key, value in settings.items():
        setattr(render, key, value)
    render.filepath = str(inside.folder / f"{name}.exr")
    bpy.ops.render.render(write_still=True)
    for key, value in before.items():
        setattr(render, key, value)


class Pressed:
    """Blender's engine object, but for Esc, which is pressed at a given time."""

    def __init__(self, engine, at):
        self._engine = engine
        self._at = at

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def test_break(self):
        return time.monotonic() > self._at


def cancelled_after(seconds):
    """Render, press Esc after a while, and give the seconds that Blender takes to come back."""
    pressed_at = time.monotonic() + seconds
    settings = bpy.context.scene.neural_implicit_render
    render, samples = final_render.render, settings.samples
    settings.samples = 4096  # minutes
    final_render.render = lambda engine, graph: render(Pressed(engine, pressed_at), graph)
    bpy.ops.render.render()
    took = time.monotonic() - pressed_at
    final_render.render, settings.samples = render, samples
    return took


def main(inside):
    spot = spot_scene.build(inside.arguments)
    scene, layer = bpy.context.scene, bpy.context.view_layer
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_object_index = True
    scene.neural_implicit_render.samples = inside.arguments.get("samples", 1)
    render = scene.render
    render.resolution_x, render.resolution_y = inside.arguments["size"]
    render.resolution_percentage = 100
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.color_depth = "32"
    facts = {}
    if "cancel" in inside.arguments:
        write(inside, "before", {})  # the engine has started
        facts["cancel_s"] = cancelled_after(inside.arguments["cancel"])
    for name, settings in inside.arguments["renders"].items():
        write(inside, name, settings)
    if "dense" in inside.arguments:
        spot_scene.replace_by_dense(spot, inside.arguments)
        write(inside, "dense", {})
    if inside.arguments.get("apply"):
        bpy.ops.object.select_all(action="DESELECT")
        spot.select_set(True)
        bpy.context.view_layer.objects.active = spot
        bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
        write(inside, "applied", {})
    bpy.context.view_layer.update()
    facts["matrix"] = [list(row) for row in spot.matrix_world]
    return facts
