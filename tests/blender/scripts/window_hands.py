"""What people do in a window in Rendered shading: click an object, quad view, two views, local view, F12 and Esc."""

import math
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon.engine_session import EngineSession
from bl_ext.user_default.neural_implicit.addon.material_export import flat
from bl_ext.user_default.neural_implicit.addon.viewport import draw, view
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from bpy_extras import view3d_utils

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from viewport_pictures import MOMENT_S, PLANES, WAIT_S, aim, cast_rays_in, rests

FRAME_FILLS_VIEW = 50.0 * (2.0 - math.sqrt(2.0))  # the camera's zoom at which its frame is the view's border
MINUTES = 4096  # samples of a render that nobody waits for
UNDER_WAY_S = 1.0  # of a render before Esc

newest = {}  # view's name -> planes of the picture it has drawn last


def keep_planes():
    view.PLANES = draw.PLANES = PLANES
    planes = EngineSession.planes

    def kept(self, frame, names):
        found = planes(self, frame, names)
        newest[frame.view] = {name: found[name].copy() for name in names}
        return found

    EngineSession.planes = kept


def settled(inside, name):
    """Wait until every view has drawn its complete picture; take a screenshot."""
    inside.redraw()
    yield MOMENT_S
    yield inside.until(rests, WAIT_S, f"the pictures of {name}")
    yield MOMENT_S
    inside.screenshot(name)
    told = [v.message for v in session._views.values() if v.message]
    if told:
        raise AssertionError(told[0])


def shown_in(region_view):
    """Give the planes of the view with this camera; there must be exactly one."""
    camera = flat(region_view.view_matrix), flat(region_view.window_matrix)
    wanted = [
        v
        for v in session._views.values()
        if (v._wanted.camera.view_from_world, v._wanted.camera.clip_from_view) == camera
    ]
    if len(wanted) != 1:
        raise AssertionError(f"{len(wanted)} of {len(session._views)} views have this region's camera")
    return newest[wanted[0].name]


def keep(inside, name, region, region_view):
    planes = shown_in(region_view)
    np.savez(inside.folder / f"{name}.npz", **planes, rays=cast_rays_in(region, region_view))


def click_at(inside, window, region, point):
    """Click with the mouse where a point of the world is seen."""
    place = view3d_utils.location_3d_to_region_2d(region, region.data, point)
    inside.xdotool("mousemove", window.x + region.x + int(place.x), window.height - region.y - int(place.y))
    time.sleep(0.1)
    inside.xdotool("click", 1)


def picking(inside, spot):
    """Click at the neural object, then at the cube in front of it; give what is selected each time."""
    window, _, region, _ = inside.view()
    bpy.context.scene.camera.hide_set(True)  # its frame hangs before everything
    points = {obj.name: visible_point(inside, obj) for obj in (spot, bpy.data.objects["Cube"])}
    picked = {}
    for name, point in points.items():
        bpy.ops.object.select_all(action="DESELECT")
        yield MOMENT_S
        click_at(inside, window, region, point)
        yield MOMENT_S
        picked[name] = [obj.name for obj in bpy.context.selected_objects]
        yield from settled(inside, f"picked_{name}")
    bpy.context.scene.camera.hide_set(False)
    bpy.ops.object.select_all(action="DESELECT")
    return picked


def visible_point(inside, obj):
    """Give a point of an object that Blender's rays see in the middle of a large part of it."""
    _, _, region, space = inside.view()
    rays = cast_rays_in(region, space.region_3d)
    seen = rays[..., 0] == obj.pass_index
    while True:  # away from its edges, as far as there is anything left
        padded = np.pad(seen, 1)
        inner = seen & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        if not inner.any():
            return rays[seen][0, 2:]
        seen = inner


def quad_view(inside):
    _, area, _, _ = inside.view()
    with inside.in_view():
        bpy.ops.screen.region_quadview()
    yield MOMENT_S
    regions = [r for r in area.regions if r.type == "WINDOW"]
    for region in regions:
        if region.data.view_perspective == "ORTHO":
            region.data.view_location, region.data.view_distance = (0.0, 0.0, 0.75), 5.0
    yield from settled(inside, "quad")
    for number, region in enumerate(regions):
        keep(inside, f"quad_{number}", region, region.data)
    count = len(session._views)
    with inside.in_view():
        bpy.ops.screen.region_quadview()
    yield MOMENT_S
    return {"regions": len(regions), "views": count}


def two_views(inside):
    """Split the view; the second looks from the other side."""
    window, area, _, _ = inside.view()
    areas = set(window.screen.areas)
    with inside.in_view():
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    yield MOMENT_S
    (new,) = set(window.screen.areas) - areas
    new.spaces.active.shading.type = "RENDERED"  # Blender does not split that
    aim(new.spaces.active.region_3d, "ORTHO")
    yield from settled(inside, "two")
    for number, shown in enumerate((area, new)):
        region = next(r for r in shown.regions if r.type == "WINDOW")
        keep(inside, f"two_{number}", region, shown.spaces.active.region_3d)
    count = len(session._views)
    region = next(r for r in new.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=new, region=region):
        bpy.ops.screen.area_close()
    yield MOMENT_S
    return {"views": count}


def local_view(inside, spot):
    _, _, _, space = inside.view()
    bpy.ops.object.select_all(action="DESELECT")
    spot.select_set(True)
    bpy.context.view_layer.objects.active = spot
    with inside.in_view():
        bpy.ops.view3d.localview(frame_selected=False)
    yield MOMENT_S
    yield from settled(inside, "local")
    inside_local = np.unique(shown_in(space.region_3d)["pass_index"]).tolist()
    with inside.in_view():
        bpy.ops.view3d.localview(frame_selected=False)
    yield MOMENT_S
    yield from settled(inside, "global")
    outside = np.unique(shown_in(space.region_3d)["pass_index"]).tolist()
    return {"inside": inside_local, "outside": outside}


def same_as_final(inside):
    """The viewport's picture through the camera, and F12's of the same size and samples."""
    _, _, region, space = inside.view()
    scene, render = bpy.context.scene, bpy.context.scene.render
    samples = inside.arguments["samples"]
    scene.neural_implicit_render.viewport_samples = scene.neural_implicit_render.samples = samples
    render.resolution_x, render.resolution_y, render.resolution_percentage = region.width, region.height, 100
    aim(space.region_3d, "CAMERA")
    space.region_3d.view_camera_zoom = FRAME_FILLS_VIEW
    space.region_3d.view_camera_offset = (0.0, 0.0)
    yield from settled(inside, "camera")
    np.savez(inside.folder / "viewport.npz", **shown_in(space.region_3d))
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.color_depth = "32"
    render.filepath = str(inside.folder / "final.exr")
    bpy.ops.render.render(write_still=True)


def escape(inside):
    """Render, press Esc; give how long Blender takes to stop rendering."""
    window, _, region, _ = inside.view()
    bpy.context.scene.neural_implicit_render.samples = MINUTES
    bpy.context.preferences.view.render_display_type = "AREA"
    inside.xdotool(
        "mousemove", window.x + region.x + region.width // 2, window.height - region.y - region.height // 2
    )
    yield MOMENT_S
    running = lambda: bpy.app.is_job_running("RENDER")  # noqa: E731
    with (
        inside.in_view()
    ):  # as F12 does; xdotool's F12 comes with Alt in the newest X server, which is another render
        bpy.ops.render.render("INVOKE_DEFAULT")
    yield inside.until(running, 20, "the render")
    yield UNDER_WAY_S
    inside.screenshot("rendering")
    went_on = running()
    pressed_at = time.monotonic()
    inside.xdotool("key", "Escape")
    yield inside.until(lambda: not running(), 60, "the end of the render after Esc")
    took_s = time.monotonic() - pressed_at
    yield MOMENT_S
    inside.screenshot("escaped")
    return {"went_on": went_on, "took_s": took_s}


def main(inside):
    keep_planes()
    spot = spot_scene.build(inside.arguments)
    _, _, _, space = inside.view()
    space.show_gizmo = space.show_region_ui = space.show_region_toolbar = False
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.neural_implicit_render.viewport_samples = 1
    layer.use_pass_z = layer.use_pass_object_index = layer.use_pass_normal = True
    aim(space.region_3d, "PERSP")
    inside.shade("RENDERED")
    yield from settled(inside, "start")
    parts = {
        "picked": lambda: picking(inside, spot),
        "quad": lambda: quad_view(inside),
        "two": lambda: two_views(inside),
        "local": lambda: local_view(inside, spot),
        "same": lambda: same_as_final(inside),
        "escape": lambda: escape(inside),
    }
    facts = {}
    for name in inside.arguments["parts"]:
        facts[name] = yield from parts[name]()
    return facts
