"""Rays through pixels, and the only conversions between `t`, `view_z` and `depth`.

`t` is length along a ray from the near plane in metres, `view_z` the distance to the camera plane, `depth` the
value in a depth buffer, 0.5 * ndc.z + 0.5. Pixel (0, 0) is the bottom left one. Any linear camera works, perspective
or orthographic, shifted or not: both ends of a ray are taken back from the near and the far plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Camera
from ..transforms import Array, matrix, normalized

BACKGROUND_DEPTH = 1.0
BACKGROUND_VIEW_Z = 1e10
FRAME_SHARE = 0.94  # of the picture that a framed object fills


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """N rays in world space, from the near plane to the far plane."""

    origins: Array  # (N, 3) float64
    directions: Array  # (N, 3) float64, length 1
    t_max: Array  # (N,) float64, m; inf where the far plane is at infinity
    pixel_sizes: Array  # (N,) float64, m: of a pixel at the origin
    pixel_growths: Array  # (N,) float64: of that size, per metre along the ray

    def __len__(self) -> int:
        return len(self.t_max)

    def at(self, t: Array) -> Array:
        """Give points (N, 3) at parameters (N,)."""
        points: Array = self.origins + t[:, None] * self.directions
        return points

    def pixel_size(self, rays: Array, t: Array) -> Array:
        """Give the size (M,) in m of a pixel at parameters t (M,) of the rays numbered (M,)."""
        size: Array = self.pixel_sizes[rays] + t * self.pixel_growths[rays]
        return size


class PixelCamera:
    """A camera with a picture size."""

    def __init__(self, camera: Camera, width: int, height: int) -> None:
        """Prepare the matrices.

        Raises:
            SceneError: A matrix is not finite or has no inverse, or the picture has no pixels.
        """
        if not (0 < width <= 65536 and 0 < height <= 65536):
            raise SceneError(
                f"A picture of {width} x {height} pixels cannot be made; use 1 to 65536 each way."
            )
        self.width = width
        self.height = height
        self._view_from_world = matrix(camera.view_from_world, "the camera")
        self._clip_from_view = matrix(camera.clip_from_view, "the camera's projection")
        self._clip_from_world = self._clip_from_view @ self._view_from_world
        try:
            self._world_from_clip = np.linalg.inv(self._clip_from_world)
        except np.linalg.LinAlgError as error:
            raise SceneError(
                "The camera's matrices have no inverse; check its clip range and scale."
            ) from error
        if not np.isfinite(self._world_from_clip).all():
            raise SceneError("The camera's matrices have no inverse; check its clip range and scale.")
        self._aperture, self._focus = camera.aperture, camera.focus_distance
        if not (np.isfinite(self._aperture) and np.isfinite(self._focus)) or self._focus <= 0.0:
            raise SceneError("The camera's focus distance must be positive, and its f-stop a number.")
        steps = np.linalg.norm(self._clip_from_world[:2, :3], axis=1) * (width, height) / 2.0
        self._pixel = 1.0 / float(steps.max())  # size in m at w = 1

    @property
    def has_lens(self) -> bool:
        """Whether what is out of focus is blurred."""
        return self._aperture > 0.0

    def rays(self, x: Array, y: Array, lens: Array | None = None) -> Rays:
        """Give rays through points of the picture.

        Args:
            x: Position (N,) in pixels from the left edge; the first pixel's centre is 0.5.
            y: Position (N,) in pixels from the bottom edge.
            lens: Places (N, 2) on the lens, in the unit disk; None: its middle.
        """
        rays = self._pinhole_rays(x, y)
        return rays if lens is None or not self.has_lens else self._through_lens(rays, lens)

    def _through_lens(self, rays: Rays, lens: Array) -> Rays:
        """Give rays from places on the lens that meet the others on the plane in focus."""
        axes = normalized(self._view_from_world[:2, :3])
        near, rate = self.view_z(rays.origins), -(rays.directions @ self._view_from_world[2, :3])
        middle = rays.at(-near / rate)
        start = middle + self._aperture * (lens @ axes)
        toward = rays.at((self._focus - near) / rate) - start  # over the focus distance
        origins = start + toward * (near / self._focus)[:, None]
        directions = normalized(toward)
        turned = -(directions @ self._view_from_world[2, :3])
        return Rays(
            origins,
            directions,
            rays.t_max * rate / turned,
            rays.pixel_sizes,
            rays.pixel_growths * turned / rate,
        )

    def _pinhole_rays(self, x: Array, y: Array) -> Rays:
        from .pixel_rays import fill_rays  # so that framing a view needs no compiler

        ends, numbers = np.empty((2, len(x), 3)), np.empty((3, len(x)))
        scale, places = np.array([2.0 / self.width, 2.0 / self.height]), np.asarray([x, y], np.float64)
        row = self._clip_from_world[3]
        fill_rays(places[0], places[1], scale, self._world_from_clip, row, self._pixel, ends, numbers)
        return Rays(ends[0], ends[1], numbers[0], numbers[1], numbers[2])

    def view_z(self, points: Array) -> Array:
        """Give the distance (N,) to the camera plane of world points (N, 3), m."""
        row = self._view_from_world[2]
        distance: Array = -(points @ row[:3] + row[3])
        return distance

    def depth(self, points: Array) -> Array:
        """Give the depth buffer's value (N,) of world points (N, 3)."""
        z, w = self._clip_from_world[2], self._clip_from_world[3]
        ndc_z = (points @ z[:3] + z[3]) / (points @ w[:3] + w[3])
        value: Array = 0.5 * ndc_z + 0.5
        return value


def perspective(width: int, height: int, fov_y_rad: float, near: float, far: float) -> tuple[float, ...]:
    """Give `clip_from_view` of a perspective camera; lengths in m."""
    focal = 1.0 / np.tan(fov_y_rad / 2.0)
    a, b = (far + near) / (near - far), 2.0 * far * near / (near - far)
    rows = ((focal * height / width, 0, 0, 0), (0, focal, 0, 0), (0, 0, a, b), (0, 0, -1.0, 0))
    return tuple(float(value) for row in rows for value in row)


def orthographic(width: int, height: int, size_y: float, near: float, far: float) -> tuple[float, ...]:
    """Give `clip_from_view` of an orthographic camera that sees `size_y` m from bottom to top."""
    scale = 2.0 / size_y
    a, b = -2.0 / (far - near), -(far + near) / (far - near)
    rows = ((scale * height / width, 0, 0, 0), (0, scale, 0, 0), (0, 0, a, b), (0, 0, 0, 1.0))
    return tuple(float(value) for row in rows for value in row)


def look_at(eye: Array, target: Array, up: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> tuple[float, ...]:
    """Give `view_from_world` of a camera at `eye` (3,) that looks at `target` (3,)."""
    back = (eye - target) / np.linalg.norm(eye - target)
    side = np.cross(up, back)
    if np.linalg.norm(side) < 1e-6:  # straight up or down: y is up in the picture
        side = np.cross((0.0, 1.0, 0.0), back)
    side /= np.linalg.norm(side)
    rotation = np.stack([side, np.cross(back, side), back])
    view_from_world = np.eye(4)
    view_from_world[:3, :3] = rotation
    view_from_world[:3, 3] = -rotation @ eye
    return tuple(float(value) for value in view_from_world.ravel())


def framing(
    points: Array, rotation: Array, width: int, height: int, fov_y_rad: float, zoom: float
) -> tuple[Array, tuple[float, ...]]:
    """Give the eye (3,) and `clip_from_view` of the nearest perspective camera that sees all points.

    Args:
        points: (N, 3), world space.
        rotation: (3, 3), rows are the camera's right, up and back.
        width: Of the picture, pixels.
        height: The same.
        fov_y_rad: Angle from bottom to top at zoom 1.
        zoom: How much larger than that everything is seen, from the same eye.
    """
    slopes = np.tan(fov_y_rad / 2.0) * FRAME_SHARE * np.array([width / height, 1.0])
    local = points @ rotation.T
    # Each side plane of the frustum touches the points: x + slope z <= slope D + x_eye, and so on for four sides.
    ahead = (local[:, :2] + slopes * local[:, 2:]).max(axis=0)
    behind = (-local[:, :2] + slopes * local[:, 2:]).max(axis=0)
    size = float(np.linalg.norm(np.ptp(local, axis=0))) or 1.0
    distance = max(float(((ahead + behind) / (2.0 * slopes)).max()), float(local[:, 2].max()) + 1e-3 * size)
    eye = rotation.T @ np.array([*((ahead - behind) / 2.0), distance])
    near, far = distance - local[:, 2].max(), distance - local[:, 2].min()
    fov = 2.0 * np.arctan(np.tan(fov_y_rad / 2.0) / zoom)
    return eye, perspective(width, height, float(fov), 0.5 * float(near), 2.0 * float(far))
