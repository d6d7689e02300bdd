"""An engine that stands by converts as one that is started for it, and never outlives its owner."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from neural_implicit.addon.engine_process import EngineProcess
from neural_implicit.engine.protocol.messages import Converted, Failure, Progress, Snapshot, StartConversion

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 400.0  # kernels may have to be compiled, on a machine that others use
END_S = 5.0  # no orphan for longer


@pytest.fixture
def standby():
    process = EngineProcess(Path(sys.executable))
    process.start(["standby"])
    yield process
    process.kill()


def hear(process, kind):
    """Give all messages up to the first of a kind."""
    heard = []
    deadline = time.monotonic() + PATIENCE_S
    while not (heard and isinstance(heard[-1], kind)):
        assert time.monotonic() < deadline and not process.ended, heard[-1:]
        message = process.receive(0.1)
        heard += [] if message is None else [message]
    return heard


def test_it_converts_what_it_is_told_to(standby, tmp_path):
    source, output, proxy = tmp_path / "cube.npz", tmp_path / "o.safetensors", tmp_path / "p.npz"
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = np.array([half for a, b, c, d in quads for half in ([a, b, c], [a, c, d])], np.int32)
    np.savez(source, vertices=corners, triangles=triangles, name=np.array("cube"))
    small = (
        "--preset",
        "draft",
        "--width",
        "8",
        "--depth",
        "2",
        "--samples",
        "20000",
        "--activation",
        "relu",
    )
    standby.send(StartConversion(arguments=(str(source), "-o", str(output), "--proxy", str(proxy), *small)))
    heard = hear(standby, Converted)
    phases = [m.phase for m in heard if isinstance(m, Progress)]
    assert phases[0] in ("starting", "compiling")
    assert "fitting" in phases and any(isinstance(m, Snapshot) for m in heard)
    assert output.stat().st_size == heard[-1].num_bytes
    assert np.load(proxy)["triangles"].shape[1] == 3


def test_it_tells_what_is_wrong_with_a_conversion(standby, tmp_path):
    standby.send(
        StartConversion(arguments=(str(tmp_path / "none.npz"), "-o", str(tmp_path / "o.safetensors")))
    )
    assert "none.npz is not there" in hear(standby, Failure)[-1].message


def test_it_ends_with_its_input_even_while_it_gets_ready(standby):
    hear(standby, Progress)  # it imports or compiles
    began = time.monotonic()
    standby.end(timeout_s=END_S)
    assert time.monotonic() - began < END_S
    assert standby.exit_code == 3  # by itself
