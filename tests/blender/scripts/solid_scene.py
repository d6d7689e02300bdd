"""The spot scene in Solid shading in a small bare view, and screenshots of it once the picture is complete."""

import sys
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.solid_view.studio_pictures import studio_pictures

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from viewport_pictures import aim, bare

MOMENT_S = 0.5
WAIT_S = 600.0  # software OpenGL on a machine that others use
ZOOM = 3.2


def build(inside):
    """Build it, with the materials' colours in Solid shading too; give spot."""
    spot = spot_scene.build(inside.arguments)
    for obj in bpy.context.scene.objects:
        if obj.pass_index in spot_scene.COLORS:
            obj.data.materials[0].diffuse_color = (*spot_scene.COLORS[obj.pass_index], 1.0)
    return spot


def show(inside, engine="BLENDER_WORKBENCH"):
    """Make the view small and bare and shade it, material colours, from the usual place."""
    bpy.context.scene.render.engine = engine
    yield from shrink(inside)
    # Blender's smoothing moves its own pictures by a fifth of a pixel, which would be most of the difference.
    bpy.context.preferences.system.viewport_aa = "OFF"
    space = inside.view()[3]
    bare(space)
    yield MOMENT_S
    inside.shade("SOLID")
    space.shading.color_type = "MATERIAL"
    look_from_start(space)


def look_from_start(space):
    aim(space.region_3d, "PERSP")
    space.region_3d.view_distance = ZOOM


def rectangle(inside):
    """Give the view's x, y, width and height in the window."""
    region = inside.view()[2]
    return [region.x, region.y, region.width, region.height]


def settle(inside, name):
    """Wait until the picture is complete, and take a screenshot."""
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: solid_view.complete or solid_view.problem, WAIT_S, f"the picture {name}")
    yield MOMENT_S
    if inside.view()[3].shading.type == "MATERIAL":
        yield inside.until(lambda: shows_natives(inside), WAIT_S, "EEVEE and its environment")
        yield MOMENT_S
    inside.screenshot(name)
    if solid_view.problem:
        raise AssertionError(solid_view.problem)


def shows_natives(inside):
    """Whether the blue cube is on the screen and the environment is known; 5.x compiles EEVEE while it shows nothing."""
    _, _, region, space = inside.view()
    inside.redraw()
    if studio_pictures._made.get(space.shading.selected_studio_light.path) is None:
        return False
    image = bpy.data.images.load(str(inside.screenshot("waiting")))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)
    bpy.data.images.remove(image)
    shown = pixels[region.y : region.y + region.height, region.x : region.x + region.width]
    return (shown[..., 2] > 1.5 * shown[..., :2].max(axis=2)).mean() > 0.01


def shrink(inside):
    """Make the largest 3D view a small one: software OpenGL draws each pixel on the processor."""
    for direction in ("VERTICAL", "HORIZONTAL"):
        with inside.in_view():
            bpy.ops.screen.area_split(direction=direction, factor=0.55)
        yield MOMENT_S
        smaller = min(views(), key=lambda area: area.width * area.height)
        smaller.type = "CONSOLE"
        yield MOMENT_S


def views():
    return [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "VIEW_3D"]
