"""File > Import > Neural Implicit: weights files become neural objects, several at once, also dropped into the view."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper

from .engine_task import EngineTask
from .neural_object import NeuralShape, store_shape
from .task_operator import TaskOperator

KERAS = ".h5"  # a file that knows no place and no size: its shape fills [-1, 1]^3
ENDINGS = (".safetensors", KERAS)
UPRIGHT_RAD = math.pi / 2.0  # takes y, which is up in the paper's shapes, to z
STEP = 2.0  # between two shapes in a row: the width of that box


class IMPORT_SCENE_OT_neural_implicit(TaskOperator, ImportHelper, bpy.types.Operator):
    """Add neural objects from weights files: ours, or those of Keras, as the paper's are published"""

    bl_idname = "import_scene.neural_implicit"
    bl_label = "Import Neural Implicit"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.safetensors;*.h5", options={"HIDDEN"})  # type: ignore[valid-type]
    files: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up",
        items=(
            ("AUTO", "Automatic", "Y for Keras files, as the paper's shapes have it; Z for ours"),
            ("Y", "Y", "Turn the shapes upright: their Y becomes Blender's Z"),
            ("Z", "Z", "Leave the shapes as they are"),
        ),
        default="AUTO",
    )
    side_by_side: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Side by Side",
        description="Stand several Keras shapes in a row along X; without it, and in ours, each is where its file has it",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for files, unless they were dropped."""
        if self.directory and self.files:
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let the engine read the files."""
        paths = self._paths()
        if not paths:
            self.report({"ERROR"}, f"No file is chosen. Choose weights files ({', '.join(ENDINGS)}).")
            return {"CANCELLED"}
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        arguments = ["import", *map(str, paths), "-o", str(task.folder / "shapes"), "--proxy", "--json"]
        return self.run_task(context, arguments, task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Put the shapes into the scene, and what failed into the report."""
        results = task.results()
        good = [result for result in results if "error" not in result]
        made = [self._add(context, result) for result in good]
        if self.side_by_side:
            keras = [obj for obj, result in zip(made, good) if _is_keras(result)]
            for number, obj in enumerate(keras):
                obj.location.x += STEP * number
        for result in results:
            if "error" in result:
                self.report({"WARNING" if made else "ERROR"}, str(result["error"]))
        if not made:
            if not results:
                self.report({"ERROR"}, task.failure() or "The engine gave no shape.")
            return {"CANCELLED"}
        for obj in context.selected_objects:
            obj.select_set(False)
        for obj in made:
            obj.select_set(True)
        context.view_layer.objects.active = made[-1]
        return {"FINISHED"}

    def _paths(self) -> list[Path]:
        folder = Path(self.directory or Path(self.filepath).parent)
        names = [entry.name for entry in self.files if entry.name]
        if not names and self.filepath and Path(self.filepath).suffix.lower() in ENDINGS:
            return [Path(self.filepath)]
        return [folder / name for name in names]

    def _add(self, context: bpy.types.Context, result: dict[str, Any]) -> bpy.types.Object:
        weights, source = Path(result["path"]), Path(result["source"])
        with np.load(weights.with_suffix(".npz"), allow_pickle=False) as arrays:
            vertices, triangles = arrays["vertices_unit"], arrays["triangles"]
        shape = NeuralShape(
            job=uuid.uuid4().hex,
            source_name=source.name,
            state="finished",
            weights=weights.read_bytes(),
            report={"warnings": result["notes"]},
            vertices_unit=vertices,
            triangles=triangles,
        )
        mesh = bpy.data.meshes.new(source.stem)
        store_shape(mesh, shape)
        obj = bpy.data.objects.new(source.stem, mesh)
        if self.up == "Y" or (self.up == "AUTO" and _is_keras(result)):
            obj.rotation_euler.x = UPRIGHT_RAD
        obj.location = context.scene.cursor.location
        context.collection.objects.link(obj)
        for note in result["notes"]:
            self.report({"INFO"}, str(note))
        return obj


def _is_keras(result: dict[str, Any]) -> bool:
    return Path(result["source"]).suffix.lower() == KERAS


_CLASSES: list[type] = [IMPORT_SCENE_OT_neural_implicit]
if hasattr(bpy.types, "FileHandler"):  # from Blender 4.1

    class IO_FH_neural_implicit(bpy.types.FileHandler):
        """Weights files dropped into a 3D view are imported."""

        bl_idname = "IO_FH_neural_implicit"
        bl_label = "Neural Implicit"
        bl_import_operator = "import_scene.neural_implicit"
        bl_file_extensions = ";".join(ENDINGS)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            """Take them in the 3D view and in the outliner."""
            return context.area is not None and context.area.type in ("VIEW_3D", "OUTLINER")

    _CLASSES.append(IO_FH_neural_implicit)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(tuple(_CLASSES))


def _draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(IMPORT_SCENE_OT_neural_implicit.bl_idname, text="Neural Implicit (.safetensors/.h5)")


def register() -> None:
    """Add the operator to File > Import."""
    _register_classes()
    bpy.types.TOPBAR_MT_file_import.append(_draw_in_menu)


def unregister() -> None:
    """Take it away."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_in_menu)
    _unregister_classes()
