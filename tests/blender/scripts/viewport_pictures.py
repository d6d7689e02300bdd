"""Shades the spot scene in a window, in each kind of view, and keeps each view's planes and a screenshot."""

import os
import signal
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.engine_session import EngineSession
from bl_ext.user_default.neural_implicit.addon.viewport import draw, view
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from bpy_extras import view3d_utils

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene

PLANES = ("combined", "depth", "view_z", "pass_index")
STEP = 6  # pixels between two rays that Blender itself casts
MOMENT_S = 0.5  # until Blender has drawn a change
IDLE_S = 1.5
WAIT_S = 300.0  # the first picture may wait for the engine to compile itself, on a machine that others use

newest = {}


def keep_planes():
    """Ask for the pass index as well, and keep the planes of each picture that is drawn."""
    view.PLANES = draw.PLANES = PLANES
    planes = EngineSession.planes

    def kept(self, frame, names):
        found = planes(self, frame, names)
        newest.update({name: found[name].copy() for name in names})
        return found

    EngineSession.planes = kept


def rests():
    """Whether every view has its complete picture, and has drawn it."""
    views = session._views.values()
    return bool(views) and not any(v.due or v._held is not None for v in views)


def taken(inside, name):
    """Wait for the picture of what the view shows now, and keep it."""
    inside.redraw()
    yield MOMENT_S
    yield inside.until(rests, WAIT_S, f"the picture {name}")
    yield MOMENT_S
    inside.screenshot(name)
    np.savez(inside.folder / f"{name}.npz", **newest, rays=cast_rays(inside))


def cast_rays(inside):
    """Ask Blender what is at each `STEP`-th pixel of the largest view; see `cast_rays_in`."""
    _, _, region, space = inside.view()
    return cast_rays_in(region, space.region_3d)


def cast_rays_in(region, region_view):
    """Give (rows, columns, 5): pass index, value in the depth buffer, and place of what Blender's own rays meet."""
    columns, rows = range(0, region.width, STEP), range(0, region.height, STEP)
    return np.array([[cast_ray(region, region_view, (x + 0.5, y + 0.5)) for x in columns] for y in rows])


def cast_ray(region, region_view, pixel):
    origin = view3d_utils.region_2d_to_origin_3d(region, region_view, pixel)
    direction = view3d_utils.region_2d_to_vector_3d(region, region_view, pixel)
    graph = bpy.context.evaluated_depsgraph_get()
    hit, location, _, _, obj, _ = bpy.context.scene.ray_cast(graph, origin, direction)
    if not hit:
        return (0.0, 1.0, 0.0, 0.0, 0.0)
    clip = region_view.perspective_matrix @ location.to_4d()
    return (obj.pass_index, 0.5 * clip.z / clip.w + 0.5, *location)


def bare(space):
    """Leave the objects only."""
    space.overlay.show_overlays = space.show_gizmo = space.show_region_ui = False
    space.show_region_toolbar = space.show_region_header = space.show_region_tool_header = False


def aim(region_view, perspective):
    region_view.view_perspective = perspective
    if perspective != "CAMERA":
        region_view.view_rotation = bpy.context.scene.camera.rotation_euler.to_quaternion()
        region_view.view_location = (0.0, 0.0, 0.75)
        region_view.view_distance = 5.5


def count_redraws():
    """Give a list that grows by each redraw, and what stops that."""
    redraws = []
    handle = bpy.types.SpaceView3D.draw_handler_add(lambda: redraws.append(1), (), "WINDOW", "POST_PIXEL")
    return redraws, lambda: bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")


def main(inside):
    keep_planes()
    spot = spot_scene.build(inside.arguments)
    _, _, region, space = inside.view()
    bare(space)
    bpy.context.scene.neural_implicit_render.viewport_samples = 1
    region_view = space.region_3d
    inside.shade("RENDERED")
    facts = {"region": [region.x, region.y, region.width, region.height]}
    for perspective in inside.arguments["perspectives"]:
        aim(region_view, perspective)
        yield from taken(inside, perspective.lower())
    if "dense" in inside.arguments:
        spot_scene.replace_by_dense(spot, inside.arguments)
        yield from taken(inside, "dense")
        return facts
    spot.scale = (-1.2, 0.7, 1.0)
    yield from taken(inside, "negative")
    yield from killed(inside, region_view, facts)
    yield from idle(facts)
    return facts


def killed(inside, region_view, facts):
    """Kill the engine while it draws; a picture comes all the same."""
    aim(region_view, "PERSP")
    inside.redraw()
    in_flight = lambda: any(v._in_flight is not None for v in session._views.values())  # noqa: E731
    yield inside.until(in_flight, WAIT_S, "a request")
    facts["killed"] = session.process_id
    os.kill(session.process_id, signal.SIGKILL)
    newest.clear()
    yield from taken(inside, "restarted")
    facts["restarted"] = session.process_id


def idle(facts):
    redraws, stop = count_redraws()
    processor_s = time.process_time()
    yield IDLE_S
    stop()
    facts["idle redraws"] = len(redraws)
    facts["idle processor_s"] = time.process_time() - processor_s
    facts["idle timer"] = bpy.app.timers.is_registered(session._timer)
