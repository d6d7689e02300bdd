"""The nearest surface along rays, whatever it is made of, and whether the way to a light is free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..transforms import Array, dot
from .camera import Rays
from .native_geometry import NativeHits
from .scene import PreparedScene
from .shadow_origins import fill_origins

BIAS_PIXELS = 0.15  # of a neural surface: nobody sees it, and a shadow ray spares half of its shortest steps
MOST_BIAS = 20.0  # times the least, so that a small picture has the same contact shadows


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """M points that rays have met; normals are on the viewer's side."""

    rays: Array  # (M,) int, which ray met it
    objects: Array  # (M,) int, number of the object in the prepared scene
    points: Array  # (M, 3) float64, world space
    view: Array  # (M, 3) float64, unit, to the viewer
    geometric_normals: Array  # (M, 3) float64
    normals: Array  # (M, 3) float64, smooth where a mesh is
    bias: Array  # (M,) float64, m: how far off the surface a shadow ray starts
    lift: Array  # (M, 3) float64, m, to the smooth surface that a triangle stands for
    materials: Array  # (M,) int
    uvs: Array  # (M, 2) float32, of native geometry

    def shadow_origins(self, chosen: Array, directions: Array) -> Array:
        """Give where rays (K, 3) from the points `chosen` start, so that they do not meet their own surface."""
        origins = np.empty((len(chosen), 3))
        sides = self.geometric_normals, self.normals
        fill_origins(chosen, directions, self.points, *sides, self.bias, self.lift, origins)
        return origins


def find_surfaces(scene: PreparedScene, rays: Rays) -> Surfaces:
    """Give what each ray meets first; rays that meet nothing have no row."""
    start, best = np.zeros(len(rays)), rays.t_max.copy()
    objects = np.full(len(rays), -1, np.int64)
    native = scene.native.cast(rays.origins, rays.directions, start, best)
    hit = native.instance >= 0
    best[hit] = native.t[hit]
    objects[hit] = native.instance[hit] + len(scene.neural)
    t, number = scene.instances.cast(rays.origins, rays.directions, best)
    nearer = number >= 0
    best[nearer], objects[nearer] = t[nearer], number[nearer]
    return _describe(scene, rays, best, objects, native)


def occluded(scene: PreparedScene, origins: Array, directions: Array, t_max: Array) -> Array:
    """Whether anything stands on rays (N, 3) before `t_max` (N,)."""
    start = np.zeros(len(t_max))
    blocked = scene.native.occluded(origins, directions, start, t_max)
    open_rays = np.flatnonzero(~blocked)
    chosen = (array[open_rays] for array in (origins, directions, t_max))
    blocked[open_rays] = scene.instances.occluded(*chosen)
    return blocked


def _describe(scene: PreparedScene, rays: Rays, t: Array, objects: Array, native: NativeHits) -> Surfaces:
    met = np.flatnonzero(objects >= 0)
    num = len(met)
    which, view = objects[met], -rays.directions[met]
    points = rays.origins[met] + t[met, None] * rays.directions[met]
    geometric, normals, lift = np.zeros((num, 3)), np.zeros((num, 3)), np.zeros((num, 3))
    bias, materials, uvs = np.zeros(num), np.zeros(num, np.int64), np.zeros((num, 2), np.float32)
    neural = which < len(scene.neural)
    rows = slice(None) if neural.all() else np.flatnonzero(neural)
    if neural.any():
        geometric[rows], least = scene.instances.normals(which[rows], points[rows])
        ray = met[rows]
        share = BIAS_PIXELS * rays.pixel_size(ray, t[ray])
        bias[rows] = np.clip(share, least, MOST_BIAS * least)
        normals[rows] = geometric[rows]
        materials[rows] = scene.neural_materials[which[rows]]
    if not neural.all():
        rows = np.flatnonzero(~neural)
        ray = met[rows]
        found = scene.table.points(native.instance[ray], native.face[ray], native.barycentric[ray])
        geometric[rows], normals[rows], lift[rows] = found.geometric_normals, found.normals, found.lift
        bias[rows], materials[rows], uvs[rows] = found.bias, found.materials, found.uvs
    side = np.where(dot(geometric, view) < 0.0, -1.0, 1.0)[:, None]
    lift = np.where(side > 0.0, lift, 0.0)  # the inside of a bulge needs no lift
    return Surfaces(met, which, points, view, side * geometric, side * normals, bias, lift, materials, uvs)
