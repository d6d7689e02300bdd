"""Shades the spot scene in Solid and Material Preview in a window, with the network and with its dense mesh."""

import sys
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon.preferences import addon_preferences
from bl_ext.user_default.neural_implicit.addon.solid_view import handler, programs
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.solid_view.region_drawing import RegionDrawing
from bl_ext.user_default.neural_implicit.addon.solid_view.traced_picture import speed

sys.path.insert(0, str(Path(__file__).parent))

import solid_scene
import spot_scene
from solid_scene import MOMENT_S, WAIT_S, settle
from viewport_pictures import aim, count_redraws


def main(inside):
    spot = solid_scene.build(inside)
    yield from solid_scene.show(inside, inside.arguments.get("engine", "BLENDER_WORKBENCH"))
    space = inside.view()[3]
    facts = {"region": solid_scene.rectangle(inside), "times": {}, "drawn": {}}
    neural = spot.data
    for variant in inside.arguments.get("variants", ["neural", "dense"]):
        if variant == "dense":
            spot_scene.replace_by_dense(spot, inside.arguments)
        addon_preferences().draw_networks = variant != "proxy"
        for name, values in inside.arguments["shots"].items():
            if variant not in values.get("variants", [variant]):
                continue
            begun = time.perf_counter()
            apply(space, spot, values)
            yield from settle(inside, f"{name}_{variant}")
            facts["times"][f"{name}_{variant}"] = time.perf_counter() - begun
            apply(space, spot, {key: value for key, value in DEFAULTS.items() if key in values})
    spot.data = neural
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: solid_view.complete, WAIT_S, "the last picture")
    facts["draw_ms"] = yield from drawing_times(inside)
    redraws, stop = count_redraws()
    yield 1.0
    stop()
    facts["idle redraws"] = len(redraws)
    facts["rate"] = speed.rate
    facts["refused"] = yield from refused(inside, spot)
    return facts


def drawing_times(inside):
    """Give what drawing a complete picture takes of the main thread, in ms, over some redraws."""
    draw, times = RegionDrawing.draw, []

    def timed(self, context):
        begun = time.thread_time()
        complete = draw(self, context)
        times.append(1000.0 * (time.thread_time() - begun))
        return complete

    RegionDrawing.draw = timed
    for _ in range(30):
        inside.redraw()
        yield 0.02
    RegionDrawing.draw = draw
    return times


def refused(inside, spot):
    """Let the driver refuse the shader; give what the user is told, how often, and what is told after another try."""
    told, announce, source = [], handler.announce, programs.network_source
    handler.announce = lambda level, text: told.append(text)
    programs.forget_programs()
    programs.network_source = lambda arch: "no GLSL"
    for scale in (1.1, 1.2, 1.3):
        spot.scale = (scale, scale, scale)
        yield MOMENT_S
    facts = {"told": told, "problem": solid_view.problem, "traced": len(solid_view._regions)}
    handler.announce, programs.network_source = announce, source
    for choice in (False, True):
        addon_preferences().draw_networks = choice
        inside.redraw()
        yield MOMENT_S
    yield inside.until(lambda: solid_view.complete, WAIT_S, "the picture after another try")
    return facts | {"problem after": solid_view.problem, "traced after": len(solid_view._regions)}


DEFAULTS = {
    "color_type": "MATERIAL",
    "light": "STUDIO",
    "shading": "SOLID",
    "perspective": "PERSP",
    "scale": (1.0, 1.0, 1.0),
    "xray": False,
    "selected": False,
    "overlays": False,
    "hide": False,
    "zoom": solid_scene.ZOOM,
    "transform": "Standard",
    "engine": "BLENDER_WORKBENCH",
}


def apply(space, spot, values):
    shading, region_view = space.shading, space.region_3d
    for key, value in values.items():
        if key in ("color_type", "light"):
            setattr(shading, key, value)
        elif key == "shading":
            shading.type = value
        elif key == "perspective":
            aim(region_view, value)
            region_view.view_distance = DEFAULTS["zoom"]
        elif key == "scale":
            spot.scale = value
        elif key == "xray":
            shading.show_xray = value
        elif key == "selected":
            bpy.ops.object.select_all(action="DESELECT")
            spot.select_set(value)
            bpy.context.view_layer.objects.active = spot
        elif key == "overlays":
            space.overlay.show_overlays = value
        elif key == "hide":
            spot.hide_viewport = value
        elif key == "zoom":
            region_view.view_distance = value
        elif key == "engine":
            bpy.context.scene.render.engine = value
        elif key == "transform":
            bpy.context.scene.view_settings.view_transform = value
