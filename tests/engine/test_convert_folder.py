"""`convert` of a folder, as whole processes: what is made, what fails, what is skipped, and the exit codes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.conversion.folder_conversion import jobs_of
from engine.errors import MeshFileError
from engine.protocol.weights import NeuralWeights

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--preset", "draft", "--width", "16", "--depth", "3", "--epochs", "4", "--samples", "20000"]


def run(source, target, *more):
    command = [sys.executable, "-m", "engine", "convert", source, "-o", target, *TINY, *more]
    return subprocess.run([str(a) for a in command], cwd=ROOT, capture_output=True, text=True, timeout=400)


@pytest.fixture
def meshes(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    trimesh.creation.icosphere(2).export(folder / "ball.ply")
    trimesh.creation.box((1.0, 2.0, 1.5)).export(folder / "crate.stl")
    (folder / "broken.obj").write_text("v 0 0 0\n")
    (folder / "notes.txt").write_text("no mesh")
    return folder


def test_folder_gives_a_network_each_and_a_failure_stops_nothing(tmp_path, meshes):
    target, plots = tmp_path / "out", tmp_path / "plots"
    first = run(meshes, target, "--batch", "500", "--learning-rate", "0.005", "--plot", plots)
    assert first.returncode == 3 and "1 of 3 shapes" in first.stderr, first.stderr
    rows = json.loads((target / "results.json").read_text())
    assert [row["mesh"] for row in rows] == ["ball.ply", "broken.obj", "crate.stl"]
    assert "no faces" in rows[1]["error"] and "error" not in rows[0]
    for name in ("ball", "crate"):
        assert NeuralWeights.load(target / f"{name}.safetensors").architecture.width == 16
        assert (plots / f"{name}.png").is_file()
    table = list(csv.DictReader((target / "results.csv").read_text().splitlines()))
    assert [row["mesh"] for row in table] == [row["mesh"] for row in rows]
    assert float(table[0]["surface_mean"]) == rows[0]["surface_mean"] < 0.03

    times = {path: path.stat().st_mtime_ns for path in target.glob("*.safetensors")}
    trimesh.creation.box((1.0, 1.0, 1.0)).export(meshes / "broken.obj")  # put right
    again = run(meshes, target, "--batch", "500", "--learning-rate", "0.005", "--plot", plots)
    assert again.returncode in (0, 4) and again.stdout.count("done before") == 2, again.stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (target / "broken.safetensors").is_file()

    other = run(meshes, target, "--batch", "500", "--learning-rate", "0.004", "--plot", plots, "--json")
    told = [json.loads(line) for line in other.stdout.splitlines()]
    assert len(told) == 3 and all(row["seconds"] > 0.0 for row in told)
    assert all(path.stat().st_mtime_ns > times[path] for path in times)  # another setting: made anew


def test_meshes_of_one_name_go_to_files_of_their_own(tmp_path):
    for name in ("a.obj", "a.ply", "b.off"):
        (tmp_path / name).write_bytes(b"x")
    jobs = jobs_of(tmp_path, tmp_path / "out", lambda name: ["--seed", "3"])
    assert [job.weights.name for job in jobs] == ["a_obj.safetensors", "a_ply.safetensors", "b.safetensors"]
    assert len({job.key for job in jobs}) == 3


def test_folder_without_a_mesh_is_a_sentence(tmp_path):
    with pytest.raises(MeshFileError, match="holds no mesh"):
        jobs_of(tmp_path, tmp_path, lambda name: [])
    done = run(tmp_path, tmp_path / "out")
    assert done.returncode == 3 and "holds no mesh" in done.stderr and "Traceback" not in done.stderr


def test_conversion_that_is_killed_is_a_row_of_its_own(tmp_path, meshes, monkeypatch):
    from engine.conversion import folder_conversion

    (meshes / "broken.obj").unlink()
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\ncase "$*" in *ball*) kill -9 $$;; esac\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    (tmp_path / "out").mkdir()
    jobs = jobs_of(meshes, tmp_path / "out", lambda name: [*TINY, "--batch", "500"])
    rows = [
        row for row, _ in folder_conversion.convert_folder(jobs, tmp_path / "out", lambda job, message: None)
    ]
    assert "code -9" in rows[0]["error"] and np.isfinite(rows[1]["surface_mean"])
