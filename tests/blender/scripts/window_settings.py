"""Changes settings in a window: Denoise of 3D views by the mouse in the Render properties, and the GPU in the preferences."""

import math
import sys
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon.engine_check import engine_check
from bl_ext.user_default.neural_implicit.addon.engine_variables import GPU_VARIABLE
from bl_ext.user_default.neural_implicit.addon.preferences import addon_preferences
from bl_ext.user_default.neural_implicit.addon.viewport.session import session

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from install_in_window import show_preferences
from pointing import COPY_PATH, find, point, press, rows_of
from viewport_pictures import aim, bare, rests

LOW = 20  # pixels above the lower end of the properties, where nothing is
MOMENT_S, WAIT_S = 0.6, 600.0
SAMPLES = 4
GPU = "7"  # no machine that this runs on has it


def taken(inside, name):
    """Wait for the picture of what the view shows now."""
    inside.redraw()
    yield MOMENT_S
    yield inside.until(lambda: session._views and rests(), WAIT_S, f"the picture {name}")
    yield 2 * MOMENT_S
    inside.screenshot(name)


def denoise(inside):
    """Press Denoise of 3D views, and again."""
    area = next(a for a in bpy.context.window.screen.areas if a.type == "PROPERTIES")
    area.spaces.active.context = "RENDER"
    area.tag_redraw()
    yield MOMENT_S
    region = next(region for region in area.regions if region.type == "WINDOW")
    window, settings = bpy.context.window, bpy.context.scene.neural_implicit_render
    facts = {"at first": settings.viewport_denoise}
    yield from taken(inside, "noisy")
    places = rows_of(region, 0.55, 8)
    place = yield from find(inside, window, places, "neural_implicit_render.viewport_denoise", COPY_PATH)
    for name in ("denoised", "noisy_again"):
        press(inside, window, place)
        yield MOMENT_S
        # Off the button within its region first, or its tooltip stays over the view.
        for x, y in ((place[0], region.y + LOW), (window.width // 2, 4)):
            point(inside, window, x, y)
            yield MOMENT_S
        facts[name] = settings.viewport_denoise
        yield from taken(inside, name)
    return facts


def gpu(inside):
    """Name a GPU in the preferences, check the engine, and draw once more with one that starts anew."""
    shown = bpy.context.window.screen.areas[:]
    kinds = [area.type for area in shown]
    window, area = show_preferences()
    yield 3 * MOMENT_S
    region = next(region for region in area.regions if region.type == "WINDOW")
    places = rows_of(region, 0.7, 8)
    addon_preferences().gpu = GPU
    area.tag_redraw()
    yield MOMENT_S
    inside.screenshot("gpu")
    facts = {"preference": addon_preferences().gpu}
    press(inside, window, (yield from find(inside, window, places, "neural_implicit.check_engine(")))
    yield inside.until(lambda: engine_check.running or engine_check.welcome, 30.0, "Check Engine")
    process = engine_check._process
    facts["checked with"] = variable_of(process.process_id) if process is not None else None
    yield inside.until(lambda: not engine_check.running, WAIT_S, "what Check Engine says")
    yield MOMENT_S
    inside.screenshot("checked")
    facts |= {"lines": [text for _, text in engine_check.lines()], "problem": engine_check.problem}
    for area, kind in zip(shown, kinds):
        area.type = kind
    session.end()
    yield MOMENT_S
    inside.view()[3].region_3d.view_distance += 0.5
    yield from taken(inside, "drawn_with_gpu")
    return facts | {
        "drawn with": variable_of(session.process_id),
        "messages": [view.message for view in session._views.values()],
    }


def variable_of(pid):
    """Give which GPU a process was told to use."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    found = [entry.decode().partition("=")[2] for entry in entries if entry.startswith(GPU_VARIABLE.encode())]
    return found[0] if found else None


def main(inside):
    spot_scene.build(inside.arguments)
    scene = bpy.context.scene
    bpy.data.objects["Sun"].data.angle = math.radians(40)
    scene.neural_implicit_render.ambient_occlusion = True
    scene.neural_implicit_render.viewport_samples = SAMPLES
    _, _, region, space = inside.view()
    bare(space)
    aim(space.region_3d, "PERSP")
    inside.shade("RENDERED")
    yield MOMENT_S
    facts = {"region": [region.x, region.y, region.width, region.height]}
    facts["denoise"] = yield from denoise(inside)
    facts["gpu"] = yield from gpu(inside)
    return facts
