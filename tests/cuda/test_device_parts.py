"""Parts of cells on the GPU: made for sampled grids too, and without memory for them the march reads whole cells."""

import logging

import numpy as np
import pytest

from engine.cuda import launches
from engine.cuda.errors import DeviceLostError, DeviceMemoryError
from engine.tracing import certified_cache
from engine.tracing.certified_grid import certified_cells
from engine.tracing.cuda import CudaTracer
from engine.tracing.packed_grid import PART_SIDE, ROW
from tests.cuda import fake_driver
from tests.engine.networks import octahedron
from tests.oracles import rays_towards_origin

RAYS = (*rays_towards_origin(600, seed=4), np.zeros(600), np.full(600, 1e9))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)


@pytest.fixture
def device():
    return fake_driver.FakeDevice(fake_driver.info())


@pytest.fixture
def tracer(device):
    return CudaTracer(octahedron(0.7), fake_driver.session(device))


def hits_are_right(tracer):
    t_hit = tracer.trace(*RAYS)
    hit = np.isfinite(t_hit)
    places = RAYS[0][hit] + t_hit[hit, None] * RAYS[1][hit]
    assert hit.sum() > 100 and np.abs(np.abs(places).sum(axis=1) - 0.7).max() < 1e-5
    assert np.array_equal(tracer.occluded(*RAYS), hit)
    return hit


def looks(tracer):
    """How many values the march of the rays takes."""
    session = tracer.session
    rays = launches.upload_rays(session, *RAYS)
    t_hit, counts = session.empty(8 * rays.count), session.zeros(24)
    launches.march(session, tracer.network, tracer.device_grid, rays, t_hit, counts=counts)
    return int(session.download(counts, (3,), np.uint64)[:2].sum())


def test_sampled_cells_are_looked_into_on_the_gpu_and_rays_look_less(tracer, device):
    coarse, hit = looks(tracer), hits_are_right(tracer)
    evaluations = [name for name, *_ in device.launches].count("evaluate_points")
    tracer.sharpen()
    assert tracer.bound == "sampled" and tracer.grid.parts == PART_SIDE
    assert [name for name, *_ in device.launches].count("evaluate_points") >= evaluations + 4
    assert np.array_equal(hits_are_right(tracer), hit) and looks(tracer) < coarse
    assert not tracer.left_to_cpu
    grid = tracer.grid
    tracer.sharpen()
    assert tracer.grid is grid


def test_parts_take_the_memory_of_whole_cells_and_give_it_back(tracer, device):
    tracer.session.pool().trim()
    blocks = len(device.memory)
    tracer.sharpen()
    tracer.session.pool().trim()
    assert len(device.memory) == blocks
    held = sum(array.num_bytes for array in tracer.device_grid._memory)
    grid = tracer.grid
    assert held == sum(a.nbytes for a in (grid.ahead, grid.cell, grid.part, grid.first, grid.rows))


@pytest.mark.parametrize("proven", [False, True])
def test_without_memory_for_parts_the_march_reads_whole_cells_and_says_why(
    proven, tracer, device, monkeypatch, caplog
):
    upload, coarse, refused = tracer.session.array, tracer.grid, []

    def refuse(data):
        if data.ndim == 2 and data.shape[1] == ROW and not refused:  # the parts' rows come first
            refused.append(len(data))
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")
        return upload(data)

    monkeypatch.setattr(tracer.session, "array", refuse)
    with caplog.at_level(logging.INFO):
        tracer.adopt(certified_cells(octahedron(0.7))) if proven else tracer.sharpen()
    assert "memory is full" in caplog.text and "the march there reads whole cells" in caplog.text
    assert tracer.bound == ("certified" if proven else "sampled") and tracer.grid is not coarse
    assert tracer.grid.parts == 1 and int(tracer.device_grid.struct["parts"][0]) == 1
    hits_are_right(tracer)
    assert refused[0] > len(tracer.grid.rows) > 0
    launched = len(device.launches)
    tracer.sharpen()  # is not tried again
    assert len(device.launches) == launched and not tracer.left_to_cpu


def test_parts_leave_most_of_the_memory_to_pictures(tracer, monkeypatch, caplog):
    monkeypatch.setattr(launches, "LEAST_SPARE", 1 << 40)
    with caplog.at_level(logging.INFO):
        tracer.sharpen()
    assert "MiB are free" in caplog.text and tracer.grid.parts == 1
    hits_are_right(tracer)


@pytest.mark.parametrize("error", [DeviceMemoryError, DeviceLostError])
def test_failure_while_the_grid_is_copied_leaves_the_one_in_use(error, tracer, monkeypatch, caplog):
    grid, on_device = tracer.grid, tracer.device_grid

    def fail(*_):
        raise error("the GPU failed")

    monkeypatch.setattr(launches, "DeviceGrid", fail)
    tracer.sharpen()
    assert tracer.grid is grid and tracer.device_grid is on_device
    assert "the GPU failed: this shape keeps its coarse grid there" in caplog.text
    hits_are_right(tracer)


def test_a_proof_that_comes_meanwhile_is_kept(tracer, monkeypatch):
    cells, gradient = certified_cells(octahedron(0.7)), tracer.gradient_parallel

    def proven_meanwhile(points):
        monkeypatch.undo()
        tracer.adopt(cells)
        return gradient(points)

    monkeypatch.setattr(tracer, "gradient_parallel", proven_meanwhile)
    tracer.sharpen()
    assert tracer.bound == "certified" and tracer.grid.parts == PART_SIDE


def test_a_lost_gpu_is_not_asked_and_the_cpu_is_not_asked_for_it(tracer, device):
    tracer.session.lost = True
    grid = tracer.grid
    tracer.sharpen()
    assert tracer.grid is grid and not tracer.left_to_cpu
