"""Certified bounds: dense float64 samples lie within them, whatever the network; and what is kept on disk is the same."""

import dataclasses
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.network.activations import SLOPES, VALUES
from engine.network.field import Field
from engine.protocol.weights import Architecture
from engine.tracing import certified_cache
from engine.tracing.certified_activations import (
    BEYOND,
    CELLS,
    CHANGE,
    ERROR,
    LARGEST,
    LINEAR,
    REMAINDER,
    ROWS,
    S0,
    SECOND,
    SLOPE,
    VALUE,
    Z,
    derivatives,
    expand,
)
from engine.tracing.certified_bounds import certify
from engine.tracing.certified_cells import CertifiedCells, can_certify
from engine.tracing.certified_grid import certified_cells
from engine.tracing.certified_network import certified_network
from engine.tracing.certifier import Certifier
from engine.tracing.certify_child import CertifyError, CertifyingChild
from engine.tracing.cpu import CpuTracer
from engine.tracing.kernel_math import CODES
from tests.engine.networks import ACTIVATIONS, from_arrays, octahedron, random_network, trained

SMOOTH = ["softplus", "tanh", "sigmoid", "sine", "silu", "gelu"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)


def bounds_of(weights, centres, half, references=None, time=0.0):
    """Value, radius, gradient bounds and float32 error of single cells, each with a reference of its own."""
    count = len(centres)
    centres = np.ascontiguousarray(centres, np.float32)
    references = centres if references is None else np.ascontiguousarray(references, np.float32)
    out = [np.zeros(count, np.float32), np.zeros(count, np.float32)]
    out += [np.zeros((count, 6), np.float32), np.zeros(count, np.float32)]
    certify(certified_network(weights, time), references, np.arange(count + 1), centres, half, *out)
    return centres.astype(np.float64), *(array.astype(np.float64) for array in out)


def before_output(weights):
    """The same network without its output activation, which is what value and radius are about."""
    plain = dataclasses.replace(weights.architecture, output_activation="none")
    return weights.with_description(architecture=plain)


networks = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "width": st.integers(4, 64),
        "depth": st.integers(1, 10),
        "activation": st.sampled_from(ACTIVATIONS),
        "scale": st.sampled_from([0.5, 1.0, 1.6, 4.0]),
        "inputs": st.sampled_from([3, 3, 4]),
        "output_activation": st.sampled_from(["none", "tanh"]),
        "fourier_features": st.sampled_from([0, 0, 5]),
        "skipping": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks, st.sampled_from([1 / 256, 1 / 128, 1 / 64, 1 / 8]), st.booleans())
def test_samples_of_value_and_gradient_lie_within_the_bounds(options, half, shared):
    options = dict(options)
    skipping = options.pop("skipping")
    if skipping and options["depth"] > 2:
        options["skips"] = (1, options["depth"] - 1)
    if options["fourier_features"]:
        options["encoding"] = "fourier"
    weights = random_network(**options)
    rng = np.random.default_rng(options["seed"])
    centres = rng.integers(-100, 101, (6, 3)) / 128.0
    references = np.clip(centres + rng.uniform(-4, 4, (6, 3)) * half, -1, 1) if shared else None
    centres, value, radius, gradient, error = bounds_of(weights, centres, half, references, time=0.25)
    offsets = np.concatenate([rng.uniform(-1.0, 1.0, (120, 3)), np.sign(rng.normal(size=(30, 3)))]) * half
    places = (centres[:, None] + offsets).reshape(-1, 3)
    inner = Field(before_output(weights), time=0.25).value(np.clip(places, -1, 1)).reshape(6, -1)
    radius = np.nan_to_num(
        radius, nan=np.inf
    )  # what is no number proves nothing, and nothing is taken from it
    with np.errstate(invalid="ignore"):
        outside = np.abs(inner - value[:, None]) > radius[:, None]
    assert not outside.any()
    found = Field(weights, time=0.25).gradient(places).reshape(6, -1, 3)
    assert (found >= gradient[:, None, :3]).all()
    assert (found <= gradient[:, None, 3:]).all()
    assert not (error <= 0.0).any()


def test_bounds_close_in_on_the_field_as_cells_shrink():
    weights = random_network(activation="gelu", width=32, depth=6, scale=1.2)
    centres = np.random.default_rng(1).integers(-100, 101, (20, 3)) / 128.0
    field = Field(weights)
    slopes = np.abs(field.gradient(centres)).sum(axis=1)
    excess = [bounds_of(weights, centres, half)[2] - slopes * half for half in (1 / 16, 1 / 32)]
    assert (
        np.median(excess[1] / excess[0]) < 0.35
    )  # of second order in the cell; smaller ones are left with rounding


def test_float32_values_err_less_than_the_bound_says():
    for activation in ("relu", "gelu", "sine"):
        weights = random_network(activation=activation, width=32, depth=8, scale=1.4)
        centres = np.random.default_rng(2).integers(-100, 101, (200, 3)) / 128.0
        centres, _, _, _, error = bounds_of(weights, centres, 1 / 128)
        got = CpuTracer(weights, grid_resolution=16).value(centres)
        assert (np.abs(got - Field(weights).value(centres)) <= error).all()


@pytest.mark.parametrize("activation", SMOOTH)
def test_largest_derivatives_are_at_least_what_dense_samples_show(activation):
    z = np.linspace(-12.0, 12.0, 12_001)
    step = z[1] - z[0]
    slope = SLOPES[activation](z)
    second = np.gradient(slope, step)
    third = np.gradient(second, step)
    fourth = np.gradient(third, step)[4:-4]
    bound = LARGEST[CODES[activation]]
    for found, most in zip((second[2:-2], third[3:-3], fourth), bound[:3]):
        assert np.abs(found).max() <= 1.0005 * most  # finite differences
        assert np.abs(found).max() > 0.9 * most  # and not much more, or bounds would be loose for nothing
    assert bound[3] <= slope.min()
    assert slope.max() <= bound[4]


@pytest.mark.parametrize("activation", [*SMOOTH, "elu", "hard_gelu"])
def test_kernel_derivatives_are_as_accurate_as_the_bounds_assume(activation):
    z = np.linspace(-30.0, 30.0, 4096).astype(np.float32)
    out = np.zeros((4, len(z)), np.float32)
    for start in range(0, len(z), CELLS):
        rows = np.zeros(ROWS * CELLS, np.float32)
        rows[Z : Z + CELLS] = z[start : start + CELLS]
        derivatives(CODES[activation], rows)
        out[:, start : start + CELLS] = rows[S0 : S0 + 4 * CELLS].reshape(4, CELLS)
    exact = z.astype(np.float64)
    size = np.maximum(1.0, np.abs(exact))
    assert (np.abs(out[0] - VALUES[activation](exact)) / size).max() < 0.5 * ERROR[CODES[activation]]
    assert (np.abs(out[1] - SLOPES[activation](exact)) / size).max() < 0.5 * ERROR[CODES[activation]]
    step = 1e-4
    second = (SLOPES[activation](exact + step) - SLOPES[activation](exact - step)) / (2 * step)
    smooth = np.abs(exact) > 1e-2 if activation == "elu" else np.ones(len(z), bool)
    assert (np.abs(out[2] - second) / size)[smooth].max() < 3e-6


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_remainders_of_one_unit_hold_at_dense_samples(activation):
    rng = np.random.default_rng(3)
    rows = np.zeros(ROWS * CELLS, np.float32)
    rows[Z : Z + CELLS] = rng.uniform(-4.0, 4.0, CELLS)
    sizes = np.array([[0.8], [0.2], [0.2]], np.float32)
    rows[LINEAR : LINEAR + 3 * CELLS] = (rng.uniform(0.0, 1.0, (3, CELLS)) * sizes).ravel()
    expand(CODES[activation], rows)
    z, bounds = rows[Z : Z + CELLS], rows[LINEAR : LINEAR + 3 * CELLS].reshape(3, CELLS)
    starts = (VALUE, SLOPE, SECOND, REMAINDER, CHANGE, BEYOND)
    value, slope, second, remainder, change, beyond = (
        rows[start : start + CELLS].astype(np.float64) for start in starts
    )
    for _ in range(200):
        linear, rest = (rng.uniform(-1, 1, 64) * b for b in (bounds[0], bounds[1] + bounds[2]))
        w = linear + rest
        there = VALUES[activation](z + w)
        expanded = value + slope * w + 0.5 * second * linear**2
        assert (np.abs(there - expanded) <= remainder + 1e-12).all()
        turn = SLOPES[activation](z + w) - slope
        assert (np.abs(turn) <= change + 1e-12).all()
        assert (np.abs(turn - second * linear) <= beyond + 1e-12).all()


def test_cells_of_an_octahedron_that_are_left_undecided_are_its_own():
    weights = octahedron(0.7)
    cells = certified_cells(weights)
    axis = (np.arange(128) + 0.5) / 64 - 1.0
    centre = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    reach = np.abs(np.abs(centre).sum(axis=-1) - 0.7)
    assert not cells.reachable[reach > 3.2 / 128].any()  # a cell's half diagonal in that norm is 3/128
    assert cells.reachable[reach < 0.5 / 128].all()


@pytest.fixture(scope="module")
def gelu_cells():
    weights = trained("gelu")
    return weights, certified_cells(weights)


def test_gradients_of_cells_are_bounded_and_at_most_three_times_what_is_seen(gelu_cells):
    weights, cells = gelu_cells
    where = np.argwhere(cells.reachable)
    some = np.sort(np.random.default_rng(0).choice(len(where), 400, replace=False))
    offset = (np.arange(6) + 0.5) / 6
    offsets = np.stack(np.meshgrid(offset, offset, offset, indexing="ij"), axis=-1).reshape(-1, 3)
    places = ((where[some, None] + offsets) / 64 - 1.0).reshape(-1, 3)
    seen = Field(weights).gradient(places).reshape(len(some), -1, 3)
    low, high = cells.gradient[some, None, :3], cells.gradient[some, None, 3:]
    assert (low <= seen).all() and (seen <= high).all()
    allowed = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)), axis=2)[:, 0]
    assert (allowed <= 3.0 * np.linalg.norm(seen, axis=2).max(axis=1)).all()


def test_closed_parts_are_free_of_the_surface_and_open_ones_bound_the_gradient(gelu_cells):
    weights, cells = gelu_cells
    where = np.argwhere(cells.reachable)
    some = np.sort(np.random.default_rng(1).choice(len(where), 100, replace=False))
    part = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    inside = np.stack(np.meshgrid(*[[0.0, 0.5, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    places = ((where[some, None, None] + (part + inside) / 4.0) / 64 - 1.0).reshape(-1, 3)
    values = Field(weights).value(places).reshape(len(some), 64, -1)
    seen = Field(weights).gradient(places).reshape(len(some), 64, -1, 3)
    is_open = cells.open_parts[some]
    crossed = (values.min(axis=2) <= 0.0) & (values.max(axis=2) >= 0.0)
    assert not (crossed & ~is_open).any()
    assert crossed.sum() > 0.4 * is_open.sum() > 100  # few are left open for nothing
    rows = np.full(cells.open_parts.shape, -1)
    rows[cells.open_parts] = np.arange(len(cells.part_gradient))
    bounds = cells.part_gradient[rows[some][is_open]][:, None]
    assert (bounds[..., :3] <= seen[is_open]).all() and (seen[is_open] <= bounds[..., 3:]).all()


def test_the_field_is_as_near_to_a_linear_function_as_was_proven(gelu_cells):
    weights, cells = gelu_cells
    owner, bit = np.nonzero(cells.open_parts)
    rng = np.random.default_rng(2)
    some = rng.choice(len(owner), 400, replace=False)
    place = 4 * np.argwhere(cells.reachable)[owner[some]] + np.stack(np.unravel_index(bit[some], (4,) * 3), 1)
    centres = (place + 0.5) / 256 - 1.0
    offsets = rng.uniform(-1.0, 1.0, (400, 60, 3))
    offsets[:, :20] = np.sign(offsets[:, :20])
    offsets /= 512
    field = Field(weights)
    seen = field.value((centres[:, None] + offsets).reshape(-1, 3)).reshape(400, -1)
    linear = cells.part_linear[some].astype(np.float64)
    expected = field.value(centres)[:, None] + np.einsum("nkj,nj->nk", offsets, linear[:, :3])
    distance = np.abs(seen - expected).max(axis=1)
    assert (distance <= linear[:, 3]).all()
    # half a part is 1/512, which the field changes by: a third of that at most, where only halves of cells were bounded
    assert np.median(linear[:, 3]) < 0.33 / 512


def test_a_network_whose_bounds_are_loose_is_given_up_at_once(tmp_path):
    weights = random_network(width=32, depth=8, scale=6.0, seed=1, activation="gelu")
    asked = []

    def bounder(references, first, centres, half, values, radii, bounds, errors):
        asked.append(len(centres))
        values[:], radii[:], errors[:] = 0.0, 1e9, 1.0
        bounds[:, :3], bounds[:, 3:] = -1e9, 1e9

    cells = certified_cells(weights, bounder=bounder)
    assert not cells.reachable.size and sum(asked) < 5000
    again = certified_cache.unpack(certified_cache.pack(cells))
    assert not again.reachable.size
    tracer = CpuTracer(weights)
    tracer.adopt(cells)
    assert (tracer.bound, tracer.provable) == ("sampled", None)
    assert CpuTracer(weights).provable is None, "as it is on disk now"
    assert "too loose" in certified_cache.bound_in_use(weights)


def test_a_network_with_too_many_loose_cells_is_given_up_before_all_are_bounded():
    """Its bounds are tight in the small pieces that the first look is at, and there would be millions of these."""
    asked = []

    def bounder(references, first, centres, half, values, radii, bounds, errors):
        asked.append(len(centres))
        steep = 1.0 if half < 1.0 / 256 else 1e9
        values[:], radii[:], errors[:] = 0.0, 1e9, 1.0
        bounds[:, :3], bounds[:, 3:] = -steep, steep

    weights = random_network(width=32, depth=8, seed=1, activation="gelu")
    assert not certified_cells(weights, bounder=bounder).reachable.size
    assert sum(asked) < 64**3 + 128**3 // 30


def test_bounds_that_are_not_worth_having_are_told_as_such(tmp_path):
    weights = octahedron()
    cells = certified_cells(weights)
    tracer = CpuTracer(weights)
    tracer.adopt(dataclasses.replace(cells, gradient=1e4 * cells.gradient))
    assert (tracer.bound, tracer.provable) == ("sampled", None)
    assert "too loose" in certified_cache.bound_in_use(weights)
    assert CpuTracer(weights).provable is None, "nobody is to prove it again"


def test_network_without_a_zero_set_leaves_no_cell():
    empty = from_arrays(
        Architecture(width=4, depth=1), [np.zeros((4, 3)), np.zeros((1, 4))], [np.zeros(4), [0.5]]
    )
    cells = certified_cells(empty)
    assert not cells.reachable.any()
    assert cells.packed().cell.max() == -1


def test_large_networks_are_not_certified():
    assert not can_certify(random_network(width=256, depth=4))
    assert can_certify(random_network(width=64, depth=8))


def small_cells(seed=0):
    rng = np.random.default_rng(seed)
    reachable = rng.random((16, 16, 16)) < 0.1
    gradient = rng.normal(size=(int(reachable.sum()), 6)).astype(np.float16).astype(np.float32)
    gradient[0, 0], gradient[0, 3] = -1e30, 1e30
    return CertifiedCells(reachable, gradient, 1e-4, 1e-6)


@pytest.mark.parametrize(("steepest", "bound"), [(2.0, "certified"), (1e3, "sampled"), (np.inf, "sampled")])
def test_a_proof_is_used_where_its_bounds_are_near_the_gradients_seen(steepest, bound):
    weights = octahedron()
    cells = certified_cells(weights)
    loose = np.tile(np.float32([-steepest] * 3 + [steepest] * 3), (len(cells.gradient), 1))
    cells = dataclasses.replace(cells, gradient=loose, open_parts=None, part_gradient=None)
    tracer = CpuTracer(weights)
    tracer.adopt(cells)
    assert tracer.bound == bound
    assert (tracer.provable is None) == (bound == "sampled"), "it would be proven over and over"
    assert CpuTracer(weights).bound == bound, "as it is on disk now"


def test_parts_come_back_from_the_file_and_are_found_where_they_were():
    rng, cells = np.random.default_rng(4), small_cells()
    open_parts = rng.random((len(cells.gradient), 64)) < 0.3
    bounds = rng.normal(size=(int(open_parts.sum()), 6)).astype(np.float16).astype(np.float32)
    again = certified_cache.unpack(
        certified_cache.pack(dataclasses.replace(cells, open_parts=open_parts, part_gradient=bounds))
    )
    assert np.array_equal(again.open_parts, open_parts) and np.array_equal(again.part_gradient, bounds)
    grid = again.packed()
    for cell, number in rng.integers(0, open_parts.shape, (200, 2)):
        row = int(grid.first[cell]) + int(grid.part[cell, number]) - 1
        expected = np.flatnonzero(open_parts.ravel()) == cell * 64 + number
        assert expected.any() == (grid.part[cell, number] > 0)
        assert not expected.any() or row == int(np.argmax(expected))


def test_cells_come_back_from_their_file():
    cells = small_cells()
    again = certified_cache.unpack(certified_cache.pack(cells))
    assert np.array_equal(again.reachable, cells.reachable)
    assert np.array_equal(again.gradient, cells.gradient)
    assert (again.error, again.sampled_error) == (cells.error, cells.sampled_error)


def test_damaged_files_are_ignored():
    data = certified_cache.pack(small_cells())
    assert certified_cache.unpack(data[:-3]) is None
    assert certified_cache.unpack(data[:60] + bytes([data[60] ^ 1]) + data[61:]) is None
    assert certified_cache.unpack(b"") is None
    assert certified_cache.unpack(b"something else" + data) is None


def test_cache_is_by_weights_and_stays_under_its_size(tmp_path, monkeypatch):
    one, two = octahedron(0.7), octahedron(0.6)
    size = certified_cache.save_cells(one, small_cells(1))
    assert size > 0
    assert certified_cache.load_cells(two) is None
    assert np.array_equal(certified_cache.load_cells(one).reachable, small_cells(1).reachable)
    monkeypatch.setattr(certified_cache, "MOST_BYTES", int(1.5 * size))
    certified_cache.save_cells(two, small_cells(2))
    assert certified_cache.load_cells(two) is not None
    assert len(list((tmp_path / "certified").glob("*"))) == 1


def test_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "certified").write_text("a file where the folder should be")
    assert certified_cache.save_cells(octahedron(), small_cells()) == 0
    assert certified_cache.load_cells(octahedron()) is None


def sampled(weights):
    tracer = CpuTracer(weights, grid_resolution=16)
    assert tracer.bound == "sampled"
    return tracer


@pytest.mark.slow
def test_newest_request_replaces_what_is_being_certified():
    certifier, done = Certifier(rest_s=0.01), threading.Event()
    old, new = sampled(random_network(width=64, depth=8, activation="gelu")), sampled(octahedron(0.65))
    certifier.request([old], lambda: None)
    deadline = time.monotonic() + 60.0
    while certifier._child is None:
        assert time.monotonic() < deadline
    certifier.request([new], done.set)
    assert done.wait(300.0)
    assert (old.bound, new.bound) == ("sampled", "certified")


@pytest.mark.slow
def test_weights_that_keep_changing_are_not_certified():
    certifier, last, done = Certifier(rest_s=0.5), sampled(octahedron(0.6)), threading.Event()
    passed = [sampled(octahedron(0.6 + 0.01 * k)) for k in range(1, 4)]
    for tracer in passed:
        certifier.request([tracer], lambda: None)
    certifier.request([last], done.set)
    assert done.wait(300.0)
    assert last.bound == "certified"
    assert [tracer.bound for tracer in passed] == ["sampled"] * 3


@pytest.mark.slow
def test_another_process_proves_the_same():
    weights = octahedron(0.7)
    one, two = certified_cells(weights), CertifyingChild(weights).result()
    assert np.array_equal(one.reachable, two.reachable)
    assert np.array_equal(one.gradient, two.gradient)


def test_stopped_process_gives_nothing():
    child = CertifyingChild(random_network(width=64, depth=8, activation="gelu"))
    child.stop()
    assert child.result() is None


def test_process_that_dies_is_an_error_that_says_why():
    child = CertifyingChild(octahedron(0.7))
    child._data = b"no weights"
    with pytest.raises(CertifyError, match="sampled bounds"):
        child.result()


def test_process_ends_with_its_input():
    child = CertifyingChild(random_network(width=64, depth=8, activation="gelu"))
    process = child._process
    process.stdin.write(len(child._data).to_bytes(8, "little") + child._data)
    process.stdin.close()
    assert process.wait(60.0) == 0
    assert process.stdout.read() == b""
    process.stdout.close()
    process.stderr.close()
