"""The conversions under way in Blender's status bar, where its own jobs are told of too."""

from __future__ import annotations

import bpy

from .conversion_queue import queue
from .progress_text import fraction, phase_text

WIDTH = 12.0  # of the bar, in units of the interface


def status_text() -> str:
    """Give one line on the conversion that runs and those that wait; empty where there is none."""
    running = next((job for job in queue.jobs if job.state == "running"), None)
    if running is None:
        return ""
    waiting = sum(job.state == "waiting" for job in queue.jobs)
    more = f", {waiting} more" if waiting else ""
    return f"{running.name}: {phase_text(running)} {100 * fraction(running):.0f} %{more}"


def _draw(self: bpy.types.Header, context: bpy.types.Context) -> None:
    text = status_text()
    if not text:
        return
    running = next(job for job in queue.jobs if job.state == "running")
    row = self.layout.row(align=True)
    row.ui_units_x = WIDTH
    row.progress(factor=fraction(running), type="BAR", text=text)
    row.operator("neural_implicit.cancel", text="", icon="X").job = running.uuid


def register() -> None:
    """Draw in the status bar."""
    bpy.types.STATUSBAR_HT_header.append(_draw)


def unregister() -> None:
    """Draw in it no more."""
    bpy.types.STATUSBAR_HT_header.remove(_draw)
