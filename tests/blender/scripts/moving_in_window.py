"""Plays a moving shape with the timeline in Rendered shading; a screenshot and the shape's places at some frames."""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from bpy_extras import view3d_utils
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))

from viewport_pictures import rests

FIRST, LAST = 1, 61
MOMENT_S, WAIT_S = 0.5, 300.0


def main(inside):
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = FIRST, LAST
    scene.frame_set(FIRST)
    scene.render.engine = "NEURAL_IMPLICIT"
    scene.view_settings.view_transform = "Standard"
    weights = Path(inside.arguments["weights"])
    with inside.in_view():
        bpy.ops.import_scene.neural_implicit(directory=str(weights.parent), files=[{"name": weights.name}])
    yield inside.until(lambda: len(bpy.data.objects) > 0, WAIT_S, "the imported shape")
    (shape,) = bpy.data.objects
    make_red(shape)
    look(inside)
    inside.shade("RENDERED")
    facts = {"neural": neural_object.is_neural(shape), "view": rectangle(inside), "frames": {}}
    for frame in (FIRST, (FIRST + LAST) // 2, LAST):
        scene.frame_set(frame)
        facts["frames"][frame] = yield from taken(inside, f"frame_{frame}")
    scene.frame_set(FIRST)
    facts["played"] = yield from play(inside, scene)
    return facts


def rectangle(inside):
    """Left, top, right and bottom of the view on the screenshot."""
    window, _, region, _ = inside.view()
    left, bottom = window.x + region.x, window.height - region.y
    return [left, bottom - region.height, left + region.width, bottom]


def make_red(shape):
    material = bpy.data.materials.new("Red")
    material.use_nodes = True
    principled = material.node_tree.nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value = (0.8, 0.02, 0.02, 1.0)
    shape.data.materials.append(material)
    bpy.context.scene.world = world = bpy.data.worlds.new("Light")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)


def look(inside):
    """From the front, square on, with the whole way in the view."""
    _, _, _, space = inside.view()
    space.show_gizmo = space.overlay.show_overlays = space.show_region_toolbar = False
    space.region_3d.view_perspective = "ORTHO"
    space.region_3d.view_rotation = (0.7071068, 0.7071068, 0.0, 0.0)
    space.region_3d.view_location = (0.0, 0.0, 0.0)
    space.region_3d.view_distance = 2.5


def taken(inside, name):
    """Wait for the picture of the frame that is shown; give where on the screenshot x = -0.5, 0 and 0.5 are."""
    yield MOMENT_S
    yield inside.until(lambda: session._views and rests(), WAIT_S, f"the picture {name}")
    yield MOMENT_S
    inside.screenshot(name)
    window, _, region, space = inside.view()
    places = []
    for x in (-0.5, 0.0, 0.5):
        point = view3d_utils.location_3d_to_region_2d(region, space.region_3d, Vector((x, 0.0, 0.0)))
        places.append([window.x + region.x + point.x, window.height - region.y - point.y])
    return places


def play(inside, scene):
    """Press the space bar over the view, look at how far it got after a while, and press it again."""
    window, _, region, _ = inside.view()
    inside.xdotool("mousemove", region.x + region.width // 2, window.height - region.y - region.height // 2)
    yield MOMENT_S
    inside.xdotool("key", "space")
    yield inside.until(lambda: scene.frame_current > (FIRST + LAST) // 2, WAIT_S, "half of the motion")
    playing = bpy.context.screen.is_animation_playing
    inside.xdotool("key", "space")
    yield inside.until(lambda: not bpy.context.screen.is_animation_playing, WAIT_S, "the end of playing")
    frame = scene.frame_current
    yield from taken(inside, "played")
    return {"playing": playing, "frame": frame, "way": (frame - FIRST) / (LAST - FIRST)}
