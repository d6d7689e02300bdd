"""Blender's lights, sampled: a direction, how far the light is, and how much it brings.

What a light brings is its radiance over the density of the sample, so a surface adds
`bsdf * cosine * brought` wherever the way to the light is free. Blender's units:
a point or spot of P watts has radiant intensity P / (4 pi); an area light of P watts and area A has radiance P / (pi A); a sun of strength E brings irradiance E to a surface that faces it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import SceneError
from ..protocol.scene import Light
from ..transforms import Array, dot, matrix, normalized, orthonormal_basis, transform_directions
from .sample_patterns import disk

SMALL_SPREAD = 0.05  # rad, below which a difference of float64 loses digits
SMALLEST_DISTANCE = 1e-6  # m: a surface inside a light must not divide by zero


@dataclass(frozen=True, slots=True, eq=False)
class LightSamples:
    """What N surface points get from one light."""

    directions: Array  # (N, 3) float64, unit, from the surface to the light
    distances: Array  # (N,) float64, m; inf for a sun
    brought: Array  # (N, 3) float32


class LightSource(Protocol):
    """A light ready to be sampled."""

    cast_shadow: bool

    def sample(self, points: Array, square: Array) -> LightSamples:
        """Sample towards points (N, 3) with uniform numbers (N, 2)."""
        ...


def make_light(light: Light) -> LightSource:
    """Prepare a light.

    Raises:
        SceneError: A number of it is not finite.
    """
    world_from_light = matrix(light.world_from_light, "a light")
    numbers = (*light.color, light.energy, light.radius, light.angle, light.spot_size, light.spot_blend)
    if not np.isfinite((*numbers, light.size, light.size_y, light.spread)).all():
        raise SceneError("A light has a number that is not finite; check its colour, power and size.")
    kinds: dict[str, Callable[[Light, Array], LightSource]] = {
        "SUN": _Sun,
        "POINT": _PointLight,
        "SPOT": _SpotLight,
        "AREA": _AreaLight,
    }
    return kinds[light.type](light, world_from_light)


def _power(light: Light, size: float) -> Array:
    """Give the power (3,); `size` is the area (a sun's: the solid angle's tangent plane) that unnormalised light fills."""
    return np.asarray(light.color, np.float64) * light.energy * (1.0 if light.normalize else size)


class _Sun:
    """Far away, seen as a disk of `angle`."""

    def __init__(self, light: Light, world_from_light: Array) -> None:
        self.cast_shadow = light.cast_shadow
        self._toward = normalized(world_from_light[None, :3, 2])
        self._radius = np.tan(min(light.angle, np.pi * 0.99) / 2.0)
        self._irradiance = _power(light, np.pi * self._radius**2).astype(np.float32)
        self._tangent, self._bitangent = orthonormal_basis(self._toward)

    def sample(self, points: Array, square: Array) -> LightSamples:
        offset = self._radius * disk(square)
        directions = self._toward + offset[:, :1] * self._tangent + offset[:, 1:] * self._bitangent
        num = len(points)
        brought = np.broadcast_to(self._irradiance, (num, 3))
        return LightSamples(normalized(directions), np.full(num, np.inf), brought)


class _PointLight:
    """A disk of `radius` that turns to whatever it lights, with radiant intensity P / (4 pi)."""

    def __init__(self, light: Light, world_from_light: Array) -> None:
        self.cast_shadow = light.cast_shadow
        self._center = world_from_light[:3, 3]
        self._radius = max(0.0, light.radius)
        self._intensity = _power(light, 4.0 * np.pi * self._radius**2) / (4.0 * np.pi)

    def sample(self, points: Array, square: Array) -> LightSamples:
        facing = normalized(points - self._center)
        tangent, bitangent = orthonormal_basis(facing)
        offset = self._radius * disk(square)
        toward = self._center + offset[:, :1] * tangent + offset[:, 1:] * bitangent - points
        distances = np.maximum(np.sqrt(dot(toward, toward)), SMALLEST_DISTANCE)
        directions = toward / distances[:, None]
        per_intensity = np.maximum(-dot(facing, directions), 0.0) / distances**2
        per_intensity *= self._falloff(directions)
        return LightSamples(
            directions, distances, (per_intensity[:, None] * self._intensity).astype(np.float32)
        )

    def _falloff(self, directions: Array) -> Array:
        return np.ones(len(directions))


class _SpotLight(_PointLight):
    """A point light through a cone along -z with a smooth edge."""

    def __init__(self, light: Light, world_from_light: Array) -> None:
        super().__init__(light, world_from_light)
        linear = world_from_light[:3, :3]
        scale = np.linalg.norm(linear, axis=0)
        self._light_from_world = np.eye(4)
        self._light_from_world[:3, :3] = (linear / np.where(scale > 0, scale * scale, 1.0)).T
        self._edge = np.cos(min(light.spot_size, np.pi) / 2.0)
        self._smooth = max((1.0 - self._edge) * light.spot_blend, 1e-7)

    def _falloff(self, directions: Array) -> Array:
        local = normalized(transform_directions(self._light_from_world, directions))
        inside = np.clip((local[:, 2] - self._edge) / self._smooth, 0.0, 1.0)
        smooth: Array = inside * inside * (3.0 - 2.0 * inside)
        return smooth


class _AreaLight:
    """A rectangle or ellipse that shines on its -z side only."""

    def __init__(self, light: Light, world_from_light: Array) -> None:
        self.cast_shadow = light.cast_shadow
        self._center = world_from_light[:3, 3]
        size_y = light.size_y if light.shape in ("RECTANGLE", "ELLIPSE") else light.size
        self._half_x = world_from_light[:3, 0] * light.size / 2.0
        self._half_y = world_from_light[:3, 1] * size_y / 2.0
        self._round = light.shape in ("DISK", "ELLIPSE")
        self._facing = -normalized(world_from_light[None, :3, 2])
        area = (
            4.0 * np.linalg.norm(np.cross(self._half_x, self._half_y)) * (np.pi / 4.0 if self._round else 1.0)
        )
        # Radiance P / (pi A) times area A of the sample's density: the area falls out, so a tiny light is fine too.
        self._weight = _power(light, float(area)) / np.pi
        self._spread = _Spread(light.spread)
        self._duals = np.linalg.pinv(np.stack([self._half_x, self._half_y]))  # (3, 2)

    def sample(self, points: Array, square: Array) -> LightSamples:
        at, share = self._spots(points, square)
        toward = self._center + at[:, :1] * self._half_x + at[:, 1:] * self._half_y - points
        distances = np.maximum(np.sqrt(dot(toward, toward)), SMALLEST_DISTANCE)
        directions = toward / distances[:, None]
        cosine = np.maximum(-dot(directions, self._facing), 0.0)
        per_weight = share * cosine * self._spread.passes(cosine) / distances**2
        return LightSamples(directions, distances, (per_weight[:, None] * self._weight).astype(np.float32))

    def _spots(self, points: Array, square: Array) -> tuple[Array, Array]:
        """Choose spots (N, 2) on the light, its edges at -1 and 1, and give the share (N,) of it they were chosen from.

        Of a narrow beam only what shines at the point is sampled: a rectangle around the point's foot on the light.
        """
        if self._spread.all:
            return disk(square) if self._round else 2.0 * square - 1.0, np.ones(len(points))
        offset = points - self._center
        foot = offset @ self._duals
        reach = np.maximum(dot(offset, self._facing), 0.0)[:, None] * self._spread.tangent
        reach = reach * np.linalg.norm(self._duals, axis=0)
        low, high = np.clip(foot - reach, -1.0, 1.0), np.clip(foot + reach, -1.0, 1.0)
        at = low + (high - low) * square
        share = np.prod((high - low) / 2.0, axis=1)
        if self._round:
            share *= np.where((at * at).sum(axis=1) <= 1.0, 4.0 / np.pi, 0.0)
        return at, share


class _Spread:
    """A grid of slats before an area light, as Cycles has it: how much of the light leaves at an angle.

    Of light at the angle a to the normal 1 - tan(a) / tan(spread / 2) passes; a factor keeps the power.
    """

    def __init__(self, spread: float) -> None:
        half = min(max(spread, 0.0), np.pi) / 2.0
        self.all = half > np.pi / 2.0 - 1e-4
        self.tangent = max(float(np.tan(half)), 1e-6)
        # The integral of cos a sin a (1 - tan a / tan half) over the cone, times 2 tan half; its series where it cancels.
        rest = self.tangent - half if half > SMALL_SPREAD else self.tangent**3 / 3.0
        self._gain = self.tangent / rest

    def passes(self, cosine: Array) -> Array:
        """Give what passes (N,) at a cosine (N,) to the light's normal."""
        if self.all:
            return np.ones(len(cosine))
        sine = np.sqrt(np.maximum(1.0 - cosine * cosine, 0.0))
        share: Array = self._gain * np.maximum(1.0 - sine / np.maximum(cosine, 1e-9) / self.tangent, 0.0)
        return share
