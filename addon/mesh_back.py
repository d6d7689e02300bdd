"""Convert Back to Mesh: the zero set of a neural object as an ordinary mesh, at a resolution whose cost is shown before.

Of a moving one it is that of the timeline's frame.
"""

from __future__ import annotations

import bpy
import numpy as np

from .engine_task import EngineTask
from .moving_object import time_of
from .neural_object import applied_transform, is_neural, proxy_fit_of, weights_of
from .proxy_fit import transform
from .task_operator import TaskOperator


class OBJECT_OT_neural_implicit_to_mesh(TaskOperator, bpy.types.Operator):
    """Make a mesh of the active neural object's surface; the neural object is kept, hidden"""

    bl_idname = "object.neural_implicit_to_mesh"
    bl_label = "Convert Back to Mesh"
    bl_options = {"REGISTER", "UNDO"}

    resolution: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Resolution", description="Cells a side of the grid", default=128, min=8, max=2048, soft_max=512
    )
    hide: bpy.props.BoolProperty(name="Hide Neural Object", default=True)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a neural object."""
        return is_neural(context.active_object)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the resolution and what it costs."""
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings and the number of faces they will give."""
        layout = self.layout
        layout.prop(self, "resolution")
        layout.prop(self, "hide")
        layout.label(text=f"About {estimated_faces(context.active_object.data, self.resolution):,} faces")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let the engine mesh the packed weights."""
        task = self.new_task()
        if task is None:
            return {"CANCELLED"}
        self._object_uid = context.active_object.session_uid
        weights = task.folder / "shape.safetensors"
        try:
            weights.write_bytes(weights_of(context.active_object.data) or b"")
        except OSError as error:
            return self._refuse(f"{error.strerror} ({error.filename}). Free some disk space.", task)
        arguments = [
            "mesh",
            str(weights),
            "-o",
            str(task.folder / "mesh.npz"),
            "--resolution",
            str(self.resolution),
        ]
        time = time_of(context.active_object.data, context.scene)
        return self.run_task(context, arguments if time is None else [*arguments, "--time", repr(time)], task)

    def finish(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        """Put the mesh where the neural object is."""
        failure = task.failure()
        source = next((o for o in bpy.data.objects if o.session_uid == self._object_uid), None)
        if failure or source is None:
            self.report({"ERROR"}, failure or "The neural object is gone.")
            return {"CANCELLED"}
        with np.load(task.folder / "mesh.npz", allow_pickle=False) as arrays:
            vertices, triangles, normals = (arrays[name] for name in ("vertices", "triangles", "normals"))
        applied = applied_transform(source.data)
        mesh = bpy.data.meshes.new(f"{source.name} Mesh")
        _fill(mesh, transform(applied, vertices), triangles, normals @ np.linalg.inv(applied[:3, :3]))
        for material in source.data.materials:
            mesh.materials.append(material)
        obj = bpy.data.objects.new(mesh.name, mesh)
        for collection in source.users_collection:
            collection.objects.link(obj)
        obj.parent, obj.matrix_parent_inverse = source.parent, source.matrix_parent_inverse
        obj.matrix_world = source.matrix_world
        source.select_set(False)
        if self.hide:
            source.hide_set(True)
            source.hide_render = True
        obj.select_set(True)
        context.view_layer.objects.active = obj
        self.report({"INFO"}, f"{len(triangles):,} faces")
        return {"FINISHED"}


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
    if OBJECT_OT_neural_implicit_to_mesh.poll(context):
        self.layout.operator(OBJECT_OT_neural_implicit_to_mesh.bl_idname)


def register() -> None:
    """Add the operator to Object > Convert."""
    _register_classes()
    bpy.types.VIEW3D_MT_object_convert.append(_draw_in_menu)


def unregister() -> None:
    """Take it away."""
    bpy.types.VIEW3D_MT_object_convert.remove(_draw_in_menu)
    _unregister_classes()
