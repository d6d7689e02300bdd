"""Scenes for tests: arrays become blobs, shapes that are known in closed form stand in for networks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import trimesh

from engine.protocol.scene import (
    ArrayBlob,
    Camera,
    Light,
    Material,
    MeshGeometry,
    MeshObject,
    NeuralObject,
    Scene,
)
from engine.rendering.scene import SceneCache


class SphereTracer:
    """A sphere of radius `radius` about the origin of unit space, in closed form."""

    bound = "certified"

    def __init__(self, radius=0.5):
        self.radius = radius

    def value(self, points):
        return np.linalg.norm(points, axis=1) - self.radius

    def gradient(self, points):
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def trace(self, origins, directions, t_min, t_max):
        a = np.einsum("ni,ni->n", directions, directions)
        b = np.einsum("ni,ni->n", origins, directions)
        c = np.einsum("ni,ni->n", origins, origins) - self.radius**2
        root = np.sqrt(np.maximum(b * b - a * c, 0.0))
        t = np.full(len(a), np.inf)
        for crossing in ((-b + root) / a, (-b - root) / a):
            t = np.where((b * b > a * c) & (crossing >= t_min) & (crossing <= t_max), crossing, t)
        return t

    def occluded(self, origins, directions, t_min, t_max):
        return np.isfinite(self.trace(origins, directions, t_min, t_max))


class SphereWeights:
    """What the scene asks of a weights file, for a sphere."""

    unit_from_object = np.eye(4)
    bounds_unit = np.array([[-0.5] * 3, [0.5] * 3])

    class architecture:
        @staticmethod
        def num_parameters():
            return 7553


class SphereCache(SceneCache):
    """Every neural object is the sphere of radius 0.5."""

    def neural(self, sha256, name, time=None):
        return SphereWeights(), SphereTracer()


class SceneBuilder:
    """Collects objects, writes their arrays to `folder`, and gives the scene."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.geometries, self.mesh_objects, self.neural_objects = [], [], []
        self.materials, self.lights, self.next_id = [Material()], [], 1

    def blob(self, array: np.ndarray) -> ArrayBlob:
        return ArrayBlob(sha256=self.bytes(array.tobytes()), dtype=str(array.dtype), shape=array.shape)

    def bytes(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        (self.folder / sha256).write_bytes(data)
        return sha256

    def material(self, **values) -> int:
        self.materials.append(Material(**values))
        return len(self.materials) - 1

    def mesh(
        self, vertices, triangles, world_from_object=None, material=0, smooth_normals=None, uvs=None
    ) -> int:
        normals = None if smooth_normals is None else self.blob(smooth_normals.astype(np.float32))
        self.geometries.append(
            MeshGeometry(
                vertices=self.blob(np.asarray(vertices, np.float32)),
                triangles=self.blob(np.asarray(triangles, np.int32)),
                corner_normals=normals,
                corner_uvs=None if uvs is None else self.blob(np.asarray(uvs, np.float32)),
            )
        )
        item = MeshObject(
            name=f"mesh {self.next_id}",
            object_id=self.next_id,
            geometry=len(self.geometries) - 1,
            world_from_object=flat(world_from_object),
            materials=(material,),
        )
        self.mesh_objects.append(item)
        self.next_id += 1
        return self.next_id - 1

    def trimesh(self, mesh: trimesh.Trimesh, smooth=False, **options) -> int:
        normals = mesh.vertex_normals[mesh.faces] if smooth else None
        return self.mesh(mesh.vertices, mesh.faces, smooth_normals=normals, **options)

    def neural(self, world_from_object=None, material=0, weights="sphere") -> int:
        item = NeuralObject(
            name=f"neural {self.next_id}",
            object_id=self.next_id,
            weights=weights,
            world_from_object=flat(world_from_object),
            material=material,
        )
        self.neural_objects.append(item)
        self.next_id += 1
        return self.next_id - 1

    def light(self, **values) -> None:
        values["world_from_light"] = flat(values.get("world_from_light"))
        self.lights.append(Light(**values))

    def scene(self, **options) -> Scene:
        return Scene(
            neural_objects=tuple(self.neural_objects),
            mesh_objects=tuple(self.mesh_objects),
            geometries=tuple(self.geometries),
            materials=tuple(self.materials),
            lights=tuple(self.lights),
            **options,
        )


def flat(matrix) -> tuple[float, ...]:
    return tuple(float(v) for v in np.asarray(np.eye(4) if matrix is None else matrix, float).ravel())


def placed(x=0.0, y=0.0, z=0.0, scale=1.0) -> np.ndarray:
    matrix = np.diag([*np.broadcast_to(scale, 3), 1.0]).astype(float)
    matrix[:3, 3] = (x, y, z)
    return matrix


def camera_at(eye, target, width, height, fov_y=0.7, size_y=None, near=0.1, far=100.0) -> Camera:
    from engine.rendering.camera import look_at, orthographic, perspective

    projection = (
        perspective(width, height, fov_y, near, far)
        if size_y is None
        else orthographic(width, height, size_y, near, far)
    )
    view = look_at(np.asarray(eye, float), np.asarray(target, float))
    return Camera(view_from_world=view, clip_from_view=projection)
