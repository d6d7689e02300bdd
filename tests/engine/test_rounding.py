"""Half precision: what it costs together and one by one, what is stored is what is measured, and equal bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.conversion.precision import DEAREST, stored
from engine.fitting.sampling import SamplingOptions, training_points
from engine.ground_truth.mesh import check_mesh, to_unit
from engine.ground_truth.mesh_files import load_mesh
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.surface_sampler import SurfaceSampler
from engine.network.rounding import rounded_plainly, rounded_together
from engine.protocol.weights import Architecture, NeuralWeights
from engine.tracing.network_values import NetworkValues

ROOT = Path(__file__).resolve().parents[2]
SPOT = NeuralWeights.load(ROOT / "tests/blender/data/spot.safetensors")  # a fit in single precision


@pytest.fixture(scope="module")
def truth():
    return examine(to_unit(check_mesh(load_mesh(ROOT / "examples/spot.obj")))).truth


@pytest.fixture(scope="module")
def points(truth):
    rng = np.random.default_rng(1)
    places = training_points(SurfaceSampler(truth.mesh), 2048, SamplingOptions(uniform_share=0.1), rng)[0]
    return places[rng.permutation(len(places))]  # they come cell by cell


def shift(one, other, places):
    return float(np.abs(NetworkValues(one).value(places) - NetworkValues(other).value(places)).mean())


def test_rounding_together_moves_the_field_a_third_as_far_as_one_by_one(truth, points):
    together, plain = rounded_together(SPOT, points), rounded_plainly(SPOT)
    places = SurfaceSampler(truth.source).sample(20_000, np.random.default_rng(2))[
        0
    ]  # others than it has seen
    assert shift(SPOT, together, places) < shift(SPOT, plain, places) / 3.0
    anywhere = np.random.default_rng(3).uniform(-1.0, 1.0, (20_000, 3))
    assert shift(SPOT, together, anywhere) < shift(SPOT, plain, anywhere)


def test_what_is_stored_is_what_was_measured(points):
    half = rounded_together(SPOT, points)
    again = NeuralWeights.from_bytes(half.to_bytes())
    assert again.float16
    for one, other in zip((*half.weights, *half.biases), (*again.weights, *again.biases)):
        assert np.array_equal(one, other)


def test_half_precision_is_taken_where_it_is_cheap_and_single_where_asked(truth):
    half = stored(SPOT, truth, "auto")
    places = SurfaceSampler(truth.source).sample(50_000, np.random.default_rng(4))[0]
    before, after = (np.abs(NetworkValues(one).value(places)).mean() for one in (SPOT, half))
    assert half.float16 and after < DEAREST * before
    assert len(half.to_bytes()) < 18_000
    assert stored(SPOT, truth, "float32") is SPOT


def test_a_network_that_half_precision_ruins_stays_single(truth):
    """Huge weights that cancel: float16 holds them to 16, and their difference is the shape."""
    width = SPOT.architecture.width
    last = SPOT.weights[-1]
    noise = 1e4 * np.random.default_rng(5).standard_normal((1, width)).astype(np.float32)
    matrix = np.concatenate([SPOT.weights[-2]] * 2), np.concatenate([last + noise, -noise], axis=1)
    wide = Architecture(width=2 * width, depth=1, activation=SPOT.architecture.activation)
    first = np.concatenate([SPOT.weights[0]] * 2)
    single = replace(
        SPOT.with_description(architecture=wide),
        weights=(first, matrix[1]),
        biases=(np.concatenate([SPOT.biases[0]] * 2), SPOT.biases[-1]),
    )
    assert not stored(single, truth, "auto").float16


def test_equal_networks_give_equal_bytes(points):
    assert rounded_together(SPOT, points).to_bytes() == rounded_together(SPOT, points).to_bytes()


@pytest.mark.parametrize("activation", ["relu", "sine", "softplus", "tanh"])
def test_every_layer_and_activation_is_linearised_rightly(activation, points):
    """A random network: together is nearer than one by one, which a wrong slope would not be."""
    rng = np.random.default_rng(6)
    architecture = Architecture(width=24, depth=4, activation=activation)
    shapes = architecture.layer_shapes()
    network = NeuralWeights(
        description=replace(SPOT.description, architecture=architecture),
        weights=tuple((rng.standard_normal(s) * 1.4 / s[1] ** 0.5).astype(np.float32) for s in shapes),
        biases=tuple((0.3 * rng.standard_normal(s[0])).astype(np.float32) for s in shapes),
    )
    together, plain = rounded_together(network, points), rounded_plainly(network)
    others = np.random.default_rng(7).uniform(-1.0, 1.0, (5000, 3))
    assert shift(network, together, others) < 0.7 * shift(network, plain, others)
    near = points + 1e-3 * np.random.default_rng(8).standard_normal(points.shape)
    assert shift(network, together, near) < 0.5 * shift(network, plain, near)
