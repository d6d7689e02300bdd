"""Keras files in each layout give the network they hold; whatever else is in one is a sentence."""

import dataclasses

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WeightsFileError
from engine.formats import keras_h5
from engine.formats.weights_files import find_weights, load_weights, load_with_notes
from engine.network.field import Field
from tests.engine.keras_files import write_architecture, write_keras_2, write_keras_3
from tests.engine.networks import octahedron, random_network

POINTS = np.random.default_rng(5).uniform(-1.0, 1.0, (200, 3))
DEEP = {"width": 8, "depth": 12, "output_activation": "tanh"}  # dense_10 comes before dense_2 by name
LAYOUTS = {
    "keras 2": write_keras_2,
    "newer keras 2": lambda path, weights: write_keras_2(path, weights, newer=True),
    "a whole model": lambda path, weights: write_keras_2(path, weights, inside_model=True),
    "keras 3": write_keras_3,
    "keras 2.13": lambda path, weights: write_keras_3(
        path, weights, container="_layer_checkpoint_dependencies", step=2
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_network_it_holds(tmp_path, layout):
    weights = random_network(1, **DEEP)
    path = tmp_path / "shape.h5"
    LAYOUTS[layout](path, weights)
    shape = keras_h5.read(path)
    assert all(np.array_equal(a, b) for a, b in zip(shape.weights.weights, weights.weights))
    assert all(np.array_equal(a, b) for a, b in zip(shape.weights.biases, weights.biases))
    assert np.array_equal(Field(shape.weights).value(POINTS), Field(weights).value(POINTS))
    assert len(shape.notes) == 1 and "relu and a final tanh are assumed" in shape.notes[0]


def test_layer_names_are_the_order_whatever_the_groups_are_called(tmp_path):
    weights = random_network(2, width=8, depth=2)
    path = tmp_path / "shape.h5"
    write_keras_2(path, weights)
    with h5py.File(path, "a") as file:
        for old, new in (("dense", "zebra"), ("dense_1", "10"), ("dense_2", "2")):
            file.move(old, new)
        file.attrs["layer_names"] = np.array([b"zebra", b"10", b"2"])
    shape = keras_h5.read(path)
    assert all(np.array_equal(a, b) for a, b in zip(shape.weights.weights, weights.weights))


def test_long_lists_of_names_come_in_pieces(tmp_path):
    weights = random_network(2, width=8, depth=3)
    path = tmp_path / "shape.h5"
    write_keras_2(path, weights)
    with h5py.File(path, "a") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:2], names[2:]
    assert len(keras_h5.read(path).weights.weights) == 4


def test_activations_come_from_the_architecture_beside_the_file_or_given(tmp_path):
    weights = random_network(3, width=8, depth=2, activation="softplus")
    path = tmp_path / "shape.h5"
    write_keras_2(path, weights)
    write_architecture(tmp_path / "other.json", weights, ["elu", "elu", "tanh"])
    given_one = keras_h5.read(path, tmp_path / "other.json")
    assert given_one.weights.architecture.activation == "elu" and given_one.notes == ()
    write_architecture(tmp_path / "shape.json", weights, ["softplus", "softplus", "linear"])
    shape = keras_h5.read(path)
    assert shape.notes == ()
    assert np.array_equal(Field(shape.weights).value(POINTS), Field(weights).value(POINTS))


def test_layers_of_several_widths_keep_their_values(tmp_path):
    wide, narrow = random_network(4, width=12, depth=2), random_network(5, width=5, depth=2)
    matrices = (wide.weights[0], narrow.weights[1] @ np.eye(5, 12, dtype=np.float32), narrow.weights[2])
    biases = (wide.biases[0], narrow.biases[1], narrow.biases[2])
    path = tmp_path / "shape.h5"
    write_keras_2(path, dataclasses.replace(wide, weights=matrices, biases=biases))
    write_architecture(
        tmp_path / "shape.json",
        dataclasses.replace(wide, weights=matrices, biases=biases),
        [
            "sigmoid",
            "sigmoid",
            "linear",
        ],  # a unit of a sigmoid that nothing feeds is 0.5, and must not be read
    )
    hidden = POINTS
    for matrix, bias in zip(matrices[:2], biases[:2]):
        hidden = 1.0 / (1.0 + np.exp(-(hidden @ matrix.T.astype(np.float64) + bias)))
    expected = (hidden @ matrices[2].T.astype(np.float64) + biases[2])[:, 0]
    assert Field(keras_h5.read(path).weights).value(POINTS) == pytest.approx(expected, abs=1e-12)


def test_four_inputs_are_a_moving_shape(tmp_path):
    path = tmp_path / "moving.h5"
    write_keras_2(path, random_network(6, width=8, depth=2, inputs=4, output_activation="tanh"))
    assert load_weights(path).architecture.inputs == 4


@pytest.mark.parametrize(
    "options",
    [
        {"width": 32, "depth": 8, "activation": "relu", "output_activation": "tanh"},
        {"width": 7, "depth": 1, "activation": "gelu"},
        {"width": 16, "depth": 11, "activation": "leaky_relu"},
        {"width": 16, "depth": 3, "activation": "sine", "inputs": 4},
    ],
)
def test_what_we_write_reads_back_as_it_was(tmp_path, options):
    weights = random_network(7, **options)
    path = tmp_path / "shape.h5"
    path.write_bytes(keras_h5.to_bytes(weights))
    (tmp_path / "shape.json").write_text(keras_h5.companion(weights))
    shape = keras_h5.read(path)
    assert shape.notes == () and shape.weights.architecture == weights.architecture
    assert all(np.array_equal(a, b) for a, b in zip(shape.weights.weights, weights.weights))
    assert keras_h5.to_bytes(weights) == keras_h5.to_bytes(weights)


def test_written_groups_have_the_names_that_the_papers_renderer_looks_for(tmp_path):
    path = tmp_path / "shape.h5"
    path.write_bytes(keras_h5.to_bytes(random_network(8, width=8, depth=2)))
    with h5py.File(path) as file:
        assert list(file.attrs["layer_names"]) == [b"dense", b"dense_1", b"dense_2"]
        assert file["dense_1/dense_1/kernel:0"].shape == (8, 8)
        assert file["dense_1/dense_1/bias:0"].dtype == np.float32


def test_box_of_an_imported_shape_holds_its_surface(tmp_path):
    path = tmp_path / "octahedron.h5"
    path.write_bytes(keras_h5.to_bytes(octahedron(0.5)))
    loaded = load_with_notes(path)  # relu and tanh are right here: tanh keeps the sign
    low, high = loaded.weights.bounds_unit
    assert (low <= -0.5).all() and (high >= 0.5).all() and (high - low < 1.3).all()


def test_network_without_a_surface_is_said_to_be_one(tmp_path):
    path = tmp_path / "collapsed.h5"
    path.write_bytes(keras_h5.to_bytes(octahedron(-0.5)))
    assert any("has no surface" in note for note in load_with_notes(path).notes)


def damaged(change):
    """Give a change of a good file, by name."""

    def apply(path):
        with h5py.File(path, "a") as file:
            change(file)

    return apply


def replace_array(key, array):
    def change(file):
        del file[key]
        file[key] = array

    return damaged(change)


DAMAGES = {
    "is not there": (lambda path: path.unlink(), "no such file"),
    "is empty": (lambda path: path.write_bytes(b""), "cannot be read as HDF5"),
    "is no HDF5": (lambda path: path.write_bytes(b"weights" * 100), "cannot be read as HDF5"),
    "is cut short": (lambda path: path.write_bytes(path.read_bytes()[:-2000]), "cut short|damaged"),
    "is other data": (damaged(lambda file: file.attrs.__delitem__("layer_names")), "no layer_names"),
    "lacks a layer": (damaged(lambda file: file.__delitem__("dense_1")), "lacks dense_1"),
    "lacks an array": (
        damaged(lambda file: file.__delitem__("dense_1/dense_1/bias:0")),
        "lacks dense_1/bias:0",
    ),
    "has no number": (
        replace_array("dense_1/dense_1/bias:0", np.full(8, np.nan, np.float32)),
        "not finite",
    ),
    "has infinity": (
        replace_array("dense/dense/kernel:0", np.full((3, 8), np.inf, np.float32)),
        "not finite",
    ),
    "does not chain": (
        replace_array("dense_1/dense_1/kernel:0", np.zeros((5, 8), np.float32)),
        "layer dense_1 takes 5 inputs",
    ),
    "takes two inputs": (
        replace_array("dense/dense/kernel:0", np.zeros((2, 8), np.float32)),
        "takes 2 inputs",
    ),
    "gives two outputs": (
        replace_array("dense_2/dense_2/kernel:0", np.zeros((8, 2), np.float32)),
        "biases|outputs",
    ),
    "has whole numbers": (
        replace_array("dense/dense/kernel:0", np.zeros((3, 8), np.int32)),
        "floating-point",
    ),
    "has three dimensions": (
        replace_array("dense/dense/kernel:0", np.zeros((3, 8, 2), np.float32)),
        "which no layer",
    ),
    "names itself elsewhere": (
        damaged(
            lambda file: (file.__delitem__("dense"), file.__setitem__("dense", h5py.SoftLink("/dense_1")))
        ),
        "lacks dense",
    ),
    "leads out of the file": (
        damaged(
            lambda file: (
                file.__delitem__("dense"),
                file.__setitem__("dense", h5py.ExternalLink("x.h5", "/")),
            )
        ),
        "lacks dense",
    ),
    "has one layer": (
        damaged(lambda file: file.attrs.__setitem__("layer_names", np.array([b"dense"]))),
        "1 layers",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_file_that_cannot_be_used_gets_a_sentence(tmp_path, damage):
    path = tmp_path / "shape.h5"
    write_keras_2(path, random_network(9, width=8, depth=2))
    change, sentence = DAMAGES[damage]
    change(path)
    with pytest.raises(WeightsFileError, match=sentence) as caught:
        keras_h5.read(path)
    assert "shape.h5" in str(caught.value)


def test_huge_array_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "shape.h5"
    write_keras_2(path, random_network(9, width=8, depth=2))
    with h5py.File(path, "a") as file:
        del file["dense/dense/kernel:0"]
        file["dense"].create_dataset("dense/kernel:0", shape=(3, 1 << 40), dtype="f4", chunks=(1, 1024))
    with pytest.raises(WeightsFileError, match="which no layer"):
        keras_h5.read(path)


@pytest.mark.parametrize(
    ("activations", "sentence"),
    [
        (["relu", "elu", "tanh"], "mixes the activations"),
        (["selu", "selu", "tanh"], "activation 'selu'"),
        (["relu", "relu", "relu"], "activation 'relu'"),
        (["leaky_relu", "leaky_relu", "tanh"], "without its slope"),
    ],
)
def test_activation_that_no_shape_has_is_a_sentence(tmp_path, activations, sentence):
    weights = random_network(9, width=8, depth=2)
    write_keras_2(tmp_path / "shape.h5", weights)
    write_architecture(tmp_path / "shape.json", weights, activations)
    with pytest.raises(WeightsFileError, match=sentence):
        keras_h5.read(tmp_path / "shape.h5")


def test_architecture_of_another_file_is_noticed(tmp_path):
    write_keras_2(tmp_path / "shape.h5", random_network(9, width=8, depth=2))
    write_architecture(tmp_path / "shape.json", random_network(9, width=9, depth=2), ["relu"] * 3)
    with pytest.raises(WeightsFileError, match="its architecture says"):
        keras_h5.read(tmp_path / "shape.h5")
    (tmp_path / "shape.json").write_text('{"errors": 1}')
    with pytest.raises(WeightsFileError, match="not the architecture"):
        keras_h5.read(tmp_path / "shape.h5")


@given(start=st.integers(0, 6000), length=st.integers(1, 64), value=st.integers(0, 255))
def test_any_damage_gives_a_network_or_a_sentence(tmp_path_factory, start, length, value):
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "shape.h5"
    write_keras_2(path, random_network(10, width=8, depth=2))
    data = bytearray(path.read_bytes())
    data[start : start + length] = bytes([value]) * len(data[start : start + length])
    path.write_bytes(data)
    try:
        assert keras_h5.read(path).weights.architecture.depth >= 1
    except WeightsFileError as error:
        assert "shape.h5" in str(error)


def test_folder_gives_its_weights_files_by_name(tmp_path):
    for name in ("b.h5", "a.safetensors", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_weights([tmp_path])] == ["a.safetensors", "b.h5"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsFileError, match="holds no weights file"):
        find_weights([tmp_path / "empty"])
