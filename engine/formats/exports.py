"""Weights to any other kind of file, by the ending of its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import OutputError
from ..protocol.weights import NeuralWeights, write_atomically
from . import glsl, keras_h5, numpy_file, onnx_file
from .keras_config import KERAS_FROM_OURS

KINDS = ("h5", "onnx", "glsl", "npz", "safetensors")


def export(weights: NeuralWeights, path: Path) -> tuple[str, ...]:
    """Write weights as the kind of file that `path` names; give what has to be said about it.

    A Keras file gets its architecture beside it, as NAME.json.

    Raises:
        OutputError: The kind is unknown, or it cannot be written.
        WeightsFileError: The kind cannot hold such a network.
        DeviceError: A package for it is missing.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind == "h5":
        data = keras_h5.to_bytes(weights)
        write_atomically(path, data)
        write_atomically(path.with_suffix(".json"), keras_h5.companion(weights).encode())
        return _keras_notes(weights)
    if kind == "onnx":
        write_atomically(path, onnx_file.to_bytes(weights))
    elif kind == "glsl":
        write_atomically(path, glsl.to_text(weights).encode())
    elif kind == "npz":
        write_atomically(path, numpy_file.to_bytes(weights))
    elif kind == "safetensors":
        weights.save(path)
    else:
        raise OutputError(f"{path.name} is of an unknown kind. Use one of {', '.join(KINDS)}.")
    return ()


def _keras_notes(weights: NeuralWeights) -> tuple[str, ...]:
    arch, notes = weights.architecture, []
    if arch.activation != "relu":
        notes.append(
            f"The paper's renderer always applies relu, so it draws this {arch.activation} network wrongly; convert with "
            "--activation relu for it. Keras reads the activation from the .json."
        )
    if arch.activation in ("sine", "hard_gelu"):
        name = KERAS_FROM_OURS.get(arch.activation, arch.activation)
        notes.append(f"Keras has no {name}: give model_from_json custom_objects={{'{name}': ...}}.")
    if (weights.unit_from_object != np.eye(4)).any():
        notes.append("A Keras file holds no transform: its shape is in unit space.")
    return tuple(notes)
