"""Two hundred neural objects in one scene, in Solid and in Rendered: what a redraw takes of Blender's main thread, and rest.

Times are of our own callbacks: seconds of the main thread's processor, and on the wall, since software OpenGL draws on
other threads. Every third object has a network of its own, more than any view used to keep.
"""

import dataclasses
import sys
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view
from bl_ext.user_default.neural_implicit.addon.solid_view.region_drawing import RegionDrawing
from bl_ext.user_default.neural_implicit.addon.viewport import draw as viewport_draw
from bl_ext.user_default.neural_implicit.addon.viewport.composite import Composite
from bl_ext.user_default.neural_implicit.addon.viewport.session import session
from bl_ext.user_default.neural_implicit.engine.protocol.weights import NeuralWeights
from mathutils import Euler

sys.path.insert(0, str(Path(__file__).parent))

import spot_scene
from solid_scene import settle
from viewport_pictures import MOMENT_S, WAIT_S, aim, count_redraws, rests

MANY = 200
OWN = 3  # each so many objects has a network of its own in Solid
GROWN = 0.0004  # of each from the one before, in unit space
FAR = 14.0  # software OpenGL traces all pixels on the processor


class Times:
    """Calls of a function or method while this is entered."""

    def __init__(self, owner, name):
        self._owner, self._name, self._original = owner, name, getattr(owner, name)
        self.processor_ms, self.wall_ms = [], []

    def __enter__(self):
        def timed(*arguments, **named):
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return self._original(*arguments, **named)
            finally:
                self.processor_ms.append(1000.0 * (time.thread_time() - processor))
                self.wall_ms.append(1000.0 * (time.perf_counter() - wall))

        setattr(self._owner, self._name, timed)
        return self

    def __exit__(self, *_):
        setattr(self._owner, self._name, self._original)

    def result(self):
        return {"processor_ms": self.processor_ms, "wall_ms": self.wall_ms}


def build(inside):
    """Give the scene and its copies of spot, in rows."""
    spot = spot_scene.build(inside.arguments)
    spot.hide_set(True)
    first = NeuralWeights.from_bytes(neural_object.weights_of(spot.data))
    copies = []
    for number in range(MANY):
        copy = spot.copy()
        if number % OWN == 0:
            copy.data = spot.data.copy()
            change(copy.data, first, number // OWN)
        copy.scale = (0.15, 0.15, 0.15)
        copy.location = (0.2 * (number % 20) - 1.9, 0.0, 0.2 * (number // 20) - 0.1)
        bpy.context.scene.collection.objects.link(copy)
        copy.hide_set(False)
        copies.append(copy)
    return spot, copies


def change(mesh, first, number):
    """Let a mesh's network be another one: a little thicker."""
    biases = (*first.biases[:-1], first.biases[-1] - first.biases[-1].dtype.type(GROWN * number))
    mesh.pop(neural_object.WEIGHTS_KEY, None)
    mesh[neural_object.WEIGHTS_KEY] = dataclasses.replace(first, biases=biases).to_bytes()


def at_rest(inside, owner, name, count):
    """Redraw a view that does not change."""
    with Times(owner, name) as times:
        for _ in range(count):
            inside.redraw()
            yield 0.02
        yield MOMENT_S
    return times.result()


def turning(inside, owner, name, count):
    """Turn the view before each redraw."""
    _, _, _, space = inside.view()
    with Times(owner, name) as times:
        for _ in range(count):
            space.region_3d.view_rotation.rotate(Euler((0.0, 0.0, 0.02)))
            inside.redraw()
            yield 0.02
        yield MOMENT_S
    return times.result()


def idle():
    redraws, stop = count_redraws()
    yield 1.0
    stop()
    return len(redraws)


def in_solid(inside, facts):
    inside.shade("SOLID")
    yield from settle(inside, "solid")
    facts["shapes"] = max(len(drawing._shapes) for drawing in solid_view._regions.values())
    count = inside.arguments["count"]
    facts["solid at rest"] = yield from at_rest(inside, RegionDrawing, "draw", count)
    facts["solid idle redraws"] = yield from idle()
    facts["solid turning"] = yield from turning(inside, RegionDrawing, "draw", count // 4)
    yield from settle(inside, "solid_turned")


def hide_and_show(inside, copies, facts):
    """Hide half of them, select another one: the next picture knows."""
    for copy in copies[::2]:
        copy.hide_set(True)
    bpy.ops.object.select_all(action="DESELECT")
    yield from settle(inside, "solid_half")
    facts["half"] = max(len(drawing._shapes) for drawing in solid_view._regions.values())
    for copy in copies[::2]:
        copy.hide_set(False)
    copies[1].select_set(True)
    bpy.context.view_layer.objects.active = copies[1]
    with inside.in_view():
        bpy.ops.view3d.localview(frame_selected=False)
    yield from settle(inside, "solid_local")
    facts["local"] = max(len(drawing._shapes) for drawing in solid_view._regions.values())
    with inside.in_view():
        bpy.ops.view3d.localview(frame_selected=False)
    yield from settle(inside, "solid_again")
    facts["again"] = max(len(drawing._shapes) for drawing in solid_view._regions.values())


def settled(inside, name):
    inside.redraw()
    yield MOMENT_S
    yield inside.until(rests, WAIT_S, f"the picture {name}")
    yield MOMENT_S
    inside.screenshot(name)


def in_rendered(inside, spot, copies, facts):
    """The same with one network for all: the engine proves each it meets, which takes minutes of the processor."""
    for copy in copies:
        copy.data = spot.data
    scene, count = bpy.context.scene, inside.arguments["count"]
    scene.render.engine = "NEURAL_IMPLICIT"
    scene.neural_implicit_render.viewport_samples = 1
    inside.shade("RENDERED")
    yield from settled(inside, "rendered")
    with Times(Composite, "upload") as uploads:
        facts["rendered at rest"] = yield from at_rest(inside, viewport_draw, "draw", count)
        facts["rendered turning"] = yield from turning(inside, viewport_draw, "draw", count // 4)
    facts["rendered uploads"] = uploads.result()
    yield from settled(inside, "rendered_turned")
    with Times(viewport_draw, "update") as updates:
        for _ in range(count // 4):
            copies[0].location.z += 0.01
            yield 0.05
        yield MOMENT_S
    facts["rendered updates"] = updates.result()
    yield from settled(inside, "rendered_moved")
    facts["rendered idle redraws"] = yield from idle()
    facts["rendered idle timer"] = bpy.app.timers.is_registered(session._timer)


def main(inside):
    spot, copies = build(inside)
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    with inside.in_view():
        bpy.ops.screen.screen_full_area(use_hide_panels=True)
    yield MOMENT_S
    _, _, region, space = inside.view()
    space.overlay.show_overlays = space.show_gizmo = False
    aim(space.region_3d, "PERSP")
    space.region_3d.view_distance = FAR
    facts = {"region": [region.width, region.height]}
    yield from in_solid(inside, facts)
    yield from hide_and_show(inside, copies, facts)
    yield from in_rendered(inside, spot, copies, facts)
    return facts
