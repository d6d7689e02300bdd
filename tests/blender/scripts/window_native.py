"""The panel's new buttons in a real window: the error overlay with its legend, Bake to Mesh repeated, the Add menu."""

import contextlib
import sys
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import error_overlay, neural_object

sys.path.insert(0, str(Path(__file__).parent))

import native_feel
import spot_scene

MOMENT_S = 0.7
WAIT_S = 60


def pixels(path):
    image = bpy.data.images.load(str(path))
    values = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], image.channels)[..., :3]


def show_error(inside, spot):
    overlay = error_overlay.error_overlay
    inside.redraw()
    yield 8.0  # the network is drawn
    before = pixels(inside.screenshot("before"))
    with inside.in_view():
        bpy.ops.neural_implicit.show_error("INVOKE_DEFAULT")
    yield inside.until(lambda: overlay.shows(spot), WAIT_S, "the error")
    inside.redraw()
    yield 2.0
    shown = pixels(inside.screenshot("error"))
    with inside.in_view():
        bpy.ops.neural_implicit.show_error("INVOKE_DEFAULT")
    inside.redraw()
    yield 4.0
    after = pixels(inside.screenshot("after"))
    return {
        "changed": float((np.abs(shown - before).max(axis=2) > 0.1).mean()),
        "left": float((np.abs(after - before).max(axis=2) > 0.1).mean()),
        "hidden": not overlay.shows(spot),
    }


def bake_twice(inside, spot):
    """Bake, then repeat it as the redo panel does: a second mesh, and Blender is still alive."""
    before = set(bpy.data.objects)
    with inside.in_view():
        bpy.ops.object.neural_implicit_to_mesh("INVOKE_DEFAULT", resolution=32, hide=False, ask=False)
    yield inside.until(lambda: len(set(bpy.data.objects) - before) == 1, WAIT_S, "the mesh")
    yield MOMENT_S
    bpy.context.view_layer.objects.active = spot
    names = [operator.bl_idname for operator in bpy.context.window_manager.operators]
    with inside.in_view():
        bpy.ops.screen.repeat_last()
    yield inside.until(lambda: len(set(bpy.data.objects) - before) == 2, WAIT_S, "the second mesh")
    yield MOMENT_S
    faces = [len(obj.data.polygons) for obj in set(bpy.data.objects) - before]
    return {"last": names[-1:], "faces": faces}


def menu(inside):
    window, _, region, _ = inside.view()
    place = window.x + region.x + region.width // 2, window.height - region.y - region.height // 2
    inside.xdotool("mousemove", *place)
    yield MOMENT_S
    with inside.in_view():
        bpy.ops.wm.call_menu(name="NEURAL_IMPLICIT_MT_add")
    yield MOMENT_S
    inside.screenshot("menu")
    inside.xdotool("key", "Escape")
    yield MOMENT_S


def main(inside):
    spot = spot_scene.build(inside.arguments)
    native_feel.give_source(spot, inside.arguments["source"])
    for name in ("Cube", "Cube.001"):
        bpy.data.objects[name].hide_set(True)
    bpy.data.objects["Source"].hide_set(True)
    bpy.context.view_layer.objects.active = spot
    spot.select_set(True)
    _, area, _, space = inside.view()
    space.show_gizmo = space.show_region_toolbar = False
    space.show_region_ui = True
    space.region_3d.view_perspective = "CAMERA"
    yield MOMENT_S
    ui = next(region for region in area.regions if region.type == "UI")
    if hasattr(ui, "active_panel_category"):
        with contextlib.suppress(AttributeError, TypeError):  # some Blenders do not let it be set
            ui.active_panel_category = "Neural Implicit"
    facts = {"error": (yield from show_error(inside, spot))}
    facts["bake"] = yield from bake_twice(inside, spot)
    yield from menu(inside)
    facts["neural"] = neural_object.is_neural(spot)
    return facts
