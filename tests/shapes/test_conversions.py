"""A few shapes of the suite converted for real, draft: none is silently bad. `bench shapes` converts them all."""

import numpy as np
import pytest

from engine.conversion.convert import convert
from engine.conversion.presets import convert_options
from engine.protocol.weights import NeuralWeights
from tests.shapes.families import shape


def converted(name, tmp_path, **settings):
    mesh = shape(name)
    source, output = tmp_path / f"{name}.npz", tmp_path / f"{name}.safetensors"
    np.savez(source, vertices=mesh.vertices, triangles=mesh.faces, name=name)
    options = convert_options(output=output, **({"preset": "draft"} | settings))
    return convert(source, options, lambda message: None), NeuralWeights.load(output)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gear-8", "onion", "cup", "overlapping-balls"])
def test_shapes_of_several_families_are_right_or_say_that_they_are_not(name, tmp_path):
    result, weights = converted(name, tmp_path)
    errors, missed = result.report["errors"], {one["name"] for one in result.report["missed"]}
    assert errors["iou"] >= 0.95 or "overlap" in missed
    assert errors["surface_lost"] < 0.01 or "lost" in missed
    assert errors["floating_parts"] == 0 or "floating_parts" in missed
    assert errors["missing_parts"] == 0 or "missing_parts" in missed
    assert bool(missed) == result.report["missed_aim"] == (weights.description.errors["missed"] > 0)
    assert not missed  # these four are reached by draft
    assert result.num_bytes < 18_000 or not weights.float16 or result.report["architecture"]["width"] > 32


@pytest.mark.slow
def test_a_shape_that_cannot_be_had_ends_with_the_code_of_a_missed_aim(tmp_path):
    import json
    import subprocess
    import sys

    mesh = shape("wheel")
    np.savez(tmp_path / "wheel.npz", vertices=mesh.vertices, triangles=mesh.faces, name="wheel")
    command = [sys.executable, "-m", "engine", "convert", str(tmp_path / "wheel.npz"), "--preset", "draft"]
    command += ["-o", str(tmp_path / "out.safetensors"), "--report", str(tmp_path / "report.json")]
    command += ["--width", "8", "--depth", "2", "--samples", "20000"]  # a size of its own does not grow
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 4, ended.stderr
    assert "missing or more than 1 % off" in ended.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["missed_aim"] and "lost" in {one["name"] for one in report["missed"]}
    weights = NeuralWeights.load(tmp_path / "out.safetensors")
    assert weights.description.errors["missed"] == len(report["missed"])
    assert {attempt["width"] for attempt in report["attempts"]} == {8} and len(report["attempts"]) > 1


@pytest.mark.slow
def test_a_number_of_bytes_is_kept(tmp_path):
    result, weights = converted("cup", tmp_path, num_bytes=5000, samples=50_000)
    assert result.num_bytes <= 5000 and weights.float16
    assert result.num_bytes > 3500  # and used


@pytest.mark.slow
def test_a_tolerance_in_object_units_is_met_by_a_small_network(tmp_path):
    mesh = shape("ball")
    length = 0.01  # of a ball of radius 1
    result, weights = converted("ball", tmp_path, tolerance_object=length, samples=200_000)
    error = result.report["errors"]["surface_mean"] * result.report["object_length_of_unit"]
    assert error <= length and "tolerance" not in {one["name"] for one in result.report["missed"]}
    assert weights.architecture.num_parameters() < 3000  # the default has 7,553
    assert np.ptp(mesh.vertices[:, 0]) == pytest.approx(2.0, abs=0.01)
