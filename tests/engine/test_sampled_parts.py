"""Sampled grids made finer: fewer looks at the network, the same pictures, and nothing for those that have no use for it."""

import numpy as np
import pytest

from engine.network.field import Field
from engine.tracing import certified_cache
from engine.tracing.cpu import CpuTracer
from engine.tracing.sharpening import MOST, sharpen_few
from tests.engine.networks import ACTIVATIONS, octahedron, random_network
from tests.oracles import rays_towards_origin

COUNT = 3000
SPANS = np.zeros(COUNT), np.full(COUNT, 1e9)


@pytest.fixture(autouse=True)
def nothing_proven(tmp_path, monkeypatch):
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_finer_grid_gives_the_same_hits_with_fewer_looks(activation):
    network = random_network(3, activation=activation)
    somewhere = np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    median = np.median(Field(network).value(somewhere))
    network.biases[-1][...] -= np.float32(median)  # so that there is a surface
    field = Field(network)
    coarse, fine = CpuTracer(network), CpuTracer(network)
    fine.sharpen(alone=activation == "gelu")
    rays = rays_towards_origin(COUNT, seed=5)
    one, two = coarse.trace(*rays, *SPANS), fine.trace(*rays, *SPANS)
    both = np.isfinite(one) & np.isfinite(two)
    assert (np.isfinite(one) != np.isfinite(two)).sum() <= 1  # a ray that grazes
    assert both.any()
    origins, directions = rays
    assert np.abs(field.value(origins[both] + two[both, None] * directions[both])).max() < 1e-4
    assert np.quantile(np.abs(one[both] - two[both]), 0.99) < 1e-4  # of rays that graze depth tells little
    assert fine.bound == "sampled"
    assert fine.count_evaluations(*rays, *SPANS) < coarse.count_evaluations(*rays, *SPANS)


def test_what_is_fine_or_proven_already_stays():
    tracer = CpuTracer(octahedron(0.7))
    tracer.sharpen()
    grid = tracer.grid
    tracer.sharpen()
    assert tracer.grid is grid
    tracer.certify()
    proven = tracer.grid
    tracer.sharpen()
    assert tracer.grid is proven and tracer.bound == "certified"


def test_a_proof_that_comes_meanwhile_is_kept(monkeypatch):
    tracer = CpuTracer(octahedron(0.7))
    gradient = tracer.gradient_parallel

    def proven_meanwhile(points):
        monkeypatch.undo()
        tracer.certify()
        return gradient(points)

    monkeypatch.setattr(tracer, "gradient_parallel", proven_meanwhile)
    tracer.sharpen()
    assert tracer.bound == "certified"


@pytest.mark.parametrize("offset", [-5.0, 5.0])
def test_a_field_without_a_surface_has_nothing_to_look_into(offset):
    network = octahedron(0.7)
    network.biases[-1][...] = offset
    tracer = CpuTracer(network)
    tracer.sharpen()
    assert not len(tracer.grid.rows)
    assert not np.isfinite(tracer.trace(*rays_towards_origin(COUNT, seed=5), *SPANS)).any()


def test_a_few_are_sharpened_each_once_and_many_not_at_all():
    class Counted:
        def __init__(self):
            self.times = 0

        def sharpen(self, alone):
            self.times += 1

    few, many = [Counted() for _ in range(MOST)], [Counted() for _ in range(MOST + 1)]
    sharpen_few([*few, *few, object()])
    sharpen_few(many)
    assert [one.times for one in few] == [1] * MOST
    assert [one.times for one in many] == [0] * len(many)
    last = [Counted(), Counted()]
    sharpen_few(last, unwanted=lambda: last[0].times == 1)
    assert [one.times for one in last] == [1, 0]
