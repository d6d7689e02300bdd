"""Activations of the compiled kernels against float64: right over the whole range, and numbers that are none stay so."""

import numpy as np
import pytest
from scipy.special import expit, ndtr

from engine.tracing.kernel_math import CODES, activate, slopes
from tests.engine.networks import ACTIVATIONS

VALUES = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": np.tanh,
    "sigmoid": expit,
    "sine": np.sin,
    "silu": lambda x: x * expit(x),
    "gelu": lambda x: x * ndtr(x),
}
SLOPES = {
    "elu": lambda x: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0))),
    "softplus": expit,
    "tanh": lambda x: 1.0 - np.tanh(x) ** 2,
    "sigmoid": lambda x: expit(x) * expit(-x),
    "sine": np.cos,
    "silu": lambda x: expit(x) * (1 + x * expit(-x)),
    "gelu": lambda x: ndtr(x) + x * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi),
}
SMOOTH = [name for name in ACTIVATIONS if CODES[name] > 2]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("reach", [3.0, 99.0])
def test_values_and_slopes_are_those_of_float64(name, reach):
    x = np.random.default_rng(0).uniform(-reach, reach, 100_000).astype(np.float32)
    exact, value, slope = x.astype(np.float64), x.copy(), np.zeros_like(x)
    activate(CODES[name], value, 0, x.size)
    slopes(CODES[name], x, 0, x.size, slope, 0)
    size = np.maximum(1.0, np.abs(exact))
    assert (np.abs(value - VALUES[name](exact)) / size).max() < 4e-7
    assert (np.abs(slope - SLOPES[name](exact)) / size).max() < 6e-7


@pytest.mark.parametrize("reach", [1.0, 30.0, 99.0])
def test_sine_keeps_its_digits_far_from_zero(reach):
    """The range reduction cancels: summed in another order, it would lose a digit at 30."""
    x = np.random.default_rng(1).uniform(-reach, reach, 100_000).astype(np.float32)
    value, slope = x.copy(), np.zeros_like(x)
    activate(CODES["sine"], value, 0, x.size)
    slopes(CODES["sine"], x, 0, x.size, slope, 0)
    assert np.abs(value - np.sin(x.astype(np.float64))).max() < 2e-7
    assert np.abs(slope - np.cos(x.astype(np.float64))).max() < 2e-7


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_no_number_stays_none_and_large_numbers_stay_finite(name):
    nothing = np.array([np.nan, -np.nan] * 48, np.float32)
    activate(CODES[name], nothing, 0, nothing.size)
    assert np.isnan(nothing).all()
    large = np.array([-1e6, -90.0, -0.0, 0.0, 90.0, 1e6] * 16, np.float32)
    activate(CODES[name], large, 0, large.size)
    assert np.isfinite(large).all()
