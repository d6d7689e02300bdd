"""Surfaces that let light through: what is seen behind them, and how much of a light passes.

A surface of opacity a shows its own light times a and lets 1 - a of what is behind pass, straight on, as Cycles'
Principled BSDF does with its Alpha. Both sides of a closed shape count, each once.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..transforms import Array
from .camera import Rays
from .scene import PreparedScene
from .shading import shade
from .surfaces import Surfaces, find_surfaces
from .transmission import MAX_LAYERS, NOTHING_LEFT, rays_behind

SOLID = 0.5  # opacity from which on a surface counts for depth, normals and ids, as Cycles' alpha threshold


def see_through(
    scene: PreparedScene, rays: Rays, background: Array, x: Array, y: Array, sample: int, seed: int
) -> Array:
    """Give the colours (N, 4) float32 that N camera rays bring, premultiplied.

    Args:
        scene: What is there.
        rays: N rays.
        background: Colours (N, 4) of what no surface covers.
        x: Pixel (N,) of each ray in the whole picture, for the sample pattern.
        y: The same, from the bottom.
        sample: Number of the sample in its pixel.
        seed: Of the sample pattern.
    """
    color, left = np.zeros((len(rays), 4), np.float32), np.ones(len(rays), np.float32)
    numbers = np.arange(len(rays))
    for _ in range(MAX_LAYERS):
        surfaces = find_surfaces(scene, rays)
        hit = numbers[surfaces.rays]
        opacity = scene.materials.opacity[surfaces.materials]
        shown = np.where(scene.materials.holdout[surfaces.materials], 0.0, left[hit] * opacity)
        shown = shown.astype(np.float32)[:, None]
        color[hit, :3] += shown * shade(scene, surfaces, x[hit], y[hit], sample, seed)
        color[hit, 3:] += shown
        left[hit] *= 1.0 - opacity
        missed = np.setdiff1d(numbers, hit, assume_unique=True)
        color[missed] += left[missed, None] * background[missed]
        through = np.flatnonzero(left[hit] > NOTHING_LEFT)
        if not len(through):
            break
        rays = rays_behind(rays, surfaces, through)
        numbers = hit[through]
    return color


def solid_surfaces(scene: PreparedScene, rays: Rays) -> Surfaces:
    """Give the first surface along each ray that is at least half opaque; other rays have no row."""
    layers: list[Surfaces] = []
    numbers = np.arange(len(rays))
    for _ in range(MAX_LAYERS):
        surfaces = find_surfaces(scene, rays)
        solid = scene.materials.opacity[surfaces.materials] >= SOLID
        layers.append(_rows(surfaces, np.flatnonzero(solid), numbers))
        through = np.flatnonzero(~solid)
        if not len(through):
            break
        numbers = numbers[surfaces.rays[through]]
        rays = rays_behind(rays, surfaces, through)
    joined = {
        field.name: np.concatenate([getattr(layer, field.name) for layer in layers])
        for field in dataclasses.fields(Surfaces)
    }
    return Surfaces(**joined)


def _rows(surfaces: Surfaces, rows: Array, numbers: Array) -> Surfaces:
    values = {field.name: getattr(surfaces, field.name)[rows] for field in dataclasses.fields(Surfaces)}
    return Surfaces(**{**values, "rays": numbers[surfaces.rays[rows]]})
