"""A dependency graph as the engine's scene, the same for the viewport and the final render.

Visibility is the graph's own (hide_viewport, hide_render, excluded collections), in the viewport also the view's
(local view, collections hidden in it). What has not changed since the last export is not read again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import bpy
import mathutils

from ..engine.errors import WeightsFileError
from ..engine.protocol.scene import (
    Environment,
    Light,
    Material,
    MeshGeometry,
    MeshObject,
    NeuralObject,
    Scene,
    Vector,
)
from ..engine.protocol.weights import NeuralWeights
from .environment_export import export_surroundings
from .geometry_export import evaluated_mesh, read_triangles
from .material_export import export_light, export_material, flat
from .moving_object import time_of
from .neural_object import applied_transform, weights_of
from .session_folder import SessionFolder
from .texture_export import TextureStore, uv_layer_name

log = logging.getLogger(__name__)

Visible = Callable[[bpy.types.Object], bool]


class SceneExporter:
    """Exports one dependency graph again and again; remembers geometry by object between exports."""

    def __init__(self, folder: SessionFolder) -> None:
        """Put large arrays into `folder`."""
        self._folder = folder
        self._geometries: dict[int, _Kept] = {}  # by the object's session_uid
        self.textures = TextureStore(folder)
        self._stored_in = folder.times_made  # as often had the folder been made when they were stored
        self._visited: set[int] = set()  # in the present export
        self.moves = False  # whether the last scene held a moving shape
        self._surroundings: tuple[Vector, Environment | None] | None = None
        self._sound: dict[str, bool] = {}  # weights by SHA-256: whether they can be drawn
        self._applied: dict[
            int, mathutils.Matrix
        ] = {}  # transforms that were applied to proxies, by the mesh

    def forget_updated(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Forget the geometry of all that the graph says has changed."""
        if any(not isinstance(u.id, (bpy.types.Object, bpy.types.Mesh)) for u in depsgraph.updates):
            self._surroundings = None
        for update in depsgraph.updates:
            if isinstance(update.id, bpy.types.Image):
                self.textures.forget(update.id.original.session_uid)
        changed = {u.id.original.session_uid for u in depsgraph.updates if u.is_updated_geometry}
        if not changed:
            return
        for uid in changed:
            self._geometries.pop(uid, None)
            self._applied.pop(uid, None)
        for evaluated in depsgraph.objects:  # several objects may share data that has changed
            original = evaluated.original
            if original.data is None:
                continue
            if original.session_uid in changed:
                self._applied.pop(original.data.session_uid, None)
            if original.data.session_uid in changed:
                self._geometries.pop(original.session_uid, None)

    @property
    def is_lost(self) -> bool:
        """Whether what was stored has been deleted behind our back."""
        return self._folder.times_made != self._stored_in or not self._folder.blobs.is_dir()

    def export(self, depsgraph: bpy.types.Depsgraph, visible: Visible = lambda _: True) -> Scene:
        """Give the scene as it is now.

        Args:
            depsgraph: Evaluated, in the mode that is drawn.
            visible: Whether an evaluated object is to be drawn; an instance goes by its instancer.

        Raises:
            OSError: The session's folder is full.
        """
        if self._folder.repair() != self._stored_in:
            self._geometries.clear()
            self.textures.forget()
            self._surroundings = None
            self._stored_in = self._folder.times_made
        building = _Building(self, depsgraph)
        self._visited = set()
        for instance in depsgraph.object_instances:
            owner = instance.parent if instance.is_instance else instance.object
            if instance.show_self and visible(owner):
                building.add(instance)
        self._geometries = {uid: self._geometries[uid] for uid in self._visited}
        self.moves = any(neural.time is not None for neural in building.neural_objects)
        scene = depsgraph.scene
        if self._surroundings is None:
            self._surroundings = export_surroundings(scene.world, self._folder)
        color, environment = self._surroundings
        return Scene(
            neural_objects=tuple(building.neural_objects),
            mesh_objects=tuple(building.mesh_objects),
            geometries=tuple(building.geometries),
            materials=tuple(building.materials) or (Material(),),
            lights=tuple(building.lights),
            world_color=color,
            environment=environment,
            film_transparent=scene.render.film_transparent,
            **_ambient(scene),
        )

    def weights(self, evaluated: bpy.types.Object) -> str | None:
        """Store an object's weights and give their SHA-256; None where it is native, or its weights are damaged."""
        data = evaluated.original.data
        packed = weights_of(data) if isinstance(data, bpy.types.Mesh) else None
        if packed is None:
            return None
        sha256 = self._folder.put_bytes(packed)
        if sha256 not in self._sound:
            self._sound[sha256] = _can_be_read(packed, evaluated.name)
        return sha256 if self._sound[sha256] else None

    def world_from_fitted(self, instance: bpy.types.DepsgraphObjectInstance) -> tuple[float, ...]:
        """Give where the object space the weights were fitted in lies; Apply Transform leaves it where it was."""
        mesh = instance.object.original.data
        if mesh.session_uid not in self._applied:
            self._applied[mesh.session_uid] = mathutils.Matrix(applied_transform(mesh).tolist())
        return flat(instance.matrix_world @ self._applied[mesh.session_uid])

    def geometry(self, instance: bpy.types.DepsgraphObjectInstance) -> MeshGeometry | None:
        """Give an instance's triangles, stored; None where it has none."""
        evaluated = instance.object
        generated = instance.is_instance and instance.parent.original == evaluated.original
        uid = evaluated.original.session_uid
        uv_layer = uv_layer_name([slot.material for slot in evaluated.material_slots])
        kept = None if generated else self._geometries.get(uid)
        if kept is not None and kept.uv_layer == uv_layer:
            self._visited.add(uid)
            return kept.geometry
        with evaluated_mesh(evaluated) as mesh:
            arrays = read_triangles(mesh, uv_layer) if mesh is not None else None
        geometry = arrays.store(self._folder) if arrays is not None else None
        if not generated:  # what geometry nodes instance has no identity of its own
            self._geometries[uid] = _Kept(geometry, uv_layer)
            self._visited.add(uid)
        return geometry


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """An object's geometry, and the layer of UV coordinates it was read with."""

    geometry: MeshGeometry | None
    uv_layer: str | None


class _Building:
    """The scene while its instances are gone through."""

    def __init__(self, exporter: SceneExporter, depsgraph: bpy.types.Depsgraph) -> None:
        self.neural_objects: list[NeuralObject] = []
        self.mesh_objects: list[MeshObject] = []
        self.geometries: list[MeshGeometry] = []
        self.materials: list[Material] = []
        self.lights: list[Light] = []
        self._exporter, self._scene, self._layer = exporter, depsgraph.scene, depsgraph.view_layer
        self._num_objects = 0
        self._by_data: dict[
            tuple[int, str | None], MeshGeometry | None
        ] = {}  # pointers hold during one export
        self._geometry_indices: dict[MeshGeometry, int] = {}
        self._material_indices: dict[Material, int] = {}
        self._made: dict[tuple[int, bool], Material] = {}  # by pointer, and whether with its texture

    def add(self, instance: bpy.types.DepsgraphObjectInstance) -> None:
        evaluated = instance.object
        if evaluated.type == "LIGHT":
            self.lights.append(export_light(evaluated.data, instance.matrix_world))
        elif evaluated.type not in ("CAMERA", "EMPTY", "ARMATURE", "LIGHT_PROBE", "SPEAKER"):
            weights = self._exporter.weights(evaluated)
            if weights is not None:
                self._add_neural(instance, weights)
            else:
                self._add_mesh(instance)

    def _add_neural(self, instance: bpy.types.DepsgraphObjectInstance, weights: str) -> None:
        evaluated = instance.object
        self._num_objects += 1
        self.neural_objects.append(
            NeuralObject(
                name=evaluated.name,
                object_id=self._num_objects,
                weights=weights,
                world_from_object=self._exporter.world_from_fitted(instance),
                material=self._materials(instance, False, textured=False)[0],
                pass_index=evaluated.pass_index,
                time=time_of(evaluated.original.data, self._scene),
            )
        )

    def _add_mesh(self, instance: bpy.types.DepsgraphObjectInstance) -> None:
        evaluated = instance.object
        geometry = self._geometry(instance)
        if geometry is None:
            return
        self._num_objects += 1
        index = self._geometry_indices.setdefault(geometry, len(self.geometries))
        if index == len(self.geometries):
            self.geometries.append(geometry)
        self.mesh_objects.append(
            MeshObject(
                name=evaluated.name,
                object_id=self._num_objects,
                geometry=index,
                world_from_object=flat(instance.matrix_world),
                materials=self._materials(instance, self._scene.neural_implicit_render.native_holdout),
                pass_index=evaluated.pass_index,
            )
        )

    def _geometry(self, instance: bpy.types.DepsgraphObjectInstance) -> MeshGeometry | None:
        data = instance.object.data
        if data is None:
            return None
        slots = instance.object.material_slots
        key = (data.as_pointer(), uv_layer_name([slot.material for slot in slots]))
        if key not in self._by_data:
            self._by_data[key] = self._exporter.geometry(instance)
        return self._by_data[key]

    def _materials(
        self, instance: bpy.types.DepsgraphObjectInstance, holdout: bool, textured: bool = True
    ) -> tuple[int, ...]:
        """Give the numbers of an instance's materials; holes in the picture, where it or its view layer says so."""
        slots = [slot.material for slot in instance.object.material_slots] or [None]
        owner = instance.parent if instance.is_instance else instance.object
        holdout = holdout or owner.original.holdout_get(view_layer=self._layer)
        made = [self._exported(material, textured) for material in slots]
        return tuple(self._material(dataclasses.replace(m, holdout=True) if holdout else m) for m in made)

    def _exported(self, material: bpy.types.Material | None, textured: bool) -> Material:
        key = (0 if material is None else material.as_pointer(), textured)
        if key not in self._made:
            made = export_material(material)
            texture = self._exporter.textures.texture(material) if textured and material is not None else None
            self._made[key] = made if texture is None else dataclasses.replace(made, base_texture=texture)
        return self._made[key]

    def _material(self, material: Material) -> int:
        index = self._material_indices.setdefault(material, len(self.materials))
        if index == len(self.materials):
            self.materials.append(material)
        return index


def _ambient(scene: bpy.types.Scene) -> dict[str, float]:
    """Give the ambient occlusion's factor and distance: the world's own, as Cycles takes them."""
    if scene.world is None:
        return {}
    settings = scene.world.light_settings
    factor = settings.ao_factor if scene.neural_implicit_render.ambient_occlusion else 0.0
    return {"ambient_factor": float(factor), "ambient_distance": float(settings.distance)}


def _can_be_read(packed: bytes, name: str) -> bool:
    try:
        NeuralWeights.from_bytes(packed, f"the weights of {name}")
    except WeightsFileError as error:
        log.warning("%s The proxy is drawn in its place.", error)
        return False
    return True
