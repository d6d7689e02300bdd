"""What people ask of a 3D view in Solid shading: cameras, clipping, quad and local view, hiding, windows, training."""

import dataclasses
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from bl_ext.user_default.neural_implicit.addon import neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.solid_view.region_drawing import RegionDrawing
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from bl_ext.user_default.neural_implicit.engine.protocol.weights import NeuralWeights

sys.path.insert(0, str(Path(__file__).parent))

import solid_scene
import spot_scene
from solid_scene import MOMENT_S, look_from_start, settle
from viewport_pictures import aim

STEPS = 8  # of a training that is watched
GROWTH = 0.006  # of the shape in each of them, in unit space


def main(inside):
    spot = solid_scene.build(inside)
    scene = bpy.context.scene
    own = bpy.data.collections.new("Own")
    scene.collection.children.link(own)
    for collection in spot.users_collection:
        collection.objects.unlink(spot)
    own.objects.link(spot)
    yield from solid_scene.show(inside)
    _, area, _, space = inside.view()
    facts = {"area": [area.x, area.y, area.width, area.height], "drawn": {}}
    neural = spot.data
    for variant in ("neural", "dense"):
        if variant == "dense":
            spot_scene.replace_by_dense(spot, inside.arguments)
        for look in (camera, clipped, quad, local, holdout):
            look_from_start(space)
            yield from look(inside, spot, f"{look.__name__}_{variant}")
    spot.data = neural
    look_from_start(space)
    yield from hidden(inside, spot, own)
    yield from wireframe(inside, facts)
    yield from two_windows(inside, spot, facts)
    facts["training"] = yield from training(inside, spot)
    return facts


def camera(inside, spot, name):
    """Through the scene's camera, its frame within the view and what is outside darkened."""
    _, _, _, space = inside.view()
    aim(space.region_3d, "CAMERA")
    space.region_3d.view_camera_zoom, space.region_3d.view_camera_offset = 10.0, (0.02, 0.0)
    space.overlay.show_overlays = True
    space.overlay.show_extras = space.overlay.show_floor = space.overlay.show_outline_selected = False
    yield from settle(inside, name)
    space.overlay.show_overlays = False


def clipped(inside, spot, name):
    """Alt-B around the middle of the view, then from another side."""
    _, _, region, space = inside.view()
    border = {"xmin": region.width // 3, "xmax": 2 * region.width // 3}
    with inside.in_view():
        bpy.ops.view3d.clip_border(**border, ymin=region.height // 4, ymax=2 * region.height // 3)
    space.region_3d.view_distance = 2.5
    yield from settle(inside, name)
    space.region_3d.use_clip_planes = False


def quad(inside, spot, name):
    _, area, _, _ = inside.view()
    with inside.in_view():
        bpy.ops.screen.region_quadview()
    yield MOMENT_S
    for region in (r for r in area.regions if r.type == "WINDOW"):
        if region.data.view_perspective == "ORTHO":
            region.data.view_location, region.data.view_distance = (0.0, 0.0, 0.75), 3.2
    yield from settle(inside, name)
    with inside.in_view():
        bpy.ops.screen.region_quadview()
    yield MOMENT_S


def local(inside, spot, name):
    """Only the neural object in local view, then only the cube."""
    for obj, suffix in ((spot, ""), (bpy.data.objects["Cube"], "_without")):
        bpy.ops.object.select_all(action="DESELECT")
        obj.select_set(True)
        bpy.context.view_layer.objects.active = obj
        for entered in (True, False):
            with inside.in_view():
                bpy.ops.view3d.localview(frame_selected=False)
            if entered:
                yield from settle(inside, name + suffix)
    bpy.ops.object.select_all(action="DESELECT")


def holdout(inside, spot, name):
    spot.is_holdout = True
    yield from settle(inside, name)
    spot.is_holdout = False


def hidden(inside, spot, own):
    """Hide it in each way that Blender has, and show it again."""
    _, _, _, space = inside.view()
    layer = bpy.context.view_layer.layer_collection.children[own.name]
    ways = (
        ("eye", lambda hide: spot.hide_set(hide)),
        ("screen", lambda hide: setattr(spot, "hide_viewport", hide)),
        ("collection", lambda hide: setattr(own, "hide_viewport", hide)),
        ("layer", lambda hide: setattr(layer, "hide_viewport", hide)),
        ("excluded", lambda hide: setattr(layer, "exclude", hide)),
        ("type", lambda hide: setattr(space, "show_object_viewport_mesh", not hide)),
    )
    for way, put in ways:
        put(True)
        yield from settle(inside, f"hidden_{way}")
        put(False)
    yield from settle(inside, "shown")


def wireframe(inside, facts):
    inside.shade("WIREFRAME")
    inside.redraw()
    yield MOMENT_S
    inside.screenshot("wireframe")
    facts["drawn"]["wireframe"] = inside.view()[2].as_pointer() in solid_view._regions
    inside.shade("SOLID")
    yield MOMENT_S


def two_windows(inside, spot, facts):
    """Open a second window with a scene of its own, first without the neural object, then with it elsewhere."""
    manager = bpy.context.window_manager
    first = manager.windows[0]
    other = bpy.data.scenes.new("Other")
    other.camera = bpy.data.objects["Camera"]
    with inside.in_view():
        bpy.ops.wm.window_new()
    yield MOMENT_S
    window = next(w for w in manager.windows if w != first)
    window.scene = other
    for area in window.screen.areas:
        area.type = "VIEW_3D"
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    area.spaces.active.overlay.show_overlays = area.spaces.active.show_gizmo = False  # a red axis
    area.spaces.active.shading.type = "SOLID"
    area.spaces.active.shading.color_type = "MATERIAL"
    look_from_start(area.spaces.active)
    facts["window"] = [window.x + area.x, window.y + area.y, area.width, area.height]
    facts["other shapes"] = []
    for name in ("empty", "other"):
        if name == "other":
            other.collection.objects.link(spot)
        yield from settle(inside, f"window_{name}")
        regions = [r for r in area.regions if r.type == "WINDOW"]
        drawing = solid_view._regions.get(regions[0].as_pointer())
        facts["other shapes"].append(len(drawing._shapes) if drawing is not None else 0)
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
    yield MOMENT_S
    bpy.data.scenes.remove(other)
    facts["windows left"] = len(manager.windows)
    yield from settle(inside, "window_closed")
    facts["regions left"] = len(solid_view._regions)


def training(inside, spot):
    """Put one snapshot after another into the object, as a conversion does; it grows. Give what was drawn meanwhile."""
    mesh, first = spot.data, NeuralWeights.from_bytes(neural_object.weights_of(spot.data))
    proxy = np.load(inside.arguments["proxy"])
    seen, draw = [], RegionDrawing.draw

    def counted(self, context):
        begun = time.thread_time()
        complete = draw(self, context)
        seen.append((len(self._shapes), 1000.0 * (time.thread_time() - begun)))
        return complete

    RegionDrawing.draw = counted
    for step in range(1, STEPS + 1):
        biases = (*first.biases[:-1], first.biases[-1] - np.float32(GROWTH * step))
        shape = neural_object.NeuralShape(
            job="spot",
            source_name="Spot",
            state="training" if step < STEPS else "finished",
            weights=dataclasses.replace(first, biases=biases).to_bytes(),
            report={},
            vertices_unit=proxy["vertices_unit"],
            triangles=proxy["triangles"],
        )
        neural_object.store_shape(mesh, shape)
        inside.redraw()
        yield 0.4
    yield from settle(inside, "trained")
    RegionDrawing.draw = draw
    return {
        "shapes": sorted({shapes for shapes, _ in seen}),
        "draw_ms": [ms for _, ms in seen],
        "engine": session.process_id,
    }
