"""A scene made of weights files alone: a camera that frames them, a soft key light, a rim light and the world's fill.

Objects stand where their files put them: world space is their object space, so depths and normals are in its units.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..protocol.scene import IDENTITY, Camera, Light, Material, NeuralObject, Scene, Vector
from ..protocol.weights import NeuralWeights
from ..rendering.camera import framing, look_at
from ..rendering.scene import PreparedScene, SceneCache, prepare_scene
from ..tracing.tracer import Tracer
from ..transforms import Array, transform_points

FOV_Y_RAD = 0.5  # about a 70 mm lens on full frame: little distortion
COLORS: tuple[Vector, ...] = (
    (0.70, 0.22, 0.08),
    (0.16, 0.42, 0.62),
    (0.66, 0.56, 0.20),
    (0.24, 0.50, 0.28),
    (0.56, 0.26, 0.46),
)
WORLD: Vector = (0.30, 0.33, 0.38)
SHELVES, RING = 48, 96  # heights and directions that a turning shape is framed by
GRID = 41  # points a side of the lattice that a shape is framed by
# Directions to the lights in the camera's axes: right, up, back.
KEY_LIGHT, KEY_STRENGTH, KEY_ANGLE_RAD = (-0.55, 0.75, 0.60), 2.4, 0.35
RIM_LIGHT, RIM_STRENGTH, RIM_ANGLE_RAD = (0.80, 0.35, -0.65), 1.6, 0.20

UpAxis = Literal["y", "z"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where the camera stands."""

    azimuth_deg: float = (
        35.0  # 0 is the front (-y where z is up, -z where y is up), growing to the right of who looks at it
    )
    elevation_deg: float = 20.0
    zoom: float = 1.0  # 1: everything just fits
    up: UpAxis = "y"


class Portrait:
    """Shapes ready to be looked at from anywhere; their tracers are made once."""

    def __init__(self, shapes: Sequence[NeuralWeights], colors: Sequence[Vector] = COLORS) -> None:
        """Take shapes, moving ones at a time already, and their base colours, which begin again after the last."""
        self._shapes, self._colors = shapes, tuple(colors)
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._names = [_blob(folder, shape.to_bytes()) for shape in shapes]
        self._cache = SceneCache(folder)

    def points(self) -> Array:
        """Give points (N, 3) of world space that a camera should see.

        Raises:
            WeightsFileError: A network cannot be traced.
        """
        tracers = [self._cache.neural(name, name)[1] for name in self._names]
        return np.concatenate([_points_near(s, t) for s, t in zip(self._shapes, tracers)])

    def view(
        self, view: View, width: int, height: int, points: Array | None = None
    ) -> tuple[PreparedScene, Camera]:
        """Give what is traced, and the camera that looks at it.

        Args:
            view: Where the camera stands.
            width: Of the picture, pixels.
            height: The same.
            points: What the camera frames (N, 3); by default the shapes.

        Raises:
            WeightsFileError: A network cannot be traced.
        """
        rotation = camera_axes(view)
        prepared = prepare_scene(_scene(self._names, rotation, self._colors), self._cache)
        framed = self.points() if points is None else points
        eye, clip_from_view = framing(framed, rotation, width, height, FOV_Y_RAD, view.zoom)
        _, up, back = rotation
        view_from_world = look_at(eye, eye - back, (float(up[0]), float(up[1]), float(up[2])))
        return prepared, Camera(view_from_world=view_from_world, clip_from_view=clip_from_view)


def portrait(
    shapes: Sequence[NeuralWeights], view: View, width: int, height: int
) -> tuple[PreparedScene, Camera]:
    """Make shapes ready to draw, and the camera that looks at them.

    Raises:
        WeightsFileError: A network cannot be traced.
    """
    return Portrait(shapes).view(view, width, height)


def turned(points: Array, up: UpAxis) -> Array:
    """Give points (N, 3) around the upright axis through the middle of others: those they become when they turn.

    A spin that is framed by them keeps its size.
    """
    axis = "xyz".index(up)
    across = [k for k in range(3) if k != axis]
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    heights = points[:, axis]
    radii = np.linalg.norm((points - middle)[:, across], axis=1)
    shelf = np.minimum(
        ((heights - heights.min()) / (np.ptp(heights) or 1.0) * SHELVES).astype(int), SHELVES - 1
    )
    rings = []
    for number in np.unique(shelf):
        chosen = shelf == number
        angle = np.linspace(0.0, 2.0 * np.pi, RING, endpoint=False)
        ring = np.empty((2 * RING, 3))
        ring[:, across[0]] = middle[across[0]] + radii[chosen].max() * np.tile(np.cos(angle), 2)
        ring[:, across[1]] = middle[across[1]] + radii[chosen].max() * np.tile(np.sin(angle), 2)
        ring[:, axis] = np.repeat([heights[chosen].min(), heights[chosen].max()], RING)
        rings.append(ring)
    return np.concatenate(rings)


def _scene(names: list[str], rotation: Array, colors: tuple[Vector, ...]) -> Scene:
    return Scene(
        neural_objects=tuple(_object(k, name, k % len(colors)) for k, name in enumerate(names)),
        materials=tuple(Material(base_color=color, roughness=0.45) for color in colors),
        lights=(
            _sun(rotation, KEY_LIGHT, KEY_STRENGTH, KEY_ANGLE_RAD),
            _sun(rotation, RIM_LIGHT, RIM_STRENGTH, RIM_ANGLE_RAD),
        ),
        world_color=WORLD,
        film_transparent=True,
    )


def camera_axes(view: View) -> Array:
    """Give the camera's unit axes as rows (3, 3): right, up, back."""
    azimuth, elevation = np.radians(view.azimuth_deg), np.radians(view.elevation_deg)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    outward = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    back = np.cos(elevation) * outward + np.sin(elevation) * np.array([0.0, 0.0, 1.0])
    if view.up == "y":  # a rotation that takes z to y and the front, -y, to -z
        right, back = (np.array([-v[0], v[2], v[1]]) for v in (right, back))
    return np.stack([right, np.cross(back, right), back])


def _points_near(shape: NeuralWeights, tracer: Tracer) -> Array:
    """Give points (N, 3) of object space in or just outside a shape; its box's corners where there are none."""
    low, high = shape.bounds_unit
    axes = [np.linspace(low[k], high[k], GRID) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = tracer.value(grid) < 1.5 * float((high - low).max()) / (
        GRID - 1
    )  # steep fields are up to sqrt(3)
    corners = np.isin(grid, shape.bounds_unit).all(axis=1)
    return transform_points(np.linalg.inv(shape.unit_from_object), grid[inside if inside.any() else corners])


def _object(number: int, sha256: str, material: int) -> NeuralObject:
    return NeuralObject(
        name=f"shape {number + 1}",
        object_id=number + 1,
        weights=sha256,
        world_from_object=IDENTITY,
        material=material,
    )


def _sun(rotation: Array, toward: Vector, strength: float, angle_rad: float) -> Light:
    direction = rotation.T @ np.array(toward)
    light_from_world = np.array(look_at(direction, np.zeros(3))).reshape(4, 4)
    world_from_light = np.linalg.inv(light_from_world)
    return Light(
        type="SUN",
        world_from_light=tuple(float(v) for v in world_from_light.ravel()),
        energy=strength,
        angle=angle_rad,
    )


def _blob(folder: Path, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    (folder / name).write_bytes(data)
    return name
