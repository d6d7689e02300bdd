"""Every kind of weights file by its name: read one, find those in a folder, and put the box of a foreign one right."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import WeightsFileError
from ..network.moving_shapes import at_time
from ..network.zero_set_box import FloatArray, zero_set_box
from ..protocol.weights import NeuralWeights
from ..tracing.network_values import NetworkValues
from . import keras_h5

log = logging.getLogger(__name__)

OURS = ".safetensors"
KERAS = ".h5"
KINDS = (OURS, KERAS)
TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)  # at which a moving shape is looked at for its box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedWeights:
    """A file's network, and what a reader of it should know."""

    weights: NeuralWeights
    notes: tuple[str, ...] = ()


def load_weights(path: Path, architecture: Path | None = None) -> NeuralWeights:
    """Read a weights file of any kind; what has to be said about it goes to the log.

    Raises:
        WeightsFileError: It is missing, damaged or of an unknown kind.
        DeviceError: A package that reads it is missing.
    """
    loaded = load_with_notes(path, architecture)
    for note in loaded.notes:
        log.warning(note)
    return loaded.weights


def load_with_notes(path: Path, architecture: Path | None = None) -> LoadedWeights:
    """Read a weights file of any kind.

    Args:
        path: .safetensors or .h5.
        architecture: The JSON with the activations of a Keras file.

    Raises:
        WeightsFileError: It is missing, damaged or of an unknown kind.
        DeviceError: A package that reads it is missing.
    """
    kind = path.suffix.lower()
    if kind == KERAS:
        shape = keras_h5.read(path, architecture)
        box, has_zero_set = _box(shape.weights)
        bounded = shape.weights.with_description(bounds_unit=tuple(float(x) for x in box.ravel()))
        notes = shape.notes if has_zero_set else (*shape.notes, f"{path.name} has no surface: {_WHY_EMPTY}")
        return LoadedWeights(weights=bounded, notes=notes)
    if kind != OURS and path.is_file() and not _is_safetensors(path):
        raise WeightsFileError(
            f"{path.name} is of an unknown kind. Weights files end in {' or '.join(KINDS)}."
        )
    return LoadedWeights(weights=NeuralWeights.load(path))


_WHY_EMPTY = "its network is positive (or negative) everywhere, so its training has failed."


def find_weights(paths: Iterable[Path]) -> list[Path]:
    """Give the files that paths name: a file as it is, of a folder every weights file in it, by name.

    Raises:
        WeightsFileError: A folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in KINDS and p.is_file())
        if not inside:
            raise WeightsFileError(f"{path} holds no weights file ({', '.join(KINDS)}). Name another folder.")
        found += inside
    return found


def _is_safetensors(path: Path) -> bool:
    """Whether a file without our ending may still be read as one, so that its own error is the clearer one."""
    return path.suffix == ""


def _box(weights: NeuralWeights) -> tuple[FloatArray, bool]:
    """Give the box (2, 3) of the zero set, at all times of a moving one, and whether there is one."""
    times = TIMES if weights.architecture.inputs == 4 else TIMES[:1]
    fields = [NetworkValues(at_time(weights, time)) for time in times]
    boxes = [zero_set_box(field) for field in fields if field.changes_sign()]
    if not boxes:
        return np.array([[-1.0] * 3, [1.0] * 3]), False
    return np.stack([np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)]), True
