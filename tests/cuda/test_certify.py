"""The certifying kernel, run on the host: cell by cell against the CPU backend's and dense float64 samples, and as a whole.

Both do the same operations in float32, in another order and with other fused sums, so bounds agree to some 1e-5 of
themselves (rounding of 2^-24 through the sums of magnitudes of a dozen layers); each is proven by itself.
"""

import dataclasses
import threading

import numpy as np
import pytest

from engine.cuda import certification
from engine.cuda.certification import DeviceBounder, warp_floats
from engine.cuda.errors import DeviceMemoryError
from engine.network.activations import SLOPES, VALUES
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from engine.tracing import certified_cache
from engine.tracing.certified_activations import ERROR, FAR, LARGEST
from engine.tracing.certified_bounds import certify
from engine.tracing.certified_cells import CertifiedCells
from engine.tracing.certified_grid import certified_cells
from engine.tracing.certified_network import certified_network
from engine.tracing.certified_work import PARTS, SLACK, UNIT
from engine.tracing.certifier import Certifier
from engine.tracing.cuda import CudaTracer
from engine.tracing.kernel_math import CODES
from engine.tracing.packed_grid import UNKNOWN
from tests.cuda import fake_driver, host_twin
from tests.cuda.pictures import SPOT
from tests.engine.networks import octahedron, random_network
from tests.engine.test_certified import ACTIVATIONS, before_output
from tests.oracles import rays_towards_origin

AGREEMENT = 1e-4  # of a bound: ten times what is seen
VARIANTS = {
    "plain": {"width": 20, "depth": 5},
    "fourier and skips": {
        "width": 16,
        "depth": 4,
        "encoding": "fourier",
        "fourier_features": 5,
        "skips": (1, 3),
    },
    "time and tanh at the end": {"width": 9, "depth": 3, "inputs": 4, "output_activation": "tanh"},
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)


def blocks_of_cells(seed, num_blocks=6, each=40):
    """Cells of 1/128 in blocks, more than a warp's 32 in each, with their means as references; one block is empty."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(-100, 101, (num_blocks, 1, 3)) / 128.0
    centres = (corners + rng.integers(-4, 5, (num_blocks, each, 3)) / 128.0).astype(np.float32)
    first = each * np.array([*range(num_blocks), num_blocks - 1, num_blocks], np.int64)
    first[-2:] = each * num_blocks
    references = np.concatenate([centres.mean(axis=1), np.zeros((1, 3))]).astype(np.float32)
    return references, first, centres.reshape(-1, 3)


def both(weights, cells, half=1 / 128, time=0.25, gradients=True):
    """Give what the GPU's kernel and the CPU's write about the same cells."""
    net, count = certified_network(weights, time), len(cells[2])
    found = []
    for bound in (DeviceBounder(fake_driver.session(), net), lambda *given: certify(net, *given)):
        out = [np.full(count, np.nan, np.float32) for _ in range(2)]
        out += [
            np.full((count if gradients else 0, 6), np.nan, np.float32),
            np.full(count, np.nan, np.float32),
        ]
        bound(*cells, half, *out)
        found.append(out)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bounds_of_cells_are_the_cpu_backends_and_hold_at_dense_samples(activation, variant):
    weights = random_network(activation=activation, scale=1.3, **VARIANTS[variant])
    cells = blocks_of_cells(3)
    (value, radius, bounds, error), (value2, radius2, bounds2, error2) = both(weights, cells)
    assert np.abs(value - value2).max() < 5e-6 * max(1.0, np.abs(value2).max())
    assert np.abs(radius / radius2 - 1.0).max() < AGREEMENT
    assert np.abs(error / error2 - 1.0).max() < AGREEMENT
    span = np.abs(bounds2).max(axis=1, keepdims=True)
    assert (np.abs(bounds - bounds2) <= AGREEMENT * span + 1e-7).all()
    rng = np.random.default_rng(4)
    chosen = rng.choice(len(value), 60, replace=False)
    offsets = np.concatenate([rng.uniform(-1.0, 1.0, (60, 3)), np.sign(rng.normal(size=(20, 3)))]) / 128.0
    places = (cells[2][chosen, None] + offsets).reshape(-1, 3).astype(np.float64)
    inner = Field(before_output(weights), 0.25).value(np.clip(places, -1, 1)).reshape(60, -1)
    assert (np.abs(inner - value[chosen, None]) <= radius[chosen, None]).all()
    slopes = Field(weights, 0.25).gradient(places).reshape(60, -1, 3)
    assert (slopes >= bounds[chosen, None, :3]).all() and (slopes <= bounds[chosen, None, 3:]).all()


@pytest.mark.parametrize("half", [1 / 256, 1 / 64, 1 / 8])
def test_bounds_of_the_trained_shape_are_the_cpu_backends(half):
    weights, cells = NeuralWeights.load(SPOT), blocks_of_cells(5)
    (value, radius, bounds, error), (value2, radius2, bounds2, error2) = both(weights, cells, half)
    assert np.abs(value - value2).max() < 5e-6
    for one, other in ((radius, radius2), (error, error2)):
        assert np.abs(one / other - 1.0).max() < AGREEMENT
    assert (np.abs(bounds - bounds2) <= AGREEMENT * np.abs(bounds2).max(axis=1, keepdims=True)).all()
    assert both(weights, cells, half, gradients=False)[0][1].tolist() == radius.tolist()


def test_cell_whose_numbers_leave_float32_is_given_up():
    weights = random_network(activation="tanh", width=8, depth=2)
    huge = dataclasses.replace(weights, weights=(weights.weights[0] * np.float32(1e38), *weights.weights[1:]))
    value, radius, bounds, error = both(huge, blocks_of_cells(1))[0]
    assert np.isinf(radius).all() and np.isinf(error).all()
    assert (bounds[:, :3] == -1e30).all() and (bounds[:, 3:] == 1e30).all()
    assert not (np.abs(value) > radius).any()


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "none"])
def test_derivatives_are_as_accurate_as_the_bounds_assume(activation):
    z = np.linspace(-30.0, 30.0, 4001).astype(np.float32)
    out = np.zeros((len(z), 4), np.float32)
    twin = host_twin.library()
    for place, row in zip(z, out):
        twin.activation_derivatives(CODES[activation], place, row.ctypes.data)
    if activation in ("relu", "leaky_relu"):  # expanded by their kink alone
        return
    exact = z.astype(np.float64)
    size, allowed = np.maximum(1.0, np.abs(exact)), 0.5 * ERROR[CODES[activation]]
    assert (np.abs(out[:, 0] - VALUES[activation](exact)) / size).max() <= allowed
    assert (np.abs(out[:, 1] - SLOPES[activation](exact)) / size).max() <= allowed
    step = 1e-4
    smooth = np.abs(exact) > 1e-2 if activation == "elu" else np.ones(len(z), bool)
    second = (SLOPES[activation](exact + step) - SLOPES[activation](exact - step)) / (2 * step)
    assert (np.abs(out[:, 2] - second) / size)[smooth].max() < 3e-6
    smooth &= np.abs(np.abs(exact) - 2.5) > 1e-2 if activation == "hard_gelu" else True
    third = (
        SLOPES[activation](exact + 1e-3) - 2 * SLOPES[activation](exact) + SLOPES[activation](exact - 1e-3)
    ) / 1e-6
    assert (np.abs(out[:, 3] - third) / size)[smooth].max() < 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_remainders_of_one_unit_hold_at_dense_samples(activation):
    rng, code, twin = np.random.default_rng(6), CODES[activation], host_twin.library()
    bounds = np.array([*LARGEST[code], ERROR[code]], np.float32)
    steps = rng.uniform(-1.0, 1.0, (200, 2))
    steps[:4] = [[1, 1], [-1, 1], [1, -1], [-1, -1]]
    for _ in range(300):
        span = np.array(
            [rng.uniform(-4.0, 4.0), *rng.uniform(0.0, 1.0, 3) * [0.8, 0.2, 0.2]], np.float32
        ) * np.float32(rng.choice([1.0, 1.0, 0.1]))
        out = np.zeros(6, np.float32)
        twin.expand_range(code, *(host_twin.ctypes.c_void_p(a.ctypes.data) for a in (bounds, span, out)))
        value, slope, second, remainder, change, beyond = out.astype(np.float64)
        z, linear, rest = float(span[0]), steps[:, 0] * span[1], steps[:, 1] * (span[2] + span[3])
        w = linear + rest
        expanded = value + slope * w + 0.5 * second * linear**2
        assert (np.abs(VALUES[activation](z + w) - expanded) <= remainder + 1e-12).all()
        turn = SLOPES[activation](z + w) - slope
        assert (np.abs(turn) <= change + 1e-12).all()
        assert (np.abs(turn - second * linear) <= beyond + 1e-12).all()


def test_constants_and_scratch_are_those_of_the_cpu_backend_and_of_the_host():
    seen = np.zeros(3, np.float32)
    twin = host_twin.library()
    twin.certify_constants(host_twin.ctypes.c_void_p(seen.ctypes.data))
    assert seen.tolist() == [np.float32(x) for x in (UNIT, SLACK, FAR)]
    assert certification.PARTS == PARTS
    for shape in ((8, 8, 1), (32, 8, 8), (16, 24, 3), (256, 8, 16)):
        assert twin.certify_floats(*shape) == warp_floats(*shape)


# ---- the whole grid


def test_certified_grid_is_the_cpu_backends_but_for_a_few_cells():
    """And every crossing between the centres of neighbours is in a cell of it."""
    weights, side = random_network(activation="tanh", width=8, depth=2), 64
    bounder = DeviceBounder(fake_driver.session(), certified_network(weights))
    cpu, gpu = certified_cells(weights, 0.0, side), certified_cells(weights, 0.0, side, bounder)
    assert cpu.reachable.sum() > 1000
    # a bound that decides by a hair may fall on the other side: one cell in two thousand
    assert (cpu.reachable != gpu.reachable).sum() <= 5e-4 * cpu.reachable.sum()
    assert abs(gpu.error / cpu.error - 1.0) < AGREEMENT
    axis = (2.0 * np.arange(side) + 1.0) / side - 1.0
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = Field(weights).value(centres).reshape((side,) * 3) < 0.0
    for k in range(3):
        reachable, sign = gpu.reachable.swapaxes(0, k), inside.swapaxes(0, k)
        turn = sign[1:] != sign[:-1]
        assert turn.sum() > 100 and (reachable[1:] | reachable[:-1])[turn].all()
    parts_agree(cpu, gpu)
    parts_hold(weights, gpu)


def parts_of(cells, common):
    """Give which parts (N, 64) of some cells are open, and what is known of these (N, 64, 10)."""
    row = (np.cumsum(cells.reachable) - 1)[common]
    number = np.cumsum(cells.open_parts).reshape(cells.open_parts.shape) - 1
    known = np.concatenate([cells.part_gradient, cells.part_linear], axis=1)
    return cells.open_parts[row], known[np.maximum(number[row], 0)]


def parts_agree(cpu, gpu):
    common = np.flatnonzero((cpu.reachable & gpu.reachable).ravel())
    (open1, known1), (open2, known2) = parts_of(cpu, common), parts_of(gpu, common)
    assert 0.05 < open1.mean() < 0.95
    assert (open1 != open2).sum() <= 1e-3 * open1.sum()
    one, two = known1[open1 & open2], known2[open1 & open2]
    # half precision has steps of a thousandth; what a hair decided, whether a piece is halved again, differs by more
    near = np.abs(one - two) <= 2e-3 * np.abs(one[:, :6]).max(axis=1, keepdims=True)
    assert near.all(axis=1).mean() > 0.99


def parts_hold(weights, cells):
    """Gradients and values at places in open parts are within the bounds, and places on the surface are in open parts."""
    side, field = 4 * len(cells.reachable), Field(weights)
    cell, bit = np.nonzero(cells.open_parts)
    inside = np.stack(np.unravel_index(bit, (4, 4, 4)), axis=1)
    parts = 4 * np.argwhere(cells.reachable)[cell] + inside
    chosen = np.random.default_rng(7).choice(len(parts), 3000, replace=False)
    centres = (2.0 * parts[chosen] + 1.0) / side - 1.0
    offsets = np.random.default_rng(8).uniform(-1.0, 1.0, centres.shape) / side
    slopes, values = field.gradient(centres + offsets), field.value(centres + offsets)
    bounds, linear = cells.part_gradient[chosen], cells.part_linear[chosen].astype(np.float64)
    assert (slopes >= bounds[:, :3]).all() and (slopes <= bounds[:, 3:]).all()
    rest = np.abs(values - field.value(centres) - (linear[:, :3] * offsets).sum(axis=1))
    known = linear[:, 3] < UNKNOWN
    assert known.mean() > 0.9 and (rest <= linear[:, 3] + 1e-9).all()
    is_open = np.zeros((side,) * 3, bool)
    is_open[tuple(parts.T)] = True
    ends = np.random.default_rng(9).uniform(-1.0, 1.0, (2, 20_000, 3))
    ends = ends[:, (field.value(ends[0]) < 0.0) != (field.value(ends[1]) < 0.0)]
    for _ in range(50):
        middle = 0.5 * (ends[0] + ends[1])
        same = (field.value(middle) < 0.0) == (field.value(ends[0]) < 0.0)
        ends = np.where(same[:, None], [middle, ends[1]], [ends[0], middle])
    assert ends.shape[1] > 1000
    assert is_open[tuple((0.5 * (ends[0] + 1.0) * side).astype(int).T)].all()


def test_tracer_certifies_on_its_gpu_and_keeps_the_cells(monkeypatch):
    device = fake_driver.FakeDevice(fake_driver.info())
    weights = octahedron()
    tracer = CudaTracer(weights, fake_driver.session(device))
    tracer.session.pool().trim()
    held = len(device.memory)
    monkeypatch.setattr(
        "engine.tracing.certified_grid.certify", lambda *_: pytest.fail("the CPU was asked to prove")
    )
    assert tracer.certify() and tracer.bound == "certified"
    names = [name for name, _, _, _ in device.launches]
    assert names.count("certify_cells") >= 8  # of 262,144 cells first, CELLS_AT_ONCE in a launch
    kept = certified_cache.load_cells(weights)
    assert np.array_equal(kept.reachable, tracer.grid.cell >= 0)
    assert kept.open_parts is not None and tracer.grid.parts == 4  # and the march reads them
    tracer.session.pool().trim()
    assert len(device.memory) == held  # one grid for another; scratch, places and bounds are given back
    rays = (*rays_towards_origin(500), np.zeros(500), np.full(500, 1e9))
    t_hit = tracer.trace(*rays)
    hit = np.isfinite(t_hit)
    places = rays[0][hit] + t_hit[hit, None] * rays[1][hit]
    assert hit.sum() > 100 and np.abs(np.abs(places).sum(axis=1) - 0.7).max() < 1e-5


@pytest.fixture
def quick_cpu(monkeypatch):
    """The CPU's proof is tested elsewhere; here it is seen whether it is asked for."""
    cells, asked = certified_cells(octahedron()), []

    def given(weights, *_, bounder=None, **__):
        if bounder is None:
            asked.append(weights)
            return cells
        return certified_cells(weights, bounder=bounder)

    monkeypatch.setattr("engine.tracing.certified_grid.certified_cells", given)
    return asked


def test_gpu_without_memory_for_it_leaves_the_proof_to_the_cpu(quick_cpu, monkeypatch, caplog):
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = CudaTracer(octahedron(), fake_driver.session(device))
    tracer.session.pool().trim()
    upload = device.allocate

    def allocate(num_bytes):  # the proof's cells do not fit, the grid does
        if num_bytes == 12 * certification.CELLS_AT_ONCE:
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")
        return upload(num_bytes)

    monkeypatch.setattr(device, "allocate", allocate)
    assert tracer.certify() and tracer.bound == "certified"
    assert len(quick_cpu) == 1 and "the CPU certifies this shape" in caplog.text


def test_gpu_that_is_lost_while_it_proves_leaves_a_sampled_grid_and_no_crash(quick_cpu, caplog):
    device = fake_driver.FakeDevice(fake_driver.info())
    weights = octahedron()
    tracer = CudaTracer(weights, fake_driver.session(device))
    device.lost_at = len(device.launches) + 2
    assert not tracer.certify() and tracer.bound == "sampled"
    assert "the CPU certifies this shape" in caplog.text and "keeps its sampled grid" in caplog.text
    assert isinstance(certified_cache.load_cells(weights), CertifiedCells)  # the CPU that goes on takes them
    rays = (*rays_towards_origin(300), np.zeros(300), np.full(300, 1e9))
    assert np.isfinite(tracer.trace(*rays)).sum() > 50


def test_gpu_that_computes_wrong_is_not_believed(quick_cpu, monkeypatch, caplog):
    weights = octahedron()
    tracer = CudaTracer(weights, fake_driver.session())
    run = host_twin.run

    def wrong(name, arguments):
        run(name, arguments)
        if name == "certify_cells":  # the first values become 3.004
            host_twin.ctypes.memset(int(arguments["values"][0]), 0x40, 4 * int(arguments["num_blocks"][0]))

    monkeypatch.setattr(host_twin, "run", wrong)
    assert tracer.certify() and tracer.bound == "certified"
    assert len(quick_cpu) == 1 and "gives wrong numbers where it proves" in caplog.text


def test_background_certifier_lets_the_gpu_prove_and_starts_no_process(monkeypatch):
    monkeypatch.setattr(
        "engine.tracing.certifier.CertifyingChild", lambda *_: pytest.fail("a process was started")
    )
    tracer = CudaTracer(octahedron(), fake_driver.session())
    done, certifier = threading.Event(), Certifier(rest_s=0.01)
    certifier.request([tracer], done.set)
    assert done.wait(120.0) and tracer.bound == "certified"


def test_scratch_is_bounded_by_what_is_free(monkeypatch):
    device = fake_driver.FakeDevice(fake_driver.info(multiprocessors=500))
    session = fake_driver.session(device)
    net = certified_network(octahedron())
    block = 4 * certification.WARPS * warp_floats(8, 8, 1)
    monkeypatch.setattr(type(session), "free_bytes", lambda self: 7 * block)
    cells = blocks_of_cells(2, num_blocks=40, each=2)
    out = [np.zeros(shape, np.float32) for shape in (80, 80, (0, 6), 80)]
    DeviceBounder(session, net)(*cells, 1 / 128, *out)
    assert device.launches[-1][1] == 3  # half of what is free
