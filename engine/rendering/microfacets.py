"""The GGX microfacet distribution: density, shadowing, sampling, and how much of the light it returns.

Functions of single numbers that kernels call; they compute with the precision they are given. Directions are unit vectors
in a frame whose z is the normal where said so. `alpha` is roughness squared. Shadowing is the height-correlated Smith form
[Heitz 2014]; samples follow the visible normals [Heitz 2018].

[Heitz 2014] E. Heitz, "Understanding the Masking-Shadowing Function", JCGT 3(2), 2014.
[Heitz 2018] E. Heitz, "Sampling the GGX Distribution of Visible Normals", JCGT 7(4), 2018.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..transforms import Array
from .compiled import compiled
from .sample_patterns import R2

SMALLEST_ALPHA = 2e-3  # below it float32 no longer holds the highlight
TABLE_SIZE = 64  # cosines in a table of reflected shares
TABLE_SAMPLES = 1024
f32 = np.float32
ZERO, HALF, ONE, TWO, PI = f32(0.0), f32(0.5), f32(1.0), f32(2.0), f32(np.pi)
TINY = f32(1e-12)


@compiled
def density(cosine_half: Any, alpha: Any) -> Any:
    """Give the density of microfacets whose normal meets the surface's at this cosine."""
    a2 = alpha * alpha
    base = cosine_half * cosine_half * (a2 - ONE) + ONE
    return a2 / (PI * base * base)


@compiled
def smith_lambda(cosine: Any, alpha: Any) -> Any:
    """Give Smith's Lambda for a direction at this cosine to the normal."""
    c2 = cosine * cosine
    return HALF * (np.sqrt(ONE + alpha * alpha * (ONE - c2) / max(c2, TINY)) - ONE)


@compiled
def sample_half_vector(x: Any, y: Any, z: Any, alpha: Any, u: Any, v: Any) -> Any:
    """Give a visible microfacet's normal in the local frame, seen from local (x, y, z), by two uniform numbers."""
    x, y = alpha * x, alpha * y
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    radial = np.sqrt(x * x + y * y)
    across_x, across_y = -y / max(radial, TINY), x / max(radial, TINY)
    if radial < f32(1e-6):
        across_x, across_y = across_x * ZERO + ONE, across_y * ZERO
    r, angle = np.sqrt(u), TWO * PI * v
    a, b = r * np.cos(angle), r * np.sin(angle)
    blend = HALF * (ONE + z)
    b = (ONE - blend) * np.sqrt(max(ZERO, ONE - a * a)) + blend * b
    c = np.sqrt(max(ZERO, ONE - a * a - b * b))
    half_x = alpha * (a * across_x - b * z * across_y + c * x)
    half_y = alpha * (a * across_y + b * z * across_x + c * y)
    half_z = max(b * (x * across_y - y * across_x) + c * z, f32(1e-6))
    length = np.sqrt(half_x * half_x + half_y * half_y + half_z * half_z)
    return half_x / length, half_y / length, half_z / length


@compiled
def dielectric_fresnel(cosine: Any, ior: Any) -> Any:
    """Give the share of unpolarised light that a smooth dielectric reflects at this cosine."""
    c = min(max(cosine, ZERO), ONE)
    g = np.sqrt(max(ior * ior - ONE + c * c, TINY))
    a = (g - c) / (g + c)
    b = ((g + c) * c - ONE) / ((g - c) * c + ONE)
    return HALF * a * a * (ONE + b * b)


@compiled
def schlick_weight(cosine: Any) -> Any:
    """Give (1 - cosine)^5, how far a metal's colour has turned to white."""
    base = min(max(ONE - cosine, ZERO), ONE)
    squared = base * base
    return squared * squared * base


@functools.lru_cache(maxsize=4096)
def reflected_shares(alpha: float, ior: float) -> Array:
    """Give (3, TABLE_SIZE) float32: the share that one bounce reflects, over cosines (k + 0.5) / TABLE_SIZE.

    Rows: for a mirror-white surface, for Schlick's weight alone, and for a dielectric of this index of refraction.
    """
    count = np.arange(TABLE_SAMPLES)
    means = np.zeros((3, TABLE_SIZE))
    _add_shares(alpha, ior, (0.5 + count * R2[0]) % 1.0, (0.5 + count * R2[1]) % 1.0, means)
    return (means / TABLE_SAMPLES).astype(np.float32)


@compiled
def _add_shares(alpha: float, ior: float, u: Any, v: Any, sums: Any) -> None:
    """Add what each sample reflects to `sums` (3, TABLE_SIZE)."""
    for k in range(TABLE_SIZE):
        cosine = (k + 0.5) / TABLE_SIZE
        sine, masked = np.sqrt(1.0 - cosine * cosine), 1.0 + smith_lambda(cosine, alpha)
        for n in range(len(u)):
            half_x, _, half_z = sample_half_vector(sine, 0.0, cosine, alpha, u[n], v[n])
            at_half = sine * half_x + cosine * half_z
            out_z = 2.0 * at_half * half_z - cosine
            if out_z > 0.0:
                weight = masked / (masked + smith_lambda(out_z, alpha))
                sums[0, k] += weight
                sums[1, k] += weight * schlick_weight(at_half)
                sums[2, k] += weight * dielectric_fresnel(at_half, ior)
