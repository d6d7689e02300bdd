"""How much of a light passes on its way: none behind an opaque surface, some behind transparent ones."""

from __future__ import annotations

import numpy as np

from ..transforms import Array, dot
from .camera import Rays
from .scene import PreparedScene
from .surfaces import Surfaces, find_surfaces, occluded

MAX_LAYERS = 16  # transparent surfaces behind each other; beyond them it is dark
NOTHING_LEFT = 1e-4  # of the light, that nobody sees
LEAST_COSINE = 0.05  # at a smaller one a ray leaves the surface's neighbourhood sideways


def transmitted(scene: PreparedScene, origins: Array, directions: Array, t_max: Array) -> Array:
    """Give the share (N,) float32 that passes from `t_max` (N,) to the origins of rays (N, 3)."""
    if scene.materials.opaque:
        return np.where(occluded(scene, origins, directions, t_max), np.float32(0.0), np.float32(1.0))
    left, numbers = np.ones(len(t_max), np.float32), np.arange(len(t_max))
    nowhere = np.zeros(len(t_max))
    rays = Rays(origins, directions, t_max, nowhere, nowhere)
    for _ in range(MAX_LAYERS):
        surfaces = find_surfaces(scene, rays)
        left[numbers[surfaces.rays]] *= 1.0 - scene.materials.opacity[surfaces.materials]
        through = np.flatnonzero(left[numbers[surfaces.rays]] > NOTHING_LEFT)
        if not len(through):
            return left
        numbers = numbers[surfaces.rays[through]]
        rays = rays_behind(rays, surfaces, through)
    left[numbers] = 0.0
    return left


def rays_behind(rays: Rays, surfaces: Surfaces, rows: Array) -> Rays:
    """Give what remains of the rays behind the surfaces numbered `rows`, past the surface itself."""
    ray = surfaces.rays[rows]
    directions = rays.directions[ray]
    cosine = np.abs(dot(surfaces.geometric_normals[rows], directions))
    past = 2.0 * surfaces.bias[rows] / np.maximum(cosine, LEAST_COSINE)
    t = dot(surfaces.points[rows] - rays.origins[ray], directions) + past
    growths = rays.pixel_growths[ray]
    return Rays(
        origins=rays.origins[ray] + t[:, None] * directions,
        directions=directions,
        t_max=np.maximum(rays.t_max[ray] - t, 0.0),
        pixel_sizes=rays.pixel_sizes[ray] + t * growths,
        pixel_growths=growths,
    )
