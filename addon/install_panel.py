"""The installed engine in the preferences and in the sidebar: its state, the progress, the buttons. Reads, never looks."""

from __future__ import annotations

import bpy

from .engine_status import status
from .install_operators import installer
from .installing.place import EngineState
from .text_lines import draw_text

ICONS = {
    "absent": "INFO",
    "incomplete": "ERROR",
    "broken": "ERROR",
    "out of date": "FILE_REFRESH",
    "ready": "CHECKMARK",
}
BUTTONS = {
    "absent": "Install Engine",
    "incomplete": "Install Engine",
    "broken": "Install Engine",
    "out of date": "Update Engine",
}


def draw_installation(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what is installed and what can be done about it; nothing where there is no place for it."""
    if status.place is None:
        return
    box, state = layout.box(), status.installed
    if installer.running:
        _draw_progress(box, context)
        return
    if installer.problem:
        draw_text(box, installer.problem, context, icon="INFO" if installer.cancelling else "ERROR")
    draw_text(box, state.sentence, context, icon=ICONS[state.kind])
    for warning in installer.warnings or (state.stamp.warnings if state.stamp is not None else ()):
        draw_text(box, warning, context, icon="INFO")
    row = box.row()
    if state.kind in BUTTONS:
        row.operator("neural_implicit.install_engine", text=BUTTONS[state.kind], icon="IMPORT")
    if state.kind != "absent":
        row.operator("neural_implicit.remove_engine", icon="TRASH")


def draw_packages(layout: bpy.types.UILayout, state: EngineState, context: bpy.types.Context) -> None:
    """Draw the installed packages with their versions, and what is missing."""
    if state.missing:
        draw_text(layout, "Missing: " + ", ".join(state.missing), context, icon="ERROR")
    grid = layout.grid_flow(columns=3, even_columns=True, align=True)
    grid.scale_y = 0.8
    for name, version in sorted(state.packages.items()):
        grid.label(text=f"{name} {version}")


def _draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    layout.progress(factor=installer.fraction, type="BAR", text=f"{100 * installer.fraction:.0f} %")
    draw_text(layout, installer.text, context)
    row = layout.row()
    row.enabled = not installer.cancelling
    row.operator(
        "neural_implicit.cancel_install", text="Cancelling..." if installer.cancelling else "Cancel", icon="X"
    )
