"""Every verb that takes weights takes .safetensors, .h5 and folders of both, and gives the same for either kind."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner
from PIL import Image

from engine.__main__ import EXIT_ERROR, VERBS, main
from engine.errors import EngineError, OutputError, WeightsFileError
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from tests.engine.keras_files import write_keras_2
from tests.engine.networks import random_network

SPOT = Path(__file__).parents[1] / "blender/data/spot.safetensors"
WITHOUT_WEIGHTS = {"convert", "timelapse", "doctor", "standby", "serve"}
POINTS = np.random.default_rng(5).uniform(-1.0, 1.0, (200, 3)).astype(np.float32)


def run(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    assert result.exit_code in (0, EXIT_ERROR), result.output
    return result


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def render(weights, out):
    """A picture of all that is named; the camera frames boxes, of which a .h5 has one that is found, not told."""
    run("render", weights, "-o", out / "r.png", "--size", "48x48", "--samples", 4, "--shading", "facing")
    return [pixels(out / "r.png")]


def alike(first, second):
    return np.abs(first - second).mean() < 4.0


def cut(weights, out):
    run("slice", weights, *files(weights, out, "png"), "--size", 64)
    return [pixels(path) for path in sorted(out.glob("*.png"))]


def mesh(weights, out):
    run("mesh", weights, *files(weights, out, "ply"), "--resolution", 48)
    return [trimesh.load(path).volume for path in sorted(out.glob("*.ply"))]


def export(weights, out):
    run("export", weights, *files(weights, out, "safetensors"))
    return [Field(NeuralWeights.load(path)).value(POINTS) for path in sorted(out.glob("*.safetensors"))]


def import_(weights, out):
    run("import", weights, "-o", out)
    return [Field(NeuralWeights.load(path)).value(POINTS) for path in sorted(out.glob("*.safetensors"))]


def info(weights, out):
    text = run("info", weights, "--json").stdout
    told = [json.loads(line) for line in text.splitlines()] if weights.is_dir() else [json.loads(text)]
    return [one["architecture"] for one in told]


def measure(weights, out):
    meshes = out / "meshes"
    meshes.mkdir()
    network = NeuralWeights.load(weights.parent / "spare" / "one.safetensors")
    network.save(out / "ring.safetensors")
    run("mesh", out / "ring.safetensors", "-o", meshes / "one.ply", "--resolution", 64)
    for name in ("one_h5", "one_safetensors"):  # of the folder, where two files have one name
        shutil.copy(meshes / "one.ply", meshes / f"{name}.ply")
    result = run(
        *("measure", weights, meshes if weights.is_dir() else meshes / "one.ply"),
        *("--json", "--points", 1000),
    )
    told = [json.loads(line) for line in result.stdout.splitlines()] if weights.is_dir() else None
    return [one["surface_mean"] for one in (told or [json.loads(result.stdout)])]


def files(weights, out, kind):
    return ("-o", out, "--format", kind) if weights.is_dir() else ("-o", out / f"one.{kind}")


def equal(first, second):
    return np.array_equal(first, second)


def close(first, second):
    return first == pytest.approx(second, rel=1e-3)


def same(first, second):
    return first == second


CALLS = {
    "render": (render, alike),
    "slice": (cut, equal),
    "mesh": (mesh, close),
    "export": (export, equal),
    "import": (import_, equal),
    "info": (info, same),
    "measure": (measure, close),
}


@pytest.fixture
def shapes(tmp_path):
    """One network as ours, as Keras', and as both in a folder."""
    folder = tmp_path / "folder"
    (tmp_path / "spare").mkdir()
    folder.mkdir()
    spot = NeuralWeights.load(SPOT)
    in_unit_space = replace(
        spot.description, unit_from_object=tuple(np.eye(4).ravel().tolist())
    )  # as a .h5 is
    weights = replace(spot, description=in_unit_space)
    weights.save(tmp_path / "spare/one.safetensors")
    run("export", tmp_path / "spare/one.safetensors", "-o", folder / "one.h5")
    weights.save(folder / "one.safetensors")
    for path in folder.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def test_every_verb_is_known_here():
    assert set(VERBS) == set(CALLS) | WITHOUT_WEIGHTS


@pytest.mark.parametrize("verb", CALLS)
def test_verb_takes_both_kinds_and_folders_of_them(shapes, verb):
    call, agrees = CALLS[verb]
    out = {name: shapes / f"out_{name}" for name in ("ours", "keras", "both")}
    for path in out.values():
        path.mkdir()
    (ours,) = call(shapes / "one.safetensors", out["ours"])
    (keras,) = call(shapes / "one.h5", out["keras"])
    assert agrees(keras, ours)
    both = call(shapes / "folder", out["both"])
    assert len(both) == (1 if verb == "render" else 2)  # all in one picture; else nothing overwrites its like
    assert all(agrees(one, ours) for one in both)


@pytest.mark.parametrize("verb", sorted(CALLS))
def test_folder_without_weights_and_a_file_that_is_none_are_sentences(tmp_path, verb):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    more = {
        "info": [],
        "measure": [tmp_path / "mesh.ply"],
        "import": ["-o", tmp_path / "x.safetensors"],
        "mesh": ["-o", tmp_path / "x.ply"],
        "export": ["-o", tmp_path / "x.npz"],
    }.get(verb, ["-o", tmp_path / "x.png"])
    for path, sentence in ((tmp_path / "empty", "holds no weights file"), (tmp_path / "bad.h5", "bad.h5")):
        if verb == "measure" and path.is_dir():
            more = [tmp_path]
        result = CliRunner().invoke(main, [verb, str(path), *map(str, more)])
        said = str(result.exception) if isinstance(result.exception, EngineError) else result.output
        assert sentence in said and result.exit_code != 0


@pytest.mark.parametrize(("verb", "kind"), [("mesh", "ply"), ("export", "npz"), ("slice", "png")])
def test_damaged_file_among_others_stops_none_of_them(tmp_path, verb, kind):
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name in ("a", "c"):
        write_keras_2(folder / f"{name}.h5", random_network(1, width=8, depth=2))
    (folder / "b.h5").write_bytes(b"nothing")
    result = run(verb, folder, "-o", tmp_path / "out", "--format", kind)
    assert result.exit_code == EXIT_ERROR
    assert "b.h5" in result.stderr and "1 of 3 files failed" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"a.{kind}", f"c.{kind}"]
    told = CliRunner().invoke(main, ["info", str(folder), "--json"])
    assert [json.loads(line)["file"][-4:] for line in told.stdout.splitlines()] == ["a.h5", "c.h5"]


def test_files_of_one_name_from_several_folders_go_to_files_of_their_own(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write_keras_2(tmp_path / name / "one.h5", random_network(1, width=8, depth=2))
    run("import", tmp_path / "x", tmp_path / "y", "-o", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["one_h5.safetensors", "one_h5_2.safetensors"]
    with pytest.raises(WeightsFileError):
        run("info", tmp_path / "none.h5")


@pytest.mark.parametrize("kind", ["h5", "onnx", "glsl", "npz"])
def test_convert_writes_no_weights_under_another_kinds_name(tmp_path, kind):
    with pytest.raises(OutputError, match="engine export"):
        run("convert", tmp_path / "mesh.obj", "-o", tmp_path / f"shape.{kind}")
