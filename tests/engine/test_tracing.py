"""The tracers: closed forms first, then the reference against the CPU backend, then dense bisection."""

import numpy as np
import pytest

from engine.errors import OptionError
from engine.network.field import Field
from engine.protocol.weights import Architecture
from engine.tracing import make_tracer
from engine.tracing.cpu import CpuTracer
from engine.tracing.reference import ReferenceTracer
from tests.engine.networks import ACTIVATIONS, from_arrays, octahedron, random_network, trained
from tests.oracles import Box, Sphere, Torus, rays_towards_origin


def spans(count, low=0.0, high=1e9):
    return np.full(count, low), np.full(count, high)


def dense_first_crossing(field, origins, directions, samples=2000):
    """First sign change of a float64 field among dense samples on each ray's way through the box, bisected."""
    with np.errstate(divide="ignore"):
        one, two = (-1.0 - origins) / directions, (1.0 - origins) / directions
    enter = np.maximum(np.minimum(one, two).max(axis=1), 0.0)
    leave = np.maximum(one, two).min(axis=1)
    t_hit = np.full(len(origins), np.inf)
    for r in np.flatnonzero(enter < leave):
        t = np.linspace(enter[r], leave[r], samples)
        inside = field.value(origins[r] + t[:, None] * directions[r]) < 0.0
        changes = np.flatnonzero(inside[1:] != inside[:-1])
        if len(changes):
            low, high, before = t[changes[0]], t[changes[0] + 1], inside[changes[0]]
            for _ in range(40):
                middle = 0.5 * (low + high)
                same = (field.value((origins[r] + middle * directions[r])[None])[0] < 0.0) == before
                low, high = (middle, high) if same else (low, middle)
            t_hit[r] = low
    return t_hit


@pytest.mark.parametrize("shape", [Sphere(), Box(), Torus()], ids=["sphere", "box", "torus"])
def test_reference_tracer_hits_where_the_closed_form_does(shape):
    origins, directions = rays_towards_origin(400)
    expected = shape.first_hit(origins, directions)
    t_hit = ReferenceTracer(shape, lipschitz_bound=1.0).trace(origins, directions, *spans(400))
    both = np.isfinite(expected) & np.isfinite(t_hit)
    # rays that graze within the shortest step of 2e-5 may go either way: at most one of 400 here
    assert (np.isfinite(expected) != np.isfinite(t_hit)).sum() <= 1
    speed = np.linalg.norm(directions, axis=1)
    points = origins[both] + expected[both, None] * directions[both]
    cosine = np.abs((shape.gradient(points) * directions[both]).sum(axis=1)) / speed[both]
    error = np.abs(t_hit[both] - expected[both]) * speed[both] * cosine
    assert error.max() < 1e-6  # quartic roots are right to 1e-7


def test_cpu_tracer_hits_an_exact_octahedron():
    origins, directions = rays_towards_origin(2000)
    t_hit = make_tracer(octahedron(0.7), "cpu").trace(origins, directions, *spans(2000))
    points = origins + np.where(np.isfinite(t_hit), t_hit, 0.0)[:, None] * directions
    hit = np.isfinite(t_hit)
    assert 0.3 < hit.mean() < 0.95
    assert (
        np.abs(np.abs(points[hit]).sum(axis=1) - 0.7).max() < 1e-5
    )  # bracket of 1e-6 times a slope of sqrt(3)
    closest = np.abs(origins[~hit, None] + np.linspace(0, 1.6, 400)[:, None] * directions[~hit, None]).sum(
        axis=2
    )
    assert closest.min() > 0.7 - 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_cpu_values_and_gradients_are_the_reference_ones(activation):
    weights = random_network(activation=activation, width=20, depth=4)
    tracer, field = make_tracer(weights, "cpu"), Field(weights)
    points = np.random.default_rng(1).uniform(-1.0, 1.0, (1000, 3))
    scale = max(1.0, np.abs(field.value(points)).max())
    assert (
        np.abs(tracer.value(points) - field.value(points)).max() < 5e-6 * scale
    )  # float32 through five layers
    error = np.linalg.norm(tracer.gradient(points) - field.gradient(points), axis=1)
    steep = max(1.0, np.linalg.norm(field.gradient(points), axis=1).max())
    # a float32 value on the other side of a kink takes the other slope: rare
    assert (error > 3e-5 * steep).mean() < 2e-3


@pytest.mark.parametrize(
    "options", [{"skips": (1, 3)}, {"encoding": "fourier", "fourier_features": 6}, {"width": 7}]
)
def test_cpu_evaluates_every_architecture(options):
    weights = random_network(activation="softplus", **({"width": 16, "depth": 4} | options))
    points = np.random.default_rng(1).uniform(-1.0, 1.0, (500, 3))
    tracer, field = make_tracer(weights, "cpu"), Field(weights)
    assert np.abs(tracer.value(points) - field.value(points)).max() < 1e-5
    assert np.abs(tracer.gradient(points) - field.gradient(points)).max() < 1e-4


@pytest.mark.parametrize("activation", ["relu", "softplus"])
def test_trained_thin_parts_are_not_missed(activation):
    """Sampled bounds: misses are counted against dense bisection, not excluded by proof."""
    weights = trained(activation)
    field, tracer = Field(weights), make_tracer(weights, "cpu")
    origins, directions = rays_towards_origin(3000, seed=5)
    expected = dense_first_crossing(field, origins, directions)
    t_hit = tracer.trace(origins, directions, *spans(3000))
    crossed, hit = np.isfinite(expected), np.isfinite(t_hit)
    assert crossed.mean() > 0.2
    assert (crossed & ~hit).sum() <= 1  # of 3000; a sampled bound may fail where the field is steepest
    both = crossed & hit
    late = (t_hit[both] - expected[both]) * np.linalg.norm(directions[both], axis=1) > 1e-3
    assert late.sum() <= 2
    points = origins[hit] + t_hit[hit, None] * directions[hit]
    assert np.abs(field.value(points)).max() < 1e-4  # every hit is on the zero set


def test_reference_and_cpu_agree():
    weights = trained("relu")
    origins, directions = rays_towards_origin(2000, seed=8)
    one = make_tracer(weights, "reference").trace(origins, directions, *spans(2000))
    two = make_tracer(weights, "cpu").trace(origins, directions, *spans(2000))
    both = np.isfinite(one) & np.isfinite(two)
    assert (np.isfinite(one) != np.isfinite(two)).sum() <= 1
    gradient = Field(weights).gradient(origins[both] + one[both, None] * directions[both])
    unit = directions[both] / np.linalg.norm(directions[both], axis=1, keepdims=True)
    cosine = np.abs((gradient * unit).sum(axis=1)) / np.linalg.norm(gradient, axis=1)
    error = np.abs(one[both] - two[both]) * np.linalg.norm(directions[both], axis=1)
    assert (error * cosine > 1e-4).sum() <= 1  # a grazing ray may find the next crossing


def test_t_does_not_depend_on_the_length_of_the_direction():
    tracer = make_tracer(octahedron(0.7), "cpu")
    origins, directions = rays_towards_origin(300)
    once = tracer.trace(origins, directions, *spans(300))
    twice = tracer.trace(origins, 1000.0 * directions, *spans(300))
    hit = np.isfinite(once)
    assert np.array_equal(hit, np.isfinite(twice))
    assert np.abs(once[hit] - 1000.0 * twice[hit]).max() < 1e-5


def test_camera_inside_the_shape_hits_its_wall():
    t_hit = make_tracer(octahedron(0.7), "cpu").trace(np.zeros((1, 3)), np.array([[1.0, 0, 0]]), *spans(1))
    assert abs(t_hit[0] - 0.7) < 1e-5


def test_rays_parallel_to_an_axis_and_beside_the_box_miss_or_hit():
    tracer = make_tracer(octahedron(0.7), "cpu")
    origins = np.array([[0.1, 0.2, 5.0], [0.0, 0.0, -5.0], [2.0, 0.0, 5.0], [0.6, 0.6, 5.0]])
    directions = np.array([[0, 0, -1.0], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.0]])
    t_hit = tracer.trace(origins, directions, *spans(4))
    assert np.allclose(t_hit[:2], [4.6, 4.3], atol=1e-5)
    assert np.isinf(t_hit[2:]).all()


def test_ray_ends_are_respected():
    tracer = make_tracer(octahedron(0.7), "cpu")
    origin, direction = np.array([[0.0, 0.0, 3.0]]), np.array([[0.0, 0.0, -1.0]])
    assert np.isinf(tracer.trace(origin, direction, *spans(1, 0.0, 2.2))[0])  # ends before the entry at 2.3
    assert abs(tracer.trace(origin, direction, *spans(1, 2.5))[0] - 3.7) < 1e-5  # begins behind it
    assert tracer.occluded(origin, direction, *spans(1))[0]
    assert not tracer.occluded(origin, direction, *spans(1, 4.0))[0]


def test_directions_that_are_no_directions_miss():
    tracer = make_tracer(octahedron(0.7), "cpu")
    directions = np.array([[0.0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 0]])
    assert np.isinf(tracer.trace(np.zeros((3, 3)), directions, *spans(3))).all()


def test_network_without_a_zero_set_is_missed():
    empty = from_arrays(
        Architecture(width=4, depth=1), [np.zeros((4, 3)), np.zeros((1, 4))], [np.zeros(4), [0.5]]
    )
    origins, directions = rays_towards_origin(100)
    assert np.isinf(make_tracer(empty, "cpu").trace(origins, directions, *spans(100))).all()


def test_huge_weights_end_and_hit_only_sign_changes():
    weights = random_network(width=16, depth=4, scale=40.0, seed=4)
    origins, directions = rays_towards_origin(300)
    tracer, field = make_tracer(weights, "cpu"), Field(weights)
    t_hit = tracer.trace(origins, directions, *spans(300))
    hit = np.isfinite(t_hit)
    step = 1e-4 / np.linalg.norm(directions[hit], axis=1, keepdims=True)
    before = field.value(origins[hit] + (t_hit[hit, None] - step) * directions[hit])
    after = field.value(origins[hit] + (t_hit[hit, None] + step) * directions[hit])
    assert ((before < 0.0) != (after < 0.0)).mean() > 0.95  # the rest cross twice within the step


def test_unknown_backend_is_an_error():
    with pytest.raises(OptionError, match="backend"):
        make_tracer(octahedron(), "abacus")


@pytest.mark.parametrize("certified", [False, True])
def test_a_kink_beside_the_surface_is_no_division_by_zero(certified):
    """relu(0.001 - x) - 0.0005: in the kink's cell the slope along x is between -1 and exactly 0."""
    weights = from_arrays(Architecture(width=1, depth=1), [[[-1.0, 0.0, 0.0]], [[1.0]]], [[0.001], [-0.0005]])
    tracer = CpuTracer(weights)
    if certified:
        assert tracer.certify()
    origins, directions = np.array([[-1.0, 0.1, 0.1], [1.0, 0.1, 0.1]]), np.array([[1.0, 0, 0], [-1.0, 0, 0]])
    t_hit = tracer.trace(origins, directions, np.zeros(2), np.full(2, 2.0))
    assert t_hit == pytest.approx([1.0005, 0.9995], abs=1e-5)
