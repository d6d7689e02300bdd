"""Ray casts against neural objects: rays go to unit space, to the box of the zero set, and to the tracer.

Directions are not normalised on the way, so `t` is the same in every space. Rays start at the box, not at the
camera, so a far camera costs the tracer no digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tracing.tracer import Tracer
from .transforms import Array, clip_to_box, transform_directions, transform_points

BOX_PADDING = 0.02  # unit space: the recorded box of the zero set is itself measured on a grid
SHADOW_BIAS = 5e-5  # unit space: above a tracer's error in a hit, far below a pixel


@dataclass(frozen=True, slots=True, eq=False)
class NeuralInstance:
    """One neural object where it stands."""

    tracer: Tracer
    unit_from_world: Array  # (4, 4)
    box: Array  # (2, 3) unit space, holds the zero set

    @classmethod
    def place(cls, tracer: Tracer, unit_from_world: Array, bounds_unit: Array) -> NeuralInstance:
        """Give an instance; the box is clamped to the network's domain."""
        low = np.maximum(bounds_unit[0] - BOX_PADDING, -1.0)
        high = np.minimum(bounds_unit[1] + BOX_PADDING, 1.0)
        return cls(tracer, unit_from_world, np.stack([low, high]))

    def cast(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> Array:
        """Find the first crossing in [t_min, t_max] (N,) of world-space rays: t (N,) float64, `inf` on a miss."""
        chosen, start, toward, enter, length = self._enter(origins, directions, t_min, t_max)
        t = np.full(len(t_min), np.inf)
        if len(chosen):
            t[chosen] = enter + self.tracer.trace(start, toward, np.zeros_like(length), length)
        return t

    def occluded(self, origins: Array, directions: Array, t_min: Array, t_max: Array) -> Array:
        """Whether the surface is crossed in [t_min, t_max]: (N,) bool."""
        chosen, start, toward, _, length = self._enter(origins, directions, t_min, t_max)
        blocked = np.zeros(len(t_min), bool)
        if len(chosen):
            blocked[chosen] = self.tracer.occluded(start, toward, np.zeros_like(length), length)
        return blocked

    def normals(self, points: Array) -> tuple[Array, Array]:
        """Give world normals (M, 3) of length 1 at world points on the surface, and the shadow bias (M,) in m."""
        unit = np.clip(transform_points(self.unit_from_world, points), -1.0, 1.0)
        gradient = np.asarray(self.tracer.gradient(unit), np.float64)
        length = np.linalg.norm(gradient, axis=1)
        gradient /= np.where(length > 0.0, length, 1.0)[:, None]
        normals = transform_directions(self.unit_from_world[:3, :3].T, gradient)
        size = np.maximum(np.linalg.norm(normals, axis=1), 1e-30)  # unit lengths per metre along the normal
        return normals / size[:, None], SHADOW_BIAS / size

    def _enter(
        self, origins: Array, directions: Array, t_min: Array, t_max: Array
    ) -> tuple[Array, Array, Array, Array, Array]:
        start = transform_points(self.unit_from_world, origins)
        toward = transform_directions(self.unit_from_world, directions)
        enter, leave = clip_to_box(start, toward, self.box, t_min, t_max)
        chosen = np.flatnonzero(enter < leave)
        start, toward, enter = start[chosen], toward[chosen], enter[chosen]
        return chosen, start + enter[:, None] * toward, toward, enter, leave[chosen] - enter
