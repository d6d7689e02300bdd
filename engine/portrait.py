"""A scene made of weights files alone: a camera that frames them, a soft key light, a rim light and the world's fill.

Objects stand where their files put them: world space is their object space, so depths and normals are in its units.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from .camera import framing, look_at
from .protocol.scene import IDENTITY, Camera, Light, Material, NeuralObject, Scene, Vector
from .protocol.weights import NeuralWeights
from .scene import PreparedScene, SceneCache, prepare_scene
from .transforms import Array, transform_points

FOV_Y_RAD = 0.5  # about a 70 mm lens on full frame: little distortion
COLORS: tuple[Vector, ...] = (
    (0.78, 0.33, 0.16),
    (0.16, 0.42, 0.62),
    (0.66, 0.56, 0.20),
    (0.24, 0.50, 0.28),
    (0.56, 0.26, 0.46),
)
WORLD: Vector = (0.42, 0.45, 0.50)
# Directions to the lights in the camera's axes: right, up, back.
KEY_LIGHT, KEY_STRENGTH, KEY_ANGLE_RAD = (-0.55, 0.75, 0.60), 2.4, 0.35
RIM_LIGHT, RIM_STRENGTH, RIM_ANGLE_RAD = (0.80, 0.35, -0.65), 1.6, 0.20

UpAxis = Literal["y", "z"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where the camera stands."""

    azimuth_deg: float = (
        35.0  # 0 is the front (-y where z is up, +z where y is up), growing to the object's left
    )
    elevation_deg: float = 20.0
    zoom: float = 1.0  # 1: the objects' boxes just fit
    up: UpAxis = "y"


def portrait(
    shapes: Sequence[NeuralWeights], view: View, width: int, height: int
) -> tuple[PreparedScene, Camera]:
    """Make shapes ready to draw, and the camera that looks at them.

    Raises:
        WeightsFileError: A network cannot be traced.
    """
    right, up, back = _camera_axes(view)
    corners = np.concatenate([_corners(shape) for shape in shapes])
    rotation = np.stack([right, up, back])
    eye, clip_from_view = framing(corners, rotation, width, height, FOV_Y_RAD, view.zoom)
    camera = Camera(
        view_from_world=look_at(eye, eye - back, (float(up[0]), float(up[1]), float(up[2]))),
        clip_from_view=clip_from_view,
    )
    with tempfile.TemporaryDirectory() as folder:
        names = [_blob(Path(folder), shape.to_bytes()) for shape in shapes]
        scene = Scene(
            neural_objects=tuple(_object(k, name) for k, name in enumerate(names)),
            materials=tuple(Material(base_color=color, roughness=0.45) for color in COLORS),
            lights=(
                _sun(rotation, KEY_LIGHT, KEY_STRENGTH, KEY_ANGLE_RAD),
                _sun(rotation, RIM_LIGHT, RIM_STRENGTH, RIM_ANGLE_RAD),
            ),
            world_color=WORLD,
            film_transparent=True,
        )
        return prepare_scene(scene, SceneCache(Path(folder))), camera


def _camera_axes(view: View) -> tuple[Array, Array, Array]:
    """Give the camera's unit axes right, up and back (3,)."""
    azimuth, elevation = np.radians(view.azimuth_deg), np.radians(view.elevation_deg)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    back = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    if view.up == "y":
        right, back = (np.array([v[0], v[2], -v[1]]) for v in (right, back))
    return right, np.cross(back, right), back


def _corners(shape: NeuralWeights) -> Array:
    low, high = shape.bounds_unit
    choice = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(-1, 3)
    return transform_points(np.linalg.inv(shape.unit_from_object), np.where(choice == 1, high, low))


def _object(number: int, sha256: str) -> NeuralObject:
    return NeuralObject(
        name=f"shape {number + 1}",
        object_id=number + 1,
        weights=sha256,
        world_from_object=IDENTITY,
        material=number % len(COLORS),
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
