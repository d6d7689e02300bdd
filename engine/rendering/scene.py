"""Scenes made ready to trace: tracers, search trees, materials and lights, kept between scenes by their content."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from ..errors import SceneError
from ..protocol import scene as protocol
from ..protocol.scene import MeshGeometry, MeshObject, NeuralObject, Scene
from ..protocol.weights import NeuralWeights
from ..tracing import make_tracer
from ..tracing.certifier import Certifiable
from ..tracing.tracer import Tracer
from ..transforms import Array, is_invertible, matrix
from .blobs import read_array, read_blob, read_geometry
from .environment import Environment
from .lights import LightSource, make_light
from .materials import MaterialTable
from .native_geometry import NativeGeometry, Triangles
from .neural_geometry import NeuralGeometry, NeuralInstance
from .textures import TexturePicture
from .triangle_table import TriangleTable

log = logging.getLogger(__name__)

KEPT_SCENES = 8  # what none of the last scenes used is let go of: training sends new weights every second
T = TypeVar("T")


class SceneCache:
    """Tracers and search trees by content, shared by the scenes of one session; used by one thread at a time."""

    def __init__(self, blobs: Path) -> None:
        """Look for blobs in the folder `blobs`."""
        self._blobs = blobs
        self._entries: dict[Hashable, tuple[Any, int]] = {}  # and the number of the scene that last used it
        self._scene = 0
        self._job_began = 0  # with which scene
        self._time = 0.0
        self._device = "auto"

    def begin_scene(self, time: float = 0.0, device: Literal["auto", "cpu"] = "auto") -> None:
        """Forget what has not been used for a while, and go to a time and a device."""
        self._scene += 1
        self._time, self._device = time, device
        oldest = self._scene - KEPT_SCENES
        self._entries = {
            key: (value, used)
            for key, (value, used) in self._entries.items()
            if used >= oldest or (used > self._job_began and _could_be_better(value))
        }

    def begin_job(self) -> None:
        """From the next scene on keep tracers with sampled bounds: read again from disk they may have got better ones."""
        self._job_began = self._scene

    def neural(self, sha256: str, name: str, time: float | None = None) -> tuple[NeuralWeights, Tracer]:
        """Give weights and their tracer, if the network moves at `time` or the scene's.

        Raises:
            SceneError: The blob is missing or damaged.
            WeightsFileError: It is not a usable weights file.
        """

        weights = self._get(
            ("weights", sha256), lambda: NeuralWeights.from_bytes(read_blob(self._blobs, sha256), name)
        )
        at = self._time if time is None else time
        moment = at if weights.architecture.inputs == 4 else 0.0
        device = self._device
        return weights, self._get(
            ("tracer", sha256, moment, device), lambda: make_tracer(weights, device, time=moment)
        )

    def triangles(self, geometry: MeshGeometry) -> Triangles | None:
        """Give a geometry with its search tree, or None where it has no triangles.

        Raises:
            SceneError: A blob is missing or damaged.
        """

        def load() -> Triangles | None:
            arrays = read_geometry(self._blobs, geometry)
            return Triangles.build(*arrays) if len(arrays[1]) else None

        return self._get(("geometry", geometry), load)

    def environment(self, environment: protocol.Environment | None) -> Environment | None:
        """Give a picture of the surroundings, ready to shine.

        Raises:
            SceneError: The blob is missing or damaged.
        """
        if environment is None:
            return None
        return self._get(
            ("environment", environment),
            lambda: Environment(
                read_array(self._blobs, environment.picture),
                matrix(environment.environment_from_world, "the environment"),
            ),
        )

    def texture(self, texture: protocol.Texture | None) -> TexturePicture | None:
        """Give a picture on native geometry, ready to be looked up.

        Raises:
            SceneError: The blob is missing or damaged, or no picture.
        """
        if texture is None:
            return None
        picture = self._get(
            ("picture", texture.picture), lambda: read_array(self._blobs, texture.picture)
        )  # several materials may share it
        return TexturePicture(texture, picture)

    def _get(self, key: Hashable, load: Callable[[], T]) -> T:
        value: T = self._entries[key][0] if key in self._entries else load()
        self._entries[key] = (value, self._scene)
        return value


def _could_be_better(value: Any) -> bool:
    return isinstance(value, Certifiable) and value.bound == "sampled" and value.provable is not None


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScene:
    """A scene ready to trace. Objects are numbered: neural ones first, then native instances."""

    neural: tuple[NeuralInstance, ...]
    instances: NeuralGeometry  # the same, ready for rays
    native: NativeGeometry
    table: TriangleTable
    materials: MaterialTable
    neural_materials: Array  # (number of neural objects,) int
    object_ids: Array  # (objects,) float32
    pass_indices: Array  # (objects,) float32
    lights: tuple[LightSource, ...]
    world_color: Array  # (3,) float32
    film_transparent: bool
    environment: Environment | None  # what `world_color` multiplies
    ambient_factor: float
    ambient_distance: float
    size: float  # largest number of parameters of a network, or 0
    troubles: list[str] = field(default_factory=list)  # why the CPU drew pictures of it that were the GPU's

    def left_to_cpu(self) -> str:
        """Say why the CPU drew what was the GPU's, or a part of it; empty where it did not."""
        if not self.troubles and any(getattr(i.tracer, "left_to_cpu", False) for i in self.neural):
            return "the GPU could not go on with a shape"
        return self.troubles[-1] if self.troubles else ""

    def background(self, directions: Array) -> Array:
        """Give the colours (N, 4) float32 of what no surface covers, seen along unit directions (N, 3)."""
        color = np.zeros((len(directions), 4), np.float32)
        if not self.film_transparent:
            color[:, :3] = self.surroundings(directions)
            color[:, 3] = 1.0
        return color

    def surroundings(self, directions: Array) -> Array:
        """Give the light (N, 3) or (3,) float32 that comes from unit directions (N, 3)."""
        if self.environment is None:
            return self.world_color
        light: Array = self.environment.radiance(directions) * self.world_color
        return light


def prepare_scene(scene: Scene, cache: SceneCache) -> PreparedScene:
    """Make a scene ready to trace; objects of zero volume or without triangles are left out.

    Raises:
        SceneError: Data is missing or damaged, or a number is impossible.
        WeightsFileError: An object's weights cannot be used.
    """
    times = [scene.time, *(o.time for o in scene.neural_objects if o.time is not None)]
    if not all(math.isfinite(time) for time in times):
        raise SceneError("The scene's time is not finite; check its frame rate.")
    cache.begin_scene(scene.time, scene.device)
    textures = tuple(cache.texture(material.base_texture) for material in scene.materials)
    materials = MaterialTable(scene.materials, textures)
    neural = [(o, m) for o in scene.neural_objects if (m := _placed(o)) is not None]
    native = [
        (o, m, g)
        for o in scene.mesh_objects
        if (m := _placed(o)) is not None and (g := cache.triangles(_geometry(scene, o))) is not None
    ]
    instances, largest = [], 0
    for neural_object, world_from_object in neural:
        weights, tracer = cache.neural(neural_object.weights, neural_object.name, neural_object.time)
        unit_from_world = weights.unit_from_object @ np.linalg.inv(world_from_object)
        instances.append(NeuralInstance.place(tracer, unit_from_world, weights.bounds_unit))
        largest = max(largest, weights.architecture.num_parameters())
    geometries, matrices = [g for _, _, g in native], [m for _, m, _ in native]
    slots = [tuple(_checked(k, len(materials), o.name) for k in o.materials) for o, _, _ in native]
    objects: list[NeuralObject | MeshObject] = [*(o for o, _ in neural), *(o for o, _, _ in native)]
    world_color = np.array(scene.world_color, np.float32)
    if not np.isfinite(world_color).all():
        raise SceneError("The world's colour is not finite; check its strength.")
    if not (math.isfinite(scene.ambient_factor) and scene.ambient_distance >= 0.0):
        raise SceneError(
            "The world's ambient occlusion has a factor or distance that is no number; check them."
        )
    return PreparedScene(
        neural=tuple(instances),
        instances=NeuralGeometry(tuple(instances)),
        native=NativeGeometry(geometries, matrices),
        table=TriangleTable(geometries, matrices, slots),
        materials=materials,
        neural_materials=np.array(
            [_checked(o.material, len(materials), o.name) for o, _ in neural], np.int64
        ),
        object_ids=np.array([o.object_id for o in objects], np.float32),
        pass_indices=np.array([o.pass_index for o in objects], np.float32),
        lights=tuple(make_light(light) for light in scene.lights),
        world_color=world_color,
        film_transparent=scene.film_transparent,
        environment=cache.environment(scene.environment),
        ambient_factor=scene.ambient_factor,
        ambient_distance=scene.ambient_distance,
        size=float(largest),
    )


def _placed(item: NeuralObject | MeshObject) -> Array | None:
    world_from_object = matrix(item.world_from_object, item.name)
    if is_invertible(world_from_object):
        return world_from_object
    log.info("%s is scaled to nothing and is not drawn", item.name)
    return None


def _geometry(scene: Scene, item: MeshObject) -> MeshGeometry:
    return scene.geometries[_checked(item.geometry, len(scene.geometries), item.name)]


def _checked(index: int, count: int, name: str) -> int:
    if not 0 <= index < count:
        raise SceneError(
            f"{name} names a material or a mesh that the scene does not have; update the add-on."
        )
    return index
