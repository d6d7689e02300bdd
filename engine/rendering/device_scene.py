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
from . import lights as light_sources
from .camera import PixelCamera
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
        self._shading()

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
        self.frame["slots"] = self._put(table.slots.astype(np.int32))
        self.frame["slot_table"] = self._put(table.slot_table.astype(np.int32))

    def _triangles(self, geometry: Triangles) -> tuple[int, int, int]:
        tree: TriangleTree = triangle_tree(geometry.vertices[geometry.triangles])
        return self._put(tree.nodes), self._put(tree.corners), self._put(tree.faces)

    def _shading(self) -> None:
        materials = self.scene.materials
        rows = np.zeros(len(materials), layouts.MATERIAL)
        for name in ("base_color", "emission", "metallic", "ior", "alpha", "shares"):
            rows[name] = getattr(materials, name)
        rows["shines"] = materials.shines
        self.frame["materials"] = self._put(rows)
        lights = np.zeros(len(self.scene.lights), layouts.LIGHT)
        for k, light in enumerate(self.scene.lights):
            fill_light(lights[k], light)
        self.frame["lights"] = self._put(lights)
        self.frame["world_color"] = self.scene.world_color
        transparent = self.scene.film_transparent
        self.frame["background"] = (0, 0, 0, 0) if transparent else (*self.scene.world_color, 1.0)


def fill_camera(row: Any, camera: PixelCamera) -> None:
    """Write a `Camera` struct."""
    row["world_from_clip"] = camera._world_from_clip.ravel()
    row["clip_from_world"] = camera._clip_from_world.ravel()
    row["view_row"], row["pixel"] = camera._view_from_world[2], camera._pixel
    row["width"], row["height"] = camera.width, camera.height


def fill_light(row: Any, light: Any) -> None:
    """Write a `Light` struct from a prepared light, of whose numbers it is the other reader."""
    row["cast_shadow"] = light.cast_shadow
    if isinstance(light, light_sources._Sun):
        row["type"], row["facing"], row["radius"] = 0, light._toward[0], light._radius
        row["x"], row["y"], row["power"] = light._tangent[0], light._bitangent[0], light._irradiance
        return
    row["center"] = light._center
    if isinstance(light, light_sources._AreaLight):
        row["type"], row["power"], row["is_round"] = 3, light._weight, light._round
        row["x"], row["y"], row["facing"] = light._half_x, light._half_y, light._facing[0]
        row["duals"], row["dual_norms"] = light._duals.ravel(), np.linalg.norm(light._duals, axis=0)
        row["spreads_all"], row["spread_tangent"] = light._spread.all, light._spread.tangent
        row["spread_gain"] = light._spread._gain
        return
    row["type"], row["radius"], row["power"] = 1, light._radius, light._intensity
    if isinstance(light, light_sources._SpotLight):
        row["type"], row["edge"], row["smooth"] = 2, light._edge, light._smooth
        row["light_from_world"] = light._light_from_world[:3, :3].ravel()


def _padded(box: Array) -> Array:
    margin = BOX_PADDING * (float(np.max(box[1] - box[0])) + float(np.abs(box).max()))
    return np.stack([box[0] - margin, box[1] + margin])


def _world_box(box: Array, world_from_object: Array) -> Array:
    corners = np.stack(np.meshgrid(*box.T, indexing="ij"), axis=-1).reshape(-1, 3)
    moved = transform_points(world_from_object, corners)
    return _padded(np.stack([moved.min(axis=0), moved.max(axis=0)]))
