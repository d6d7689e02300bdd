"""Where the result of a conversion goes: a new object beside its source, or a neural object that is converted anew.

It holds no pointers into Blender's data between its steps, only session_uids, because undo replaces the data.
"""

from __future__ import annotations

import bpy

from .neural_object import OUTDATED_KEY, NeuralShape, meshes_of_job, shape_of, store_shape
from .source_object import hide_source, new_object, show_source, take_over_selection, with_uid


class JobTarget:
    """The neural object of one job, before it is there, while it trains, and after."""

    def __init__(
        self,
        job: str,
        source: bpy.types.Object,
        context: bpy.types.Context,
        replaced: bpy.types.Object | None = None,
    ) -> None:
        """Note where things are; nothing is made yet.

        Args:
            job: The job's UUID.
            source: The object that is converted.
            context: The scene and view layer that get the result.
            replaced: A neural object whose shape is replaced; None: a new object is made.
        """
        self.material_slot = 0  # which of the source's materials a new object gets
        self.changed_scene = False  # an undo step is due
        self._job = job
        self._source_uid = source.session_uid
        self._scene_uid = context.scene.session_uid
        self._view_layer_name = context.view_layer.name
        self._object_uid = 0 if replaced is None else replaced.session_uid
        self._before = None if replaced is None else shape_of(replaced.data)
        self._outdated = replaced is not None and bool(replaced.data.get(OUTDATED_KEY, False))
        self._replaces = replaced is not None
        self._recreate = False  # an undo took the object away
        self._hidden = False  # the source is

    @property
    def has_object(self) -> bool:
        """Whether there is something to see."""
        return self._object_uid != 0

    @property
    def replaces(self) -> bool:
        """Whether a neural object that was there before gets the shape."""
        return self._replaces

    @property
    def before(self) -> NeuralShape | None:
        """The shape that is replaced."""
        return self._before

    def source(self) -> bpy.types.Object | None:
        """Give the source; None where it is gone."""
        return with_uid(bpy.data.objects, self._source_uid)

    def scene(self) -> bpy.types.Scene | None:
        """Give the scene; None where it is gone."""
        return with_uid(bpy.data.scenes, self._scene_uid)

    def meshes(self) -> list[bpy.types.Mesh]:
        """Give the meshes that hold the job's shape, or are to hold it."""
        meshes = list(meshes_of_job(self._job))
        obj = self._object() if self._replaces else None
        if obj is not None and obj.data not in meshes:
            meshes.append(obj.data)
        return meshes

    def after_undo(self) -> None:
        """Notice that an undo or redo may have taken the object away; the next snapshot makes it again."""
        self._recreate = not self._replaces
        self._hidden = False

    def make(self, shape: NeuralShape) -> bool:
        """Make the object where there is none yet, or an undo took it; False where the user has deleted it."""
        if self.has_object and self._object() is not None:
            self.changed_scene = True
            return True
        if self.has_object and not self._recreate:
            return any(mesh.users for mesh in meshes_of_job(self._job))  # perhaps a copy is left
        source, scene = self.source(), self.scene()
        if source is None or scene is None:
            return False
        mesh = bpy.data.meshes.new(f"{source.name} Neural")
        store_shape(mesh, shape)
        obj = new_object(source, mesh, scene, self.material_slot)
        self._object_uid, self._recreate, self.changed_scene = obj.session_uid, False, True
        view_layer = self._view_layer()
        if view_layer is not None:
            view_layer.update()
            take_over_selection(source, obj, view_layer)
        return True

    def hide_source(self) -> None:
        """Hide the source, once."""
        source, view_layer = self.source(), self._view_layer()
        if not self._hidden and source is not None and view_layer is not None:
            self._hidden = hide_source(source, view_layer)

    def take_back(self) -> None:
        """Remove what was made, or put the shape of before back; the source is shown again."""
        source, view_layer = self.source(), self._view_layer()
        obj = self._object()
        if self._hidden and source is not None and view_layer is not None:
            show_source(source, view_layer)
            if obj is not None and not self._replaces:
                take_over_selection(obj, source, view_layer)
        if self._replaces:
            for mesh in meshes_of_job(self._job) if self._before is not None else ():
                store_shape(mesh, self._before)
                mesh[OUTDATED_KEY] = self._outdated
            return
        if obj is not None:
            mesh = obj.data
            bpy.data.objects.remove(obj)
            if mesh.users == 0:
                bpy.data.meshes.remove(mesh)
        self._object_uid = 0

    def _object(self) -> bpy.types.Object | None:
        return with_uid(bpy.data.objects, self._object_uid) if self.has_object else None

    def _view_layer(self) -> bpy.types.ViewLayer | None:
        scene = self.scene()
        return None if scene is None else scene.view_layers.get(self._view_layer_name)
