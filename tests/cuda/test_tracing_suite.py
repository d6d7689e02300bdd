"""The CPU backend's tests of tracing (tests/engine/test_tracing.py) with the GPU backend in its place.

The trained network is the spot, which no torch in this process has to fit; "reference" stays the reference.
"""

import os

import pytest

from engine.protocol.weights import NeuralWeights
from engine.tracing import make_tracer
from engine.tracing.cuda import CudaTracer
from tests.cuda import fake_driver
from tests.cuda.pictures import SPOT
from tests.engine import test_tracing as suite
from tests.engine.test_tracing import (  # noqa: F401  pytest finds them here
    test_camera_inside_the_shape_hits_its_wall,
    test_cpu_evaluates_every_architecture,
    test_cpu_tracer_hits_an_exact_octahedron,
    test_cpu_values_and_gradients_are_the_reference_ones,
    test_directions_that_are_no_directions_miss,
    test_huge_weights_end_and_hit_only_sign_changes,
    test_network_without_a_zero_set_is_missed,
    test_ray_ends_are_respected,
    test_rays_parallel_to_an_axis_and_beside_the_box_miss_or_hit,
    test_reference_and_cpu_agree,
    test_t_does_not_depend_on_the_length_of_the_direction,
)

gpu_only = pytest.mark.skipif(
    "NEURAL_IMPLICIT_TEST_GPU" not in os.environ,
    reason="it takes the host a minute, and test_march.py and test_certify.py ask the same of it by other means",
)


@pytest.fixture(autouse=True)
def on_the_gpu(monkeypatch, tmp_path):
    """Let "cpu" be a GPU, or the fake one."""

    def make(weights, backend="cpu", **options):
        if backend != "cpu":
            return make_tracer(weights, backend, **options)
        return CudaTracer(weights, fake_driver.session())

    monkeypatch.setattr("engine.tracing.certified_cache.cache_folder", lambda: tmp_path)
    monkeypatch.setattr(suite, "make_tracer", make)
    monkeypatch.setattr(suite, "CpuTracer", make)
    monkeypatch.setattr(suite, "trained", lambda activation: NeuralWeights.load(SPOT))


def test_the_suite_runs_on_the_gpu_backend():
    assert isinstance(suite.make_tracer(suite.octahedron(), "cpu"), CudaTracer)


def test_a_kink_beside_the_surface_is_no_division_by_zero():
    suite.test_a_kink_beside_the_surface_is_no_division_by_zero(certified=False)


@gpu_only
def test_a_kink_in_a_certified_grid_is_no_division_by_zero():
    suite.test_a_kink_beside_the_surface_is_no_division_by_zero(certified=True)


@gpu_only
def test_trained_thin_parts_are_not_missed():
    suite.test_trained_thin_parts_are_not_missed("relu")
