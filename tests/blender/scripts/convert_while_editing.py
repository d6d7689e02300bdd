"""A conversion ends while another mesh is being edited; then everything is undone and done again."""

import bpy
from bl_ext.user_default.neural_implicit.addon import conversion_queue, neural_object

queue = conversion_queue.queue
MOST_STEPS = 12


def shapes():
    found = [obj for obj in bpy.data.objects if neural_object.is_neural(obj)]
    return [
        [obj.name, neural_object.state_of(obj.data), hash(neural_object.weights_of(obj.data))]
        for obj in found
    ]


def choose(obj):
    """Select one object only: all that are selected would be edited."""
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj


def step(inside, name, **settings):
    """Do what a person would, so that Blender makes an undo step of it."""
    with inside.in_view():
        category, operator = name.split(".")
        getattr(getattr(bpy.ops, category), operator)("EXEC_DEFAULT", True, **settings)


def go(inside, way):
    """Undo or redo as often as there are steps; give how many there were."""
    operator = getattr(bpy.ops.ed, way)
    for count in range(MOST_STEPS):
        with inside.in_view():
            if not operator.poll():
                return count
            operator()
        yield 0.1
    return MOST_STEPS


def main(inside):
    step(inside, "mesh.primitive_ico_sphere_add", location=(4.0, 0.0, 0.0))
    other, name, cube = bpy.context.object, bpy.context.object.name, bpy.data.objects["Cube"]
    choose(cube)
    with inside.in_view():
        bpy.ops.object.convert_to_neural_implicit()
    yield inside.until(shapes, what="the first snapshot")
    choose(other)
    step(inside, "object.mode_set", mode="EDIT")
    step(inside, "mesh.subdivide")
    yield inside.until(lambda: not queue.busy, what="the end of the conversion")
    yield 0.3
    facts = {"mode": bpy.context.mode, "at its end": shapes()}
    step(inside, "mesh.subdivide")
    with inside.in_view():
        bpy.ops.ed.undo()  # the second subdivision only
    yield 0.2
    facts["edited"] = shapes()
    step(inside, "mesh.subdivide")
    step(inside, "object.mode_set", mode="OBJECT")
    facts["left"] = shapes()
    facts["undone"] = yield from go(inside, "undo")
    facts["redone"] = yield from go(inside, "redo")
    facts["again"] = shapes()
    facts["faces"] = len(bpy.data.objects[name].data.polygons)
    return facts
