"""Panoramic cameras, as Cycles has them: equirectangular and two kinds of fisheye.

A panorama looks along -z of its own space at the picture's centre, with y up. `view_z` is the distance to the camera, as
Blender's depth of a panorama is; a depth buffer has no meaning, so `depth` grows from 0 at the camera to 1 far away.
"""

from __future__ import annotations

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Camera, Panorama
from ..transforms import Array, matrix
from .camera import PixelCamera, Rays


class PanoramaCamera:
    """A panoramic camera with a picture size; the same interface as `PixelCamera`."""

    has_lens = False

    def __init__(self, camera: Camera, panorama: Panorama, width: int, height: int) -> None:
        """Prepare it.

        Raises:
            SceneError: A number is not finite.
        """
        self.width, self.height = width, height
        self._panorama = panorama
        view_from_world = matrix(camera.view_from_world, "the camera")
        numbers = (panorama.fov, panorama.lens, *panorama.longitude, *panorama.latitude)
        if not np.isfinite((*numbers, *panorama.sensor, panorama.near, panorama.far)).all():
            raise SceneError("The panoramic camera has a number that is not finite; check its angles.")
        self._world_from_view = np.linalg.inv(view_from_world)
        self._pixel = self._widest() / max(width, height)

    def _widest(self) -> float:
        low, high = self._panorama.longitude
        return abs(high - low) if self._panorama.kind == "EQUIRECTANGULAR" else self._panorama.fov

    def rays(self, x: Array, y: Array, lens: Array | None = None) -> Rays:
        """Give rays through points of the picture; those outside a fisheye's circle have no length."""
        u, v = x / self.width, y / self.height
        if self._panorama.kind == "EQUIRECTANGULAR":
            local, inside = self._equirectangular(u, v), np.ones(len(x), bool)
        else:
            local, inside = self._fisheye(u, v)
        directions = local @ self._world_from_view[:3, :3].T
        near, far = self._panorama.near, self._panorama.far
        return Rays(
            origins=self._world_from_view[:3, 3] + near * directions,
            directions=directions,
            t_max=np.where(inside, max(far - near, 0.0), 0.0),
            pixel_sizes=np.full(len(x), near * self._pixel),
            pixel_growths=np.full(len(x), self._pixel),
        )

    def _equirectangular(self, u: Array, v: Array) -> Array:
        (west, east), (south, north) = self._panorama.longitude, self._panorama.latitude
        longitude, latitude = west + (east - west) * u, south + (north - south) * v
        across = np.cos(latitude)
        return np.stack([np.sin(longitude) * across, np.sin(latitude), -np.cos(longitude) * across], axis=1)

    def _fisheye(self, u: Array, v: Array) -> tuple[Array, Array]:
        if self._panorama.kind == "FISHEYE_EQUISOLID":
            width, height = self._panorama.sensor
            across, up = (u - 0.5) * width, (v - 0.5) * height
            radius = np.hypot(across, up)
            inside = radius <= 2.0 * self._panorama.lens * np.sin(self._panorama.fov / 4.0)
            angle = 2.0 * np.arcsin(np.clip(radius / (2.0 * self._panorama.lens), 0.0, 1.0))
        else:
            across, up = 2.0 * u - 1.0, 2.0 * v - 1.0
            radius = np.hypot(across, up)
            inside = radius <= 1.0
            angle = radius * self._panorama.fov / 2.0
        share = np.sin(angle) / np.maximum(radius, 1e-12)
        return np.stack([across * share, up * share, -np.cos(angle)], axis=1), inside

    def view_z(self, points: Array) -> Array:
        """Give the distance (N,) to the camera of world points (N, 3), m."""
        distance: Array = np.linalg.norm(points - self._world_from_view[:3, 3], axis=1)
        return distance

    def depth(self, points: Array) -> Array:
        """Give a value (N,) from 0 to 1 that grows with the distance."""
        return np.clip(self.view_z(points) / self._panorama.far, 0.0, 1.0)


def make_camera(camera: Camera, width: int, height: int) -> PixelCamera | PanoramaCamera:
    """Give a camera with a picture size, of the kind it is.

    Raises:
        SceneError: It cannot be used.
    """
    if camera.panorama is not None:
        return PanoramaCamera(camera, camera.panorama, width, height)
    return PixelCamera(camera, width, height)
