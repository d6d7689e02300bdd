"""The packages that reach NVIDIA's driver, without a GPU: what lies between the command line and the device functions.

The real cuda-bindings works on a driver library of ours (fake_libcuda.cpp), in processes of its own; PyCUDA, which cannot be
built everywhere, is a module of ours (fake_pycuda.py). Both must do the same.
"""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from engine.cuda.choose import open_session
from engine.cuda.errors import DeviceLostError, DeviceMemoryError, NoDeviceError
from engine.cuda.pycuda_device import PycudaDriver
from engine.network.field import Field
from engine.tracing.cuda import CudaTracer
from tests.cuda import fake_driver, fake_libcuda, fake_pycuda
from tests.engine.networks import octahedron, random_network
from tests.oracles import rays_towards_origin

# ---- cuda-bindings, in processes of their own


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """What a process of driver_trials.py found."""
    done = fake_libcuda.run(
        ["-m", "tests.cuda.driver_trials"], fake_libcuda.environment(tmp_path_factory.mktemp("kernels"))
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "log": done.stderr}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("works", "Fake GPU 0 by cuda-bindings"),
        (
            "driver of another generation",
            "Fake GPU 0: the NVIDIA driver is for CUDA 12.4 and the kernels need 13.0; install",
        ),
        (
            "old driver",
            "the NVIDIA driver is for CUDA 11.4 and the kernels need 12.0; install a newer driver",
        ),
        ("no device", "cuda-bindings: there is no NVIDIA GPU"),
        ("does not start", "the NVIDIA driver does not start (CUDA_ERROR_NO_DEVICE)"),
        ("other library", "the NVIDIA driver does not start (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)"),
        ("old chip", "Fake GPU 0: its compute capability is 6.1 and the kernels need 7.5"),
        ("no memory", "the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)"),
        (
            "kernels not taken",
            "Fake GPU 0: its driver does not take the kernels, the GPU failed (CUDA_ERROR_INVALID_IMAGE)",
        ),
        ("wanted 2", "Fake GPU 2 by cuda-bindings"),
        ("wanted gpu 1", "Fake GPU 1 by cuda-bindings"),
        (
            "wanted H100",
            "there is no GPU 'H100', which NEURAL_IMPLICIT_GPU asks for; there are: 0 (Fake GPU 0)",
        ),
    ],
)
def test_each_setting_of_the_driver_is_a_device_or_a_sentence(trials, setting, said):
    assert trials["sentences"][setting].startswith(said)


def test_numbers_through_nvidias_package_are_right_and_all_memory_is_given_back(trials):
    numbers = trials["numbers"]
    assert numbers["value"] < 1e-5 and numbers["slope"] < 1e-4
    assert numbers["hits"] > 100 and numbers["off"] < 1e-5
    assert numbers["shared"] == [True, True] and numbers["whole"] and numbers["seconds"] > 0.0
    assert numbers["left"] == 0


def test_gpu_that_is_lost_is_told_by_a_later_call_and_the_cpu_goes_on(trials):
    assert trials["lost"] == {"same": [True, True], "hits": trials["lost"]["hits"], "lost": True}
    assert trials["log"].count("CUDA_ERROR_ILLEGAL_ADDRESS): the CPU goes on with this shape") == 1


def test_trial_for_the_doctor_says_what_works(tmp_path):
    done = fake_libcuda.run(["-m", "engine.cuda.trial"], fake_libcuda.environment(tmp_path))
    assert done.stdout == "Fake GPU 0 (compute capability 9.0) by cuda-bindings\n", done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lost": 1}, "the GPU was lost earlier; restart the engine to use it again; the CPU traces"),
        ({"memory": 100_000}, "Fake GPU 0 cannot go on; the CPU traces"),
    ],
)
def test_trial_for_the_doctor_does_not_take_the_cpus_work_for_the_gpus(settings, said, tmp_path):
    done = fake_libcuda.run(["-m", "engine.cuda.trial"], fake_libcuda.environment(tmp_path, **settings))
    assert done.returncode == 1 and said in done.stderr and done.stdout == ""


def test_command_line_draws_on_it_what_the_cpu_draws(tmp_path):
    weights, pictures = tmp_path / "gem.safetensors", {}
    weights.write_bytes(octahedron().to_bytes())
    command = ["-m", "engine", "render", str(weights), "--size", "96x64", "--samples", "2"]
    for device in ("cuda", "cpu"):
        out = tmp_path / f"{device}.png"
        variables = fake_libcuda.environment(tmp_path)
        done = fake_libcuda.run([*command, "-o", str(out), "--device", device], variables)
        assert done.returncode == 0 and done.stderr == "", done.stderr  # a GPU that gives up is told
        pictures[device] = np.asarray(Image.open(out), np.int64)
    apart = np.abs(pictures["cuda"] - pictures["cpu"]).max(axis=2)
    assert (apart > 2).mean() < 0.01 and pictures["cpu"].std() > 10
    none = fake_libcuda.environment(tmp_path, devices=0)
    done = fake_libcuda.run([*command, "-o", str(tmp_path / "none.png"), "--device", "cuda"], none)
    assert done.returncode != 0 and "there is no NVIDIA GPU" in done.stderr + done.stdout


# ---- PyCUDA


def pycuda(monkeypatch, **settings):
    """Put a PyCUDA in place; gives the module and how to open a session."""
    module = fake_pycuda.FakePycuda(**settings)
    monkeypatch.setitem(sys.modules, "pycuda.driver", module)
    return module, lambda wanted="": open_session(
        [PycudaDriver()], wanted, lambda: fake_driver.AnyArchive(None)
    )


def test_pycuda_gives_right_numbers_and_leaves_no_context_behind(monkeypatch):
    module, opened = pycuda(monkeypatch)
    session = opened()
    assert session.device.info.by == "PyCUDA" and session.device.info.clock_hz == 1e9
    weights = random_network(activation="hard_gelu", width=20, depth=3, seed=5)
    tracer, points = CudaTracer(weights, session), np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    first = session.device.mark()
    assert np.abs(tracer.value(points) - Field(weights).value(points)).max() < 1e-5
    assert np.abs(tracer.gradient(points) - Field(weights).gradient(points)).max() < 1e-4
    assert session.device.seconds_between(first, session.device.mark()) > 0.0
    memory, staging = np.zeros(1 << 20, np.uint8), module.registered
    assert session.share(memory) and module.registered == staging + 1
    session.release_shared()
    assert module.registered == staging and fake_pycuda.contexts() == []
    large = session.array(np.arange(1 << 19, dtype=np.float64))
    assert (session.download(large, (1 << 19,), np.float64) == np.arange(1 << 19)).all()
    del tracer, large
    session.pool().trim()
    assert module.blocks == []
    session.device.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"version": 11040}, r"for CUDA 11\.4 and the kernels need 12\.0; install a newer driver"),
        ({"fails": "init"}, "does not start .cuInit failed: no CUDA-capable device"),
        ({"names": ()}, "PyCUDA: there is no NVIDIA GPU"),
        ({"capability": (6, 1)}, r"Fake H100: its compute capability is 6\.1 and the kernels need 7\.5"),
        ({"fails": "retain"}, "Fake H100: the GPU failed .cuDevicePrimaryCtxRetain failed: device busy"),
        ({"fails": "load"}, "its driver does not take the kernels.*kernel image is invalid"),
        ({"fails": "push"}, "the GPU failed .cuCtxPushCurrent failed"),
    ],
)
def test_what_is_wrong_with_pycuda_is_a_sentence(monkeypatch, settings, said):
    _, opened = pycuda(monkeypatch, **settings)
    with pytest.raises(NoDeviceError, match=said):
        opened()
    assert fake_pycuda.contexts() == []


def test_pycudas_errors_become_ours(monkeypatch):
    module, opened = pycuda(monkeypatch, memory=1 << 20)
    session = opened()
    with pytest.raises(DeviceMemoryError, match=r"memory is full .cuMemAlloc failed"):
        session.empty(2 << 20)
    assert not session.lost
    module.fails = "pin"
    assert not session.share(np.zeros(4096, np.uint8)) and not session.lost
    module.fails = "wait"
    with pytest.raises(DeviceLostError, match="illegal memory access"):
        session.array(np.zeros(4))
    assert session.lost and fake_pycuda.contexts() == []


def test_kernel_that_fails_in_pycuda_sends_the_request_to_the_cpu(monkeypatch, caplog):
    module, opened = pycuda(monkeypatch)
    tracer = CudaTracer(octahedron(), opened())
    rays = (*rays_towards_origin(300), np.zeros(300), np.full(300, 1e9))
    before = np.isfinite(tracer.trace(*rays))
    module.fails = "launch"
    assert np.array_equal(np.isfinite(tracer.trace(*rays)), before)
    assert "unspecified launch failure" in caplog.text and tracer.session.lost
