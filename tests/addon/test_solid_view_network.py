"""Networks as GLSL: packed and generated for every activation and shape, run on the host, against the NumPy reference."""

import typing

import numpy as np
import pytest
from neural_implicit.addon.solid_view.network_rows import MOST_ROWS, packed_rows, too_large
from neural_implicit.addon.solid_view.network_values import network_values
from neural_implicit.engine.protocol.weights import Architecture as AddonArchitecture

from engine.network.field import Field
from engine.protocol.weights import Activation, Architecture
from tests.addon import glsl_twin
from tests.engine.networks import octahedron, random_network

POINTS = np.random.default_rng(5).uniform(-1.0, 1.0, (400, 3)).astype(np.float32)
# float32 sums of up to 64 terms of size 1, layer after layer; the error function is off by 1.5e-7
VALUE, GRADIENT = 2e-5, 2e-4

SHAPES = [
    {"width": 32, "depth": 8},
    {"width": 5, "depth": 1},
    {"width": 17, "depth": 3, "skips": (1, 2)},
    {"width": 16, "depth": 5, "skips": (3,), "output_activation": "tanh"},
    {"width": 12, "depth": 3, "encoding": "fourier", "fourier_features": 6},
    {"width": 16, "depth": 4, "encoding": "fourier", "fourier_features": 5, "skips": (2,)},
    {"inputs": 4, "width": 8, "depth": 2},
    {"inputs": 4, "width": 8, "depth": 3, "skips": (1,), "encoding": "fourier", "fourier_features": 3},
    {"width": 48, "depth": 9},  # more than one uniform buffer
]


def check(weights, time=0.0):
    field = Field(weights, time)
    value, again, gradient = glsl_twin.evaluate(weights, POINTS, time)
    expected, slopes = field.value(POINTS), field.gradient(POINTS)
    size, steepness = max(1.0, np.abs(expected).max()), max(1.0, np.abs(slopes).max())
    assert np.abs(value - expected).max() < VALUE * size
    assert np.array_equal(value, again) or np.abs(value - again).max() < VALUE * size
    assert np.abs(gradient - slopes).max() < GRADIENT * steepness
    assert np.abs(network_values(weights, POINTS, time) - expected).max() < VALUE * size


@pytest.mark.parametrize("activation", typing.get_args(Activation))
def test_glsl_equals_the_reference_for_every_activation(activation):
    # at a kink a slope is either side's; random points are on none
    check(random_network(3, width=13, depth=4, activation=activation, skips=(2,)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_glsl_equals_the_reference_for_every_shape(shape):
    check(random_network(4, activation="silu", **shape), time=0.3)


def test_octahedron_is_exact():
    value, _, gradient = glsl_twin.evaluate(octahedron(), POINTS)
    assert np.abs(value - (np.abs(POINTS).sum(axis=1) - 0.7)).max() < 1e-6
    assert np.array_equal(gradient, np.sign(POINTS))


def test_no_uniform_buffer_exceeds_what_drivers_take():
    weights = random_network(1, width=64, depth=12)
    buffers = packed_rows(weights)
    assert len(buffers) == 4
    assert max(len(rows) for rows in buffers) <= MOST_ROWS


def test_a_network_too_large_is_refused_in_a_sentence():
    assert too_large(AddonArchitecture(width=64, depth=8)) == ""
    assert "128 wide" in too_large(AddonArchitecture(width=128, depth=2))
    assert "too many" in too_large(AddonArchitecture(width=64, depth=40))
    assert Architecture().width <= 64
