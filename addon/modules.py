"""The modules that Blender has to know of, in the order in which they are registered."""

from __future__ import annotations

from . import (
    add_menu,
    conversion_queue,
    engine_status,
    error_overlay,
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
    setting_presets,
    shape_memory,
    source_watch,
    standby,
    status_bar,
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
    error_overlay,
    add_menu,
    setting_presets,
    panels,
    shape_memory,
    source_watch,
    conversion_queue,
    status_bar,
    moving_proxy,
    standby,
    render_engine,
    hole_overlay,
    solid_view_handler,
)
