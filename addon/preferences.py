"""The add-on's preferences: where the engine's Python is, and what Check Engine found there."""

from __future__ import annotations

import bpy

from .engine_check import engine_check
from .engine_python import ENVIRONMENT_VARIABLE, EngineNotFoundError, find_engine_python
from .text_lines import draw_text

ROOT_PACKAGE = __package__.rpartition(".")[0]  # Blender knows the extension by its root


def engine_python_preference() -> str:
    """Give what the preferences name as the engine's interpreter; empty where they name nothing."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return addon.preferences.engine_python if addon is not None and addon.preferences is not None else ""


def keeps_engine_ready() -> bool:
    """Whether an engine may stand by for the next conversion."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return addon is None or addon.preferences is None or addon.preferences.keep_engine_ready


def addon_preferences() -> bpy.types.AddonPreferences | None:
    """Give the preferences; None where Blender has not loaded them."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return None if addon is None else addon.preferences


def draws_networks() -> bool:
    """Whether Solid and Material Preview shading draw the networks themselves."""
    preferences = addon_preferences()
    return preferences is None or preferences.draw_networks


def _redraw_views(_preferences: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


class NeuralImplicitPreferences(bpy.types.AddonPreferences):
    """What belongs to this computer and not to a file."""

    bl_idname = ROOT_PACKAGE

    engine_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Engine Python",
        description="The Python interpreter of the engine's environment, or the environment's folder. "
        f"The environment variable {ENVIRONMENT_VARIABLE} goes before it",
        subtype="FILE_PATH",
    )
    keep_engine_ready: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep an Engine Ready",
        description="While the tab Neural Implicit is in use, an engine waits for the next conversion, so that its first "
        "shape is seen within seconds. It takes about half a gigabyte of memory",
        default=True,
    )

    draw_networks: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Draw Networks in Solid Shading",
        description="Draw neural objects in Solid and Material Preview shading as what they are, evaluated on the graphics "
        "card; without it the proxy is shown there",
        default=True,
        update=_redraw_views,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the interpreter's path and what works with it."""
        layout = self.layout
        layout.prop(self, "engine_python")
        layout.prop(self, "keep_engine_ready")
        layout.prop(self, "draw_networks")
        draw_engine_state(layout, context)


def draw_engine_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw which interpreter is used, the Check Engine button and what it found."""
    try:
        layout.label(text=f"Used: {find_engine_python(engine_python_preference())}", icon="CONSOLE")
    except EngineNotFoundError as error:
        draw_text(layout, str(error), context, icon="ERROR")
    row = layout.row()
    row.enabled = not engine_check.running
    row.operator(
        "neural_implicit.check_engine", text="Checking..." if engine_check.running else "Check Engine"
    )
    if engine_check.problem:
        draw_text(layout, engine_check.problem, context, icon="ERROR")
    for works, line in engine_check.lines():
        draw_text(layout, line, context, icon="CHECKMARK" if works else "DOT")


register, unregister = bpy.utils.register_classes_factory((NeuralImplicitPreferences,))
