"""Activations as the tracer and the fit compile them against the reference: right far from zero, and no number stays none."""

import numpy as np
import pytest

from engine.fitting import fused_activations
from engine.network.activations import SLOPES, VALUES
from engine.tracing import kernel_math

SMOOTH = [name for name in VALUES if name not in ("none", "relu", "leaky_relu")]  # a tile does the others
NEAR = 6e-7  # of max(1, |x|): a few roundings of float32


def traced(name, x):
    value, slope = x.copy(), np.zeros_like(x)
    kernel_math.activate(kernel_math.CODES[name], value, 0, x.size)
    kernel_math.slopes(kernel_math.CODES[name], x, 0, x.size, slope, 0)
    return value, slope


def fitted(name, x):
    value, slope = np.zeros_like(x), np.zeros_like(x)
    fused_activations.activate(fused_activations.ACTIVATION_CODES[name], x, value, slope)
    return value, slope


def places(reach):
    return np.random.default_rng(0).uniform(-reach, reach, 100_000).astype(np.float32)


@pytest.mark.parametrize("kernels", [traced, fitted])
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("reach", [3.0, 99.0])
def test_values_and_slopes_are_the_reference_ones(kernels, name, reach):
    x = places(reach)
    value, slope = kernels(name, x)
    exact = x.astype(np.float64)
    size = np.maximum(1.0, np.abs(exact))
    assert (np.abs(value - VALUES[name](exact)) / size).max() < NEAR
    assert (np.abs(slope - SLOPES[name](exact)) / size).max() < NEAR


@pytest.mark.parametrize("kernels", [traced, fitted])
@pytest.mark.parametrize("reach", [1.0, 30.0, 99.0])
def test_sine_keeps_its_digits_far_from_zero(kernels, reach):
    """The range reduction cancels: summed in another order, it would lose a digit at 30."""
    x = places(reach)
    value, slope = kernels("sine", x)
    assert np.abs(value - np.sin(x.astype(np.float64))).max() < 2.5e-7
    assert np.abs(slope - np.cos(x.astype(np.float64))).max() < 2.5e-7


@pytest.mark.parametrize("kernels", [traced, fitted])
@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_no_number_stays_none_and_large_numbers_stay_finite(kernels, name):
    nothing = np.array([np.nan, -np.nan] * 48, np.float32)
    assert np.isnan(kernels(name, nothing)[0]).all()
    large = np.array([-1e6, -90.0, -0.0, 0.0, 90.0, 1e6] * 16, np.float32)
    assert np.isfinite(kernels(name, large)[0]).all()
