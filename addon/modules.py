"""The modules that Blender has to know of, in the order in which they are registered."""

from __future__ import annotations

from . import (
    conversion_queue,
    engine_status,
    hole_overlay,
    install_operators,
    mesh_back,
    moving_proxy,
    operators,
    panels,
    preferences,
    properties,
    redraw,
    render_engine,
    shape_memory,
    source_watch,
    standby,
    weights_export,
    weights_import,
)
from .solid_view import handler as solid_view_handler

MODULES = (
    properties,
    preferences,
    engine_status,
    redraw,
    operators,
    install_operators,
    weights_import,
    weights_export,
    mesh_back,
    panels,
    shape_memory,
    source_watch,
    conversion_queue,
    moving_proxy,
    standby,
    render_engine,
    hole_overlay,
    solid_view_handler,
)
