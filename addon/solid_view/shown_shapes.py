"""What one 3D view draws: the shapes it shows, with their networks and colours.

Of many shapes this is kept until Blender says that something has changed, or the view shows other objects: to go through
them all would be most of a redraw. Plain values are kept, never Blender's own objects, which undo replaces.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import bpy
import numpy as np

from .prepared import Prepared, preparation
from .scene_shapes import MANY, Finish, SceneShape, finder, finish_of, is_shown, scene_shapes


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Shapes that are ready to be drawn."""

    ready: list[tuple[SceneShape, Prepared]]
    finishes: list[Finish]  # one for each
    key: Hashable  # names the networks and their places
    world_from_unit: np.ndarray  # (N, 4, 4)
    boxes: np.ndarray  # (N, 2, 3) what holds each in unit space

    @classmethod
    def collect(cls, found: list[SceneShape], context: bpy.types.Context) -> Shown:
        """Go through the shapes of a scene."""
        find = finder(found)
        ready = [
            (shape, prepared)
            for shape in found
            if is_shown(shape, context, find)
            and (prepared := preparation.get(shape.weights, shape.time, shape.mesh_uid)) is not None
        ]
        finishes = [finish_of(shape, context, find) for shape, _ in ready]
        key = tuple((id(made), shape.world_from_object.tobytes()) for shape, made in ready)
        places = [shape.world_from_object @ made.object_from_unit for shape, made in ready]
        boxes = [(made.steps.box_low, made.steps.box_high) for _, made in ready]
        return cls(
            ready, finishes, key, np.reshape(places, (-1, 4, 4)), np.array(boxes, float).reshape(-1, 2, 3)
        )


class ShownShapes:
    """Those of one view."""

    def __init__(self) -> None:
        self._found: list[SceneShape] | None = None
        self._view: Hashable = None
        self._shown: Shown | None = None
        self._settled = False  # all networks were there when it was collected

    def of(self, context: bpy.types.Context) -> Shown:
        """Give what the view of a context draws now."""
        found = scene_shapes.of(context.evaluated_depsgraph_get())
        if len(found) < MANY:
            return Shown.collect(found, context)
        preparation.expect(len(found))
        view = _view_of(context)
        if self._shown is None or not self._settled or found is not self._found or view != self._view:
            self._found, self._view = found, view
            settled, submitted = not preparation.pending, preparation.num_submitted
            self._shown = Shown.collect(found, context)
            self._settled = settled and submitted == preparation.num_submitted
        return self._shown


def _view_of(context: bpy.types.Context) -> Hashable:
    """Name all that decides what a view shows and of which no change of the scene tells."""
    shading, active = context.space_data.shading, context.view_layer.objects.active
    visible = tuple(obj.session_uid for obj in context.visible_objects)
    colors = shading.type, shading.color_type, tuple(shading.single_color)
    return visible, None if active is None else active.session_uid, colors
