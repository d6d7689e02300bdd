"""The closed list of activations in NumPy: value and derivative, the reference for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Function = Callable[[FloatArray], FloatArray]

LEAKY_SLOPE = 0.01


def _sigmoid(z: FloatArray) -> FloatArray:
    half: FloatArray = 0.5 * np.tanh(0.5 * z) + 0.5
    return half


def _elu(z: FloatArray) -> FloatArray:
    return np.where(z > 0.0, z, np.expm1(np.minimum(z, 0.0)))


def _elu_slope(z: FloatArray) -> FloatArray:
    return np.where(z > 0.0, 1.0, np.exp(np.minimum(z, 0.0)))


def _softplus(z: FloatArray) -> FloatArray:
    positive: FloatArray = np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))
    return positive


def _silu_slope(z: FloatArray) -> FloatArray:
    share = _sigmoid(z)
    slope: FloatArray = share * (1.0 + z * (1.0 - share))
    return slope


def _normal_cdf(z: FloatArray) -> FloatArray:
    from scipy import special  # a fifth of a second to import

    share: FloatArray = special.ndtr(z)
    return share


def _gelu_slope(z: FloatArray) -> FloatArray:
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    slope: FloatArray = _normal_cdf(z) + z * density
    return slope


def _smooth_step(z: FloatArray) -> FloatArray:
    """Give gelu's gate with ends: 0 below -2.5, 1 above 2.5, and the quintic between that joins them twice smoothly."""
    u = np.clip(0.4 * z, -1.0, 1.0)
    step: FloatArray = 0.5 + u * (15.0 - 10.0 * u**2 + 3.0 * u**4) / 16.0
    return step


def _hard_gelu_slope(z: FloatArray) -> FloatArray:
    u = np.clip(0.4 * z, -1.0, 1.0)
    slope: FloatArray = _smooth_step(z) + 0.375 * z * (1.0 - u**2) ** 2
    return slope


VALUES: dict[str, Function] = {
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0.0, z, LEAKY_SLOPE * z),
    "elu": _elu,
    "softplus": _softplus,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "sine": np.sin,
    "silu": lambda z: z * _sigmoid(z),
    "gelu": lambda z: z * _normal_cdf(z),
    "hard_gelu": lambda z: z * _smooth_step(z),
    "none": lambda z: z,
}

SLOPES: dict[str, Function] = {
    "relu": lambda z: np.where(z > 0.0, 1.0, 0.0),
    "leaky_relu": lambda z: np.where(z > 0.0, 1.0, LEAKY_SLOPE),
    "elu": _elu_slope,
    "softplus": _sigmoid,
    "tanh": lambda z: 1.0 - np.tanh(z) ** 2,
    "sigmoid": lambda z: _sigmoid(z) * (1.0 - _sigmoid(z)),
    "sine": np.cos,
    "silu": _silu_slope,
    "gelu": _gelu_slope,
    "hard_gelu": _hard_gelu_slope,
    "none": np.ones_like,
}
