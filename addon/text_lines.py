"""Sentences in panels: Blender's labels do not wrap, so they are cut into lines that fit the region."""

from __future__ import annotations

import textwrap

import bpy

PIXELS_PER_LETTER = 7.0  # of Blender's interface font at scale 1, on average
MARGIN_PIXELS = 60.0  # panel borders, scroll bar and the icon


def draw_text(
    layout: bpy.types.UILayout, text: str, context: bpy.types.Context, icon: str = "NONE", width: int = 0
) -> None:
    """Draw a sentence over as many lines as it needs; `width` is a dialog's, which no region has, at scale 1."""
    region = context.region.width if context.region is not None else 400
    letters = ((width or region / context.preferences.system.ui_scale) - MARGIN_PIXELS) / PIXELS_PER_LETTER
    column = layout.column(align=True)
    column.scale_y = 0.8
    lines = textwrap.wrap(text, max(16, int(letters)), break_on_hyphens=False)
    for i, line in enumerate(lines):
        column.label(text=line, icon=icon if i == 0 or icon == "NONE" else "BLANK1")


def ends_with_full_stop(text: str) -> str:
    """Give a sentence with its full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
