"""Show Error: a neural object's surface in the colours of its distance to the source, with a legend, in all 3D views.

The engine meshes the surface and measures it; what is drawn is that mesh, over the object and nothing of it in the file. It
goes when it is switched off, when the object or its weights change, and with the file.
"""

from __future__ import annotations

from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy.app.handlers import persistent
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix

from .engine_task import EngineTask
from .error_colors import error_colors, scale_colors
from .mesh_back import meshing_arguments
from .mesh_export import SurfaceError
from .neural_object import applied_transform, is_neural, weights_of
from .proxy_fit import transform
from .redraw import redraw_views
from .source_object import with_uid
from .task_operator import TaskOperator

RESOLUTION = 160  # cells a side
LIFT = 1e-3  # of the shape's size, off its surface
NEARER = 0.006  # of the distance, towards the viewer: the shape itself, while it refines, is drawn below
LEGEND_STEPS = 64
LEGEND_SIZE = (14, 180)  # pixels at scale 1
LEGEND_PLACE = (60, 60)  # from the left and bottom edge
FORM = 0.35  # how much darker a side is that faces away from the light above


class ErrorOverlay:
    """What is shown, if anything; used by Blender's main thread."""

    def __init__(self) -> None:
        self._uid = 0
        self._weights = b""
        self._top = 0.0
        self._mean = 0.0
        self._arrays: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._batch: Any = None
        self._handles: list[Any] = []

    def shows(self, obj: bpy.types.Object | None) -> bool:
        """Whether an object's error is shown."""
        return obj is not None and bool(self._handles) and obj.session_uid == self._uid

    @property
    def top(self) -> float:
        """The error at the top of the scale, in the object's own lengths."""
        return self._top

    @property
    def mean(self) -> float:
        """The mean error of the surface's vertices."""
        return self._mean

    def show(self, obj: bpy.types.Object, arrays: dict[str, np.ndarray]) -> None:
        """Show an object's errors from now on.

        Args:
            obj: The neural object.
            arrays: `vertices` (V, 3), `normals` (V, 3), `triangles` (T, 3) and `errors` (V,), in its fitted space.
        """
        self.hide()
        applied = applied_transform(obj.data)
        size = float(np.ptp(arrays["vertices"], axis=0).max())
        lifted = arrays["vertices"] + LIFT * size * arrays["normals"]
        colors, self._top = error_colors(arrays["errors"])
        self._mean = float(arrays["errors"].mean())
        form = 1.0 - FORM * (0.5 - 0.5 * arrays["normals"] @ np.array([0.36, -0.48, 0.8]))
        shown = np.concatenate([_encoded(colors[:, :3]) * form[:, None], colors[:, 3:]], axis=1)
        self._arrays = (
            transform(applied, lifted).astype(np.float32),
            shown.astype(np.float32),
            np.ascontiguousarray(arrays["triangles"], np.int32),
        )
        self._uid, self._weights = obj.session_uid, weights_of(obj.data) or b""
        if not bpy.app.background:
            add = bpy.types.SpaceView3D.draw_handler_add
            self._handles = [
                add(self._draw_surface, (), "WINDOW", "POST_VIEW"),
                add(self._draw_legend, (), "WINDOW", "POST_PIXEL"),
            ]
        redraw_views()

    def hide(self) -> None:
        """Show nothing any more."""
        for handle in self._handles:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
        self._handles.clear()
        self._uid, self._weights, self._arrays, self._batch = 0, b"", None, None
        redraw_views()

    def _object(self) -> bpy.types.Object | None:
        obj = with_uid(bpy.data.objects, self._uid)
        return obj if is_neural(obj) and weights_of(obj.data) == self._weights else None

    def _drawn(self) -> bpy.types.Object | None:
        obj, space = self._object(), bpy.context.space_data
        if obj is None or not space.overlay.show_overlays or not obj.visible_get(viewport=space):
            return None
        return obj

    def _draw_surface(self) -> None:
        obj = self._drawn()
        if obj is None or self._arrays is None:
            return
        shader = gpu.shader.from_builtin("SMOOTH_COLOR")
        if self._batch is None:
            places, colors, triangles = self._arrays
            content = {"pos": places, "color": colors}
            self._batch = batch_for_shader(shader, "TRIS", content, indices=triangles)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(True)
        with gpu.matrix.push_pop():
            view = gpu.matrix.get_model_view_matrix()
            gpu.matrix.load_matrix(_nearer(bpy.context.region_data) @ view @ obj.matrix_world)
            self._batch.draw(shader)
        gpu.state.depth_mask_set(False)
        gpu.state.depth_test_set("NONE")

    def _draw_legend(self) -> None:
        obj = self._drawn()
        if obj is None:
            return
        scale = bpy.context.preferences.system.ui_scale
        (x, y), (width, height) = (tuple(scale * v for v in pair) for pair in (LEGEND_PLACE, LEGEND_SIZE))
        shares = np.linspace(0.0, 1.0, LEGEND_STEPS)
        colors = np.concatenate([_encoded(scale_colors(shares)[:, :3]), np.ones((LEGEND_STEPS, 1))], axis=1)
        places = [(x + side * width, y + share * height) for share in shares for side in (0, 1)]
        shader = gpu.shader.from_builtin("SMOOTH_COLOR")
        content = {"pos": places, "color": np.repeat(colors, 2, axis=0).astype(np.float32).tolist()}
        batch_for_shader(shader, "TRI_STRIP", content).draw(shader)
        for share in (0.0, 0.5, 1.0):
            more = " and more" if share == 1.0 else ""
            _write(f"{share * self._top:.3g}{more}", x + 1.6 * width, y + share * height - 4 * scale, scale)
        _write(f"{obj.name}: distance to the source", x, y + height + 16 * scale, scale)


def _nearer(view: bpy.types.RegionView3D) -> Matrix:
    """Give what brings all that is in view space a little nearer, at the same place of the picture."""
    if view.is_perspective:
        return Matrix.Scale(1.0 - NEARER, 4)
    return Matrix.Translation((0.0, 0.0, NEARER * view.view_distance))


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Give sRGB's values of linear ones, which Blender's own shaders take."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )


def _write(text: str, x: float, y: float, scale: float) -> None:
    blf.size(0, 11 * scale)
    blf.color(0, 1.0, 1.0, 1.0, 1.0)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.8)
    blf.position(0, x, y, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)


class NEURAL_IMPLICIT_OT_show_error(TaskOperator, bpy.types.Operator):
    """Show how far the active neural object's surface is from its source as colours, or hide that again"""

    bl_idname = "neural_implicit.show_error"
    bl_label = "Show Error"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a neural object."""
        return is_neural(context.active_object)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide what is shown, or let the engine measure the surface."""
        if error_overlay.shows(context.active_object):
            error_overlay.hide()
            return {"FINISHED"}
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        self._object_uid = context.active_object.session_uid
        try:
            arguments = meshing_arguments(context, task, RESOLUTION, errors=True)
        except SurfaceError as error:
            return self._refuse(str(error), task)
        except OSError as error:
            return self._refuse(f"{error.strerror} ({error.filename}). Free some disk space.", task)
        return self.run_task(context, arguments, task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Show what was measured."""
        failure, obj = task.failure(), with_uid(bpy.data.objects, self._object_uid)
        if failure or obj is None or not is_neural(obj):
            self.report({"ERROR"}, failure or "The neural object is gone.")
            return {"CANCELLED"}
        with np.load(task.folder / "mesh.npz", allow_pickle=False) as file:
            error_overlay.show(obj, {name: file[name] for name in file.files if name != "name"})
        said = f"{error_overlay.mean:.3g} on average, 99 % below {error_overlay.top:.3g}"
        self.report({"INFO"}, f"Distance of {obj.name} to its source: {said}")
        return {"FINISHED"}


error_overlay = ErrorOverlay()  # the one of this Blender session


@persistent
def _before_load(*_: object) -> None:
    error_overlay.hide()


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((NEURAL_IMPLICIT_OT_show_error,))


def register() -> None:
    """Offer it."""
    _register_classes()
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    """Show nothing any more."""
    error_overlay.hide()
    bpy.app.handlers.load_pre.remove(_before_load)
    _unregister_classes()
