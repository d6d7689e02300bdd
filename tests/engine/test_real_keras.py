"""Keras itself reads what `export` writes, and what Keras writes is read here.

NEURAL_IMPLICIT_KERAS names Pythons that have Keras, separated by commas: of version 2 with TensorFlow, of version 3
with torch. Keras is no part of the engine's environment.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engine.formats.exports import export
from engine.formats.weights_files import load_with_notes
from engine.network.field import Field
from tests.engine.networks import random_network

PYTHONS = [Path(name) for name in os.environ.get("NEURAL_IMPLICIT_KERAS", "").split(",") if name]
SCALES = {
    "softplus": 1.4,
    "sigmoid": 5.0,
    "silu": 1.6,
    "gelu": 1.6,
}  # of weights: eleven layers shrink values else
ACTIVATIONS = ("relu", "elu", "tanh", "leaky_relu", *SCALES)
ROUNDING = 5e-6  # of float32 sums in another order, with values up to a few
TIMEOUT_S = 900.0  # TensorFlow and torch are slow to load


@pytest.mark.skipif(not PYTHONS, reason="NEURAL_IMPLICIT_KERAS names no Python that has Keras")
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parent.parent.name)
def test_keras_reads_what_we_write_and_we_read_what_it_writes(python, tmp_path):
    points = np.random.default_rng(3).uniform(-1.0, 1.0, (1000, 3)).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    networks = {
        name: random_network(
            1, width=24, depth=11, activation=name, output_activation="tanh", scale=SCALES.get(name, 1.2)
        )
        for name in ACTIVATIONS
    }  # of eleven layers: dense_10 must come after dense_2
    for name, weights in networks.items():
        export(weights, tmp_path / f"{name}.h5")
    reader = Path(__file__).with_name("keras_reader.py")
    command = [str(python), str(reader), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ended.returncode == 0, ended.stderr[-3000:]
    print(f"Keras {ended.stdout.splitlines()[-1]}")
    for name, weights in networks.items():
        expected = Field(weights).value(points)
        assert np.ptp(expected) > 0.01, name  # there is something to compare
        assert np.load(tmp_path / f"{name}.npy")[:, 0] == pytest.approx(expected, abs=ROUNDING), name
        alone = tmp_path / f"{name}-alone"
        alone.mkdir()
        model = load_with_notes(Path(shutil.move(tmp_path / f"{name}.model.h5", alone / "a.h5")))
        assert not any("assumed" in note for note in model.notes)  # its architecture is inside
        plain = tmp_path / f"{name}.weights.h5"
        read = load_with_notes(plain, tmp_path / f"{name}.json")
        for again in (model.weights, read.weights):
            assert again.architecture.activation == name
            assert Field(again).value(points) == pytest.approx(expected, abs=ROUNDING), name
