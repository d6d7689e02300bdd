import numpy as np
import pytest

from engine.network.activations import SLOPES, VALUES
from engine.network.field import Field
from tests.engine.networks import octahedron, random_network

ACTIVATIONS = [name for name in VALUES if name != "none"]
POINTS = np.random.default_rng(3).uniform(-1.0, 1.0, (200, 3))


@pytest.mark.parametrize("name", VALUES)
def test_slope_is_the_derivative_of_the_value(name):
    z = np.linspace(-6.0, 6.0, 1001) + 1e-3  # off the kinks
    step = 1e-6
    numeric = (VALUES[name](z + step) - VALUES[name](z - step)) / (2.0 * step)
    assert np.abs(numeric - SLOPES[name](z)).max() < 1e-8  # second-order differences


@pytest.mark.parametrize(
    "options", [{}, {"skips": (2,)}, {"encoding": "fourier", "fourier_features": 5}, {"inputs": 4}]
)
def test_gradient_is_the_derivative_of_the_value(options):
    field = Field(random_network(activation="softplus", **options), time=0.3)
    step = 1e-6
    numeric = np.stack(
        [(field.value(POINTS + o) - field.value(POINTS - o)) / (2.0 * step) for o in np.eye(3) * step], axis=1
    )
    inside = (np.abs(POINTS) < 0.999).all(axis=1)
    assert np.abs(numeric - field.gradient(POINTS))[inside].max() < 1e-6  # round-off 1e-16 / step, amplified


def test_octahedron_network_is_the_closed_form():
    field = Field(octahedron(0.7))
    assert np.abs(field.value(POINTS) - (np.abs(POINTS).sum(axis=1) - 0.7)).max() < 1e-7  # float32 weights
    assert np.array_equal(field.gradient(POINTS), np.sign(POINTS))


def test_outside_the_box_the_field_is_the_nearest_value_plus_the_distance():
    field = Field(octahedron(0.7))
    far = np.array([[3.0, 0.0, 0.0], [2.0, 2.0, 0.0]])
    expected = [1.0 - 0.7 + 2.0, 2.0 - 0.7 + np.sqrt(2.0)]
    assert np.abs(field.value(far) - expected).max() < 1e-6
