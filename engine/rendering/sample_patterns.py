"""Where samples fall: one low-discrepancy pattern, shifted per pixel, the same in every run.

Positions in the pixel come from the R2 sequence [Roberts 2018] warped by a Blackman-Harris filter 1.5 pixels wide,
which is Cycles' default; they are the same in every pixel, and the first is its centre. Numbers for lights are R2 too,
shifted (modulo 1) by a hash of the pixel, the dimension and the seed, so neighbours do not repeat each other's error.
Nothing depends on tiles, regions or threads, so a region equals the crop of the full picture and frames never flicker.

[Roberts 2018] M. Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences", extremelearning.com.au.
"""

from __future__ import annotations

import numpy as np

from ..transforms import Array

FILTER_WIDTH = 1.5  # pixels, as in Cycles
_PLASTIC = 1.32471795724474602596
R2 = (1.0 / _PLASTIC, 1.0 / _PLASTIC**2)
GOLDEN = 0.61803398874989484820


def pixel_offset(sample: int) -> tuple[float, float]:
    """Give where sample number `sample` falls, in pixels from the pixel's corner; sample 0 is the centre."""
    x, y = ((0.5 + sample * step) % 1.0 for step in R2)
    grid, cumulative = _filter_cdf()
    return (
        0.5 + float(np.interp(x, cumulative, grid)),
        0.5 + float(np.interp(y, cumulative, grid)),
    )


def sample_1d(x: Array, y: Array, sample: int, dimension: int, seed: int) -> Array:
    """Give one number in [0, 1) for each pixel (N,) float32; dimensions are independent of each other."""
    return _shifted(sample * GOLDEN, x, y, dimension, seed)


def sample_2d(x: Array, y: Array, sample: int, dimension: int, seed: int) -> Array:
    """Give two numbers in [0, 1) for each pixel, (N, 2) float32; uses `dimension` and the one after it."""
    first = _shifted(sample * R2[0], x, y, dimension, seed)
    second = _shifted(sample * R2[1], x, y, dimension + 1, seed)
    return np.stack([first, second], axis=1)


def disk(square: Array) -> Array:
    """Map uniform numbers (N, 2) to the unit disk, keeping area and neighbourhood [Shirley & Chiu 1997]."""
    a, b = 2.0 * square[:, 0] - 1.0, 2.0 * square[:, 1] - 1.0
    wide = np.abs(a) > np.abs(b)
    radius = np.where(wide, a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(wide, np.pi / 4 * b / a, np.pi / 2 - np.pi / 4 * a / b)
    angle = np.nan_to_num(angle)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _shifted(value: float, x: Array, y: Array, dimension: int, seed: int) -> Array:
    shift = _hash(x.astype(np.uint32), y.astype(np.uint32), dimension, seed) * np.float64(2.0**-32)
    moved = ((value + shift) % 1.0).astype(np.float32)
    return np.minimum(moved, np.float32(1.0 - 2.0**-24))  # rounding must not reach 1


def _hash(x: Array, y: Array, dimension: int, seed: int) -> Array:
    """Mix pixel, dimension and seed into 32 even bits (PCG output permutation, chained)."""
    state = np.full(x.shape, (seed * 0x9E3779B1 + dimension * 0x85EBCA77) & 0xFFFFFFFF, np.uint32)
    for word in (x, y, np.uint32(dimension)):
        state = (state ^ word) * np.uint32(747796405) + np.uint32(2891336453)
        state = ((state >> ((state >> np.uint32(28)) + np.uint32(4))) ^ state) * np.uint32(277803737)
        state = (state >> np.uint32(22)) ^ state
    return state


def _make_filter_cdf() -> tuple[Array, Array]:
    grid = np.linspace(-0.5, 0.5, 1025)
    phase = 2.0 * np.pi * (grid + 0.5)
    window = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    steps = np.maximum(0.5 * (window[1:] + window[:-1]), 1e-9)
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    return grid * FILTER_WIDTH, cumulative / cumulative[-1]


_CDF = _make_filter_cdf()


def _filter_cdf() -> tuple[Array, Array]:
    return _CDF
