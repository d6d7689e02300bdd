"""Installs the engine by its operator from a folder of wheels, and converts with it, as a script in the background would."""

import os
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import engine_status, neural_object
from bl_ext.user_default.neural_implicit.addon.engine_status import status

VARIABLE = "NEURAL_IMPLICIT_PYTHON"  # goes before an installed engine


def main(inside):
    os.environ.pop(VARIABLE, None)
    os.environ["PATH"] += os.pathsep + inside.arguments["path"]
    result = {"version": bpy.app.version_string, "online": bpy.app.online_access}
    status.refresh()
    result["before"] = status.installed.kind
    try:  # no folder: it would have to go online, which this profile does not allow
        bpy.ops.neural_implicit.install_engine()
    except RuntimeError as error:
        result["refusal"] = str(error)
    started = time.monotonic()
    bpy.ops.neural_implicit.install_engine(wheels=inside.arguments["wheels"])
    result["install_s"] = time.monotonic() - started
    result["after"], result["sentence"] = status.installed.kind, status.installed.sentence
    result["used"] = str(engine_status.find_engine())
    result["place"] = bpy.utils.extension_path_user("bl_ext.user_default.neural_implicit", path="engine")
    bpy.ops.neural_implicit.check_engine()
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=2)
    small = {"preset": "DRAFT", "width": 16, "depth": 2, "samples": 50_000, "activation": "RELU"}
    bpy.ops.object.convert_to_neural_implicit(**small)
    neural = bpy.context.object
    result["state"] = neural_object.state_of(neural.data)
    result["errors"] = neural_object.report_of(neural.data)["errors"]
    bpy.ops.neural_implicit.remove_engine()
    result["removed"] = status.installed.kind
    result["left"] = [path.name for path in Path(result["place"]).parent.glob("engine*")]
    return result
