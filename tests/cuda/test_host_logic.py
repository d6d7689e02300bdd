"""What the host does around the kernels, by a driver without a GPU: tiles, memory, loss, choice of a device, archive."""

import json
import logging
import sys
import threading
import zipfile

import numpy as np
import pytest

from engine.cuda import choose, launches, layouts
from engine.cuda.archive import ARCHITECTURES, MANIFEST, KernelArchive, find_archive, member, sources_digest
from engine.cuda.bindings_device import BindingsDriver, checked
from engine.cuda.choose import open_session, ordered
from engine.cuda.errors import DeviceLostError, DeviceMemoryError, NoDeviceError
from engine.cuda.network_data import kernel_width, unfit
from engine.cuda.pycuda_device import PycudaDriver
from engine.errors import OptionError
from engine.network.field import Field
from engine.protocol.weights import Architecture
from engine.tracing import cuda as cuda_tracing
from engine.tracing import device_choice as tracing_device
from engine.tracing import make_tracer
from engine.tracing.cuda import CudaTracer
from tests.cuda import fake_driver
from tests.engine.networks import octahedron, random_network
from tests.oracles import rays_towards_origin


def spans(count):
    return np.zeros(count), np.full(count, 1e9)


def tracer_on(device, weights=None):
    return CudaTracer(weights or octahedron(), fake_driver.session(device))


def any_archive():
    return fake_driver.AnyArchive(None)


# ---- memory and tiles


def test_large_requests_go_in_tiles_and_give_the_same(monkeypatch):
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(1000), *spans(1000))
    whole = tracer.trace(*rays)
    monkeypatch.setattr(cuda_tracing, "LARGEST_TILE", 300)
    before = len(device.launches)
    assert np.array_equal(tracer.trace(*rays), whole)
    assert len(device.launches) - before == 4


def test_memory_that_runs_out_halves_the_tiles(monkeypatch, caplog):
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(1000), *spans(1000))
    whole = tracer.trace(*rays)
    monkeypatch.setattr(cuda_tracing, "SMALLEST_TILE", 100)
    fake_driver.fill_up(device, tracer.session, but=300 * 72)
    before = len(device.launches)
    with caplog.at_level(logging.INFO):
        assert np.array_equal(tracer.trace(*rays), whole)
    assert len(device.launches) - before == 4  # of 250
    assert "memory is full" in caplog.text and "tiles of 250" in caplog.text
    assert tracer._cpu is None


def test_memory_that_stays_full_sends_the_request_to_the_cpu_and_says_so(caplog):
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(500), *spans(500))
    whole = tracer.trace(*rays)
    fake_driver.fill_up(device, tracer.session)
    hit = np.isfinite(whole)
    again = tracer.trace(*rays)
    assert np.array_equal(np.isfinite(again), hit) and np.abs(again[hit] - whole[hit]).max() < 1e-5
    assert np.array_equal(tracer.occluded(*rays), hit)
    places = np.random.default_rng(0).uniform(-1.5, 1.5, (50, 3))
    assert np.abs(tracer.value(places) - Field(octahedron()).value(places)).max() < 1e-5
    assert tracer.gradient(places).shape == (50, 3)
    assert caplog.text.count("the CPU goes on") == 1
    device.capacity = 1 << 40
    launches_before = len(device.launches)
    tracer.trace(*rays)
    assert len(device.launches) > launches_before  # memory may come back; the GPU is asked again


def test_all_memory_is_given_back():
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    tracer.session.pool().trim()
    held, session = device.used, tracer.session
    rays = (*rays_towards_origin(300), *spans(300))
    tracer.trace(*rays)
    tracer.value(rays[0])
    tracer.gradient(rays[0])
    session.pool().trim()
    assert device.used == held
    del tracer
    session.pool().trim()
    assert device.used == 0 and session.pool().kept_bytes == 0


def test_second_request_takes_the_memory_of_the_first():
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(300), *spans(300))
    whole = tracer.trace(*rays)
    asked = device.allocations
    assert np.array_equal(tracer.trace(*rays), whole) and device.allocations == asked
    tracer.trace(*rays_towards_origin(3000), *spans(3000))  # of other sizes
    assert device.allocations > asked


def test_memory_that_is_kept_is_bounded_counts_as_free_and_goes_before_a_request_fails():
    device = fake_driver.FakeDevice(fake_driver.info(memory_bytes=80 << 20), capacity=400 << 20)
    session = fake_driver.session(device)
    free = session.free_bytes()
    blocks = [session.empty(3 << 20) for _ in range(4)]
    del blocks
    pool = session.pool()
    assert pool.kept_bytes == 9 << 20 and len(device.memory) == 3  # an eighth of 80 MiB
    assert abs(session.free_bytes() - free) < 4096
    device.capacity = device.used + 100  # only what is kept is left
    big = session.empty(8 << 20)
    assert pool.kept_bytes == 0 and len(device.memory) == 1
    with pytest.raises(DeviceMemoryError):
        session.empty(8 << 20)
    address = big.address
    big.release()
    assert session.empty(7 << 20).address == address  # at most a quarter more than is asked for
    assert len(device.memory) == 1


def test_block_that_the_garbage_collector_gives_back_amid_a_request_is_sorted_in_later():
    """A finalizer may run at any moment, in the thread that is allocating too."""
    device = fake_driver.FakeDevice(fake_driver.info())
    session = fake_driver.session(device)
    spare, allocate = [session.empty(1000)], device.allocate
    first = spare[0].address

    def collect(num_bytes):
        spare.clear()
        assert session.pool().kept_bytes == 0  # not touched while the request is under way
        return allocate(num_bytes)

    device.allocate = collect
    assert session.empty(1000).address != first
    device.allocate = allocate
    assert {session.empty(1000).address for _ in range(1)} <= {first, *device.memory}
    assert session.pool().kept_bytes > 0 or len(device.memory) == 2


@pytest.mark.parametrize("call", ["upload", "download", "synchronize", "fill"])
def test_failure_of_any_call_makes_the_session_lost(call, monkeypatch):
    """A kernel's fault shows at a later call: work is asynchronous."""
    device = fake_driver.FakeDevice(fake_driver.info())
    session = fake_driver.session(device)
    memory = session.array(np.zeros(4))

    def fail(*_):
        raise DeviceLostError("the GPU failed (CUDA_ERROR_ILLEGAL_ADDRESS)")

    monkeypatch.setattr(device, call, fail)
    asked = {
        "upload": lambda: session.array(np.zeros(4)),
        "download": lambda: session.download(memory, (4,), np.float64),
        "synchronize": lambda: session.device.synchronize(),
        "fill": lambda: session.zeros(8),
    }
    with pytest.raises(DeviceLostError, match="ILLEGAL_ADDRESS"):
        asked[call]()
    assert session.lost
    with pytest.raises(DeviceLostError, match="restart the engine"):
        session.empty(8)


def test_device_that_is_lost_is_not_asked_again_and_the_cpu_goes_on(caplog):
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(300), *spans(300))
    whole = tracer.trace(*rays)
    device.lost_at = len(device.launches)
    hit = np.isfinite(whole)
    for _ in range(2):
        again = tracer.trace(*rays)
        assert np.array_equal(np.isfinite(again), hit) and np.abs(again[hit] - whole[hit]).max() < 1e-5
    assert len(device.launches) == device.lost_at
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in caplog.text
    assert caplog.text.count("the CPU goes on") == 1
    with pytest.raises(DeviceLostError, match="restart the engine"):
        tracer.session.device
    del tracer  # frees nothing on a lost device, and raises nothing


def test_large_results_come_through_one_page_locked_buffer_that_grows():
    device = fake_driver.FakeDevice(fake_driver.info())
    session = fake_driver.session(device)
    for count in (1000, 1 << 19, 1 << 18, 1 << 20):
        data = np.random.default_rng(count).random(count).astype(np.float32)
        memory = session.array(data)
        assert np.array_equal(session.download(memory, (count,), np.float32), data)
        assert [array.nbytes for array in device.pinned] == (
            [] if count == 1000 else [max(count, 1 << 19) * 4]
        )


def test_threads_share_a_session():
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    rays = (*rays_towards_origin(200), *spans(200))
    whole, results = tracer.trace(*rays), [None] * 6

    def work(number):
        results[number] = tracer.trace(*rays)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, whole) for result in results)


def test_nothing_asked_for_launches_nothing():
    device = fake_driver.FakeDevice(fake_driver.info())
    tracer = tracer_on(device)
    before = len(device.launches)
    empty = np.zeros((0, 3))
    assert tracer.trace(empty, empty, *spans(0)).shape == (0,)
    assert tracer.value(empty).shape == (0,) and tracer.gradient(empty).shape == (0, 3)
    assert len(device.launches) == before


# ---- plans


@pytest.mark.parametrize(
    ("width", "shared", "weights_fit", "scratch_fits"),
    [
        (32, 227, True, True),
        (32, 99, False, True),
        (64, 227, False, True),
        (128, 227, False, False),
        (256, 99, False, False),
    ],
)
def test_shared_memory_holds_scratch_before_weights(width, shared, weights_fit, scratch_fits):
    network = launches.DeviceNetwork(fake_driver.session(), random_network(width=width, depth=8))
    plan = launches.plan_memory(network, 1, True, shared << 10)
    assert (plan.weights_in_shared, plan.scratch_in_shared) == (weights_fit, scratch_fits)
    assert plan.shared_bytes <= shared << 10


def test_wide_networks_get_scratch_in_global_memory_for_every_block():
    weights = random_network(width=200, depth=1)
    device = fake_driver.FakeDevice(fake_driver.info(shared_bytes=48 << 10))
    tracer = tracer_on(device, weights)
    places = np.random.default_rng(0).uniform(-1.0, 1.0, (100, 3))
    assert np.abs(tracer.value(places) - Field(weights).value(places)).max() < 1e-4
    assert all(shared <= 48 << 10 for _, _, _, shared in device.launches)


def test_kernel_instances_hold_the_network():
    assert [kernel_width(Architecture(width=w)) for w in (1, 16, 17, 33, 100, 256)] == [
        16,
        16,
        32,
        64,
        128,
        256,
    ]
    assert unfit(Architecture(width=256, depth=64)) is None
    assert "257" in unfit(Architecture(width=257))
    assert layouts.WIDTHS[-1] == 256


# ---- which device


def test_device_with_most_memory_is_taken_unless_one_is_preferred():
    devices = [
        fake_driver.info(index=0, name="GeForce RTX 2060", memory_bytes=6 << 30, capability=(7, 5)),
        fake_driver.info(index=1, name="NVIDIA H200", memory_bytes=141 << 30),
        fake_driver.info(index=2, name="NVIDIA H100", memory_bytes=80 << 30),
    ]
    assert [d.index for d in ordered(devices, "")] == [1, 2, 0]
    assert ordered(devices, "0")[0].index == 0
    assert ordered(devices, "h100")[0].index == 2
    with pytest.raises(NoDeviceError, match=r"no GPU '7'.*0 \(GeForce RTX 2060\), 1 \(NVIDIA H200\)"):
        ordered(devices, "7")


def test_next_device_is_taken_where_the_first_does_not_open():
    devices = [fake_driver.info(index=0, memory_bytes=1), fake_driver.info(index=1, memory_bytes=2)]
    driver = fake_driver.FakeDriver(devices, fails_to_open=(1,))
    assert open_session([driver], "", any_archive).device.info.index == 0


def test_second_package_is_taken_where_the_first_does_not_work():
    broken, working = (
        fake_driver.FakeDriver(reason="PyCUDA is not usable"),
        fake_driver.FakeDriver([fake_driver.info()]),
    )
    assert open_session([broken, working], "", any_archive).device.info.name == "Fake H100"


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        (fake_driver.FakeDriver(reason="the NVIDIA driver is for CUDA 11.4"), "for CUDA 11.4"),
        (fake_driver.FakeDriver([]), "no NVIDIA GPU"),
        (
            fake_driver.FakeDriver([fake_driver.info(name="GTX 1080", capability=(6, 1))]),
            "GTX 1080.*6.1.*need 7.5",
        ),
        (fake_driver.FakeDriver([fake_driver.info()], fails_to_open=(0,)), "CUDA_ERROR_DEVICE_UNAVAILABLE"),
    ],
)
def test_each_reason_for_no_device_is_a_sentence(driver, sentence):
    with pytest.raises(NoDeviceError, match=sentence):
        open_session([driver], "", any_archive)


def test_packages_that_are_missing_are_reasons_and_no_crash(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    with pytest.raises(NoDeviceError, match=r"PyCUDA is not usable.*cuda-bindings is not installed"):
        open_session([PycudaDriver(), BindingsDriver()], "", any_archive)


class Status(int):
    name = "CUDA_ERROR_OUT_OF_MEMORY"


def test_status_of_the_driver_becomes_our_errors():
    assert checked((0, 7)) == 7 and checked((0,)) == ()
    with pytest.raises(DeviceMemoryError, match="memory is full"):
        checked((Status(2),))
    Status.name = "CUDA_ERROR_LAUNCH_FAILED"
    with pytest.raises(DeviceLostError, match="LAUNCH_FAILED"):
        checked((Status(719),))


@pytest.fixture
def device_choice(monkeypatch):
    """The choice as a fresh process has it, with a session of a test's own."""
    monkeypatch.setattr(tracing_device, "_chosen", ["auto"])
    monkeypatch.setattr(tracing_device, "_told", set())

    def use(session_or_error):
        def shared():
            if isinstance(session_or_error, Exception):
                raise session_or_error
            return session_or_error

        monkeypatch.setattr(choose, "shared_session", shared)

    return use


def test_auto_takes_the_gpu_where_it_works(device_choice, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    device_choice(fake_driver.session())
    assert isinstance(make_tracer(octahedron()), CudaTracer)


def test_auto_takes_the_cpu_where_no_gpu_works_and_says_why_once(device_choice, monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    device_choice(NoDeviceError("there is no NVIDIA driver on this machine"))
    with caplog.at_level(logging.INFO):
        tracers = [make_tracer(octahedron()) for _ in range(2)]
    assert [type(tracer).__name__ for tracer in tracers] == ["CpuTracer", "CpuTracer"]
    assert caplog.text.count("tracing on the CPU: there is no NVIDIA driver") == 1


def test_process_that_has_torch_stays_on_the_cpu(device_choice, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    device_choice(fake_driver.session())
    assert type(make_tracer(octahedron())).__name__ == "CpuTracer"


def test_network_that_is_too_wide_is_traced_by_the_cpu(device_choice, monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    device_choice(fake_driver.session())
    with caplog.at_level(logging.INFO):
        assert type(make_tracer(random_network(width=300, depth=1))).__name__ == "CpuTracer"
    assert "300 units wide" in caplog.text


def test_cuda_by_name_is_an_error_where_it_does_not_work(device_choice):
    device_choice(NoDeviceError("there is no NVIDIA driver on this machine"))
    with pytest.raises(NoDeviceError, match="no NVIDIA driver"):
        tracing_device.choose_device("cuda")
    with pytest.raises(OptionError, match="Use one of auto, cpu, cuda"):
        tracing_device.choose_device("gpu")


# ---- the archive


def archive_at(path, members, sources=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, json.dumps({"sources": sources or sources_digest(), "driver": 13000}))
        for name in members:
            archive.writestr(name, name)
    return KernelArchive(path)


def test_each_chip_gets_its_cubin_and_later_ones_ptx(tmp_path):
    names = [member("march", a, False) for a in ARCHITECTURES] + [member("march", 80, True)]
    archive = archive_at(tmp_path / "k.zip", names)
    archive.check()
    expected = {
        (7, 5): 75,
        (8, 0): 80,
        (8, 6): 86,
        (8, 7): 86,
        (8, 9): 89,
        (9, 0): 90,
        (10, 0): 100,
        (10, 3): 100,
        (12, 1): 120,
    }
    for capability, number in expected.items():
        assert archive.image("march", capability) == f"march.sm_{number}.cubin".encode()
    for capability in ((11, 0), (13, 0)):
        assert archive.image("march", capability) == b"march.compute_80.ptx\0"
    with pytest.raises(NoDeviceError, match=r"6\.1 is below 7\.5"):
        archive.image("march", (6, 1))


def test_archive_of_other_sources_or_damaged_or_missing_is_refused(tmp_path, monkeypatch):
    with pytest.raises(NoDeviceError, match="another version"):
        archive_at(tmp_path / "old.zip", [], "0" * 64).check()
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(NoDeviceError, match="damaged"):
        KernelArchive(tmp_path / "bad.zip").check()
    with pytest.raises(NoDeviceError, match=r"lacks march\.sm_90"):
        archive_at(tmp_path / "few.zip", []).image("march", (9, 0))
    monkeypatch.setattr("engine.cuda.archive.FOLDER", tmp_path / "a/b")
    monkeypatch.delenv("NEURAL_IMPLICIT_KERNELS", raising=False)
    with pytest.raises(NoDeviceError, match=r"build\.py cuda"):
        find_archive()
