"""Mark as Asset: a neural object in the asset browser, with a picture by our renderer; Blender's own would show the proxy."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .engine_task import EngineTask
from .material_export import export_material
from .moving_object import time_of
from .neural_object import SOURCE_KEY, is_neural, weights_of
from .source_object import with_uid
from .task_operator import TaskOperator

SIDE = 256  # pixels, as Blender's own previews
SAMPLES = 16
TAG = "neural implicit"


class OBJECT_OT_neural_implicit_mark_asset(TaskOperator, bpy.types.Operator):
    """Show the active neural object in the asset browser, with a picture of the shape itself; again, to make the picture anew"""

    bl_idname = "object.neural_implicit_mark_asset"
    bl_label = "Mark Neural Implicit as Asset"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a neural object."""
        return is_neural(context.active_object)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mark it, and let the engine draw its weights."""
        obj = context.active_object
        if obj.library is not None:
            self.report(
                {"ERROR"}, f"{obj.name} is linked from another file. Open that file and mark it there."
            )
            return {"CANCELLED"}
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        self._object_uid = obj.session_uid
        try:
            arguments = _drawing_arguments(obj, task, context.scene)
        except OSError as error:
            return self._refuse(f"{error.strerror} ({error.filename}). Free some disk space.", task)
        return self.run_task(context, arguments, task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Give the object its picture."""
        failure = task.failure()
        obj = with_uid(bpy.data.objects, self._object_uid)
        if failure or obj is None:
            self.report({"ERROR"}, failure or "The neural object is gone.")
            return {"CANCELLED"}
        if obj.asset_data is None:
            obj.asset_mark()
            obj.asset_data.description = f"Neural implicit of {obj.data.get(SOURCE_KEY, obj.name)}"
            obj.asset_data.tags.new(TAG, skip_if_exists=True)
        _set_preview(obj, task.folder / "preview.png")
        self.report({"INFO"}, f"{obj.name} is an asset; save the file, and it shows in the asset browser")
        return {"FINISHED"}


def _drawing_arguments(obj: bpy.types.Object, task: EngineTask, scene: bpy.types.Scene) -> list[str]:
    weights = task.folder / "shape.safetensors"
    weights.write_bytes(weights_of(obj.data) or b"")
    arguments = ["render", str(weights), "-o", str(task.folder / "preview.png"), "--transparent"]
    arguments += ["--size", f"{SIDE}x{SIDE}", "--samples", str(SAMPLES), "--up", _up(obj)]
    color = export_material(obj.material_slots[0].material if obj.material_slots else None).base_color
    arguments += ["--color", *(repr(min(max(channel, 0.0), 1.0)) for channel in color)]
    time = time_of(obj.data, scene)
    return arguments if time is None else [*arguments, "--time", repr(time)]


def _up(obj: bpy.types.Object) -> str:
    """Give the axis of the object, y or z, that is nearer to the world's z; files from other programs lie on their backs."""
    upward = np.abs(np.array(obj.matrix_world.to_3x3())[2])
    return "y" if upward[1] > upward[2] else "z"


def _set_preview(obj: bpy.types.Object, path: Path) -> None:
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        preview = obj.preview_ensure()
        preview.is_image_custom = True
        preview.image_size = image.size
        preview.image_pixels_float.foreach_set(pixels)
    finally:
        bpy.data.images.remove(image)


register, unregister = bpy.utils.register_classes_factory((OBJECT_OT_neural_implicit_mark_asset,))
