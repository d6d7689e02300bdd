"""Names an engine in the preferences, and enables the extension again with that: both are noticed."""

import os
import sys

import addon_utils
import bpy

EXTENSION = "bl_ext.user_default.neural_implicit"


def used():
    return str(sys.modules[f"{EXTENSION}.addon.engine_status"].status.used)


def main(inside):
    os.environ.pop("NEURAL_IMPLICIT_PYTHON", None)
    bpy.context.preferences.addons[EXTENSION].preferences.engine_python = inside.arguments["python"]
    first = used()
    addon_utils.disable(EXTENSION)
    addon_utils.enable(EXTENSION)
    return {"set": first, "enabled again": used()}
