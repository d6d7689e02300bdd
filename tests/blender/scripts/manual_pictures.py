"""Takes the pictures of docs/manual.md: converts spot in a window and shows what an artist sees on the way.

Gives the rectangle of each picture that is of use, left, top, right and bottom on its screenshot.
"""

import math
import os
import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, error_overlay, neural_object
from bl_ext.user_default.neural_implicit.addon.engine_python import ENVIRONMENT_VARIABLE
from bl_ext.user_default.neural_implicit.addon.engine_status import status
from bl_ext.user_default.neural_implicit.addon.progress_text import fraction
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples"))

from click_convert import find_tab, side_panel
from demo_scene import build_surroundings, linked, material
from install_in_window import show_preferences
from viewport_pictures import rests

ROOT = Path(__file__).resolve().parents[3]
MOMENT_S, WAIT_S = 0.6, 1500.0
SPOT_COLOR, SPOT_ROUGHNESS = (0.66, 0.21, 0.09), 0.4
EYE, TARGET, LENS = (-2.9, -5.0, 2.3), (0.30, 0.0, 0.62), 62.0
SAMPLES = 24
queue = conversion_queue.queue


def build(inside):
    """The scene of the README's picture; spot is native still."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    scene = bpy.context.scene
    build_surroundings(scene)
    bpy.ops.wm.obj_import(filepath=str(ROOT / "examples/spot.obj"))
    spot = bpy.context.object
    spot.name = "Spot"
    spot.rotation_euler.z = math.radians(105)
    bpy.context.view_layer.update()
    spot.location.z = -min((spot.matrix_world.to_3x3() @ Vector(c)).z for c in spot.bound_box)
    spot.data.materials.clear()
    spot.data.materials.append(material("Spot", SPOT_COLOR, SPOT_ROUGHNESS))
    spot.data.shade_smooth()
    fill = linked("Fill", bpy.data.lights.new("Fill", "AREA"))
    fill.data.energy, fill.data.size, fill.location = 60.0, 3.0, (-3.0, -3.0, 4.0)
    fill.rotation_euler = (Vector(TARGET) - fill.location).to_track_quat("-Z", "Y").to_euler()
    return spot


def show_view(inside):
    """Give the 3D view most of the window, with the sidebar, and look at the scene."""
    with inside.in_view():
        bpy.ops.screen.screen_full_area()
    yield MOMENT_S
    window, region = side_panel(inside)
    _, _, _, space = inside.view()
    space.lens = LENS
    space.overlay.show_extras = space.overlay.show_cursor = space.overlay.show_floor = False
    space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.shading.color_type = "MATERIAL"
    view = space.region_3d
    away = Vector(EYE) - Vector(TARGET)
    view.view_perspective = "PERSP"
    view.view_location, view.view_distance = TARGET, away.length
    view.view_rotation = away.to_track_quat("Z", "Y")
    yield MOMENT_S
    yield from find_tab(inside, window, region)
    yield MOMENT_S


def rectangle(inside, kinds=("WINDOW",)):
    """Give what regions of the 3D view's area, or with no kinds all of it, cover on a screenshot."""
    window, area, _, _ = inside.view()
    parts = [r for r in area.regions if r.type in kinds] if kinds else [area]
    left, low = min(p.x for p in parts), min(p.y for p in parts)
    right, high = max(p.x + p.width for p in parts), max(p.y + p.height for p in parts)
    return [left, window.height - high, right, window.height - low]


def shot(inside, name, otherwise=lambda: False):
    """Move the mouse out of the way, wait for the picture, or something else, and take it."""
    inside.xdotool("mousemove", 640, 4)
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: solid_view.complete or otherwise(), WAIT_S, f"the picture {name}")
    yield MOMENT_S
    inside.screenshot(name)


def convert(inside, spot):
    """Press Convert; take a picture half-way; give the neural object."""
    settings = bpy.context.scene.neural_implicit
    settings.preset = inside.arguments["preset"]
    select(spot)
    with inside.in_view():
        bpy.ops.object.convert_to_neural_implicit()
    (job,) = queue.jobs
    far = lambda share: not job.active or fraction(job) > share  # noqa: E731
    yield inside.until(lambda: far(0.6), WAIT_S, "a part of the conversion")
    yield from shot(inside, "converting", otherwise=lambda: far(0.93))
    yield inside.until(lambda: not queue.busy, WAIT_S, "the conversion")
    return next(obj for obj in bpy.data.objects if neural_object.is_neural(obj))


def select(obj):
    bpy.ops.object.select_all(action="DESELECT")
    if obj is not None:
        obj.select_set(True)
        bpy.context.view_layer.objects.active = obj


def rendered(inside):
    """Rendered shading, at rest."""
    scene = bpy.context.scene
    scene.render.engine = "NEURAL_IMPLICIT"
    settings = scene.neural_implicit_render
    settings.viewport_samples, settings.viewport_denoise, settings.ambient_occlusion = SAMPLES, True, True
    scene.world.light_settings.ao_factor, scene.world.light_settings.distance = 0.5, 0.6
    inside.shade("RENDERED")
    inside.redraw()
    yield 2 * MOMENT_S
    yield inside.until(lambda: session._views and rests(), WAIT_S, "the rendered picture")
    yield 2 * MOMENT_S
    inside.screenshot("rendered")


def show_error(inside):
    overlay, obj = error_overlay.error_overlay, bpy.context.object
    with inside.in_view():
        bpy.ops.neural_implicit.show_error("INVOKE_DEFAULT")
    yield inside.until(lambda: overlay.shows(obj), WAIT_S, "the error")
    yield from shot(inside, "error")
    overlay.hide()


def preferences(inside):
    """The preferences of somebody who has just installed the zip, and the dialog of Install Engine."""
    os.environ.pop(ENVIRONMENT_VARIABLE, None)
    bpy.context.preferences.system.use_online_access = (
        True  # asked for by the dialog; nothing is pressed in it
    )
    status.refresh()
    window, area = show_preferences()
    inside.xdotool("mousemove", window.width // 2, window.height // 2)  # the dialog comes there
    yield 3 * MOMENT_S
    inside.screenshot("preferences")
    rows = [area.x, window.height - area.y - area.height, area.x + area.width, window.height - area.y]
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.neural_implicit.install_engine("INVOKE_DEFAULT")
    yield 3 * MOMENT_S
    inside.screenshot("install")
    inside.xdotool("key", "Escape")
    yield MOMENT_S
    return rows


def view(inside):
    """Pictures of the 3D view."""
    spot = build(inside)
    yield from show_view(inside)
    rectangles = {"converting": rectangle(inside, ()), "solid": rectangle(inside, ())}
    neural = yield from convert(inside, spot)
    select(neural)
    yield from shot(inside, "solid")
    rectangles["error"] = rectangle(inside)
    yield from show_error(inside)
    rectangles["rendered"] = rectangle(inside, ())
    yield from rendered(inside)
    inside.shade("SOLID")
    yield MOMENT_S
    with inside.in_view():
        bpy.ops.screen.back_to_previous()
    yield MOMENT_S
    return rectangles


def main(inside):
    rectangles = {}
    if "view" in inside.arguments["parts"]:
        rectangles |= yield from view(inside)
    if "preferences" in inside.arguments["parts"]:
        rows = yield from preferences(inside)
        rectangles |= {"preferences": rows, "install": rows}
    return rectangles
