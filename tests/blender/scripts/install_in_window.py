"""Installs the engine: presses Install Engine in the preferences, cancels by the button; with pictures.

With a folder of wheels the operator is given it; without one the dialog is confirmed by Return and the packages are downloaded.
"""

import os
import sys
import time
from pathlib import Path

import bpy
from bl_ext.user_default.neural_implicit.addon import install_operators
from bl_ext.user_default.neural_implicit.addon.engine_status import status

sys.path.insert(0, str(Path(__file__).parent))

from pointing import find, press, rows_of

EXTENSION = "bl_ext.user_default.neural_implicit"
installer = install_operators.installer


def show_preferences():
    """Open the preferences in place of the largest area, with this add-on unfolded."""
    import addon_utils

    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Neural Implicit"
    for module in addon_utils.modules():
        if module.__name__ == EXTENSION:
            addon_utils.module_bl_info(module)["show_expanded"] = True
    return window, area


def main(inside):
    os.environ.pop("NEURAL_IMPLICIT_PYTHON", None)
    os.environ["PATH"] += os.pathsep + inside.arguments["path"]
    wheels = inside.arguments["wheels"]
    bpy.context.preferences.system.use_online_access = not wheels
    status.refresh()
    longest, result = 0.0, {"before": status.installed.kind}
    window, area = show_preferences()
    yield 2.0
    inside.screenshot("absent")
    region = next(region for region in area.regions if region.type == "WINDOW")
    place = yield from find(inside, window, rows_of(region), "neural_implicit.install_engine(")
    press(inside, window, place)
    yield 2.0
    inside.screenshot("dialog")
    if wheels:
        inside.xdotool("key", "Escape")
        yield 1.0
        bpy.ops.neural_implicit.install_engine("EXEC_DEFAULT", wheels=wheels)
    else:
        inside.xdotool("key", "Return")
        yield inside.until(lambda: installer.running, 20.0, "the installation")
    texts, seen, last = set(), False, time.perf_counter()
    while installer.running:
        yield 0.02
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        texts.add(installer.text)
        if installer.fraction > 0.66 and not seen:
            seen = True
            yield 0.5
            inside.screenshot("installing")
            last = time.perf_counter()
        if seen and inside.arguments["cancel"] and not installer.cancelling:
            place = yield from find(inside, window, rows_of(region), "neural_implicit.cancel_install(")
            press(inside, window, place)
            yield 0.5
            last = time.perf_counter()
    yield 3.0
    inside.screenshot("ended")
    bpy.context.preferences.addons[EXTENSION].preferences.show_packages = True
    area.tag_redraw()
    yield 1.0
    inside.screenshot("packages")
    result |= {"after": status.installed.kind, "problem": installer.problem, "result": installer.result}
    return result | {"texts": sorted(texts), "longest_block_s": longest}
