"""Files dropped into the view by another program, as from a file manager; gives what came of it, and of one undo."""

import subprocess

import bpy
from bl_ext.user_default.neural_implicit.addon import neural_object

DROP_S, ENGINE_S, MOMENT_S = 60.0, 300.0, 1.0


def shapes():
    return {obj.name: obj for obj in bpy.data.objects if neural_object.is_neural(obj)}


def height_and_width(obj):
    """Along z and along x, in the world."""
    bpy.context.view_layer.update()
    places = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return [max(p[axis] for p in places) - min(p[axis] for p in places) for axis in (2, 0)]


def main(inside):
    arguments = inside.arguments
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.context.scene.cursor.location = arguments["cursor"]
    window, _, region, _ = inside.view()
    x, y = (
        window.x + region.x + region.width // 2,
        window.height - window.y - region.y - region.height // 2,
    )
    inside.xdotool("mousemove", x, y)
    yield MOMENT_S
    command = ["python3", arguments["drop"], str(x), str(y), *arguments["paths"]]
    source = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield inside.until(lambda: source.poll() is not None, DROP_S, "the end of the drop")
    said = source.communicate()[0]
    yield inside.until(lambda: len(shapes()) >= arguments["expected"], ENGINE_S, f"the shapes; {said}")
    yield MOMENT_S
    with inside.in_view():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    inside.redraw()
    yield MOMENT_S
    inside.screenshot("dropped")
    found = {
        name: {
            "location": list(obj.location),
            "tilt": obj.rotation_euler.x,
            "extent": height_and_width(obj),
            "state": neural_object.state_of(obj.data),
            "selected": obj.select_get(),
            "bytes": len(neural_object.weights_of(obj.data)),
        }
        for name, obj in shapes().items()
    }
    active = bpy.context.view_layer.objects.active.name
    with inside.in_view():
        bpy.ops.ed.undo()
    yield MOMENT_S
    return {
        "code": source.returncode,
        "said": said,
        "shapes": found,
        "active": active,
        "left after undo": list(shapes()),
    }
