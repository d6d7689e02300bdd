"""The kernels compiled for processors with shorter vectors than this one's, in a process of its own, against float64."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 900.0  # everything is compiled anew; usually a minute
FEATURES = {"sse2": (4, "generic", ""), "avx2": (8, "haswell", "+avx,+avx2,+fma,+sse4.2")}
SCRIPT = """
import json
import numpy as np
from engine.tracing import make_tracer
from engine.tracing.simd_tile import LANES
from engine.network.field import Field
from tests.engine.networks import octahedron, random_network

found = {"lanes": LANES}
where = np.random.default_rng(0).uniform(-1.0, 1.0, (999, 3)).astype(np.float32)
for activation in ("relu", "softplus", "sine", "hard_gelu"):
    weights = random_network(activation=activation, width=20, depth=4)
    tracer, field = make_tracer(weights, "cpu"), Field(weights)
    value, gradient = field.value(where), field.gradient(where)
    error = np.linalg.norm(tracer.gradient(where) - gradient, axis=1) / np.linalg.norm(gradient, axis=1).max()
    found[activation] = [
        float(np.abs(tracer._value(where) - value).max() / max(1.0, np.abs(value).max())),
        float(np.quantile(error, 0.99)),  # a value on the other side of a kink takes the other slope
    ]
origins = np.random.default_rng(1).normal(size=(2000, 3))
origins *= 3.0 / np.linalg.norm(origins, axis=1, keepdims=True)
t = make_tracer(octahedron(), "cpu").trace(origins, -origins, np.zeros(2000), np.full(2000, 1.0))
found["octahedron"] = float(np.abs(np.abs(origins * (1.0 - t[:, None])).sum(axis=1) - 0.7).max())
print(json.dumps(found))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the features are those of x86-64")
@pytest.mark.parametrize("name", FEATURES)
def test_values_gradients_and_hits_are_right(name, tmp_path):
    lanes, processor, features = FEATURES[name]
    variables = {
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found.pop("lanes") == lanes
    assert found.pop("octahedron") < 1e-5
    for activation, (value, gradient) in found.items():
        assert value < 5e-6 and gradient < 3e-5, activation
