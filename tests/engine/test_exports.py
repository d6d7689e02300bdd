"""What other programs get: each file evaluates to the field it was written from."""

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from engine.commands.export import command as export_command
from engine.commands.import_ import command as import_command
from engine.errors import EngineError, OptionError, OutputError, WeightsFileError
from engine.formats import glsl, numpy_file, onnx_file
from engine.formats.exports import export
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from tests.engine import glsl_reader
from tests.engine.keras_files import write_keras_2
from tests.engine.networks import octahedron, random_network

POINTS = np.random.default_rng(6).uniform(-1.0, 1.0, (50, 3))
NETWORKS = {
    **{name: {"activation": name} for name in ("relu", "leaky_relu", "elu", "softplus", "tanh")},
    **{name: {"activation": name} for name in ("sigmoid", "sine", "silu", "gelu", "hard_gelu")},
    "tanh at the end": {"output_activation": "tanh"},
    "skips": {"skips": (1, 2), "width": 10},
    "fourier": {"encoding": "fourier", "fourier_features": 5, "activation": "gelu"},
    "fourier and a skip": {"encoding": "fourier", "fourier_features": 3, "skips": (2,)},
    "odd width": {"width": 1, "depth": 2},
}


def network(name):
    return random_network(11, **{"width": 12, "depth": 3, **NETWORKS[name]})


@pytest.mark.parametrize("name", NETWORKS)
def test_glsl_has_the_fields_values_everywhere(name):
    weights = network(name)
    points = POINTS * 1.3  # some lie outside the box
    shader = glsl_reader.function(glsl.to_text(weights, "shape"), "shape")
    values = np.array([shader(point) for point in points])
    # numbers are written as float32; the error function is right to 1.5e-7 of each unit's value
    assert values == pytest.approx(Field(weights).value(points), abs=3e-6)


def test_glsl_of_a_moving_shape_takes_time_as_its_fourth_number():
    weights = random_network(12, width=8, depth=2, inputs=4, encoding="fourier", fourier_features=2)
    shader = glsl_reader.function(glsl.to_text(weights), "neural_sdf")
    for time in (0.0, 0.7):
        values = np.array([shader([*point, time]) for point in POINTS])
        assert values == pytest.approx(Field(weights, time).value(POINTS), abs=3e-6)


def test_glsl_refuses_a_name_that_no_compiler_takes():
    for name in ("1st", "gl_shape", "a b", "x__y", ""):
        with pytest.raises(OptionError, match="no name in GLSL"):
            glsl.to_text(octahedron(), name)


def test_glsl_says_where_the_object_is_and_no_name_breaks_its_comment():
    moved = np.diag([0.5, 0.5, 0.5, 1.0])
    moved[:3, 3] = (0.25, 0.0, -1.0)
    weights = octahedron().with_description(unit_from_object=tuple(moved.ravel()))
    text = glsl.to_text(weights)
    assert "p = 0.5 * x + vec3(0.25, 0.0, -1.0)" in text


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_model_has_the_networks_values(name):
    onnx = pytest.importorskip("onnx", reason="the optional package onnx is not installed")
    from onnx.reference import ReferenceEvaluator

    weights = network(name)
    model = onnx.load_from_string(onnx_file.to_bytes(weights))
    onnx.checker.check_model(model, full_check=True)
    (values,) = ReferenceEvaluator(model).run(None, {"points": POINTS.astype(np.float32)})
    assert values[:, 0] == pytest.approx(
        Field(weights).value(POINTS), abs=1e-5
    )  # float32 through four layers
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["neural_implicit"])["architecture"]["width"] == weights.architecture.width


def test_npz_holds_every_array_and_the_description():
    weights = network("fourier")
    with np.load(io.BytesIO(numpy_file.to_bytes(weights)), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["layers.1.weight"], weights.weights[1])
        assert np.array_equal(arrays["encoding.matrix"], weights.fourier_matrix)
        assert json.loads(str(arrays["neural_implicit"]))["architecture"]["fourier_features"] == 5


def test_network_that_keras_cannot_hold_is_a_sentence(tmp_path):
    with pytest.raises(WeightsFileError, match="skips or a Fourier encoding"):
        export(network("skips"), tmp_path / "shape.h5")


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    return result


@pytest.fixture
def published(tmp_path):
    """A folder of weights as the paper publishes them, two good and one damaged."""
    folder = tmp_path / "published"
    folder.mkdir()
    for number, size in ((100, 0.5), (200, 0.7)):
        write_keras_2(folder / f"{number}_sf.h5", octahedron(size))
    (folder / "300_sf.h5").write_bytes(b"not weights")
    return folder


def test_import_reads_a_folder_and_a_bad_file_stops_nothing(published, tmp_path):
    result = run(import_command, published, "-o", tmp_path / "ours", "--proxy", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert result.exit_code == 3 and [("error" in line) for line in lines] == [False, False, True]
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == [
        "100_sf.npz",
        "100_sf.safetensors",
        "200_sf.npz",
        "200_sf.safetensors",
    ]
    weights = NeuralWeights.load(tmp_path / "ours/200_sf.safetensors")
    assert weights.description.source.name == "200_sf"
    assert (
        np.sign(Field(weights).value(POINTS)).tolist()
        == np.sign(Field(octahedron(0.7)).value(POINTS)).tolist()
    )


def test_import_into_one_file_takes_one(published, tmp_path):
    target = tmp_path / "shape.safetensors"
    result = run(import_command, published / "100_sf.h5", "-o", target)
    assert result.exit_code == 0 and "relu and a final tanh are assumed" in result.stdout and target.is_file()
    with pytest.raises(OutputError, match="is one file"):
        run(import_command, published, "-o", target)


def test_export_and_import_return_what_went_in(tmp_path):
    path = tmp_path / "shape.safetensors"
    octahedron(0.6).save(path)
    run(export_command, path, "-o", tmp_path / "shape.h5")
    run(import_command, tmp_path / "shape.h5", "-o", tmp_path / "back.safetensors")
    back = NeuralWeights.load(tmp_path / "back.safetensors")
    assert back.architecture == octahedron(0.6).architecture
    assert np.array_equal(Field(back).value(POINTS), Field(octahedron(0.6)).value(POINTS))


def test_export_writes_a_folder_in_any_format(tmp_path):
    source = tmp_path / "shapes"
    source.mkdir()
    octahedron(0.6).save(source / "a.safetensors")
    write_keras_2(source / "b.h5", octahedron(0.5))
    run(export_command, source, "-o", tmp_path / "out", "--format", "glsl")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.glsl", "b.glsl"]
    assert "'xyz' is not one of 'h5'" in run(export_command, source, "-o", tmp_path, "--format", "xyz").output
    with pytest.raises(OptionError, match="go to a folder"):
        run(export_command, source, "-o", tmp_path / "one.glsl")
    with pytest.raises(OutputError, match="unknown kind"):
        run(export_command, source / "a.safetensors", "-o", tmp_path / "one.xyz")


def test_export_says_what_the_papers_renderer_would_do_to_another_activation(tmp_path):
    random_network(13, width=8, depth=2, activation="gelu").save(tmp_path / "shape.safetensors")
    result = run(export_command, tmp_path / "shape.safetensors", "-o", tmp_path / "shape.h5")
    assert "always applies relu" in result.stdout and (tmp_path / "shape.json").is_file()
