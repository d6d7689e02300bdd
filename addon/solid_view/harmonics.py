"""An environment as nine spherical harmonics, which are enough for diffuse light [Ramamoorthi 2001].

The picture is equirectangular, as Blender has them: the middle is seen along -x, x grows to the left of it, up is z.

[Ramamoorthi 2001] R. Ramamoorthi, P. Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
"""

from __future__ import annotations

import numpy as np

COARSE = 64  # rows of an environment that the harmonics are summed from
BRIGHTEST = 60.0  # of an environment's pixel; a sun beyond it would be a shadow's work
# By degree: irradiance over pi of a harmonic, and the factors of the polynomials in `harmonic_basis`.
SPREAD = np.array([1.0, *[2.0 / 3.0] * 3, *[0.25] * 5])
FACTORS = np.array([0.282095, *[0.488603] * 3, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274])


def harmonic_basis(directions: np.ndarray) -> np.ndarray:
    """Give the nine polynomials (N, 9) at unit directions (N, 3)."""
    x, y, z = directions.T
    one = np.ones(len(directions))
    return np.column_stack([one, y, z, x, x * y, y * z, 3.0 * z * z - 1.0, x * z, x * x - y * y])


def environment_harmonics(pixels: np.ndarray) -> np.ndarray:
    """Give what `StudioPictures.harmonics` does, from an equirectangular picture (H, W, 4), bottom row first."""
    step = max(1, pixels.shape[0] // COARSE)
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    blocks = pixels[: height * step, : width * step, :3].clip(0.0, BRIGHTEST)
    light = blocks.reshape(height, step, width, step, 3).mean(axis=(1, 3))
    latitude = np.pi * ((np.arange(height) + 0.5) / height - 0.5)
    longitude = 2.0 * np.pi * ((np.arange(width) + 0.5) / width - 0.5)
    level, turn = np.meshgrid(latitude, longitude, indexing="ij")
    directions = np.stack(
        [-np.cos(turn) * np.cos(level), np.sin(turn) * np.cos(level), np.sin(level)], axis=-1
    )
    weight = np.cos(level) * (np.pi / height) * (2.0 * np.pi / width)
    basis = harmonic_basis(directions.reshape(-1, 3)) * FACTORS
    sums = basis.T @ (light * weight[..., None]).reshape(-1, 3)
    return sums * (SPREAD * FACTORS)[:, None]
