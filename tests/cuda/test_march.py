"""The march of the kernels, run on the host, against the CPU backend, the reference and the exact oracle.

Networks are random, exact by hand, and the trained spot; bounds are sampled and certified, values single and half.
"""

import numpy as np
import pytest

from engine.cuda.half_error import MARGIN, allowance, half_error, row_norm_error
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from engine.tracing.cpu import CpuTracer
from engine.tracing.cuda import CudaTracer
from engine.tracing.packed_grid import PART_SIDE, whole_cells
from tests.cuda import fake_driver, on_device
from tests.cuda.pictures import SPOT
from tests.engine.networks import from_arrays, octahedron, random_network
from tests.engine.test_tracing import ACTIVATIONS, spans
from tests.oracles import rays_towards_origin
from tests.ray_oracle import judge, mixed_rays


@pytest.fixture(scope="module")
def spot():
    return NeuralWeights.load(SPOT)


def crossing(weights):
    """Shift a random network so that it has as much inside as outside."""
    places = np.random.default_rng(0).uniform(-1.0, 1.0, (1000, 3))
    shift = np.float32(np.median(Field(weights).value(places)))
    return from_arrays(
        weights.architecture, weights.weights, (*weights.biases[:-1], weights.biases[-1] - shift)
    )


def same_hits(weights, grid, rays, half_error=None):
    """Compare with the CPU backend on the same grid; gives the counts of values."""
    cpu = CpuTracer(weights)
    cpu._steps = ("given", grid)
    expected = cpu.trace(*rays)
    t_hit, counts = on_device.march(weights, grid, *rays, half_error=half_error)
    speed = np.linalg.norm(rays[1], axis=1)
    hit = np.isfinite(expected)
    assert np.array_equal(hit, np.isfinite(t_hit))
    assert 0.05 < hit.mean() < 0.98
    # both close in to 1e-6 of the crossing of their own float32 field; a flat field stretches what rounding does to these
    apart = np.abs(t_hit[hit] - expected[hit]) * speed[hit]
    points = rays[0][hit] + expected[hit, None] * rays[1][hit]
    field = Field(weights)
    slope = np.abs((field.gradient(points) * rays[1][hit]).sum(axis=1)) / speed[hit]
    places = points.astype(np.float32)
    exact = field.value(places.astype(np.float64))
    seen = (cpu.value(places), on_device.evaluate(weights, places))
    rounding = sum(np.abs(values - exact).max() for values in seen)
    assert rounding < 3e-6
    assert (apart < 3e-6 + rounding / np.maximum(slope, 1e-6)).mean() > 0.995
    assert apart[slope > 0.05].max() < 1e-3
    blocked, _ = on_device.march(weights, grid, *rays, any_hit=True, half_error=half_error)
    assert np.array_equal(np.isfinite(blocked), hit)
    return counts, cpu.count_evaluations(*rays)


def agree(count, expected):
    """Whether there were the same looks, but for rounding in flat fields."""
    return abs(int(count) - expected) <= 0.02 * expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_random_networks_are_hit_where_the_cpu_backend_hits_them(activation):
    weights = crossing(random_network(activation=activation, width=20, depth=3, seed=5))
    rays = (*rays_towards_origin(1500, seed=8), *spans(1500))
    tracer = CpuTracer(weights)
    cells, expected = same_hits(weights, tracer.grid, rays)
    assert cells[1] == 0 and cells[2] == 1500
    assert agree(cells[0], expected)
    tracer.sharpen()
    assert tracer.grid.parts > 1
    parts, expected = same_hits(weights, tracer.grid, rays)
    assert agree(parts[0], expected) and parts[0] < cells[0]


@pytest.mark.parametrize("width", [16, 32, 64, 128, 256])
def test_every_instance_of_the_kernel_hits_the_same(width):
    weights = crossing(random_network(activation="hard_gelu", width=width, depth=2, seed=6))
    rays = (*rays_towards_origin(400, seed=9), *spans(400))
    grid = CpuTracer(weights).grid
    counts, _ = same_hits(weights, grid, rays, allowance(weights, grid))
    assert counts[1] > 0


@pytest.mark.parametrize("proven", [False, True])
def test_parts_of_the_spots_cells_are_walked_as_the_cpu_backend_walks_them(spot, proven):
    tracer = CpuTracer(spot)
    if proven:
        assert tracer.certify()
    else:
        tracer.sharpen()
    assert tracer.grid.parts == PART_SIDE
    origins, directions = mixed_rays(Field(spot), 3000, seed=2)
    rays = (origins, directions, np.zeros(len(origins)), np.full(len(origins), 10.0))
    whole, expected = same_hits(spot, whole_cells(tracer.grid), rays)
    assert agree(whole[0], expected)
    single, expected = same_hits(spot, tracer.grid, rays)
    assert agree(single[0], expected)
    assert single[0] < 0.5 * whole[0]  # .41 sampled, .43 proven
    allowed = allowance(spot, tracer.grid)
    half_whole, _ = same_hits(spot, whole_cells(tracer.grid), rays, allowed)
    half, _ = same_hits(spot, tracer.grid, rays, allowed)
    print("looks", whole, single, "with the matrix unit", half_whole, half)
    assert half_whole[1] > 0 and half_whole[0] < whole[0]  # some looks on the way are its own
    for some, all_full in ((half_whole, whole), (half, single)):
        assert some[0] + some[1] < 1.15 * all_full[0]  # and few of these were in vain


def test_derived_error_bounds_what_split_half_precision_does(spot):
    """The bound is derived for each place, so it must hold at each, not only on average."""
    networks = [spot, octahedron(), random_network(activation="sine", width=40, depth=3)]
    networks += [
        random_network(activation="softplus", width=16, depth=4, skips=(2,)),
        random_network(
            activation="tanh",
            width=32,
            depth=2,
            encoding="fourier",
            fourier_features=5,
            output_activation="tanh",
        ),
        random_network(activation="relu", width=100, depth=6),
        random_network(
            activation="gelu", width=129, depth=3
        ),  # the narrowest whose units leave the registers
        random_network(activation="silu", width=256, depth=3, skips=(1,)),
        *(
            random_network(activation=name, width=24, depth=4)
            for name in ("leaky_relu", "elu", "sigmoid", "hard_gelu")
        ),
    ]
    seen_by_name = {weights.architecture.activation for weights in networks}
    assert seen_by_name == set(ACTIVATIONS)
    for weights in networks:
        places = np.random.default_rng(4).uniform(-1.0, 1.0, (800, 3)).astype(np.float32)
        seen = np.abs(on_device.evaluate(weights, places, half=True) - Field(weights).value(places))
        bound = half_error(weights, places.astype(np.float64))
        assert (seen <= bound).all()
        assert (
            bound.max() <= row_norm_error(weights, places.astype(np.float64)) * 1.001
        )  # and is no looser than that
    assert MARGIN * bound.max() < 1.0


def test_allowance_for_the_trained_shape_is_far_below_a_cell(spot):
    grid = CpuTracer(spot).grid
    assert allowance(spot, grid) < 5e-4  # a cell of the certified grid is 1.6e-2 wide


@pytest.mark.parametrize("half", [False, True])
def test_gpu_backend_misses_no_crossing_of_the_exact_oracle(half):
    """Rays of every kind against exact crossings of a ReLU network, through the whole host side and a fake driver."""
    weights = random_network(activation="relu", width=16, depth=3, seed=12, scale=1.4)
    tracer = CudaTracer(weights, fake_driver.session(), use_half=half)
    assert tracer.certify() and tracer.bound == "certified" and tracer.grid.parts == PART_SIDE
    origins, directions = mixed_rays(Field(weights), 900, seed=3)
    verdict = judge(weights, tracer, origins, directions)
    assert verdict.crossed.sum() > 200
    assert not verdict.missed.any() and not verdict.false.any() and not verdict.displaced.any()
    assert verdict.depth_error.max() < 1e-5


def test_axis_parallel_outside_and_impossible_rays_are_treated_as_by_the_cpu_backend():
    weights = octahedron(0.7)
    origins = np.array(
        [[0.1, 0.2, 5.0], [0, 0, -5.0], [2.0, 0, 5.0], [0.6, 0.6, 5.0], [0, 0, 3.0], [0, 0, 0]]
    )
    directions = np.array([[0, 0, -1.0], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.0], [0, 0, -1.0], [1.0, 0, 0]])
    low, high = np.array([0, 0, 0, 0, 2.5, 0.0]), np.full(6, 1e9)
    tracer = CudaTracer(weights, fake_driver.session())
    t_hit = tracer.trace(origins, directions, low, high)
    assert np.allclose(t_hit[[0, 1, 4, 5]], [4.6, 4.3, 3.7, 0.7], atol=1e-5)
    assert np.isinf(t_hit[2:4]).all()
    bad = np.array([[0.0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 0]])
    assert np.isinf(tracer.trace(np.zeros((3, 3)), bad, *spans(3))).all()


def test_shape_without_a_zero_set_is_missed():
    from engine.protocol.weights import Architecture

    empty = from_arrays(
        Architecture(width=4, depth=1), [np.zeros((4, 3)), np.zeros((1, 4))], [np.zeros(4), [0.5]]
    )
    tracer = CudaTracer(empty, fake_driver.session())
    assert np.isinf(tracer.trace(*rays_towards_origin(100), *spans(100))).all()
