"""Converts with an engine that fails, cancels, and does to the scene what people do; one case in each run."""

import json
import os
import signal
import tempfile
import time
from pathlib import Path

import addon_utils
import bpy
from bl_ext.user_default.neural_implicit.addon import (
    conversion_job,
    conversion_queue,
    job_folder,
    neural_object,
    operators,
    shape_memory,
    source_watch,
)

EXTENSION = "bl_ext.user_default.neural_implicit"
queue = conversion_queue.queue


def folders():
    return set(job_folder.conversions_folder().iterdir())


earlier = folders()


def neural_objects():
    return [obj for obj in bpy.data.objects if neural_object.is_neural(obj)]


def state():
    source = bpy.data.objects.get("Cube")
    return {
        "states": [neural_object.state_of(obj.data) for obj in neural_objects()],
        "source_hidden": source is not None and source.hide_render,
        "folders": len(folders() - earlier),
        "jobs": [job.state for job in queue.jobs],
    }


def blocking():
    """Convert as scripts do; give what is raised."""
    try:
        bpy.ops.object.convert_to_neural_implicit()
    except RuntimeError as error:
        return state() | {"error": str(error)}
    return state() | {"error": ""}


def begin(source="Cube", silence_timeout_s=60.0):
    """Convert without waiting, until the first snapshot is in the scene."""
    settings = bpy.context.scene.neural_implicit.conversion_settings()
    source = bpy.data.objects[source]
    job = conversion_job.ConversionJob(source, bpy.context, settings, silence_timeout_s)
    queue.add([job], bpy.context)
    step_until(neural_objects)
    return job


def step_until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, [(job.state, job.problem) for job in queue.jobs]
        queue.step(bpy.context, 0.05)


def hang():
    job = begin(silence_timeout_s=4.0)
    step_until(lambda: not queue.busy)
    return state() | {"problem": job.problem, "engine_running": job.engine._process.running}


def die():
    """Blender is killed while a network trains; the engine's process id is left behind."""
    job = begin()
    process = job.engine._process._process
    print("pid", process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def linked_source():
    """The source is in a library; its neural object is local."""
    path = str(Path(tempfile.mkdtemp()) / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    with bpy.data.libraries.load(path, link=True) as (_, target):
        target.objects = ["Cube"]
    bpy.context.scene.collection.objects.link(target.objects[0])
    begin()
    step_until(lambda: not queue.busy)
    return state() | {"local": [obj.library is None for obj in neural_objects()]}


def cancel():
    begin()
    start = time.perf_counter()
    bpy.ops.neural_implicit.cancel()
    return state() | {"seconds": time.perf_counter() - start}


def keep():
    begin()
    bpy.ops.neural_implicit.cancel(keep=True)
    return state()


def delete_object():
    begin()
    bpy.data.objects.remove(neural_objects()[0])
    step_until(lambda: not queue.busy)
    return state()


def delete_source():
    begin()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    step_until(lambda: not queue.busy)
    return state()


def open_file():
    job = begin()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    return state() | {"engine_running": job.engine._process.running}


def disable():
    job = begin()
    addon_utils.disable(EXTENSION)
    states = [neural_object.state_of(obj.data) for obj in neural_objects()]
    return {"states": states, "engine_running": job.engine._process.running}


def survive():
    """Save, reopen, duplicate, rename, append, apply the transform."""
    cube = bpy.data.objects["Cube"]
    cube.scale = (1.0, 2.0, -3.0)
    cube.rotation_euler = (0.1, 0.2, 0.3)
    blocking()
    packed = neural_object.weights_of(neural_objects()[0].data)
    world = [list(row) for row in neural_objects()[0].matrix_world]
    neural_objects()[0].name = "Renamed"
    path = str(Path(tempfile.mkdtemp()) / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    obj = bpy.data.objects["Renamed"]
    same = {"reopened": neural_object.weights_of(obj.data) == packed}
    copy = obj.copy()
    copy.data = obj.data.copy()
    same["duplicated"] = neural_object.weights_of(copy.data) == packed
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.transform_apply()
    same["applied"] = neural_object.weights_of(obj.data) == packed
    applied = neural_object.applied_transform(obj.data).tolist()
    complaint = neural_object.proxy_complaint(obj.data)
    obj.data.vertices[0].co.x += 1.0
    edited = neural_object.proxy_complaint(obj.data)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    with bpy.data.libraries.load(path) as (_, target):
        target.objects = ["Renamed"]
    same["appended"] = neural_object.weights_of(target.objects[0].data) == packed
    return {"same": same, "world": world, "applied": applied, "complaint": complaint, "edited": edited}


def older_bytes():
    """What an undo does: an older snapshot comes back into the mesh."""
    blocking()
    mesh = neural_objects()[0].data
    packed = neural_object.weights_of(mesh)
    del mesh[neural_object.WEIGHTS_KEY]
    mesh[neural_object.WEIGHTS_KEY] = packed[:-4] + b"\x00\x00\x80\x3f"
    mesh[neural_object.STATE_KEY] = "training"
    shape_memory.restore_shapes()
    return state() | {"restored": neural_object.weights_of(mesh) == packed}


def convert_again(end):
    """A source changes after its conversion, and the neural object is converted again by an engine that ends as told."""
    blocking()
    (obj,), cube = neural_objects(), bpy.data.objects["Cube"]
    obj.location.x = 5.0
    cube.hide_set(False)
    cube.data.update()
    outdated = [looked_at(obj)]
    cube.data.vertices[0].co.x += 0.5
    cube.data.update()
    outdated.append(looked_at(obj))
    before = (neural_object.job_of(obj.data), hash(neural_object.weights_of(obj.data)))
    os.environ["FAKE_ENGINE"] = json.dumps({"end": end, "snapshots": 3})
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    context = bpy.context.view_layer.objects
    context.active = obj
    try:
        bpy.ops.object.convert_to_neural_implicit(replace=True)
        error = ""
    except RuntimeError as problem:
        error = str(problem)
    (now,) = neural_objects()
    after = (neural_object.job_of(now.data), hash(neural_object.weights_of(now.data)))
    outdated.append(source_watch.is_outdated(now.data))
    same = {"object": now == obj, "place": now.location.x == 5.0, "job": after[0] == before[0]}
    return state() | {"error": error, "outdated": outdated, "same": same | {"weights": after[1] == before[1]}}


def looked_at(obj):
    """Whether an object is out of date, once Blender has rested; in the background no timer looks."""
    bpy.context.view_layer.update()
    while source_watch._look() is not None:
        time.sleep(0.01)
    return source_watch.is_outdated(obj.data)


def again():
    return convert_again("converted")


def again_failing():
    return convert_again("failure")


def again_cancelled():
    blocking()
    (obj,) = neural_objects()
    before = (neural_object.job_of(obj.data), neural_object.weights_of(obj.data))
    os.environ["FAKE_ENGINE"] = json.dumps({"snapshots": 200, "interval_s": 0.05})
    settings = bpy.context.scene.neural_implicit.conversion_settings()
    job = conversion_job.ConversionJob(bpy.data.objects["Cube"], bpy.context, settings, replaced=obj)
    queue.add([job], bpy.context)
    step_until(lambda: neural_object.weights_of(obj.data) != before[1])
    training = neural_object.state_of(obj.data)
    bpy.ops.neural_implicit.cancel()
    after = (neural_object.job_of(obj.data), neural_object.weights_of(obj.data))
    return state() | {"same": before == after, "training": training, "vertices": len(obj.data.vertices)}


def again_without_source():
    blocking()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    neural_objects()[0].select_set(True)
    try:
        bpy.ops.object.convert_to_neural_implicit(replace=True)
    except RuntimeError as problem:
        return state() | {"error": str(problem)}
    return state()


def several():
    """A cube and a camera and another cube are selected."""
    bpy.ops.mesh.primitive_cube_add(location=(3, 0, 0))
    bpy.ops.object.select_all(action="SELECT")
    return blocking()


def check_engine():
    try:
        bpy.ops.neural_implicit.check_engine()
    except RuntimeError as error:
        return {"error": str(error), "lines": []}
    return {"error": "", "lines": operators.engine_check.lines()}


def enable_twice():
    """What is registered after disabling, against what was before enabling."""
    addon_utils.disable(EXTENSION)
    before = registered()
    for _ in range(2):
        addon_utils.enable(EXTENSION)
        enabled = registered()
        addon_utils.disable(EXTENSION)
    return {"same": registered() == before, "adds": registered() != enabled}


def registered():
    handlers = vars(bpy.app.handlers) if hasattr(bpy.app.handlers, "__dict__") else {}
    names = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]
    counts = {name: len(getattr(bpy.app.handlers, name)) for name in names}
    return (
        sorted(dir(bpy.types)),
        counts,
        len(handlers),
        "neural_implicit" in bpy.types.Scene.bl_rna.properties,
    )


def carry_over():
    """Give where source and neural object are, frame by frame, for each way to move an object."""
    bpy.ops.object.armature_add(location=(1, 0, 0), rotation=(0.2, 0.3, 0))
    armature = bpy.context.object
    empty = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location = (0, 5, 1)
    bpy.context.view_layer.update()
    ways = {
        name: moving_cube(name, i)
        for i, name in enumerate(("bone", "constraint", "driver", "action", "nla", "deform"))
    }
    parent_to_bone(ways["bone"], armature)
    constrain(ways["constraint"], empty)
    drive(ways["driver"], empty)
    animate(ways["action"])
    push_down(ways["nla"])
    ways["deform"].parent, ways["deform"].parent_type = armature, "ARMATURE"
    bpy.ops.object.select_all(action="DESELECT")
    for cube in ways.values():
        cube.select_set(True)
    error = blocking()["error"]
    places = {name: [] for name in ways}
    for frame in (1, 10, 20):
        bpy.context.scene.frame_set(frame)
        empty.location.x = frame
        armature.pose.bones[0].rotation_mode = "XYZ"
        armature.pose.bones[0].rotation_euler.x = 0.1 * frame
        bpy.context.view_layer.update()
        for name, cube in ways.items():
            neural = bpy.data.objects[f"{name} Neural"]
            places[name].append([[list(row) for row in obj.matrix_world] for obj in (cube, neural)])
    report = neural_object.report_of(bpy.data.objects["driver Neural"].data)
    return {
        "error": error,
        "places": places,
        "warnings": report.get("warnings", []),
        "custom": bpy.data.objects["driver Neural"]["size"],
    }


def moving_cube(name, number):
    bpy.ops.mesh.primitive_cube_add(location=(number, 0.5, 0), rotation=(0.1, 0.2, 0.3))
    cube = bpy.context.object
    cube.name = name
    return cube


def parent_to_bone(cube, armature):
    world = cube.matrix_world.copy()
    cube.parent, cube.parent_type, cube.parent_bone = armature, "BONE", armature.data.bones[0].name
    bpy.context.view_layer.update()
    cube.matrix_parent_inverse = cube.matrix_world.inverted() @ world


def constrain(cube, target):
    constraint = cube.constraints.new("COPY_LOCATION")
    constraint.target, constraint.influence = target, 0.3
    constraint.driver_add("influence").driver.expression = "0.3 + frame / 100"
    child = cube.constraints.new("CHILD_OF")
    child.target, child.inverse_matrix = target, target.matrix_world.inverted()


def drive(cube, target):
    cube["size"] = 2.5
    driver = cube.driver_add("location", 2).driver
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = target, "location.x"
    driver.expression = f"{variable.name} / 10"
    cube.driver_add("pass_index").driver.expression = "frame"
    cube.modifiers.new("Bevel", "BEVEL").driver_add("width").driver.expression = "0.1"
    cube.data.materials.append(bpy.data.materials.new("Material"))


def animate(cube):
    for frame, x in ((1, 0.0), (20, 3.0)):
        cube.location.x = x
        cube.keyframe_insert("location", frame=frame)


def push_down(cube):
    animate(cube)
    animation = cube.animation_data
    track = animation.nla_tracks.new()
    strip = track.strips.new("Strip", 4, animation.action)
    strip.scale, strip.influence = 0.5, 1.0
    if getattr(animation, "action_slot", None) is not None:
        strip.action_slot = animation.action_slot
    animation.action = None


def main(inside):
    return globals()[inside.arguments["case"]]()
