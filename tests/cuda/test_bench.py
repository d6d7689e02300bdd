"""`build.py bench cuda` can be run: each part on a fake device or library, so that the first run with a GPU finds no slip."""

import shutil
import sys
import time

import pytest
from rich.console import Console

from engine.cuda import choose
from engine.cuda.errors import NoDeviceError
from engine.protocol.weights import Architecture
from engine.tracing import device_choice
from tests.benchmarks import _cuda_every_kernel, _cuda_roofline, cuda
from tests.benchmarks import _cuda_parts as parts
from tests.benchmarks import _cuda_processes as processes
from tests.cuda import fake_driver, fake_libcuda
from tests.cuda.test_kernels import KERNELS
from tests.engine.networks import octahedron

SMALL = parts.Scale(pictures={"1080p": (32, 18)}, points=200, rays=200, repeats=1, grid=64)
NCU = """==PROF== Connected to process 1
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","1","march_32","gpu__time_duration.sum","ns","1,200"
"0","1","march_32","sm__throughput.avg.pct_of_peak_sustained_elapsed","%","55.5"
"1","1","march_32","gpu__time_duration.sum","ns","2,400"
"1","1","march_32","sm__throughput.avg.pct_of_peak_sustained_elapsed","%","61.25"
"2","1","evaluate_points","gpu__time_duration.sum","ns","7"
"2","1","evaluate_points","launch__waves","","7"
"""


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A fake device that everything is drawn on, and shapes that a host can trace in a moment."""
    found = fake_driver.session(fake_driver.FakeDevice(fake_driver.info(clock_hz=1e9)))
    gem = tmp_path / "gem.safetensors"
    gem.write_bytes(octahedron().to_bytes())
    monkeypatch.setattr("engine.cuda.choose.shared_session", lambda: found)
    monkeypatch.setattr("engine.tracing.certified_cache.cache_folder", lambda: tmp_path)
    monkeypatch.setattr(parts, "SPOT", gem)
    monkeypatch.setattr(device_choice, "_chosen", ["cuda"])
    monkeypatch.setattr(parts, "SHAPES", tmp_path / "none")
    return found


def test_every_part_in_this_process_gives_its_figures(session):
    seen = {}
    results = cuda.measure(session, SMALL, seen.__setitem__, cuda.HERE)
    assert list(seen) == list(cuda.HERE) and not cuda.has_failed(results)
    assert results["correctness"]["half"]["rays that disagree"] == 0
    assert results["correctness"]["single"]["value error"] < 1e-5
    assert set(results["evaluations"]) == {f"{w} {p}" for w in (32, 64, 128) for p in ("single", "half")}
    assert all(row["evaluations/s"] > 0 and row["% of peak"] > 0 for row in results["evaluations"].values())
    assert set(results["march"]) == {"gem 1080p", "octahedron 1080p"}
    assert results["request to picture"]["1080p"]["planes"] == "DevicePlanes"
    assert results["certified structure, s"]["GPU cells"] > 100
    reached = {what: value for what, _, value in cuda.aims(results)}
    assert (
        reached["2e10 evaluations/s at width 32"] > 0 and reached["1080p in the kernel, 1,000 frames/s"] > 0
    )
    assert reached["the paper's algorithm, 300 times"] is None
    console = Console(record=True, width=160)
    for name in cuda.HERE:
        console.print(cuda.table(name, results[name]))
    assert "octahedron 1080p" in console.export_text()


def test_shapes_are_four_where_a_folder_has_them(tmp_path, monkeypatch):
    for name in ("armadillo", "bunny", "lucy", "zebra"):
        (tmp_path / f"{name}.safetensors").write_bytes(octahedron().to_bytes())
    monkeypatch.setenv(parts.VARIABLE, str(tmp_path))
    assert list(parts.shapes()) == ["armadillo", "bunny", "lucy", "octahedron"]
    assert parts.shape_files()[0].stem == "armadillo"  # whose tracing in torch is compared


def test_paper_is_compared_on_the_first_shape_that_is_drawn():
    march = {"armadillo 1080p": {"frames/s": 900.0}, "spot 1080p": {"frames/s": 800.0}}
    reached = {what: value for what, _, value in cuda.aims({"march": march, "torch": {cuda.PAPER: 2.0}})}
    assert reached["the paper's algorithm, 300 times"] == 450.0
    assert reached["1080p in the kernel, 1,000 frames/s"] == 900.0


def test_failure_of_one_part_does_not_cost_the_others(session, monkeypatch):
    monkeypatch.setitem(cuda.HERE, "march", lambda *_: 1 / 0)
    results = cuda.measure(session, SMALL, lambda *_: None, ("march", "certified structure, s"))
    assert "ZeroDivisionError" in results["march"]["failed"] and cuda.has_failed(results)
    assert results["certified structure, s"]["GPU"] > 0


def test_no_part_begins_without_time_and_none_gets_more_than_is_left(session, monkeypatch):
    given = []
    monkeypatch.setitem(cuda.PROCESSES, "torch", (lambda seconds: given.append(seconds) or {}, 60.0))
    results = cuda.measure(session, SMALL, lambda *_: None, ("torch",), limit_s=5.0)
    assert results["torch"] == {"left out": "no time was left"} and given == []
    cuda.measure(session, SMALL, lambda *_: None, ("torch",), limit_s=30.0)
    assert 25.0 < given[0] <= 30.0
    assert cuda.LIMIT_S < 600.0


def test_what_was_found_wrong_is_a_failure():
    assert not cuda.has_failed({"memcheck": {"left out": "no tool"}, "device": "any"})
    assert cuda.has_failed({"memcheck": {"clean": False}}) and cuda.has_failed({"tests": {"passed": False}})
    assert cuda.has_failed({"tests and checks": {"racecheck": {"clean": True}, "frame": {"passed": False}}})


def test_without_a_gpu_it_says_so_and_ends(monkeypatch, capsys):
    def none():
        raise NoDeviceError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(cuda, "shared_session", none)
    assert cuda.main() == 0
    said = capsys.readouterr().out
    assert said.startswith("no CUDA device, so nothing is measured: there is no NVIDIA driver")


@pytest.mark.parametrize("gpus", [0, 1])
def test_missing_kernels_are_compiled_where_there_is_a_gpu(gpus, session, monkeypatch, tmp_path):
    """The archive is not there at first; without a GPU nothing is compiled."""
    compiled = []

    def opened():
        if not compiled:
            raise NoDeviceError("the compiled kernels are not there")
        return session

    monkeypatch.setattr(cuda, "shared_session", opened)
    monkeypatch.setattr(choose, "drivers", lambda: [fake_driver.FakeDriver([fake_driver.info()] * gpus)])
    monkeypatch.setattr(cuda.kernels, "write_archive", compiled.append)
    if gpus:
        assert cuda.open_device(Console(quiet=True)) is session and compiled == [parts.ROOT / "dist"]
    else:
        with pytest.raises(NoDeviceError, match="not there"):
            cuda.open_device(Console(quiet=True))
        assert compiled == []


def test_share_of_the_peak_is_counted_from_the_networks_matrices():
    network = Architecture(width=32, depth=8)
    assert _cuda_roofline.weights_of(network) == 3 * 32 + 7 * 32 * 32 + 32
    assert _cuda_roofline.padded_weights_of(network) == 3 * 32 * (16 + 7 * 32)
    chip = fake_driver.info(capability=(9, 0), multiprocessors=132, clock_hz=1.83e9)
    assert 2 * _cuda_roofline.peak(chip, True) == pytest.approx(
        989e12, rel=0.01
    )  # as NVIDIA states for an H100 SXM
    assert 2 * _cuda_roofline.peak(chip, False) == pytest.approx(61.9e12, rel=0.1)
    looks = _cuda_roofline.peak(chip, False) / _cuda_roofline.weights_of(network)
    assert _cuda_roofline.share(chip, network, looks, 0, 2.0) == pytest.approx(50.0)
    assert _cuda_roofline.share(fake_driver.info(clock_hz=0.0), network, 1, 1, 1.0) is None
    assert _cuda_roofline.peak(fake_driver.info(capability=(13, 0), clock_hz=1e9), True) is None


def test_profilers_table_is_read():
    found = processes.profiled(NCU)
    assert found == {
        "march_32": {"ns": 2400.0, "% of the multiprocessors": 61.25},
        "evaluate_points": {"ns": 7.0},
    }
    assert processes.profiled("==ERROR== no permission") == {}


def test_profiler_without_permission_is_left_out(monkeypatch, tmp_path):
    tool = tmp_path / "ncu"
    tool.write_text(
        '#!/bin/sh\necho "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission"\nexit 1\n'
    )
    tool.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_: str(tool))
    assert "only administrators" in processes.profile(10.0)["left out"]
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert "failed" in processes.profile(10.0)


def test_tools_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_: None)
    assert "no ncu" in processes.profile(10.0)["left out"]
    assert "no compute-sanitizer" in processes.sanitizer("memcheck")(10.0)["left out"]


@pytest.mark.parametrize("code", [0, 9])
def test_sanitizers_code_says_whether_it_was_clean(code, monkeypatch, tmp_path):
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    tool.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_: str(tool))
    found = processes.sanitizer("racecheck")(10.0)
    assert found["clean"] == (code == 0)
    assert found["says"].startswith("--tool racecheck --error-exitcode 9") and "small" in found["says"]


def test_tests_and_checks_run_at_once_and_each_says_how_it_ended(monkeypatch):
    """Two files of tests, one that fails; the checks' tool is not there."""
    monkeypatch.setattr(shutil, "which", lambda *_: None)
    monkeypatch.setattr(processes, "TESTS", ["tests/test_none.py", "tests/engine/test_frames.py"])
    monkeypatch.setattr(processes, "AT_ONCE", 2)
    found = processes.proofs(300.0)
    assert list(found) == ["memcheck", "racecheck", "initcheck", "test_none", "test_frames"]
    assert "no compute-sanitizer" in found["initcheck"]["left out"]
    assert found["test_frames"]["passed"], found["test_frames"]
    assert not found["test_none"]["passed"] and cuda.has_failed({"tests and checks": found})
    assert set(processes.proofs(0.0)["test_frames"]) == {"passed", "says"}


def test_every_kernel_is_among_those_that_the_tools_see(session, monkeypatch, capsys):
    device = fake_driver.FakeDevice(fake_driver.info())
    on_device = fake_driver.session(device)
    for module in ("engine.cuda.choose", "tests.benchmarks._cuda_every_kernel"):
        monkeypatch.setattr(f"{module}.shared_session", lambda: on_device)
    assert _cuda_every_kernel.main(["small"]) == 0
    assert {name for name, *_ in device.launches} == KERNELS
    assert "every kernel ran on Fake H100" in capsys.readouterr().out


@pytest.mark.slow
def test_every_kernel_runs_through_the_driver_library(tmp_path):
    command = ["-m", "tests.benchmarks._cuda_every_kernel", "small"]
    done = fake_libcuda.run(command, fake_libcuda.environment(tmp_path), 500.0)
    assert done.returncode == 0, done.stderr
    assert "every kernel ran on Fake GPU 0" in done.stdout


def test_process_that_takes_too_long_ends_in_time():
    start = time.monotonic()
    code, said, _ = processes.process([sys.executable, "-c", "import time; time.sleep(30)"], 1.0)
    assert code is None and "more than 1 s" in said and time.monotonic() - start < 20.0


def test_torch_without_a_gpu_leaves_its_part_out():
    found = processes.against_torch(120.0)
    assert "torch sees no CUDA device" in found.get("left out", "") or "layer by layer, 32 half" in found


@pytest.mark.slow
def test_request_to_the_served_engine_comes_back_from_the_device(tmp_path):
    gem = tmp_path / "gem.safetensors"
    gem.write_bytes(octahedron().to_bytes())
    command = ["-m", "tests.benchmarks._cuda_served", "64x36", str(gem)]
    done = fake_libcuda.run(command, fake_libcuda.environment(tmp_path), 300.0)
    assert done.returncode == 0, done.stderr
    assert '"on the GPU": true' in done.stdout


def test_tests_can_be_run_on_a_device_that_a_driver_gives(tmp_path):
    """The suite that a GPU is proven with: here on the fake library, through NVIDIA's package."""
    variables = fake_libcuda.environment(tmp_path) | {"NEURAL_IMPLICIT_TEST_GPU": "1"}
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cuda/test_triangles.py"]
    command += ["tests/cuda/test_device_functions.py", "-k", "warp_finds or octahedron or skips"]
    done = fake_libcuda.run(command, variables, 300.0)
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout
