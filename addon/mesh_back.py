"""Bake to Mesh: the zero set of a neural object as an ordinary mesh, at a resolution whose cost is shown before.

Of a moving one it is that of the timeline's frame.
"""

from __future__ import annotations

import bpy
import numpy as np

from .engine_task import EngineTask
from .error_colors import LAYER_NAME, error_colors, error_material
from .mesh_export import SurfaceError, export_surface
from .moving_object import time_of
from .neural_object import applied_transform, is_neural, proxy_fit_of, weights_of
from .proxy_fit import transform
from .source_object import new_object, with_uid
from .source_watch import source_of
from .task_operator import TaskOperator

ERROR_ATTRIBUTE = "neural_implicit_error"  # a vertex's distance to the source, in the object's own lengths


class OBJECT_OT_neural_implicit_to_mesh(TaskOperator, bpy.types.Operator):
    """Make an ordinary mesh of the active neural object's surface, with its material; the neural object is kept"""

    bl_idname = "object.neural_implicit_to_mesh"
    bl_label = "Bake to Mesh"
    bl_options = {"REGISTER", "UNDO"}

    resolution: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Resolution",
        description="Cells a side of the grid around the shape; twice as many give four times the faces",
        default=128,
        min=8,
        max=2048,
        soft_max=512,
    )
    hide: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hide Neural Object",
        description="Hide it in views and renders, so that only the mesh is seen",
        default=True,
    )
    errors: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Colour by Error",
        description="Measure each vertex's distance to the source, and show it by a material in place of the shape's own",
        default=False,
    )

    ask: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    _made_uid = 0  # of the object that was made last

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a neural object, and for the mesh it has just made: the redo panel asks with that one active."""
        obj = context.active_object
        return is_neural(obj) or (obj is not None and obj.session_uid == cls._made_uid)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the resolution and what it costs, where that is asked for."""
        return context.window_manager.invoke_props_dialog(self) if self.ask else self.execute(context)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings and the number of faces they will give."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "resolution")
        layout.prop(self, "hide")
        layout.prop(self, "errors")
        if is_neural(context.active_object):
            faces = estimated_faces(context.active_object.data, self.resolution)
            layout.label(text=f"About {faces:,} faces", icon="INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let the engine mesh the packed weights."""
        if not is_neural(context.active_object):
            self.report({"ERROR"}, "Only a neural object can be baked. Make it the active one.")
            return {"CANCELLED"}
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        self._object_uid = context.active_object.session_uid
        try:
            arguments = meshing_arguments(context, task, self.resolution, self.errors)
        except SurfaceError as error:
            return self._refuse(str(error), task)
        except OSError as error:
            return self._refuse(f"{error.strerror} ({error.filename}). Free some disk space.", task)
        return self.run_task(context, arguments, task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Put the mesh where the neural object is."""
        failure = task.failure()
        source = with_uid(bpy.data.objects, self._object_uid)
        if failure or source is None:
            self.report({"ERROR"}, failure or "The neural object is gone.")
            return {"CANCELLED"}
        with np.load(task.folder / "mesh.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        applied = applied_transform(source.data)
        mesh = bpy.data.meshes.new(f"{source.name} Mesh")
        normals = arrays["normals"] @ np.linalg.inv(applied[:3, :3])
        _fill(mesh, transform(applied, arrays["vertices"]), arrays["triangles"], normals)
        said = f"{len(arrays['triangles']):,} faces"
        if self.errors:
            said += _color(mesh, arrays["errors"])
        obj = new_object(source, mesh, context.scene, 0)
        source.select_set(False)
        if self.hide:
            source.hide_set(True)
            source.hide_render = True
        obj.select_set(True)
        context.view_layer.objects.active = obj
        OBJECT_OT_neural_implicit_to_mesh._made_uid = obj.session_uid
        self.report({"INFO"}, said)
        return {"FINISHED"}


def meshing_arguments(
    context: bpy.types.Context, task: EngineTask, resolution: int, errors: bool
) -> list[str]:
    """Write the active object's weights, and its source where errors are asked for; give the engine's arguments.

    Raises:
        SurfaceError: Errors cannot be measured: the source is gone, or the shape moves.
        OSError: The disk is full.
    """
    mesh = context.active_object.data
    weights, output = task.folder / "shape.safetensors", task.folder / "mesh.npz"
    weights.write_bytes(weights_of(mesh) or b"")
    arguments = ["mesh", str(weights), "-o", str(output), "--resolution", str(resolution)]
    time = time_of(mesh, context.scene)
    if time is not None:
        arguments += ["--time", repr(time)]
    if errors:
        source = source_of(mesh)
        if time is not None or source is None:
            why = "moves" if time is not None else "has no source in this file any more"
            raise SurfaceError(
                f"{context.active_object.name} {why}, so its error cannot be measured. "
                "Convert a source at rest that is in this file, and keep its name."
            )
        path = task.folder / "source.npz"
        export_surface(source, context.evaluated_depsgraph_get()).save(path)
        arguments += ["--source", str(path)]
    return arguments


def estimated_faces(mesh: bpy.types.Mesh, resolution: int) -> int:
    """Give how many faces the mesh will have, within a few hundredths, from the proxy's.

    A surface with unit normal n crosses (|nx| + |ny| + |nz|) A / h^2 edges of a grid with cells h; each is a vertex, and a
    closed mesh has twice as many faces.
    """
    packed, fit = weights_of(mesh), proxy_fit_of(mesh)
    if packed is None or fit is None:
        return 0
    unit_from_mesh = np.linalg.inv(fit.object_from_unit)
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", places)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    triangles = transform(unit_from_mesh, places.reshape(-1, 3).astype(np.float64))[corners.reshape(-1, 3)]
    doubled = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return int(np.abs(doubled).sum() * (resolution / 2.0) ** 2)


def _color(mesh: bpy.types.Mesh, errors: np.ndarray) -> str:
    """Add the errors and their colours to a mesh, with a material that shows them; say how large they are."""
    colors, top = error_colors(errors)
    values = mesh.attributes.new(ERROR_ATTRIBUTE, "FLOAT", "POINT")
    values.data.foreach_set("value", np.ascontiguousarray(errors, np.float32))
    shown = mesh.color_attributes.new(LAYER_NAME, "FLOAT_COLOR", "POINT")
    shown.data.foreach_set("color", colors.ravel())
    mesh.color_attributes.active_color = shown
    mesh.materials.append(error_material())
    return f", error {errors.mean():.2g} on average, {errors.max():.2g} at most; red from {top:.2g}"


def _fill(mesh: bpy.types.Mesh, vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> None:
    count = len(triangles)
    mesh.vertices.add(len(vertices))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.attributes["position"].data.foreach_set("vector", vertices.astype(np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(triangles, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, bool))
    mesh.update(calc_edges=True)
    mesh.normals_split_custom_set_from_vertices(normals.astype(np.float32))


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (OBJECT_OT_neural_implicit_to_mesh,)
)


def _draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    if is_neural(context.active_object):
        self.layout.operator(
            OBJECT_OT_neural_implicit_to_mesh.bl_idname,
            text="Neural Implicit to Mesh (Bake)",
            icon="OUTLINER_OB_MESH",
        )


def register() -> None:
    """Add the operator to Object > Convert."""
    _register_classes()
    bpy.types.VIEW3D_MT_object_convert.append(_draw_in_menu)


def unregister() -> None:
    """Take it away."""
    bpy.types.VIEW3D_MT_object_convert.remove(_draw_in_menu)
    _unregister_classes()
