"""Runs that begin with old weights: the old field in the new space, fewer steps, random weights where that does not do."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from engine.commands.convert import command
from engine.conversion.convert import convert
from engine.conversion.presets import convert_options
from engine.errors import EngineError, OptionError
from engine.fitting.fit import start_of
from engine.fitting.warm_start import moved, warm_run
from engine.network.field import Field
from engine.network.parameters import split_parameters
from engine.protocol.weights import NeuralWeights
from tests.engine.networks import random_network

SMALL = {"preset": "draft", "width": 12, "depth": 3, "samples": 60_000}


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> NeuralWeights:
    """An egg's weights."""
    folder = tmp_path_factory.mktemp("egg")
    convert(egg(folder, 1.3), convert_options(output=folder / "egg.safetensors", **SMALL), lambda told: None)
    return NeuralWeights.load(folder / "egg.safetensors")


def egg(folder, height):
    mesh = trimesh.creation.icosphere(3, radius=2.0)
    mesh.apply_scale((1.0, 1.0, height))
    path = folder / f"egg{height}.ply"
    mesh.export(path)
    return path


def test_the_old_field_is_taken_into_the_new_space():
    network = random_network(5, width=20, depth=3, activation="hard_gelu")
    to_new = np.diag([1.7, 1.7, 1.7, 1.0])
    to_new[:3, 3] = 0.2, -0.1, 0.05
    matrices, biases = split_parameters(moved(network, to_new), network.architecture)
    here = np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    points = (here - to_new[:3, 3]) @ np.linalg.inv(to_new[:3, :3]).T  # of the object's space
    there = points @ network.unit_from_object[:3, :3].T + network.unit_from_object[:3, 3]
    assert np.abs(there).max() < 1.0
    scale = network.unit_from_object[0, 0] / to_new[0, 0]
    new = NeuralWeights(description=network.description, weights=matrices, biases=biases)
    assert np.abs(Field(new).value(here) - Field(network).value(there) / scale).max() < 1e-5


def test_a_warm_run_is_shorter_and_begins_with_the_old_network(old):
    options = convert_options(output=None, **SMALL).fit
    run = warm_run(options, old, old.unit_from_object)
    assert run.num_steps == options.num_steps / 4 and run.learning_rate < options.learning_rate
    matrices, _ = split_parameters(start_of(run), options.architecture)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(matrices, old.weights))


def test_a_changed_shape_is_fitted_better_than_by_as_few_steps_from_random_weights(tmp_path, old):
    changed = egg(tmp_path, 1.4)
    old.save(tmp_path / "old.safetensors")
    warm = convert_options(output=tmp_path / "warm.safetensors", start=tmp_path / "old.safetensors", **SMALL)
    report = convert(changed, warm, lambda told: None).report
    few = replace(warm, start=None, fit=replace(warm.fit, num_steps=report["num_steps"]))
    anew = convert(changed, replace(few, output=tmp_path / "anew.safetensors"), lambda told: None).report
    assert report["num_steps"] == anew["num_steps"] == warm.fit.num_steps / 4 and report["missed"] == []
    assert NeuralWeights.load(tmp_path / "warm.safetensors").architecture == old.architecture
    assert report["errors"]["surface_mean"] < anew["errors"]["surface_mean"]


def test_where_the_old_weights_do_not_help_the_run_begins_anew(tmp_path):
    empty = random_network(3, width=12, depth=3, activation="hard_gelu")
    empty.biases[-1][:] = 50.0  # no zero set anywhere, and too far for a short run
    empty.save(tmp_path / "old.safetensors")
    options = convert_options(
        output=tmp_path / "out.safetensors", start=tmp_path / "old.safetensors", **SMALL
    )
    report = convert(egg(tmp_path, 1.2), options, lambda told: None).report
    assert [bool(one["missed"]) for one in report["attempts"]] == [True, False]
    assert report["num_steps"] == options.fit.num_steps and report["missed"] == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--width", "16"], "of width 12, not 16"),
        (["--activation", "relu"], "of activation hard_gelu, not relu"),
        (["--tolerance", "0.001"], "leave out tolerance"),
        (["--epochs", "3"], "leave out tolerance"),
        (["--moving"], "fitted anew"),
    ],
)
def test_what_cannot_be_begun_with_old_weights_is_refused(tmp_path, old, given, why):
    old.save(tmp_path / "old.safetensors")
    arguments = [str(egg(tmp_path, 1.2)), "-o", str(tmp_path / "out.safetensors")]
    arguments += ["--start", str(tmp_path / "old.safetensors"), *given]
    error = CliRunner().invoke(command, arguments).exception
    assert isinstance(error, EngineError) and why in str(error)


@pytest.mark.parametrize("changes", [{"inputs": 4}, {"output_activation": "tanh"}])
def test_networks_of_another_kind_are_no_start(tmp_path, changes):
    random_network(3, width=12, depth=3, activation="hard_gelu", **changes).save(tmp_path / "old.safetensors")
    with pytest.raises(OptionError, match="begun with"):
        convert_options(output=tmp_path / "out.safetensors", start=tmp_path / "old.safetensors")


def test_in_a_folder_each_shape_begins_with_its_own_old_weights_and_a_new_one_with_none(tmp_path, old):
    meshes, before, after = tmp_path / "meshes", tmp_path / "before", tmp_path / "after"
    for folder in (meshes, before):
        folder.mkdir()
    egg(meshes, 1.2), egg(meshes, 1.4)
    old.save(before / "egg1.4.safetensors")
    arguments = [str(meshes), "-o", str(after), "--start", str(before), "--preset", "draft", "--json"]
    arguments += ["--report", str(after)]
    done = CliRunner().invoke(command, [*arguments, "--depth", "3", "--width", "12", "--samples", "60000"])
    assert done.exit_code == 0, done.output
    reports = {path.name: json.loads(path.read_text()) for path in after.glob("*.report.json")}
    new, known = reports["egg1.2.report.json"], reports["egg1.4.report.json"]
    assert known["num_steps"] == new["num_steps"] / 4 and not known["missed"]


def test_another_activation_than_the_presets_has_its_own_first_factor():
    fine = convert_options(output=None, preset="fine").fit
    relu = convert_options(output=None, preset="fine", activation="relu").fit
    assert fine.first_factor is not None and relu.first_factor is None
