"""The GGX microfacet distribution: density, shadowing, sampling, and how much of the light it returns.

Directions are unit vectors, (N, 3) float32, in a frame whose z is the normal where said so. `alpha` is roughness
squared. Shadowing is the height-correlated Smith form [Heitz 2014]; samples follow the visible normals [Heitz 2018].

[Heitz 2014] E. Heitz, "Understanding the Masking-Shadowing Function", JCGT 3(2), 2014.
[Heitz 2018] E. Heitz, "Sampling the GGX Distribution of Visible Normals", JCGT 7(4), 2018.
"""

from __future__ import annotations

import functools

import numpy as np

from ..transforms import Array
from .sample_patterns import R2

SMALLEST_ALPHA = 2e-3  # below it float32 no longer holds the highlight
TABLE_SIZE = 64  # cosines in a table of reflected shares
TABLE_SAMPLES = 1024


def density(cosine_half: Array, alpha: Array) -> Array:
    """Give the density of microfacets (N,) whose normal meets the surface's at this cosine."""
    a2 = alpha * alpha
    base = cosine_half * cosine_half * (a2 - 1.0) + 1.0
    result: Array = a2 / (np.pi * base * base)
    return result


def smith_lambda(cosine: Array, alpha: Array) -> Array:
    """Give Smith's Lambda (N,) for a direction at this cosine to the normal."""
    c2 = cosine * cosine
    result: Array = 0.5 * (np.sqrt(1.0 + alpha * alpha * (1.0 - c2) / np.maximum(c2, 1e-12)) - 1.0)
    return result


def sample_half_vector(view: Array, alpha: Array, square: Array) -> Array:
    """Give visible microfacet normals (N, 3) in the local frame, seen from local `view` (N, 3)."""
    stretched = np.stack([alpha * view[:, 0], alpha * view[:, 1], view[:, 2]], axis=1)
    stretched /= np.linalg.norm(stretched, axis=1, keepdims=True)
    radial = np.hypot(stretched[:, 0], stretched[:, 1])
    safe = np.maximum(radial, 1e-12)
    across = np.stack([-stretched[:, 1] / safe, stretched[:, 0] / safe, np.zeros_like(radial)], axis=1)
    across[radial < 1e-6] = (1.0, 0.0, 0.0)
    other = np.cross(stretched, across)
    r, angle = np.sqrt(square[:, 0]), 2.0 * np.pi * square[:, 1]
    a, b = r * np.cos(angle), r * np.sin(angle)
    blend = 0.5 * (1.0 + stretched[:, 2])
    b = (1.0 - blend) * np.sqrt(np.maximum(0.0, 1.0 - a * a)) + blend * b
    c = np.sqrt(np.maximum(0.0, 1.0 - a * a - b * b))
    half = a[:, None] * across + b[:, None] * other + c[:, None] * stretched
    half[:, :2] *= alpha[:, None]
    half[:, 2] = np.maximum(half[:, 2], 1e-6)
    unit: Array = half / np.linalg.norm(half, axis=1, keepdims=True)
    return unit


def dielectric_fresnel(cosine: Array, ior: Array | float) -> Array:
    """Give the share (N,) of unpolarised light that a smooth dielectric reflects at this cosine."""
    c = np.clip(cosine, 0.0, 1.0)
    g = np.sqrt(np.maximum(np.asarray(ior) ** 2 - 1.0 + c * c, 1e-12))
    a = (g - c) / (g + c)
    b = ((g + c) * c - 1.0) / ((g - c) * c + 1.0)
    result: Array = 0.5 * a * a * (1.0 + b * b)
    return result


def schlick_weight(cosine: Array) -> Array:
    """Give (1 - cosine)^5 (N,), how far a metal's colour has turned to white."""
    base = np.clip(1.0 - cosine, 0.0, 1.0)
    squared = base * base
    result: Array = squared * squared * base
    return result


@functools.lru_cache(maxsize=4096)
def reflected_shares(alpha: float, ior: float) -> Array:
    """Give (3, TABLE_SIZE) float32: the share that one bounce reflects, over cosines (k + 0.5) / TABLE_SIZE.

    Rows: for a mirror-white surface, for Schlick's weight alone, and for a dielectric of this index of refraction.
    """
    cosines = (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE
    count = np.arange(TABLE_SAMPLES)
    square = np.stack([(0.5 + count * R2[0]) % 1.0, (0.5 + count * R2[1]) % 1.0], axis=1)
    view = np.repeat(np.stack([np.sqrt(1 - cosines**2), 0 * cosines, cosines], axis=1), TABLE_SAMPLES, axis=0)
    alphas = np.full(len(view), alpha)
    half = sample_half_vector(view, alphas, np.tile(square, (TABLE_SIZE, 1)))
    at_half = np.einsum("ni,ni->n", view, half)
    out_z = 2.0 * at_half * half[:, 2] - view[:, 2]
    masked_view = 1.0 + smith_lambda(view[:, 2], alphas)
    weight = np.where(out_z > 0, masked_view / (masked_view + smith_lambda(out_z, alphas)), 0.0)
    rows = (np.ones_like(weight), schlick_weight(at_half), dielectric_fresnel(at_half, ior))
    means = [(weight * row).reshape(TABLE_SIZE, TABLE_SAMPLES).mean(axis=1) for row in rows]
    return np.array(means, np.float32)
