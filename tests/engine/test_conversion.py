"""`convert` and `measure` as whole processes and as calls: results, snapshots, exit codes, faults, equal bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.conversion import fit_job
from engine.conversion.convert import convert
from engine.conversion.presets import convert_options
from engine.errors import FitError, OutputError
from engine.protocol.messages import PROTOCOL_VERSION, Hello, Progress, Snapshot, encode
from engine.protocol.weights import NeuralWeights
from tests.engine.shapes import sheet

ROOT = Path(__file__).resolve().parents[2]
SPOT = ROOT / "examples/spot.obj"
TINY = ["--preset", "draft", "--width", "8", "--depth", "2", "--samples", "20000"]
HELLO = encode(Hello(protocol_version=PROTOCOL_VERSION, software="a test"))


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "engine", *map(str, arguments)]


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, timeout=120, **options)


def tiny(tmp_path, **settings):
    settings = {"preset": "draft", "width": 8, "depth": 2, "samples": 20_000} | settings
    return convert_options(output=tmp_path / "out.safetensors", **settings)


@pytest.fixture
def ball(tmp_path) -> Path:
    trimesh.creation.icosphere(2).export(tmp_path / "ball.ply")
    return tmp_path / "ball.ply"


def test_spot_converts_within_the_projects_error_and_size(tmp_path):
    out, report = tmp_path / "spot.safetensors", tmp_path / "spot.json"
    done = run("convert", SPOT, "-o", out, "--report", report, "--preset", "draft")
    assert done.returncode == 0, done.stderr
    measured = json.loads(run("measure", out, SPOT, "--json", "--points", "20000", "--seed", "9").stdout)
    assert measured["surface_mean"] < 0.002 and measured["iou"] > 0.98  # what the project promises of spot
    assert measured["floating_parts"] == 0.0 and measured["normal_consistency"] > 0.98
    assert out.stat().st_size < 18_000  # in half precision, which costs it nothing
    told = json.loads(report.read_text())
    # the same errors from other points: the standard error of a mean of 20,000 is under 1 %
    assert told["errors"]["surface_mean"] == pytest.approx(measured["surface_mean"], rel=0.05)
    weights = NeuralWeights.load(out)
    assert weights.description.errors["iou"] == pytest.approx(told["errors"]["iou"], abs=1e-4)  # four digits
    assert weights.float16 and weights.description.errors["missed"] == 0.0 and told["missed"] == []
    assert (weights.bounds_unit[0] > -1.0).any() and (weights.bounds_unit[1] > weights.bounds_unit[0]).all()


def test_equal_seeds_give_equal_files(tmp_path, ball):
    files = []
    for name in ("a", "b"):
        assert run("convert", ball, "-o", tmp_path / name, *TINY).returncode == 0
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_messages_tell_progress_snapshots_and_the_result(tmp_path, ball):
    out, proxy = tmp_path / "out.safetensors", tmp_path / "proxy.npz"
    arguments = command("convert", ball, "-o", out, "--proxy", proxy, "--messages", "--preset", "draft")
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(HELLO)
        process.stdin.flush()
        told = [json.loads(process.stdout.readline())]
        while told[-1]["kind"] not in ("converted", "failure"):
            told.append(json.loads(process.stdout.readline()))
            if told[-1]["kind"] == "snapshot":
                NeuralWeights.load(out)
                assert set(np.load(proxy)) == {"vertices_unit", "triangles"}
    kinds = [message["kind"] for message in told]
    assert kinds[0] == "welcome" and kinds[-1] == "converted" and "snapshot" in kinds
    fractions = [message["fraction"] for message in told if message["kind"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] > 0.95
    assert told[-1]["num_bytes"] == out.stat().st_size and process.returncode == 0


def test_the_end_of_input_ends_the_engine_and_leaves_no_half_file(tmp_path):
    out = tmp_path / "out.safetensors"
    arguments = command("convert", SPOT, "-o", out, "--messages")
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(HELLO)
        process.stdin.flush()
        while json.loads(process.stdout.readline())["kind"] != "snapshot":
            pass
        process.stdin.close()
        start = time.monotonic()
        process.wait(10)
        assert time.monotonic() - start < 5.0  # no orphan after five seconds
    assert NeuralWeights.load(out).architecture.width == 32


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill without a word")
def test_a_killed_command_line_run_keeps_the_older_result(tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"older")
    with subprocess.Popen(
        command("convert", SPOT, "-o", out, "--json"), cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        while json.loads(process.stdout.readline())["phase"] != "fitting":
            pass
        process.kill()
    assert out.read_bytes() == b"older"


def test_usage_and_errors_have_their_exit_codes(tmp_path, ball):
    assert run("convert", ball).returncode == 2
    assert run("convert", ball, "-o", tmp_path / "o", "--preset", "perfect").returncode == 2
    missing = run("convert", tmp_path / "none.obj", "-o", tmp_path / "o")
    assert missing.returncode == 3 and b"not there" in missing.stderr and b"Traceback" not in missing.stderr
    told = run("convert", tmp_path / "none.obj", "-o", tmp_path / "o", "--json")
    last = json.loads(told.stdout.splitlines()[-1])
    assert told.returncode == 3 and last["kind"] == "failure" and last["code"] == "mesh_file"


def test_measuring_against_another_mesh_is_refused(tmp_path, ball):
    convert(ball, tiny(tmp_path), lambda message: None)
    trimesh.creation.icosphere(2, radius=3.0).export(tmp_path / "large.ply")
    done = run("measure", tmp_path / "out.safetensors", tmp_path / "large.ply")
    assert done.returncode == 3 and b"source mesh" in done.stderr


def test_a_missing_output_folder_is_found_before_anything_is_read(tmp_path):
    told = []
    with pytest.raises(OutputError, match="cannot be written"):
        convert(tmp_path / "none.obj", tiny(tmp_path / "no folder"), told.append)
    assert told == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch, ball):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    (tmp_path / "out.safetensors").write_bytes(b"older")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="free some space"):
        convert(ball, tiny(tmp_path), lambda message: None)
    assert (tmp_path / "out.safetensors").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball.ply", "out.safetensors"]


def test_a_collapsed_fit_is_tried_again_with_another_seed(tmp_path, monkeypatch, ball):
    seeds, real = [], fit_job.fit

    def first_one_fails(truth, options, report):
        seeds.append(options.seed)
        parameters = real(truth, options, report)
        if len(seeds) == 1:
            parameters[:] = 0.0
            parameters[-1, 0, -1] = 0.3  # constant: no zero set
        return parameters

    monkeypatch.setattr(fit_job, "fit", first_one_fails)
    converted = convert(ball, tiny(tmp_path), lambda message: None)
    assert len(set(seeds)) == 2 and "collapsed" in converted.warnings[0]
    assert converted.report["seed"] == seeds[1]


def test_a_fit_that_always_collapses_is_an_error_and_writes_nothing(tmp_path, monkeypatch, ball):
    real = fit_job.fit
    monkeypatch.setattr(fit_job, "fit", lambda *arguments: real(*arguments) * 0.0 + 0.0)
    with pytest.raises(FitError, match="came out empty"):
        convert(ball, tiny(tmp_path), lambda message: None)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_sheet_converts_as_a_shell_and_says_so(tmp_path):
    flat = sheet()
    np.savez(tmp_path / "sheet.npz", vertices=flat.vertices, triangles=flat.faces, name="sheet")
    options = tiny(tmp_path, width=16, depth=3)
    converted = convert(tmp_path / "sheet.npz", options, lambda message: None)
    assert "thickness" in converted.warnings[0] and converted.report["surface"]["sign_rule"] == "shell"
    assert converted.report["errors"]["surface_lost"] < 0.05  # a small network at a sheet's corners


@pytest.mark.slow
def test_a_million_faces_convert_in_bounded_memory_without_a_pause(tmp_path):
    trimesh.creation.icosphere(8).export(tmp_path / "large.ply")  # 1.3 million
    last, longest, seen = time.monotonic(), 0.0, set()
    script = """
import atexit, resource, sys
from engine.__main__ import main
atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr))
main(sys.argv[1:])
"""
    arguments = [sys.executable, "-c", script, "convert", str(tmp_path / "large.ply")]
    arguments += ["-o", str(tmp_path / "out"), "--json", *TINY]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=ROOT, stdout=pipe, stderr=pipe) as process:
        for line in process.stdout:
            seen.add(json.loads(line)["kind"])
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        log = process.stderr.read().decode()
    assert "converted" in seen, log
    assert longest < 10.0  # half a second between words; building a search tree and imports hold them up
    assert int(log.split()[-1]) < 3_000_000  # kB


def test_progress_and_snapshots_come_in_order(tmp_path, ball):
    told = []
    convert(ball, tiny(tmp_path), told.append)
    phases = [message.phase for message in told if isinstance(message, Progress)]
    order = ["reading", "checking", "sampling", "fitting", "measuring", "writing"]
    assert [phase for phase in order if phase in phases] == order
    assert [order.index(phase) for phase in phases] == sorted(order.index(phase) for phase in phases)
    assert not any(
        isinstance(message, Snapshot) for message in told
    )  # nobody asked: an older file stays whole
