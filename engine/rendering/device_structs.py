"""Cameras, lights, textures and the surroundings as the kernels' structs: the other reader of their prepared numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cuda import layouts
from ..transforms import normalized
from . import lights as light_sources
from .camera import PixelCamera
from .environment import CHOICE_SIZE, Environment
from .panorama import PanoramaCamera
from .textures import TexturePicture

Array = npt.NDArray[Any]
Put = Callable[[Array], int]  # copies an array to the device and gives its address


def fill_camera(row: Any, camera: PixelCamera | PanoramaCamera) -> None:
    """Write a `Camera` struct."""
    row["pixel"], row["width"], row["height"] = camera._pixel, camera.width, camera.height
    if isinstance(camera, PixelCamera):
        row["kind"] = layouts.CAMERA_KINDS.index("LINEAR")
        row["world_from_clip"] = camera._world_from_clip.ravel()
        row["clip_from_world"] = camera._clip_from_world.ravel()
        row["view_row"] = camera._view_from_world[2]
        row["lens_axes"] = normalized(camera._view_from_world[:2, :3]).ravel()
        row["aperture"], row["focus"] = camera._aperture, camera._focus
        return
    panorama = camera._panorama
    row["kind"] = layouts.CAMERA_KINDS.index(panorama.kind)
    row["world_from_view"] = camera._world_from_view[:3].ravel()
    for name in ("longitude", "latitude", "sensor", "fov", "lens", "near", "far"):
        row[name] = getattr(panorama, name)


def fill_light(row: Any, light: Any) -> None:
    """Write a `Light` struct from a prepared light."""
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


def fill_texture(row: Any, texture: TexturePicture, address: int) -> None:
    """Write a `Texture` struct, whose picture lies at an address."""
    row["bytes" if texture._is_byte else "floats"] = address
    row["picture_from_uv"] = texture._from_uv.ravel()
    row["height"], row["width"] = texture._picture.shape[:2]
    row["is_srgb"], row["closest"] = texture._is_srgb, texture._closest
    row["extension"] = layouts.EXTENSIONS.index(texture._extension)


def fill_environment(row: Any, environment: Environment, put: Put) -> None:
    """Write an `Environment` struct; its picture and tables are copied by `put`."""
    row["picture"] = put(environment._picture.astype(np.float32))
    tables = {"shares": environment._share, "up": environment._rows, "across": environment._columns}
    for name, table in (tables | {"edges": environment._edges_z}).items():
        row[name] = put(table.astype(np.float64))
    row["from_world"], row["world_from"] = environment._from_world.ravel(), environment._world_from.ravel()
    row["height"], row["width"] = environment._picture.shape[:2]
    row["rows"], row["columns"] = CHOICE_SIZE
