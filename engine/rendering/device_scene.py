"""A prepared scene on the device: instances, native triangles, materials and lights, in the kernels' structs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import layouts
from ..cuda.session import CudaSession, DeviceArray
from ..cuda.triangle_tree import TriangleTree, triangle_tree
from ..tracing.cuda import CudaTracer
from ..transforms import transform_points
from .device_structs import fill_environment, fill_light, fill_texture
from .instance_tree import InstanceTree, build_tree
from .native_geometry import Triangles
from .scene import PreparedScene

Array = npt.NDArray[Any]
BOX_PADDING = 1e-6  # of an object's size and place


class DeviceScene:
    """What does not change from picture to picture."""

    def __init__(self, session: CudaSession, scene: PreparedScene) -> None:
        """Copy everything.

        Raises:
            DeviceMemoryError: It does not fit.
        """
        self.session, self.scene = session, scene
        self._memory: list[DeviceArray] = []
        self.frame = np.zeros(1, layouts.FRAME)
        self.tracers: list[CudaTracer] = []
        self.instances = np.zeros(1, layouts.INSTANCES)
        self.cast = np.zeros(1, layouts.CAST_ARGUMENTS)
        self._neural()
        if scene.native.geometries:
            self._native()
        self._materials()
        self._shine()

    def _put(self, array: Array) -> int:
        memory = self.session.array(array)
        self._memory.append(memory)
        return memory.address

    def _tree(self, struct: Array, tree: InstanceTree) -> None:
        nodes = np.zeros(len(tree.first), layouts.TREE_NODE)
        nodes["box"], nodes["first"], nodes["members"] = tree.boxes.reshape(-1, 6), tree.first, tree.members
        struct["nodes"], struct["order"] = self._put(nodes), self._put(tree.order)

    def _neural(self) -> None:
        neural = self.scene.neural
        distinct = {id(i.tracer): i.tracer for i in neural}
        self.tracers = [t for t in distinct.values() if isinstance(t, CudaTracer)]
        number = {key: k for k, key in enumerate(distinct)}
        rows = np.zeros(len(neural), layouts.INSTANCE)
        for row, instance in zip(rows, neural):
            row["unit_from_world"] = instance.unit_from_world[:3].ravel()
            row["box"], row["network"] = instance.box.ravel(), number[id(instance.tracer)]
        tree = build_tree(
            np.array([i.world_box() for i in neural]).reshape(-1, 2, 3),
            np.array([i.unit_from_world for i in neural]),
            np.array([i.box for i in neural]),
        )
        self._tree(self.instances, tree)
        self.instances["instances"], self.instances["count"] = self._put(rows), len(neural)
        self.frame["instances"], self.frame["num_neural"] = self.instances["instances"], len(neural)
        self.frame["neural_materials"] = self._put(self.scene.neural_materials.astype(np.int32))

    def _native(self) -> None:
        table = self.scene.table.arrays()
        geometries, matrices = self.scene.native.geometries, table.world_from_object
        inverses, boxes = np.linalg.inv(matrices), np.array([_padded(g.box) for g in geometries])
        trees = {id(g): self._triangles(g) for g in {id(g): g for g in geometries}.values()}
        rows = np.zeros(len(geometries), layouts.MESH_INSTANCE)
        surfaces = np.zeros(len(geometries), layouts.MESH_SURFACE)
        for k, geometry in enumerate(geometries):
            rows[k]["object_from_world"], rows[k]["box"] = inverses[k, :3].ravel(), boxes[k].ravel()
            rows[k]["nodes"], rows[k]["corners"], rows[k]["faces"] = trees[id(geometry)]
        surfaces["world_from_object"] = matrices[:, :3].reshape(-1, 12)
        surfaces["object_from_world"] = inverses[:, :3].reshape(-1, 12)
        surfaces["bias"], surfaces["size"], surfaces["start"] = table.bias, table.size, table.start
        surfaces["num_slots"] = table.slot_table.shape[1]
        surfaces["first_slot"] = np.arange(len(geometries)) * table.slot_table.shape[1]
        world = np.array([_world_box(box, m) for box, m in zip(boxes, matrices)])
        self._tree(self.cast, build_tree(world, inverses, boxes))
        self.cast["meshes"], self.cast["count"] = self._put(rows), len(rows)
        self.frame["meshes"] = self._put(surfaces)
        self.frame["corners"] = self._put(table.corners.astype(np.float32))
        self.frame["corner_normals"] = self._put(table.corner_normals.astype(np.float32))
        if table.corner_uvs is not None:
            self.frame["corner_uvs"] = self._put(table.corner_uvs.astype(np.float32))
        self.frame["slots"] = self._put(table.slots.astype(np.int32))
        self.frame["slot_table"] = self._put(table.slot_table.astype(np.int32))

    def _triangles(self, geometry: Triangles) -> tuple[int, int, int]:
        tree: TriangleTree = triangle_tree(geometry.vertices[geometry.triangles])
        return self._put(tree.nodes), self._put(tree.corners), self._put(tree.faces)

    def _materials(self) -> None:
        materials = self.scene.materials
        rows = np.zeros(len(materials), layouts.MATERIAL)
        for name in ("base_color", "emission", "opacity", "holdout"):
            rows[name] = getattr(materials, name)
        for name, values in materials.reflection._asdict().items():
            rows[name] = values
        rows["texture"] = -1
        textures = np.zeros(len(materials.textures), layouts.TEXTURE)
        places: dict[int, int] = {}  # of pictures, which several materials may share
        for number, (material, texture) in enumerate(materials.textures):
            picture = texture._picture
            if id(picture) not in places:
                places[id(picture)] = self._put(picture)
            rows[material]["texture"] = number
            fill_texture(textures[number], texture, places[id(picture)])
        self.frame["materials"], self.frame["textures"] = self._put(rows), self._put(textures)

    def _shine(self) -> None:
        lights = np.zeros(len(self.scene.lights), layouts.LIGHT)
        for row, light in zip(lights, self.scene.lights):
            fill_light(row, light)
        self.frame["lights"] = self._put(lights)
        if self.scene.environment is not None:
            fill_environment(self.frame["environment"][0], self.scene.environment, self._put)
        self.frame["world_color"] = self.scene.world_color
        self.frame["film_transparent"] = self.scene.film_transparent
        self.frame["ambient_factor"] = self.scene.ambient_factor
        self.frame["ambient_distance"] = self.scene.ambient_distance


def _padded(box: Array) -> Array:
    margin = BOX_PADDING * (float(np.max(box[1] - box[0])) + float(np.abs(box).max()))
    return np.stack([box[0] - margin, box[1] + margin])


def _world_box(box: Array, world_from_object: Array) -> Array:
    corners = np.stack(np.meshgrid(*box.T, indexing="ij"), axis=-1).reshape(-1, 3)
    moved = transform_points(world_from_object, corners)
    return _padded(np.stack([moved.min(axis=0), moved.max(axis=0)]))
