"""Closed forms: signed distance, gradient and first ray hit of a sphere, a box and a torus, in NumPy float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class _ClosedForm:
    def gradient(self, points):
        step = 1e-6
        offsets = np.eye(3) * step
        return np.stack(
            [(self.value(points + o) - self.value(points - o)) / (2.0 * step) for o in offsets], axis=1
        )


@dataclass(frozen=True)
class Sphere(_ClosedForm):
    radius: float = 0.7

    def value(self, points):
        return np.linalg.norm(points, axis=1) - self.radius

    def first_hit(self, origins, directions):
        a = (directions**2).sum(axis=1)
        b = (origins * directions).sum(axis=1)
        c = (origins**2).sum(axis=1) - self.radius**2
        root = b * b - a * c
        near = (-b - np.sqrt(np.maximum(root, 0.0))) / a
        return np.where(root > 0.0, near, np.inf)


@dataclass(frozen=True)
class Box(_ClosedForm):
    half: tuple = (0.6, 0.4, 0.5)

    def value(self, points):
        q = np.abs(points) - np.array(self.half)
        outside = np.linalg.norm(np.maximum(q, 0.0), axis=1)
        return outside + np.minimum(q.max(axis=1), 0.0)

    def first_hit(self, origins, directions):
        with np.errstate(divide="ignore"):
            one = (-np.array(self.half) - origins) / directions
            two = (np.array(self.half) - origins) / directions
        enter = np.minimum(one, two).max(axis=1)
        leave = np.maximum(one, two).min(axis=1)
        return np.where(enter < leave, enter, np.inf)


@dataclass(frozen=True)
class Torus(_ClosedForm):
    major: float = 0.6
    minor: float = 0.2

    def value(self, points):
        ring = np.hypot(points[:, 0], points[:, 1]) - self.major
        return np.hypot(ring, points[:, 2]) - self.minor

    def first_hit(self, origins, directions):
        """Smallest real root of the quartic, ray by ray."""
        hits = np.full(len(origins), np.inf)
        for k, (o, d) in enumerate(zip(origins, directions)):
            dd, od, oo = d @ d, o @ d, o @ o
            rest = oo + self.major**2 - self.minor**2
            flat = 4.0 * self.major**2
            quartic = [
                dd * dd,
                4.0 * dd * od,
                2.0 * dd * rest + 4.0 * od * od - flat * (d[0] ** 2 + d[1] ** 2),
                4.0 * od * rest - 2.0 * flat * (o[0] * d[0] + o[1] * d[1]),
                rest * rest - flat * (o[0] ** 2 + o[1] ** 2),
            ]
            roots = np.roots(quartic)
            real = roots[np.abs(roots.imag) < 1e-7].real
            if (real > 0.0).any():
                hits[k] = real[real > 0.0].min()
        return hits


def rays_towards_origin(count, seed=0, distance=3.0, spread=0.9):
    """Rays from a sphere around the shape through random points near it; directions of random length."""
    rng = np.random.default_rng(seed)
    origins = rng.normal(size=(count, 3))
    origins *= distance / np.linalg.norm(origins, axis=1, keepdims=True)
    directions = rng.uniform(-spread, spread, (count, 3)) - origins
    return origins, directions * rng.uniform(0.2, 3.0, (count, 1))
