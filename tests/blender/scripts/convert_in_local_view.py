"""Converts what a local view shows alone: its shape is shown there too, and the source again where it is cancelled."""

import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, neural_object
from bl_ext.user_default.neural_implicit.addon.solid_view.handler import solid_view

queue = conversion_queue.queue
MOMENT_S = 0.5
DRAWN_S = 300.0  # the driver compiles first


def neural_objects():
    return [obj for obj in bpy.data.objects if neural_object.is_neural(obj)]


def local_view(inside):
    """Enter it, or leave it."""
    with inside.in_view():
        bpy.ops.view3d.localview(frame_selected=False)


def seen(inside):
    """Give what the view shows, by name, and how many networks are drawn in it."""
    _, _, _, space = inside.view()
    names = [obj.name for obj in bpy.context.view_layer.objects if obj.visible_get(viewport=space)]
    return {"names": sorted(names), "drawn": [len(d._shapes) for d in solid_view._regions.values()]}


def main(inside):
    cube = bpy.data.objects["Cube"]
    bpy.ops.object.select_all(action="DESELECT")
    cube.select_set(True)
    bpy.context.view_layer.objects.active = cube
    local_view(inside)
    yield MOMENT_S
    facts = {}
    for name, keep in (("cancelled", False), ("kept", True)):
        with inside.in_view():
            bpy.ops.object.convert_to_neural_implicit()
        yield inside.until(neural_objects, what="the first snapshot")
        inside.redraw()
        yield MOMENT_S
        yield inside.until(lambda: any(seen(inside)["drawn"]), DRAWN_S, "the picture")
        facts[f"{name}: training"] = seen(inside)
        inside.screenshot(name)
        bpy.ops.neural_implicit.cancel(keep=keep)
        yield inside.until(lambda: not queue.busy, what="the end of the conversion")
        inside.redraw()
        yield MOMENT_S
        facts[name] = seen(inside)
    local_view(inside)
    yield MOMENT_S
    facts["outside"] = seen(inside)
    return facts
