"""Meshes of networks whose values the GPU gives: the same as with the CPU's."""

import numpy as np
import pytest

from engine.meshing.marching_cubes import extract
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from engine.tracing.cpu import CpuTracer
from engine.tracing.cuda import CudaTracer
from tests.cuda import fake_driver
from tests.cuda.pictures import SPOT
from tests.engine.networks import octahedron


@pytest.mark.parametrize("name", ["octahedron", "spot"])
def test_mesh_is_the_one_of_the_cpu_backend(name):
    weights = octahedron(0.63) if name == "octahedron" else NeuralWeights.load(SPOT)
    device = fake_driver.FakeDevice(fake_driver.info())
    expected = extract(CpuTracer(weights), 40)
    actual = extract(CudaTracer(weights, fake_driver.session(device)), 40)
    assert {kernel for kernel, *_ in device.launches} == {"evaluate_points"}
    # a value of zero but for rounding may fall on either side, which moves a few triangles
    assert abs(len(actual.triangles) - len(expected.triangles)) <= 0.002 * len(expected.triangles)
    assert np.abs(Field(weights).value(actual.vertices_unit)).max() < 2e-5
    if len(actual.vertices_unit) == len(expected.vertices_unit):
        assert np.abs(actual.vertices_unit - expected.vertices_unit).max() < 1e-4
        assert ((actual.normals * expected.normals).sum(axis=1) > 0.999).mean() > 0.99
