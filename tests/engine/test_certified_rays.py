"""The certified tracer against float64 along rays: no missed hit, no false hit, depths to 1e-4 over the cosine.

The shapes have thin parts; they are fitted for a few seconds or are exact by construction. Rays that come nearer than 1e-6
to the zero set, or within the float32 kernel's own error, without crossing it are counted and left out.
"""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from engine.network.field import Field
from engine.protocol.weights import Architecture, NeuralWeights
from engine.rendering.neural_geometry import NeuralGeometry, NeuralInstance
from engine.tracing import certified_cache
from engine.tracing.cpu import CpuTracer
from tests.engine.networks import from_arrays, octahedron, random_network
from tests.ray_oracle import exact_first_crossing, judge, mixed_rays

NUM_RAYS = 3400  # of each shape, 2e4 in all
SHAPES = ("octahedron", "spot", "ring and rod", "plate", "shell", "comb")
SPOT = Path(__file__).parents[1] / "blender/data/spot.safetensors"


def thin_shapes():
    import trimesh

    def at(mesh, *place):
        return mesh.apply_translation(place)

    ring = trimesh.creation.torus(0.7, 0.05)
    plate = trimesh.creation.box((1.4, 1.0, 0.05))
    rod = trimesh.creation.cylinder(0.04, 1.7)
    shell = trimesh.creation.annulus(0.62, 0.68, 0.9)
    comb = [at(trimesh.creation.box((0.05, 0.9, 0.5)), x, 0.0, 0.0) for x in np.linspace(-0.7, 0.7, 5)]
    spine = trimesh.creation.box((1.5, 0.1, 0.1))
    return {
        "ring and rod": ([ring, rod], "gelu"),
        "plate": ([plate, at(trimesh.creation.icosphere(3, 0.2), 0.4, 0.2, 0.3)], "relu"),
        "shell": ([shell], "softplus"),
        "comb": ([*comb, spine], "sine"),
    }


@functools.cache
def fitted(name):
    """A network of 24 x 5 after a short fit."""
    import trimesh

    from engine.fitting.fit import FitOptions, fit
    from engine.fitting.hard_samples import HardOptions
    from engine.ground_truth.mesh import Mesh, check_mesh, to_unit
    from engine.ground_truth.sign_doctor import examine
    from engine.network.parameters import split_parameters

    parts, activation = thin_shapes()[name]
    whole = trimesh.util.concatenate(parts)
    mesh = check_mesh(Mesh(name=name, vertices=np.array(whole.vertices), faces=np.array(whole.faces)))
    options = FitOptions(
        architecture=Architecture(width=24, depth=5, activation=activation),
        num_steps=150,
        batch_size=2048,
        num_samples=1 << 15,
        hard=HardOptions(share=0.0),  # so short a run has first to find the surface
    )
    parameters = fit(examine(to_unit(mesh), None).truth, options, lambda state: None)
    return from_arrays(options.architecture, *split_parameters(parameters, options.architecture))


def network(name):
    if name == "spot":
        return NeuralWeights.load(SPOT)
    return octahedron(0.7) if name == "octahedron" else fitted(name)


@functools.cache
def certified(name):
    tracer = CpuTracer(network(name))
    assert tracer.certify()
    assert tracer.bound == "certified"
    return tracer


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certified_cache, "cache_folder", lambda: folder)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_certified_rays_hit_exactly_where_the_field_is_crossed(name):
    weights, tracer = network(name), certified(name)
    origins, directions = mixed_rays(Field(weights), NUM_RAYS, seed=11)
    verdict = judge(weights, tracer, origins, directions)
    assert 0.1 < verdict.crossed.mean() < 0.99
    assert not verdict.missed.any()
    assert not verdict.false.any()
    assert not verdict.displaced.any()
    assert verdict.grazing.sum() <= 0.005 * NUM_RAYS
    assert verdict.depth_error.max() <= 1e-4


@pytest.mark.parametrize("name", SHAPES)
def test_finely_sampled_rays_miss_nothing_on_these_shapes_either(name, monkeypatch):
    """No proof stands behind it: what it misses is counted."""
    monkeypatch.setattr("engine.tracing.stepped.load_cells", lambda weights: None)
    weights = network(name)
    tracer = CpuTracer(weights)
    tracer.sharpen()
    assert tracer.bound == "sampled"
    verdict = judge(weights, tracer, *mixed_rays(Field(weights), NUM_RAYS, seed=12))
    assert verdict.missed.sum() + verdict.false.sum() + verdict.displaced.sum() <= 1
    assert verdict.depth_error.max() <= 1e-4


def test_camera_inside_a_certified_shape_hits_its_wall():
    t_hit = certified("octahedron").trace(np.zeros((1, 3)), np.eye(3)[:1], np.zeros(1), np.full(1, 9.0))
    assert abs(t_hit[0] - 0.7) < 1e-5


def test_certified_rays_along_an_axis():
    tracer = certified("octahedron")
    origins = np.array([[0.1, 0.2, 5.0], [0.0, 0.0, -5.0], [2.0, 0.0, 5.0], [0.6, 0.6, 5.0], [0.0, 0.0, 5.0]])
    directions = np.array([[0, 0, -1.0], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.0], [0, 0, -1.0]])
    t_hit = tracer.trace(origins, directions, np.zeros(5), np.full(5, 99.0))
    assert np.allclose(t_hit[[0, 1, 4]], [4.6, 4.3, 4.3], atol=1e-5)
    assert np.isinf(t_hit[2:4]).all()


def test_certified_empty_zero_set_is_missed_without_an_evaluation():
    empty = from_arrays(
        Architecture(width=4, depth=1), [np.zeros((4, 3)), np.zeros((1, 4))], [np.zeros(4), [0.5]]
    )
    tracer = CpuTracer(empty)
    assert tracer.certify()
    origins = np.random.default_rng(0).normal(size=(50, 3))
    spans = np.zeros(50), np.full(50, 9.0)
    assert np.isinf(tracer.trace(origins, -origins, *spans)).all()
    assert tracer.count_evaluations(origins, -origins, *spans) == 0


@pytest.mark.parametrize("scale", [1.6, 40.0])
def test_random_and_huge_weights_end_and_hit_sign_changes(scale):
    weights = random_network(width=8, depth=2, scale=scale, seed=4, activation="gelu")
    tracer, field = CpuTracer(weights), Field(weights)
    assert tracer.certify() == (scale < 2.0), "bounds on the huge ones are too loose to be of use"
    origins, directions = mixed_rays(field, 300, seed=2)
    t_hit = tracer.trace(origins, directions, np.zeros(300), np.full(300, 9.0))
    hit = np.isfinite(t_hit)
    step = 1e-5 * directions[hit]
    places = origins[hit] + t_hit[hit, None] * directions[hit]
    before, after = field.value(places - step), field.value(places + step)
    small = np.minimum(np.abs(before), np.abs(after)) < 1e-5 * scale
    assert (((before < 0.0) != (after < 0.0)) | small).all()


@pytest.mark.parametrize(
    "shape",
    [np.diag([3.0, 0.5, 1.0]), np.diag([-1.0, 2.0, 0.7]), np.array([[1, 0.8, 0], [0, 1, 0], [0, 0, 1.0]])],
)
def test_scaled_mirrored_and_sheared_instances_are_hit_where_they_are(shape):
    world_from_unit = np.eye(4)
    world_from_unit[:3, :3], world_from_unit[:3, 3] = shape, (0.3, -2.0, 1.0)
    instance = NeuralInstance.place(
        certified("octahedron"), np.linalg.inv(world_from_unit), np.array([[-1.0] * 3, [1.0] * 3])
    )
    unit_origins, unit_directions = mixed_rays(Field(octahedron(0.7)), 600, seed=5)
    expected, _ = exact_first_crossing(octahedron(0.7), unit_origins, unit_directions)
    origins = unit_origins @ shape.T + world_from_unit[:3, 3]
    t, _ = NeuralGeometry((instance,)).cast(origins, unit_directions @ shape.T, np.full(600, 99.0))
    assert np.array_equal(np.isfinite(t), np.isfinite(expected))
    hit = np.isfinite(expected)
    assert np.abs(t[hit] - expected[hit]).max() < 1e-4


def test_certified_and_sampled_grids_see_the_same_picture():
    weights = network("spot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.tracing.stepped.load_cells", lambda weights: None)
        sampled = CpuTracer(weights)
    assert sampled.bound == "sampled"
    origins, directions = mixed_rays(Field(weights), 2000, seed=3)
    spans = np.zeros(2000), np.full(2000, 9.0)
    one, two = (
        sampled.trace(origins, directions, *spans),
        certified("spot").trace(origins, directions, *spans),
    )
    assert (np.isfinite(one) != np.isfinite(two)).sum() <= 2
    both = np.isfinite(one) & np.isfinite(two)
    assert (np.abs(one[both] - two[both]) > 1e-3).sum() <= 2


def test_second_tracer_of_the_same_weights_is_certified_at_once():
    certified("octahedron")
    assert CpuTracer(octahedron(0.7)).bound == "certified"
    other = dataclasses.replace(octahedron(0.7).architecture, activation="leaky_relu")
    assert CpuTracer(octahedron(0.7).with_description(architecture=other)).bound == "sampled"
