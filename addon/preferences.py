"""The add-on's preferences: the installed engine, the one that is used, and what Check Engine found there."""

from __future__ import annotations

import bpy

from .engine_check import engine_check
from .engine_python import ENVIRONMENT_VARIABLE
from .engine_status import ROOT_PACKAGE, status
from .engine_variables import GPU_VARIABLE, choose_gpu
from .install_panel import draw_installation, draw_packages
from .redraw import redraw_views
from .text_lines import draw_text


def _look_again(preferences: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    status.refresh()


def _gpu_chosen(preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    choose_gpu(preferences.gpu)


def addon_preferences() -> bpy.types.AddonPreferences | None:
    """Give the preferences; None where Blender has not loaded them."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return None if addon is None else addon.preferences


def draws_networks() -> bool:
    """Whether Solid and Material Preview shading draw the networks themselves."""
    preferences = addon_preferences()
    return preferences is None or preferences.draw_networks


def _drawing_changed(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    redraw_views()  # a lambda would not find it: Blender evaluates annotations elsewhere


class NeuralImplicitPreferences(bpy.types.AddonPreferences):
    """What belongs to this computer and not to a file."""

    bl_idname = ROOT_PACKAGE

    engine_python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Engine Python",
        description="The Python interpreter of an engine environment of your own, or the environment's folder; empty: the "
        f"installed engine. The environment variable {ENVIRONMENT_VARIABLE} goes before it",
        subtype="FILE_PATH",
        update=_look_again,
    )
    gpu: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="GPU",
        description="Which of several NVIDIA GPUs engines use that start from now on: its number, or a part of its name; empty: "
        f"the one with most memory. The environment variable {GPU_VARIABLE} goes before it",
        update=_gpu_chosen,
    )
    keep_engine_ready: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep an Engine Ready",
        description="While the tab Neural Implicit is in use, an engine waits for the next conversion, so that its first "
        "shape is seen within seconds. It takes about half a gigabyte of memory",
        default=True,
    )

    show_packages: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Packages", description="Show the installed packages and their versions", options={"SKIP_SAVE"}
    )
    draw_networks: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Draw Networks in Solid Shading",
        description="Draw neural objects in Solid and Material Preview shading as what they are, evaluated on the graphics "
        "card; without it the proxy is shown there",
        default=True,
        update=_drawing_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the installed engine, the settings, and what works with the engine that is used."""
        layout = self.layout
        draw_installation(layout, context)
        if status.installed.packages:
            icon = "TRIA_DOWN" if self.show_packages else "TRIA_RIGHT"
            row = layout.row()
            row.alignment = "LEFT"
            row.prop(self, "show_packages", icon=icon, emboss=False)
            if self.show_packages:
                draw_packages(layout, status.installed, context)
        layout.prop(self, "engine_python")
        layout.prop(self, "gpu")
        layout.prop(self, "keep_engine_ready")
        layout.prop(self, "draw_networks")
        draw_used_engine(layout, context)


def draw_engine_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the installed engine, and what works with the one that is used, for the sidebar."""
    draw_installation(layout, context)
    draw_used_engine(layout, context)


def draw_used_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw which interpreter is used, the Check Engine button and what it found."""
    if status.problem:
        draw_text(layout, status.problem, context, icon="ERROR")
    else:
        draw_text(layout, f"Used: {status.used}", context, icon="CONSOLE")
        if status.installed.usable and not status.uses_installed:
            said = (
                f"The preference Engine Python, or {ENVIRONMENT_VARIABLE}, goes before the installed engine."
            )
            draw_text(layout, said, context, icon="INFO")
    row = layout.row()
    row.enabled = not engine_check.running
    row.operator(
        "neural_implicit.check_engine", text="Checking..." if engine_check.running else "Check Engine"
    )
    if engine_check.problem:
        draw_text(layout, engine_check.problem, context, icon="ERROR")
    for works, line in engine_check.lines():
        draw_text(layout, line, context, icon="CHECKMARK" if works else "DOT")


_register, unregister = bpy.utils.register_classes_factory((NeuralImplicitPreferences,))


def register() -> None:
    """Register the preferences, and follow what they say already."""
    _register()
    preferences = addon_preferences()
    if preferences is not None:
        choose_gpu(preferences.gpu)
