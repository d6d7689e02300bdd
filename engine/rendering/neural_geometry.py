"""Ray casts against neural objects: rays go to unit space, to the box of the zero set, and to the tracer.

Directions are not normalised on the way, so `t` is the same in every space. Rays start at the box, not at the
camera, so a far camera costs the tracer no digits. Instances of one network are traced together, in rounds: in each
round every ray looks at the nearest box it has not looked at, until its hit is nearer than the next box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..tracing.tracer import Tracer
from ..transforms import Array, transform_points
from .instance_tree import build_tree, find_spans, unit_places, unit_rays, world_normals

BOX_PADDING = 0.02  # unit space: the recorded box of the zero set is itself measured on a grid
SHADOW_BIAS = 5e-5  # unit space: above a tracer's error in a hit, far below a pixel
WORLD_PADDING = 1e-6  # of a box' size: covers rounding on the way between the spaces


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

    def world_box(self) -> Array:
        """Give a box (2, 3) in world space that holds the unit box."""
        corners = np.stack(np.meshgrid(*self.box.T, indexing="ij"), axis=-1).reshape(-1, 3)
        moved = transform_points(np.linalg.inv(self.unit_from_world), corners)
        low, high = moved.min(axis=0), moved.max(axis=0)
        margin = WORLD_PADDING * (float(np.max(high - low)) + float(np.abs(moved).max()))
        return np.stack([low - margin, high + margin])


class NeuralGeometry:
    """All neural objects of a scene; every method may be called from several threads."""

    def __init__(self, instances: tuple[NeuralInstance, ...]) -> None:
        """Build the search tree."""
        self.instances = instances
        distinct = {id(i.tracer): i.tracer for i in instances}
        self._tracers = list(distinct.values())
        number = {key: k for k, key in enumerate(distinct)}
        self._tracer_of = np.array([number[id(i.tracer)] for i in instances], np.int64)
        self._tree = build_tree(
            np.array([i.world_box() for i in instances]).reshape(-1, 2, 3),
            np.array([i.unit_from_world for i in instances]),
            np.array([i.box for i in instances]),
        )

    def cast(self, origins: Array, directions: Array, t_max: Array) -> tuple[Array, Array]:
        """Find the first crossing in [0, t_max] (N,) of world-space rays (N, 3).

        Returns:
            Ray parameters (N,) float64, `inf` on a miss, and numbers of instances (N,), -1 on a miss.
        """
        best, found = t_max.copy(), np.full(len(t_max), -1, np.int64)
        if self.instances:
            for rays, t, numbers in self._rounds(origins, directions, best, any_hit=False):
                nearer = t < best[rays]
                best[rays[nearer]], found[rays[nearer]] = t[nearer], numbers[nearer]
        return np.where(found >= 0, best, np.inf), found

    def occluded(self, origins: Array, directions: Array, t_max: Array) -> Array:
        """Whether any surface is crossed in [0, t_max]: (N,) bool."""
        blocked = np.zeros(len(t_max), bool)
        if self.instances:
            ends = t_max.copy()
            for rays, t, _ in self._rounds(origins, directions, ends, any_hit=True):
                hit = rays[t < np.inf]
                blocked[hit], ends[hit] = True, -1.0  # nothing is left to look for
        return blocked

    def normals(self, numbers: Array, points: Array) -> tuple[Array, Array]:
        """Give world normals (M, 3) of length 1 at world points on the instances (M,), and the shadow bias (M,) in m."""
        normals, bias = np.zeros((len(numbers), 3)), np.zeros(len(numbers))
        for rows, tracer in self._by_tracer(numbers):
            those = numbers[rows]
            gradient = np.asarray(tracer.gradient(unit_places(self._tree, those, points[rows])), np.float64)
            normals[rows], size = world_normals(self._tree, those, gradient)
            bias[rows] = SHADOW_BIAS / size
        return normals, bias

    def _rounds(
        self, origins: Array, directions: Array, ends: Array, any_hit: bool
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Yield rays, what each met in its next box (t, or inf) and the instance; `ends` (N,) may shrink meanwhile."""
        origins, directions = (np.ascontiguousarray(a, np.float64) for a in (origins, directions))
        begins, numbers, spans = find_spans(self._tree, origins, directions, ends)
        upcoming, last = begins[:-1].copy(), begins[1:]
        rays = np.flatnonzero(upcoming < last)
        while len(rays):
            chosen = upcoming[rays]
            near = spans[chosen, 0] < ends[rays]  # later boxes of the others are farther still
            rays, chosen = rays[near], chosen[near]
            met = numbers[chosen].astype(np.int64)
            enter = spans[chosen, 0]
            length = np.minimum(spans[chosen, 1], ends[rays]) - enter
            t = np.full(len(rays), np.inf)
            for rows, tracer in self._by_tracer(met):
                start, toward = unit_rays(self._tree, met[rows], origins, directions, rays[rows], enter[rows])
                zeros = np.zeros(len(start))
                if any_hit:
                    t[rows] = np.where(tracer.occluded(start, toward, zeros, length[rows]), 0.0, np.inf)
                else:
                    t[rows] = enter[rows] + tracer.trace(start, toward, zeros, length[rows])
            yield rays, t, met
            upcoming[rays] += 1
            rays = rays[upcoming[rays] < last[rays]]

    def _by_tracer(self, numbers: Array) -> Iterator[tuple[Array | slice, Tracer]]:
        """Yield the rows (K,) of each network among instances (M,)."""
        if len(self._tracers) == 1:
            if len(numbers):
                yield slice(None), self._tracers[0]
            return
        tracers = self._tracer_of[numbers]
        for k in np.unique(tracers):
            yield np.flatnonzero(tracers == k), self._tracers[k]
