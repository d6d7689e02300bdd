"""Many instances of networks: the tree against a loop over single casts, and time as a fourth input."""

import numpy as np
import pytest

from engine.network.field import Field
from engine.rendering.instance_tree import build_tree, find_spans
from engine.rendering.neural_geometry import NeuralGeometry, NeuralInstance
from engine.tracing import make_tracer
from tests.engine.networks import octahedron, random_network

SIZE = 0.7  # of the octahedron


def placed(rng, spread=6.0):
    """A random transform with a scale that is not uniform, and mirrored half of the time."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    world_from_unit = np.eye(4)
    world_from_unit[:3, :3] = turn @ np.diag(rng.uniform(0.1, 0.5, 3) * rng.choice([-1.0, 1.0], 3))
    world_from_unit[:3, 3] = rng.uniform(-spread, spread, 3)
    return np.linalg.inv(world_from_unit)


def instances_of(tracers, count, seed=0):
    rng = np.random.default_rng(seed)
    box = np.array([[-SIZE] * 3, [SIZE] * 3])
    return tuple(NeuralInstance.place(tracers[k % len(tracers)], placed(rng), box) for k in range(count))


def random_rays(count, seed=1):
    rng = np.random.default_rng(seed)
    origins = rng.normal(size=(count, 3))
    origins *= 20.0 / np.linalg.norm(origins, axis=1, keepdims=True)
    directions = rng.uniform(-6.0, 6.0, (count, 3)) - origins
    return origins, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def nearest_octahedron(instances, origins, directions):
    """Exact first crossings: in unit space the shape is convex, the meet of eight half-spaces."""
    best, found = np.full(len(origins), np.inf), np.full(len(origins), -1)
    faces = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    for number, instance in enumerate(instances):
        matrix = instance.unit_from_world
        start, toward = origins @ matrix[:3, :3].T + matrix[:3, 3], directions @ matrix[:3, :3].T
        slope, gap = toward @ faces.T, SIZE - start @ faces.T
        with np.errstate(divide="ignore"):
            t = gap / slope
        enter = np.where(slope < 0.0, t, -np.inf).max(axis=1)
        leave = np.where(slope > 0.0, t, np.inf).min(axis=1)
        nearer = (enter < leave - 1e-4) & (enter > 0.0) & (enter < best)
        best[nearer], found[nearer] = enter[nearer], number
    return best, found


def test_a_thousand_instances_hit_where_the_closed_form_does():
    instances = instances_of([make_tracer(octahedron(SIZE), "cpu")], 1000)
    origins, directions = random_rays(2000)
    t, number = NeuralGeometry(instances).cast(origins, directions, np.full(2000, np.inf))
    expected, which = nearest_octahedron(instances, origins, directions)
    assert 0.3 < (which >= 0).mean() < 0.99
    same = number == which
    # rays that graze an edge within 1e-4 count as misses in the closed form only
    assert same.mean() > 0.998
    both = same & (which >= 0)
    # the bracket of 1e-6 in unit space is up to 1e-6 * sqrt(3) / 0.1 along a ray that shrinks tenfold
    assert np.abs(t[both] - expected[both]).max() < 5e-5


def test_two_networks_in_one_scene_are_those_of_single_casts():
    tracers = [make_tracer(octahedron(SIZE), "cpu"), make_tracer(octahedron(0.4), "cpu")]
    instances = instances_of(tracers, 60)
    origins, directions = random_rays(1500, seed=2)
    ends = np.full(1500, np.inf)
    t, number = NeuralGeometry(instances).cast(origins, directions, ends)
    singles = np.stack([NeuralGeometry((i,)).cast(origins, directions, ends)[0] for i in instances])
    assert np.array_equal(t, singles.min(axis=0))
    hit = np.isfinite(t)
    assert np.array_equal(number[hit], singles.argmin(axis=0)[hit])
    assert (number[~hit] == -1).all()
    blocked = NeuralGeometry(instances).occluded(origins, directions, ends)
    assert np.array_equal(blocked, hit)


def test_normals_of_instances_point_outward():
    instances = instances_of([make_tracer(octahedron(SIZE), "cpu")], 100)
    geometry = NeuralGeometry(instances)
    origins, directions = random_rays(1000)
    t, number = geometry.cast(origins, directions, np.full(1000, np.inf))
    hit = np.isfinite(t)
    normals, bias = geometry.normals(number[hit], origins[hit] + t[hit, None] * directions[hit])
    assert np.abs(np.linalg.norm(normals, axis=1) - 1.0).max() < 1e-6
    assert ((normals * directions[hit]).sum(axis=1) < 1e-3).all()  # rays from outside meet the front
    assert (bias > 0.0).all()


def test_a_ray_meets_every_box_on_its_way_nearest_first():
    instances = instances_of([make_tracer(octahedron(SIZE), "cpu")], 300)
    tree = build_tree(
        np.array([i.world_box() for i in instances]),
        np.array([i.unit_from_world for i in instances]),
        np.array([i.box for i in instances]),
    )
    origins, directions = random_rays(400)
    begins, numbers, spans = find_spans(tree, origins, directions, np.full(400, np.inf))
    for ray in range(400):
        met = slice(begins[ray], begins[ray + 1])
        assert (np.diff(spans[met, 0]) >= 0.0).all()
        expected = []
        for number, instance in enumerate(instances):
            matrix = instance.unit_from_world
            start = matrix[:3, :3] @ origins[ray] + matrix[:3, 3]
            toward = matrix[:3, :3] @ directions[ray]
            one, two = (instance.box - start) / toward
            if max(np.minimum(one, two).max(), 0.0) < np.maximum(one, two).min():
                expected.append(number)
        assert sorted(numbers[met]) == expected


def test_an_empty_scene_is_missed():
    origins, directions = random_rays(10)
    t, number = NeuralGeometry(()).cast(origins, directions, np.full(10, np.inf))
    assert np.isinf(t).all() and (number == -1).all()
    assert not NeuralGeometry(()).occluded(origins, directions, np.full(10, np.inf)).any()


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_network_of_four_inputs_is_traced_at_its_time(backend):
    weights = random_network(inputs=4, activation="softplus", width=12)
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 3))
    early, late = (make_tracer(weights, backend, time=t).value(points) for t in (0.0, 0.5))
    assert np.abs(late - Field(weights, 0.5).value(points)).max() < 1e-5  # float32 through four layers
    assert np.abs(early - late).max() > 1e-2
