"""The rims of the holes that were closed before training, drawn over the active neural object on request.

What lies inside such a rim is guessed: the sign doctor put a lid there.
"""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
import numpy.typing as npt
from gpu_extras.batch import batch_for_shader

from .neural_object import applied_transform, is_neural, report_of, unit_from_object_of
from .proxy_fit import transform
from .redraw import redraw_views

COLOR = (1.0, 0.25, 0.1, 1.0)
WIDTH_PX = 2.5

_handle: Any = None


def has_closed_holes(report: dict[str, Any]) -> bool:
    """Whether a conversion's report names a hole that was closed."""
    return bool(_loops(report))


def _loops(report: dict[str, Any]) -> list[list[float]]:
    surface = report.get("surface")
    loops = surface.get("filled_loops_unit") if isinstance(surface, dict) else None
    return loops if isinstance(loops, list) else []


def closed_rims(mesh: bpy.types.Mesh) -> list[npt.NDArray[np.float64]]:
    """Give the rim of each closed hole as points (N, 3) of the mesh's space; the report keeps the largest only."""
    unit_from_object, loops = unit_from_object_of(mesh), _loops(report_of(mesh))
    if unit_from_object is None:
        return []
    mesh_from_unit = applied_transform(mesh) @ np.linalg.inv(unit_from_object)
    return [transform(mesh_from_unit, np.reshape(loop, (-1, 3))) for loop in loops]


def _segments(rims: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    """Give both ends of each piece of the closed lines, one after the other."""
    pieces = [np.stack([rim, np.roll(rim, -1, axis=0)], axis=1).reshape(-1, 3) for rim in rims]
    return np.concatenate(pieces).astype(np.float32)


def _draw() -> None:
    context = bpy.context
    obj = context.active_object
    if (
        not context.window_manager.neural_implicit_closed_holes
        or not context.space_data.overlay.show_overlays
    ):
        return
    if not is_neural(obj) or not obj.visible_get(viewport=context.space_data):
        return
    rims = closed_rims(obj.data)
    if not rims:
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINES", {"pos": _segments(rims)})
    with gpu.matrix.push_pop():
        gpu.matrix.multiply_matrix(obj.matrix_world)
        shader.bind()
        shader.uniform_float("color", COLOR)
        shader.uniform_float("lineWidth", WIDTH_PX * context.preferences.system.ui_scale)
        shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        batch.draw(shader)


def register() -> None:
    """Add the switch and draw in every 3D view; there is nothing to draw in without a window."""
    global _handle
    bpy.types.WindowManager.neural_implicit_closed_holes = bpy.props.BoolProperty(
        name="Show Closed Holes",
        description="Draw the rims of the holes that were closed before training; the shape inside them is guessed",
        update=lambda manager, context: redraw_views(),
    )
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    """Take both back."""
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    del bpy.types.WindowManager.neural_implicit_closed_holes
