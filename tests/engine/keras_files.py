"""Keras weights files in each layout, written with h5py alone, for networks whose values are known."""

import json

import h5py
import numpy as np

STRINGS = h5py.string_dtype()


def layer_names(count):
    return [f"dense_{k}" if k else "dense" for k in range(count)]


def write_keras_2(path, weights, *, newer=False, inside_model=False):
    """The layout of the paper's files, or that of later versions: an input, another group, strings of any length."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if inside_model else file
        names = layer_names(len(weights.weights))
        listed = (["input_1"] if newer else []) + names
        root.attrs["layer_names"] = texts(listed, newer)
        root.attrs["keras_version"] = "2.13.1" if newer else np.bytes_("2.2.4-tf")
        root.attrs["backend"] = "tensorflow" if newer else np.bytes_("tensorflow")
        if newer:
            for name in ("input_1", "top_level_model_weights"):
                root.create_group(name).attrs["weight_names"] = np.zeros(0)
        for name, matrix, bias in zip(names, weights.weights, weights.biases):
            group = root.create_group(name)
            group.attrs["weight_names"] = texts([f"{name}/kernel:0", f"{name}/bias:0"], newer)
            group[f"{name}/kernel:0"] = matrix.T
            group[f"{name}/bias:0"] = bias


def write_keras_3(path, weights, *, container="layers", step=1):
    """The layout of .weights.h5; that of Keras 2.13 has another container and every second number."""
    with h5py.File(path, "w") as file:
        for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
            variables = file.create_group(f"{container}/dense{f'_{k * step}' if k else ''}/vars")
            variables["0"], variables["1"] = matrix.T, bias


def write_architecture(path, weights, activations):
    layers = [
        {"class_name": "Dense", "config": {"units": len(matrix), "activation": activation}}
        for matrix, activation in zip(weights.weights, activations)
    ]
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))


def texts(names, newer):
    return np.array(names, dtype=STRINGS) if newer else np.array([name.encode() for name in names])
