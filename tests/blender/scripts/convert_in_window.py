"""Converts in a window: the object sharpens while other work goes on, and undo takes back what it should."""

import time

import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, neural_object

queue = conversion_queue.queue
longest = [0.0]


def measure_steps():
    """Note how long each step of the queue keeps Blender."""
    step = queue.step

    def timed(*arguments):
        start = time.perf_counter()
        try:
            return step(*arguments)
        finally:
            longest[0] = max(longest[0], time.perf_counter() - start)

    queue.step = timed


def neural_objects():
    return [obj for obj in bpy.data.objects if neural_object.is_neural(obj)]


def convert(inside):
    with inside.in_view():
        return bpy.ops.object.convert_to_neural_implicit()


def undo(inside):
    with inside.in_view():
        bpy.ops.ed.undo()


def push(inside, message):
    with inside.in_view():
        bpy.ops.ed.undo_push(message=message)


def state():
    source, light = bpy.data.objects["Cube"], bpy.data.objects["Light"]
    return {
        "neural": [obj.name for obj in neural_objects()],
        "states": [neural_object.state_of(obj.data) for obj in neural_objects()],
        "weights": [hash(neural_object.weights_of(obj.data)) for obj in neural_objects()],
        "source_hidden": source.hide_get() and source.hide_render,
        "light": round(light.location.x, 3),
    }


def main(inside):
    measure_steps()
    states = {}
    push(inside, "Start")
    convert(inside)
    yield inside.until(neural_objects, what="the first snapshot")
    inside.redraw()
    yield 0.3
    inside.screenshot("during")
    states["during"] = state()
    yield inside.until(lambda: not queue.busy, what="the end of the conversion")
    inside.redraw()
    yield 0.5
    inside.screenshot("after")
    states["after"] = state()
    undo(inside)
    yield 0.2
    states["undone"] = state()
    with inside.in_view():
        bpy.ops.ed.redo()
    yield 0.2
    states["redone"] = state()
    undo(inside)

    bpy.data.objects["Cube"].select_set(True)
    convert(inside)
    yield inside.until(neural_objects, what="the second conversion's first snapshot")
    bpy.data.objects["Light"].location.x = 9.0
    push(inside, "Move")
    yield inside.until(lambda: not queue.busy, what="the end of the second conversion")
    states["second"] = state()
    bpy.data.objects["Light"].location.x = 20.0
    push(inside, "Move")
    undo(inside)
    undo(inside)  # to a step that was made while it trained
    yield 0.2
    states["after unrelated undo"] = state()
    return {"states": states, "longest_step_s": longest[0], "jobs": len(queue.jobs)}
