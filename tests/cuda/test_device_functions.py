"""The device functions as host code against the NumPy reference: activations, values, gradients, half precision."""

import numpy as np
import pytest

from engine.cuda import layouts
from engine.cuda.half_error import ACTIVATION_ERROR
from engine.cuda.network_data import ACTIVATION_CODES
from engine.network.activations import SLOPES, VALUES
from engine.network.field import Field
from engine.tracing import empty_cubes, march_kernel, packed_grid, part_walk, ray_state
from engine.tracing.kernel_math import CODES
from tests.cuda import host_twin, on_device
from tests.engine.networks import octahedron, random_network

ARCHITECTURES = {
    "skips": {"skips": (1, 3), "width": 16, "depth": 4},
    "fourier": {"encoding": "fourier", "fourier_features": 6, "width": 24, "depth": 2},
    "fourier and skips": {
        "encoding": "fourier",
        "fourier_features": 9,
        "width": 16,
        "depth": 3,
        "skips": (2,),
    },
    "width 7": {"width": 7, "depth": 2},
    "width 1": {"width": 1, "depth": 1},
    "width 64": {"width": 64, "depth": 2},
    "width 100": {"width": 100, "depth": 2},
    "width 256": {"width": 256, "depth": 2},
    "width 129 and skips": {"width": 129, "depth": 3, "skips": (2,)},
    "depth 16": {"width": 16, "depth": 16, "scale": 1.3},
    "time": {"inputs": 4, "width": 16, "depth": 2},
    "fourier of time": {"inputs": 4, "encoding": "fourier", "fourier_features": 3, "width": 16, "depth": 2},
    "tanh at the end": {"output_activation": "tanh", "width": 16, "depth": 2},
}


def points(count, seed=1, reach=1.0):
    return np.random.default_rng(seed).uniform(-reach, reach, (count, 3))


def test_every_struct_is_laid_out_as_python_believes():
    lines = host_twin.library().layout_table().decode().splitlines()
    seen = {}
    for line in lines:
        name, size, *fields = line.split()
        seen[name] = (int(size), {f: int(at) for f, at in zip(fields[::2], fields[1::2])})
    expected = {
        name: (dtype.itemsize, {field: dtype.fields[field][1] for field in dtype.names})
        for name, dtype in layouts.STRUCTS.items()
    }
    assert seen == expected


def test_constants_of_the_march_are_those_of_the_cpu_backend():
    seen = np.zeros(14)
    host_twin.library().march_constants(seen.ctypes.data_as(host_twin.ctypes.c_void_p))
    expected = [ray_state.TOLERANCE, ray_state.NUDGE, part_walk.SHORTEST_STEP, part_walk.PATIENCE]
    expected += [part_walk.NARROW, march_kernel.NEARLY_STRAIGHT, part_walk.MOST_SLANTED, part_walk.FLATTEST]
    expected += [part_walk.ALMOST, part_walk.CAUTION_AT_FIRST, part_walk.CAUTION]
    assert list(seen) == [
        *expected,
        march_kernel.MOST_REFINEMENTS,
        empty_cubes.MOST_AHEAD,
        packed_grid.UNKNOWN,
    ]


def test_activation_codes_are_those_of_the_cpu_backend():
    assert ACTIVATION_CODES == CODES


@pytest.mark.parametrize("name", ACTIVATION_CODES)
def test_activations_and_slopes_are_the_reference_ones(name):
    ends = [-99.0, 99.0] if name == "sine" else [-1e4, 1e4, -100.0, 100.0]
    z = np.concatenate([np.linspace(-30.0, 30.0, 6001), ends]).astype(np.float32)
    code, twin = ACTIVATION_CODES[name], host_twin.library()
    value = np.array([twin.activation_value(code, x) for x in z])
    slope = np.array([twin.activation_slope(code, x) for x in z])
    size = np.maximum(1.0, np.abs(z.astype(np.float64)))
    # what the CPU backend's kernels promise too (kernel_math), and what `half_error` counts with
    assert (np.abs(value - VALUES[name](z.astype(np.float64))) / size).max() < ACTIVATION_ERROR
    kinked = (name in ("relu", "leaky_relu", "elu")) & (z == 0.0)
    assert (
        np.abs(slope - SLOPES[name](z.astype(np.float64)))[~kinked] / size[~kinked]
    ).max() < ACTIVATION_ERROR


@pytest.mark.parametrize("activation", [name for name in ACTIVATION_CODES if name != "none"])
def test_values_and_gradients_are_the_reference_ones(activation):
    weights = random_network(activation=activation, width=20, depth=4)
    field, where = Field(weights), points(999)
    values, gradients = on_device.evaluate(weights, where, gradients=True)
    scale = max(1.0, np.abs(field.value(where)).max())
    assert np.abs(values - field.value(where)).max() < 5e-6 * scale  # float32 through five layers
    assert np.array_equal(values, on_device.evaluate(weights, where))
    error = np.linalg.norm(gradients - field.gradient(where), axis=1)
    steep = max(1.0, np.linalg.norm(field.gradient(where), axis=1).max())
    # a float32 value on the other side of a kink takes the other slope: rare
    assert (error > 3e-5 * steep).mean() < 2e-3


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_evaluated(name):
    weights = random_network(activation="softplus", **ARCHITECTURES[name])
    field, where = Field(weights, 0.3), points(500)
    values, gradients = on_device.evaluate(weights, where, gradients=True, time=0.3)
    scale = max(1.0, np.abs(field.value(where)).max(), np.abs(field.gradient(where)).max())
    assert np.abs(values - field.value(where)).max() < 5e-6 * scale
    assert np.abs(gradients - field.gradient(where)).max() < 5e-5 * scale


def test_octahedron_is_exact():
    where = points(300)
    assert np.abs(on_device.evaluate(octahedron(), where) - (np.abs(where).sum(axis=1) - 0.7)).max() < 4e-7


def test_outside_the_box_the_way_to_it_is_added():
    weights, where = random_network(), points(400, reach=3.0)
    values = on_device.evaluate(weights, where)
    assert np.abs(values - Field(weights).value(where.astype(np.float32))).max() < 1e-5


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_matrix_unit_evaluates_every_architecture(name):
    """The fragments' layout: a wrong lane, row or column would be off by the size of the values."""
    weights = random_network(activation="hard_gelu", **ARCHITECTURES[name])
    field, where = Field(weights, 0.3), points(450)
    values = on_device.evaluate(weights, where, half=True, time=0.3)
    scale = max(1.0, np.abs(field.value(where)).max(), np.abs(field.gradient(where)).max())
    assert (
        np.abs(values - field.value(where)).max() < 1e-5 * scale
    )  # the derived bound is tested beside its derivation
    assert not np.array_equal(values, on_device.evaluate(weights, where, time=0.3))
