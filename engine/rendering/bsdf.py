"""What points of a surface reflect, point by point: NumPy would go over them a hundred times for each light.

Arithmetic is float32's. [Duff 2017] T. Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..transforms import Array
from .compiled import compiled
from .microfacets import (
    HALF,
    ONE,
    PI,
    TABLE_SIZE,
    TINY,
    TWO,
    ZERO,
    density,
    dielectric_fresnel,
    f32,
    sample_half_vector,
    schlick_weight,
    smith_lambda,
)

LEAST_COSINE = f32(1e-4)  # of a view that grazes
LEAST_DENSITY = f32(1e-9)


class SurfaceTable(NamedTuple):
    """What kernels read of M materials; float32 but for `shines`."""

    metallic: Array  # (M,)
    ior: Array  # (M,)
    alpha: Array  # (M,)
    shares: Array  # (M, 3, TABLE_SIZE): see `microfacets.reflected_shares`
    shines: Array  # (M,) bool: there is a specular part at all


class Bsdf(NamedTuple):
    """Reflection at N points, seen from `viewer`; all arrays float32."""

    normal: Array  # (N, 3)
    viewer: Array  # (N, 3) unit
    cosine_view: Array  # (N,)
    alpha: Array  # (N,)
    ior: Array  # (N,)
    metallic: Array  # (N,)
    base_color: Array  # (N, 3)
    diffuse: Array  # (N, 3) albedo
    specular_gain: Array  # (N, 3) what bounces between microfacets give back
    glossy_share: Array  # (N,) how often `sample` chooses the specular part
    shines: Array  # (N,) bool

    @classmethod
    def of(cls, table: SurfaceTable, index: Array, normal: Array, view: Array, base: Array) -> Bsdf:
        """Give that of N points of materials `index` and base colours `base`; `normal` and `view` are unit, on one side."""
        num = len(index)
        vectors = [np.empty((num, 3), np.float32) for _ in range(4)]
        numbers = [np.empty(num, np.float32) for _ in range(5)]
        bsdf = cls(
            *(vectors[0], vectors[1], numbers[0], numbers[1], numbers[2], numbers[3]),
            *(base.astype(np.float32), vectors[2], vectors[3], numbers[4], np.empty(num, np.bool_)),
        )
        _fill(table, index, normal, view, bsdf)
        return bsdf

    def reflect(self, rows: Array, light: Array) -> Array:
        """Give bsdf times cosine (K, 3) of the points `rows` towards unit `light` (K, 3)."""
        result = np.empty((len(rows), 3), np.float32)
        _reflect(self, rows, light, result)
        return result

    def density(self, rows: Array, light: Array) -> Array:
        """Give the density (K,) with which `sample` chooses unit directions (K, 3) at the points `rows`."""
        result = np.empty(len(rows), np.float32)
        _find_density(self, rows, light, result)
        return result

    def sample(self, choice: Array, square: Array) -> tuple[Array, Array]:
        """Choose a direction (N, 3) float32 by the lobes' shares; weight (N, 3) is bsdf times cosine over density."""
        light, weight = np.empty((2, len(choice), 3), np.float32)
        _sample(self, choice, square, light, weight)
        return light, weight


@compiled
def _share_at(shares: Any, place: Any) -> Any:
    low = min(int(place), TABLE_SIZE - 2)
    share = place - f32(low)
    return shares[low] * (ONE - share) + shares[low + 1] * share


@compiled
def _fill(table: SurfaceTable, index: Any, normal: Any, view: Any, out: Bsdf) -> None:
    for n in range(len(index)):
        k, cosine = index[n], 0.0
        for axis in range(3):
            cosine += normal[n, axis] * view[n, axis]
            out.normal[n, axis], out.viewer[n, axis] = normal[n, axis], view[n, axis]
        out.cosine_view[n] = c = min(max(f32(cosine), LEAST_COSINE), ONE)
        out.alpha[n], out.ior[n], out.shines[n] = table.alpha[k], table.ior[k], table.shines[k]
        out.metallic[n] = metallic = table.metallic[k]
        place = min(max(c * f32(TABLE_SIZE) - HALF, ZERO), f32(TABLE_SIZE - 1))
        white, schlick = _share_at(table.shares[k, 0], place), _share_at(table.shares[k, 1], place)
        root = (table.ior[k] - ONE) / (table.ior[k] + ONE)
        at_normal, lost = root * root, (ONE - white) / max(white, f32(1e-3))
        plastic = _share_at(table.shares[k, 2], place) * (ONE + at_normal * lost)
        specular, diffuse = ZERO, ZERO
        for axis in range(3):
            base = out.base_color[n, axis]
            metal = (base * (white - schlick) + schlick) * (ONE + base * lost)
            out.diffuse[n, axis] = (ONE - metallic) * (ONE - plastic) * base
            out.specular_gain[n, axis] = ONE + lost * ((ONE - metallic) * at_normal + metallic * base)
            diffuse += out.diffuse[n, axis]
            specular += (ONE - metallic) * plastic + metallic * metal
        share = min(max(specular / max(specular + diffuse, f32(1e-8)), ZERO), ONE)
        out.glossy_share[n] = share if table.shines[k] else ZERO


@compiled
def _toward(bsdf: Bsdf, n: int, x: Any, y: Any, z: Any) -> Any:
    """Give bsdf times cosine towards a unit direction, as three numbers, the specular density, and the cosine."""
    normal, view = bsdf.normal[n], bsdf.viewer[n]
    cosine = max(normal[0] * x + normal[1] * y + normal[2] * z, ZERO)
    spread = cosine / PI
    red, green, blue = bsdf.diffuse[n, 0] * spread, bsdf.diffuse[n, 1] * spread, bsdf.diffuse[n, 2] * spread
    if not (cosine > ZERO and bsdf.shines[n]):
        return red, green, blue, ZERO, cosine
    half_x, half_y, half_z = x + view[0], y + view[1], z + view[2]
    length = max(np.sqrt(half_x * half_x + half_y * half_y + half_z * half_z), TINY)
    at_half = (view[0] * half_x + view[1] * half_y + view[2] * half_z) / length
    level = (normal[0] * half_x + normal[1] * half_y + normal[2] * half_z) / length
    alpha, cosine_view = bsdf.alpha[n], bsdf.cosine_view[n]
    masked = density(min(max(level, ZERO), ONE), alpha) / (f32(4.0) * cosine_view)
    seen = ONE + smith_lambda(cosine_view, alpha)
    lobe = masked / (seen + smith_lambda(max(cosine, f32(1e-6)), alpha))
    metallic, white = bsdf.metallic[n], schlick_weight(at_half)
    plastic = (ONE - metallic) * dielectric_fresnel(at_half, bsdf.ior[n])
    base, gain = bsdf.base_color[n], bsdf.specular_gain[n]
    red += lobe * (plastic + metallic * (base[0] + (ONE - base[0]) * white)) * gain[0]
    green += lobe * (plastic + metallic * (base[1] + (ONE - base[1]) * white)) * gain[1]
    blue += lobe * (plastic + metallic * (base[2] + (ONE - base[2]) * white)) * gain[2]
    return red, green, blue, masked / seen, cosine


@compiled
def _reflect(bsdf: Bsdf, rows: Any, light: Any, result: Any) -> None:
    for k in range(len(rows)):
        x, y, z = f32(light[k, 0]), f32(light[k, 1]), f32(light[k, 2])
        result[k, 0], result[k, 1], result[k, 2], _, _ = _toward(bsdf, rows[k], x, y, z)


@compiled
def _find_density(bsdf: Bsdf, rows: Any, light: Any, result: Any) -> None:
    for k in range(len(rows)):
        x, y, z = f32(light[k, 0]), f32(light[k, 1]), f32(light[k, 2])
        _, _, _, specular, cosine = _toward(bsdf, rows[k], x, y, z)
        share = bsdf.glossy_share[rows[k]]
        result[k] = (ONE - share) * cosine / PI + share * specular


@compiled
def _local_direction(bsdf: Bsdf, n: int, across: Any, along: Any, glossy: bool, u: Any, v: Any) -> Any:
    """Choose a direction in a point's own frame (across, along, normal) by two uniform numbers."""
    if not glossy:
        radius, angle = np.sqrt(u), TWO * PI * v
        return radius * np.cos(angle), radius * np.sin(angle), np.sqrt(max(ZERO, ONE - u))
    view = bsdf.viewer[n]
    x = across[0] * view[0] + across[1] * view[1] + across[2] * view[2]
    y = along[0] * view[0] + along[1] * view[1] + along[2] * view[2]
    z = bsdf.cosine_view[n]
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    half_x, half_y, half_z = sample_half_vector(x, y, z, bsdf.alpha[n], u, v)
    twice = TWO * (x * half_x + y * half_y + z * half_z)
    return twice * half_x - x, twice * half_y - y, twice * half_z - z


@compiled
def _sample(bsdf: Bsdf, choice: Any, square: Any, light: Any, weight: Any) -> None:
    for n in range(len(choice)):
        x, y, z = bsdf.normal[n, 0], bsdf.normal[n, 1], bsdf.normal[n, 2]
        sign = np.copysign(ONE, z)  # the frame of [Duff 2017]
        a = -ONE / (sign + z)
        b = x * y * a
        across = (ONE + sign * x * x * a, sign * b, -sign * x)
        along = (b, sign + y * y * a, -y)
        share = bsdf.glossy_share[n]
        local = _local_direction(bsdf, n, across, along, choice[n] < share, square[n, 0], square[n, 1])
        light[n, 0] = local[0] * across[0] + local[1] * along[0] + local[2] * x
        light[n, 1] = local[0] * across[1] + local[1] * along[1] + local[2] * y
        light[n, 2] = local[0] * across[2] + local[1] * along[2] + local[2] * z
        red, green, blue, specular, cosine = _toward(bsdf, n, light[n, 0], light[n, 1], light[n, 2])
        chance = (ONE - share) * cosine / PI + share * specular
        inverse = ONE / chance if chance > LEAST_DENSITY else ZERO
        weight[n, 0], weight[n, 1], weight[n, 2] = red * inverse, green * inverse, blue * inverse
