"""Direct light on surfaces: every light and the world's colour, with shadows. Scene-linear, no bounces."""

from __future__ import annotations

import numpy as np

from ..transforms import Array, dot, orthonormal_basis
from .bsdf import Bsdf
from .lights import LightSource
from .materials import cosine_direction
from .sample_patterns import sample_1d, sample_2d
from .scene import PreparedScene
from .surfaces import Surfaces
from .transmission import transmitted

BRIGHT_DIMENSION = 1 << 16  # of the sample pattern, beyond all lights
AMBIENT_DIMENSION = BRIGHT_DIMENSION + 2
SHADOW_END = 1.0 - 1e-5  # share of the way to a light: a lamp must not be hidden by rounding at its own place


def shade(scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int) -> Array:
    """Give the radiance (M, 3) float32 that the surfaces send to the viewer.

    Args:
        scene: What shines and what stands in the way.
        surfaces: M points.
        x: Pixel (M,) of each point in the whole picture, for the sample pattern.
        y: The same, from the bottom.
        sample: Number of the sample in its pixel.
        seed: Of the sample pattern.
    """
    base = scene.materials.base_colors(surfaces.materials, surfaces.uvs)
    bsdf = scene.materials.bsdf(surfaces.materials, surfaces.normals, surfaces.view, base)
    radiance = scene.materials.emission[surfaces.materials].copy()
    for number, light in enumerate(scene.lights):
        square = sample_2d(x, y, sample, 8 + 2 * number, seed)
        radiance += _from_light(scene, surfaces, bsdf, light, square)
    if scene.world_color.any():
        choice, square = sample_1d(x, y, sample, 2, seed), sample_2d(x, y, sample, 3, seed)
        radiance += _from_world(scene, surfaces, bsdf, choice, square)
    if scene.environment is not None and scene.world_color.any():
        bright = sample_2d(x, y, sample, BRIGHT_DIMENSION, seed)
        radiance += _from_bright_parts(scene, surfaces, bsdf, bright)
    if scene.ambient_factor != 0.0:
        share = ambient_share(scene, surfaces, x, y, sample, seed)[:, None]
        radiance += np.float32(scene.ambient_factor) * share * bsdf.diffuse
    return radiance


def ambient_share(
    scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int
) -> Array:
    """Give an estimate (M,) float32 of the share of all sides, weighted by cosine, from which nothing near is met.

    One direction a sample, as Cycles has it: beyond `scene.ambient_distance` nothing counts. For the arguments see `shade`.
    """
    local = cosine_direction(sample_2d(x, y, sample, AMBIENT_DIMENSION, seed)).astype(np.float64)
    tangent, bitangent = orthonormal_basis(surfaces.normals)
    directions = local[:, :1] * tangent + local[:, 1:2] * bitangent + local[:, 2:] * surfaces.normals
    rows = np.flatnonzero(dot(surfaces.geometric_normals, directions) > 0.0)
    result = np.zeros(len(surfaces.rays), np.float32)
    if len(rows):
        origins = surfaces.shadow_origins(rows, directions[rows])
        near = np.full(len(rows), scene.ambient_distance)
        result[rows] = transmitted(scene, origins, directions[rows], near)
    return result


def _from_light(
    scene: PreparedScene, surfaces: Surfaces, bsdf: Bsdf, light: LightSource, square: Array
) -> Array:
    result = np.zeros((len(surfaces.rays), 3), np.float32)
    found = light.sample(surfaces.points, square)
    facing = (dot(surfaces.normals, found.directions) > 0.0) & found.brought.any(axis=1)
    rows = np.flatnonzero(facing)
    share: Array = np.ones((len(rows), 1), np.float32)
    if light.cast_shadow:
        rows, share = _lit(scene, surfaces, rows, found.directions[rows], found.distances[rows])
    if len(rows):
        reflected = bsdf.reflect(rows, found.directions[rows])
        result[rows] = share * reflected * found.brought[rows]
    return result


def _from_world(scene: PreparedScene, surfaces: Surfaces, bsdf: Bsdf, choice: Array, square: Array) -> Array:
    result = np.zeros((len(surfaces.rays), 3), np.float32)
    directions, weight = bsdf.sample(choice, square)
    directions = directions.astype(np.float64)
    rows = np.flatnonzero(weight.any(axis=1))
    if scene.environment is not None:  # the other half of the light is found by its own brightness
        mine = bsdf.density(rows, directions[rows])
        weight[rows] *= (mine / np.maximum(mine + scene.environment.density(directions[rows]), 1e-12))[
            :, None
        ]
    rows, share = _lit(scene, surfaces, rows, directions[rows], np.full(len(rows), np.inf))
    result[rows] = share * weight[rows] * scene.surroundings(directions[rows])
    return result


def _from_bright_parts(scene: PreparedScene, surfaces: Surfaces, bsdf: Bsdf, square: Array) -> Array:
    """Give the environment's light from directions chosen by its brightness; the balance heuristic joins the two ways."""
    result = np.zeros((len(surfaces.rays), 3), np.float32)
    assert scene.environment is not None
    directions, density = scene.environment.sample(square)
    rows = np.flatnonzero(dot(surfaces.normals, directions) > 0.0)
    rows, share = _lit(scene, surfaces, rows, directions[rows], np.full(len(rows), np.inf))
    if len(rows):
        seen = directions[rows]
        joined = np.maximum(density[rows] + bsdf.density(rows, seen), 1e-12)
        light = share * bsdf.reflect(rows, seen) * scene.surroundings(seen)
        result[rows] = light / joined[:, None]
    return result


def _lit(
    scene: PreparedScene, surfaces: Surfaces, rows: Array, directions: Array, distances: Array
) -> tuple[Array, Array]:
    """Give those of `rows` that light reaches along `directions` from `distances`, and its share (K, 1) that does."""
    if not len(rows):
        return rows, np.ones((0, 1), np.float32)
    origins = surfaces.shadow_origins(rows, directions)
    share = transmitted(scene, origins, directions, distances * SHADOW_END)
    lit = np.flatnonzero(share)
    return rows[lit], share[lit, None]
