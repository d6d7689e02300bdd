"""File > Export > Neural Implicit: the selected objects' weights, as ours or for Keras, ONNX, GLSL or NumPy."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from .engine_task import EngineTask
from .neural_object import is_neural, weights_of
from .task_operator import TaskOperator

FORMATS = (
    ("safetensors", "Safetensors (.safetensors)", "The weights as they are"),
    ("h5", "Keras (.h5)", "For Keras and the paper's renderer; the architecture goes beside it as .json"),
    ("onnx", "ONNX (.onnx)", "For other runtimes; the engine's environment needs the package onnx"),
    ("glsl", "GLSL (.glsl)", "One function for any shader"),
    ("npz", "NumPy (.npz)", "Arrays by name"),
)
ENDINGS = tuple(ending for ending, _, _ in FORMATS)


class EXPORT_SCENE_OT_neural_implicit(TaskOperator, ExportHelper, bpy.types.Operator):
    """Write the weights of the selected neural objects; several go side by side, each under its object's name"""

    bl_idname = "export_scene.neural_implicit"
    bl_label = "Export Neural Implicit"
    bl_options = {"REGISTER"}

    filename_ext = ".safetensors"
    check_extension = None  # the format says it
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.safetensors;*.h5;*.onnx;*.glsl;*.npz", options={"HIDDEN"}
    )
    format: bpy.props.EnumProperty(name="Format", items=FORMATS)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it where a neural object is selected."""
        return any(is_neural(obj) for obj in context.selected_objects)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the packed weights out and let the engine turn them into the format."""
        chosen = [obj for obj in context.selected_objects if is_neural(obj)]
        if not chosen:
            self.report({"ERROR"}, "No neural object is selected. Select one, then export.")
            return {"CANCELLED"}
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        named = Path(self.filepath)
        stem = named.name.removesuffix(named.suffix) if named.suffix[1:] in ENDINGS else named.name
        source = task.folder / "weights"
        try:
            source.mkdir()
            for obj in chosen:
                name = stem if len(chosen) == 1 else f"{stem}_{_file_name(obj.name)}"
                (source / f"{name}.safetensors").write_bytes(weights_of(obj.data) or b"")
        except OSError as error:
            return self._refuse(f"{error.strerror} ({error.filename}). Free some disk space.", task)
        arguments = ["export", str(source), "-o", str(named.parent), "--format", self.format]
        return self.run_task(context, arguments, task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Say what became of it."""
        failure = task.failure()
        self.report({"ERROR" if failure else "INFO"}, failure or f"Written to {Path(self.filepath).parent}.")
        return {"CANCELLED" if failure else "FINISHED"}


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (EXPORT_SCENE_OT_neural_implicit,)
)


def _draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(EXPORT_SCENE_OT_neural_implicit.bl_idname, text="Neural Implicit (.safetensors/...)")


def register() -> None:
    """Add the operator to File > Export."""
    _register_classes()
    bpy.types.TOPBAR_MT_file_export.append(_draw_in_menu)


def unregister() -> None:
    """Take it away."""
    bpy.types.TOPBAR_MT_file_export.remove(_draw_in_menu)
    _unregister_classes()
