"""The modules that Blender has to know of, in the order in which they are registered."""

from __future__ import annotations

from . import (
    conversion_queue,
    operators,
    panels,
    preferences,
    properties,
    redraw,
    render_engine,
    shape_memory,
    standby,
)

MODULES = (
    properties,
    preferences,
    redraw,
    operators,
    panels,
    shape_memory,
    conversion_queue,
    standby,
    render_engine,
)
