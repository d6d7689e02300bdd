"""The weights file: held against the safetensors library both ways, and what a bad file is answered with."""

import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import OutputError, WeightsFileError
from engine.protocol import safetensors_file
from engine.protocol.weights import (
    FORMAT_VERSION,
    METADATA_KEY,
    Architecture,
    Description,
    NeuralWeights,
)

IDENTITY = tuple(np.eye(4).ravel().tolist())


def network(architecture=None, *, float16=False, seed=0):
    architecture = architecture or Architecture(width=8, depth=2)
    random = np.random.default_rng(seed)
    shapes = architecture.layer_shapes()
    dtype = np.float16 if float16 else np.float32  # halves are exact when they are stored as halves
    fourier = None
    if architecture.encoding == "fourier":
        shape = (architecture.fourier_features, architecture.inputs)
        fourier = random.normal(size=shape).astype(np.float32)
    return NeuralWeights(
        description=Description(
            architecture=architecture, unit_from_object=IDENTITY, bounds_unit=(-1, -1, -1, 1, 1, 1)
        ),
        weights=tuple(random.normal(size=s).astype(dtype).astype(np.float32) for s in shapes),
        biases=tuple(random.normal(size=s[0]).astype(dtype).astype(np.float32) for s in shapes),
        fourier_matrix=fourier,
        float16=float16,
    )


def assert_equal(one, other):
    assert one.description == other.description
    assert one.float16 == other.float16
    for mine, theirs in zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    if one.fourier_matrix is None:
        assert other.fourier_matrix is None
    else:
        np.testing.assert_array_equal(one.fourier_matrix, other.fourier_matrix)


architectures = st.builds(
    lambda inputs, width, depth, activation, skip, features: Architecture(
        inputs=inputs,
        width=width,
        depth=depth,
        activation=activation,
        skips=(1,) if skip and depth > 1 else (),
        encoding="fourier" if features else "none",
        fourier_features=features,
    ),
    st.sampled_from([3, 4]),
    st.integers(1, 20),
    st.integers(1, 5),
    st.sampled_from(["relu", "sine", "gelu"]),
    st.booleans(),
    st.integers(0, 6),
)


@given(architectures, st.booleans())
def test_every_network_comes_back_as_it_was_written(architecture, float16):
    weights = network(architecture, float16=float16)
    assert_equal(NeuralWeights.from_bytes(weights.to_bytes()), weights)


@pytest.mark.parametrize("float16", [False, True])
def test_the_library_reads_what_we_write(float16):
    weights = network(float16=float16)
    tensors = safetensors.numpy.load(weights.to_bytes())
    assert sorted(tensors) == sorted(f"layers.{k}.{part}" for k in range(3) for part in ("weight", "bias"))
    for k, (weight, bias) in enumerate(zip(weights.weights, weights.biases, strict=True)):
        np.testing.assert_array_equal(tensors[f"layers.{k}.weight"], weight)
        np.testing.assert_array_equal(tensors[f"layers.{k}.bias"], bias)


def test_we_read_what_the_library_writes():
    weights = network()
    tensors, metadata = safetensors_file.unpack(weights.to_bytes(), "ours")
    theirs = safetensors.numpy.save({name: array.copy() for name, array in tensors.items()}, metadata)
    assert_equal(NeuralWeights.from_bytes(theirs), weights)


def test_equal_networks_are_equal_bytes():
    assert network().to_bytes() == network().to_bytes()


def test_default_network_has_7553_parameters_in_under_33_kB():
    architecture = Architecture()
    assert architecture.num_parameters() == 7553
    assert len(network(architecture).to_bytes()) < 33_000


def edited(change):
    """Give a file whose header was changed by `change(header)`."""
    data = network().to_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def described(change):
    """Give a file whose description was changed by `change(description)`."""

    def change_header(header):
        description = json.loads(header["__metadata__"][METADATA_KEY])
        change(description)
        header["__metadata__"][METADATA_KEY] = json.dumps(description)

    return edited(change_header)


def overlap(header):
    header["layers.1.bias"]["data_offsets"] = header["layers.0.bias"]["data_offsets"]


HOSTILE = {
    "empty": b"",
    "one byte": b"x",
    "text": b"solid ascii stl file\n" * 10,
    "huge header": struct.pack("<Q", 1 << 62) + b"{}",
    "header not JSON": struct.pack("<Q", 4) + b"{{{{",
    "header a list": struct.pack("<Q", 2) + b"[]",
    "header nested deeply": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "huge shape": edited(lambda h: h["layers.0.weight"].update(shape=[1 << 39, 1 << 39])),
    "negative shape": edited(lambda h: h["layers.0.weight"].update(shape=[-8, -3])),
    "shape of text": edited(lambda h: h["layers.0.weight"].update(shape=["8", 3])),
    "unknown dtype": edited(lambda h: h["layers.0.weight"].update(dtype="BF4")),
    "entry a number": edited(lambda h: h.update({"layers.0.weight": 3})),
    "overlapping tensors": edited(overlap),
    "bytes behind the end": network().to_bytes() + b"more",
    "no description": edited(lambda h: h["__metadata__"].clear()),
    "description not JSON": edited(lambda h: h["__metadata__"].update({METADATA_KEY: "{"})),
    "tensor missing": described(lambda d: d["architecture"].update(depth=5)),
    "other width": described(lambda d: d["architecture"].update(width=9)),
    "width of nothing": described(lambda d: d["architecture"].update(width=0)),
    "impossible width": described(lambda d: d["architecture"].update(width=1 << 40)),
    "unknown activation": described(lambda d: d["architecture"].update(activation="snake")),
    "unknown field": described(lambda d: d.update(surprise=1)),
    "matrix without inverse": described(lambda d: d.update(unit_from_object=[0.0] * 16)),
    "matrix of nine": described(lambda d: d.update(unit_from_object=[1.0] * 9)),
    "matrix not finite": described(lambda d: d.update(unit_from_object=[float("nan")] * 16)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_damaged_or_hostile_file_is_one_clear_error(data):
    with pytest.raises(WeightsFileError, match=r"^shape\.safetensors "):
        NeuralWeights.from_bytes(data, "shape.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    weights = network()
    weights.weights[1][0, 0] = value
    with pytest.raises(WeightsFileError, match="not finite"):
        NeuralWeights.from_bytes(weights.to_bytes())


def test_a_newer_format_says_update():
    data = described(lambda d: d.update(format_version=FORMAT_VERSION + 1))
    with pytest.raises(WeightsFileError, match="Update Neural Implicit"):
        NeuralWeights.from_bytes(data)


@given(st.data())
def test_a_file_cut_anywhere_is_one_clear_error(data):
    whole = network().to_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(WeightsFileError):
        NeuralWeights.from_bytes(whole[:cut])


@given(st.integers(0, 1 << 30), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_but_never_a_crash(place, value):
    data = bytearray(network().to_bytes())
    data[place % len(data)] = value
    try:
        read = NeuralWeights.from_bytes(bytes(data))
    except WeightsFileError:
        return
    assert all(np.isfinite(array).all() for array in (*read.weights, *read.biases))


def test_save_and_load(tmp_path):
    weights = network()
    size = weights.save(tmp_path / "a.safetensors")
    assert size == (tmp_path / "a.safetensors").stat().st_size
    assert_equal(NeuralWeights.load(tmp_path / "a.safetensors"), weights)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsFileError, match=r"none\.safetensors cannot be read"):
        NeuralWeights.load(tmp_path / "none.safetensors")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        network().save(tmp_path / "none/a.safetensors")


def test_a_write_that_fails_leaves_the_older_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    older = network(seed=1)
    older.save(path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        network(seed=2).save(path)
    assert_equal(NeuralWeights.load(path), older)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_changed_description_keeps_the_network():
    weights = network()
    other = weights.with_description(seed=7)
    assert other.description == replace(weights.description, seed=7)
    assert other.weights is weights.weights
