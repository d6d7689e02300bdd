"""The planes beside colour: depth, distance, normal, position and ids of what a pixel's first sample met."""

from __future__ import annotations

import numpy as np

from ..protocol.scene import PLANE_CHANNELS, PlaneName
from ..transforms import Array
from .camera import BACKGROUND_DEPTH, BACKGROUND_VIEW_Z, PixelCamera
from .panorama import PanoramaCamera
from .scene import PreparedScene
from .surfaces import Surfaces

MEANS = ("combined", "ambient_occlusion")  # of all samples, which the renderer adds
_BACKGROUND = {"depth": BACKGROUND_DEPTH, "view_z": BACKGROUND_VIEW_Z}


def background_planes(names: tuple[PlaneName, ...], height: int, width: int) -> dict[PlaneName, Array]:
    """Give planes (height, width, channels) float32 in which nothing was met."""
    return {
        name: np.full((height, width, PLANE_CHANNELS[name]), _BACKGROUND.get(name, 0.0), np.float32)
        for name in names
    }


def fill_planes(
    planes: dict[PlaneName, Array],
    pixels: Array,
    scene: PreparedScene,
    camera: PixelCamera | PanoramaCamera,
    surfaces: Surfaces,
) -> None:
    """Write what surfaces are into planes (h, w, channels), at the rays' pixels (N,), counted row by row."""
    met = pixels[surfaces.rays]
    for name, plane in planes.items():
        if name not in MEANS:
            values = _values(name, scene, camera, surfaces)
            plane.reshape(-1, plane.shape[2])[met] = values.reshape(len(met), plane.shape[2])


def _values(
    name: PlaneName, scene: PreparedScene, camera: PixelCamera | PanoramaCamera, surfaces: Surfaces
) -> Array:
    if name == "depth":
        return camera.depth(surfaces.points)
    if name == "view_z":
        return camera.view_z(surfaces.points)
    if name == "normal":
        return surfaces.normals
    if name == "position":
        return surfaces.points
    if name == "material_index":
        return scene.materials.pass_indices[surfaces.materials]
    table = scene.object_ids if name == "object_id" else scene.pass_indices
    return table[surfaces.objects]
