"""Keras weights files (.h5), the form in which the paper's shapes are published: read and written.

Three layouts are read. Of Keras 1 and 2: the attribute `layer_names` of the root (or of the group `model_weights`, where
a whole model was saved) is the order of the layers, and nothing else is; each names its arrays in `weight_names`. Of
Keras 3 and 2.13 (.weights.h5): groups `dense`, `dense_1`, ..., which the format itself numbers in the order of the layers.
A kernel is (in, out), the transpose of ours. Sizes are looked at before anything is read, and links that leave the file are
not followed.

Activations are no part of the weights. They come from the architecture (JSON): given, inside the file, or beside it
under the same name. Without one they are relu and a final tanh, the paper's, and a note says so.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DeviceError, WeightsFileError
from ..protocol.weights import MAX_FILE_BYTES, MAX_WIDTH, NeuralWeights
from .keras_config import KERAS_VERSION, KerasArchitecture, architecture_json, dense_name, parse_architecture
from .network_layers import FloatArray, Layer, chain

ASSUMED = ("relu", "tanh")
MAX_LAYERS = 1024
MAX_CONFIG_BYTES = 1 << 20
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # of Keras 3, and of 2.12 and 2.13 before it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KerasShape:
    """A file's network and what has to be said about it."""

    weights: NeuralWeights
    notes: tuple[str, ...]


def read(path: Path, architecture: Path | None = None) -> KerasShape:
    """Read a file.

    Args:
        path: The weights.
        architecture: The JSON that says the activations; by default what is in the file or beside it.

    Raises:
        WeightsFileError: It is missing, damaged, or not the weights of a shape.
        DeviceError: The package h5py is not installed.
    """
    h5py = _h5py()
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WeightsFileError(f"{path.name} is larger than a network can be.")
        with h5py.File(path, "r") as file:
            layers = list(_layers(file, path.name))
            config = _inner_config(file)
    except FileNotFoundError as error:
        raise WeightsFileError(f"{path} cannot be read: there is no such file. Check the path.") from error
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise WeightsFileError(  # h5py raises any of these on a damaged file
            f"{path.name} cannot be read as HDF5 ({error}). It may be cut short: use another copy."
        ) from error
    found = _architecture(path, architecture, config)
    activation, output, notes = _activations(found, layers, path.name)
    weights = chain(layers, activation, output, path.name)
    return KerasShape(weights=weights, notes=notes)


def to_bytes(weights: NeuralWeights) -> bytes:
    """Give a plain network as the bytes of a Keras 2 weights file, which Keras 3 and the paper's renderer read too.

    Raises:
        WeightsFileError: The network has skips or an encoding, so it is no chain of dense layers.
        DeviceError: The package h5py is not installed.
    """
    check_plain(weights)
    h5py = _h5py()
    stream = io.BytesIO()
    with h5py.File(stream, "w", track_order=False) as file:
        names = [dense_name(k) for k in range(len(weights.weights))]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["backend"], file.attrs["keras_version"] = (
            np.bytes_(b"tensorflow"),
            np.bytes_(KERAS_VERSION),
        )
        for name, matrix, bias in zip(names, weights.weights, weights.biases):
            group = file.create_group(name)
            arrays = {f"{name}/kernel:0": matrix.T, f"{name}/bias:0": bias}
            group.attrs["weight_names"] = np.array([key.encode() for key in arrays])
            for key, array in arrays.items():
                group.create_dataset(key, data=np.ascontiguousarray(array, np.float32))
    return stream.getvalue()


def companion(weights: NeuralWeights) -> str:
    """Give the architecture (JSON) that belongs beside the file `to_bytes` gives."""
    return architecture_json(weights.architecture)


def check_plain(weights: NeuralWeights) -> None:
    """Refuse a network that is no chain of dense layers.

    Raises:
        WeightsFileError: It has skips or an encoding.
    """
    if weights.architecture.skips or weights.architecture.encoding != "none":
        raise WeightsFileError(
            f"{weights.description.source.name or 'The network'} has skips or a Fourier encoding, which a Keras chain of "
            "dense layers cannot hold. Export it as ONNX, GLSL or NumPy."
        )


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DeviceError(
            "Keras files need the package h5py in the engine's environment: pip install h5py."
        ) from error
    return h5py


def _layers(file: Any, name: str) -> Iterator[Layer]:
    root = file
    if not _texts(file, "layer_names") and "model_weights" in file:
        root = _child(file, "model_weights", name)
    names = _texts(root, "layer_names")
    if names:
        yield from (layer for key in names if (layer := _old_layer(root, key, name)) is not None)
    elif found := [key for key in CONTAINERS if key in file]:
        yield from _new_layers(_child(file, found[0], name), name)
    else:
        raise WeightsFileError(
            f"{name} is an HDF5 file, but not the weights of a Keras model: it has no layer_names."
        )


def _old_layer(root: Any, key: str, name: str) -> Layer | None:
    """Give one layer, or None where it has no weights (an input, an activation)."""
    group = _child(root, key, name)
    arrays = [_array(_child(group, weight, name), name, weight) for weight in _texts(group, "weight_names")]
    return _layer(key, arrays, name) if arrays else None


def _new_layers(group: Any, name: str) -> Iterator[Layer]:
    numbered = []
    for key in group:
        match = re.fullmatch(r"dense(?:_(\d+))?", key)
        variables = _child(_child(group, key, name), "vars", name)
        if match is not None:
            numbered.append((int(match[1] or 0), key, variables))
        elif len(variables):
            raise WeightsFileError(f"{name} has a layer {key} with weights, which no shape has.")
    for _, key, variables in sorted(numbered, key=lambda entry: entry[0]):
        arrays = [_array(_child(variables, str(k), name), name, key) for k in range(len(variables))]
        yield _layer(key, arrays, name)


def _layer(key: str, arrays: list[FloatArray], name: str) -> Layer:
    dimensions = [array.ndim for array in arrays]
    if dimensions not in ([2], [2, 1]):
        raise WeightsFileError(
            f"{name}: layer {key} holds arrays of {dimensions} dimensions; a dense layer has a kernel of 2 and a bias of 1."
        )
    kernel = arrays[0].T
    bias = arrays[1] if len(arrays) == 2 else np.zeros(len(kernel), np.float32)
    return Layer(name=key, matrix=kernel, bias=bias)


def _child(group: Any, key: str, name: str) -> Any:
    """Give a member; no link that leads elsewhere is followed."""
    h5py = _h5py()
    place = group
    for part in key.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise WeightsFileError(f"{name} lacks {key}, which it names as its own. It is damaged.")
        place = place[part]
    return place


def _array(dataset: Any, name: str, key: str) -> FloatArray:
    h5py = _h5py()
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise WeightsFileError(f"{name}: {key} is not an array of floating-point numbers.")
    if any(size > MAX_WIDTH or size < 1 for size in dataset.shape) or len(dataset.shape) > 2:
        raise WeightsFileError(f"{name}: {key} has the shape {dataset.shape}, which no layer of a shape has.")
    if dataset.external or dataset.is_virtual:
        raise WeightsFileError(f"{name}: {key} lies in another file. Save the weights in one file.")
    return np.asarray(dataset[()], np.float32)


def _texts(group: Any, key: str) -> list[str]:
    """Give a list of names; Keras cuts long ones into `key0`, `key1`, ..."""
    if key in group.attrs:
        parts = [group.attrs[key]]
    else:
        parts = [group.attrs[f"{key}{k}"] for k in range(MAX_LAYERS) if f"{key}{k}" in group.attrs]
    texts = [text for part in parts for text in np.asarray(part).ravel().tolist()]
    if len(texts) > MAX_LAYERS:
        raise ValueError(f"{len(texts)} entries in {key}")
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _inner_config(file: Any) -> str | bytes | None:
    config = file.attrs.get("model_config")
    return config if isinstance(config, (str, bytes)) and len(config) <= MAX_CONFIG_BYTES else None


def _architecture(path: Path, given: Path | None, inner: str | bytes | None) -> KerasArchitecture | None:
    if given is None and inner is not None:
        return parse_architecture(inner, path.name)
    beside = path.with_name(path.name.removesuffix(".h5").removesuffix(".weights") + ".json")
    chosen = given if given is not None else beside
    if given is None and not beside.is_file():
        return None
    try:
        if chosen.stat().st_size > MAX_CONFIG_BYTES:
            raise WeightsFileError(f"{chosen.name} is larger than an architecture can be.")
        return parse_architecture(chosen.read_bytes(), chosen.name)
    except OSError as error:
        raise WeightsFileError(f"{chosen} cannot be read: {error.strerror}. Check the path.") from error


def _activations(
    found: KerasArchitecture | None, layers: list[Layer], name: str
) -> tuple[str, str, tuple[str, ...]]:
    if found is None:
        note = f"{name} has no architecture beside it: {ASSUMED[0]} and a final {ASSUMED[1]} are assumed."
        return (*ASSUMED, (note,))
    units = tuple(len(layer.matrix) for layer in layers)
    if found.units != units:
        raise WeightsFileError(
            f"{name} holds layers of {units} units, but its architecture says {found.units}."
        )
    hidden = set(found.activations[:-1])
    if len(hidden) > 1:
        raise WeightsFileError(
            f"{name} mixes the activations {', '.join(sorted(hidden))} in its hidden layers; a shape has one."
        )
    return (hidden.pop() if hidden else "relu", found.activations[-1] if units else "none", ())
