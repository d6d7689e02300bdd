"""README's lines do what it says they do."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from engine.conversion.presets import SMOOTH
from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from tests.engine.networks import random_network

ROOT = Path(__file__).resolve().parent.parent


def test_three_lines_of_numpy_evaluate_the_network(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    snippet = next(block for block in blocks if "safetensors" in block)
    network = random_network(width=SMOOTH.width, depth=SMOOTH.depth, activation=SMOOTH.activation)
    path = tmp_path / "spot.safetensors"
    dataclasses.replace(network, float16=True).save(path)  # as conversion stores it by default
    monkeypatch.chdir(tmp_path)
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (100, 3))
    scope = {"x": points}
    exec(snippet, scope)
    assert np.ravel(scope["f"]) == pytest.approx(
        Field(NeuralWeights.load(path)).value(points), rel=1e-9, abs=1e-12
    )
