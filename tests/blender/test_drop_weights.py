"""Weights files dropped from another program into a window, by the X11 protocol that file managers speak."""

import shutil

import numpy as np
import pytest

from engine.protocol.weights import Architecture
from tests.blender.harness.blenders import ROOT
from tests.blender.spot import WEIGHTS
from tests.engine.keras_files import write_keras_2
from tests.engine.networks import from_arrays

DROP = ROOT / "tests/blender/harness/drop.py"
CURSOR = [3.0, -2.0, 0.5]


def tower():
    """|2.5 x| + |y| + |2.5 z| - 0.8: high along y, which is up in the paper's files."""
    first = np.concatenate([np.diag([2.5, 1.0, 2.5]), -np.diag([2.5, 1.0, 2.5])])
    return from_arrays(Architecture(width=6, depth=1), [first, np.ones((1, 6))], [np.zeros(6), [-0.8]])


def test_files_dropped_into_the_view_become_shapes(windowed_blender):
    folder = windowed_blender.folder / "Gewichte für mich"  # a space and an umlaut: %20 and %C3%BC in a URI
    folder.mkdir()
    shutil.copy(WEIGHTS, folder / "spot.safetensors")
    for name in ("101_sf", "102_sf", "103_sf"):
        write_keras_2(folder / f"{name}.h5", tower())
    (folder / "damaged.h5").write_bytes(b"nothing")
    names = ("101_sf.h5", "spot.safetensors", "102_sf.h5", "damaged.h5", "103_sf.h5")
    arguments = {
        "drop": str(DROP),
        "paths": [str(folder / name) for name in names],
        "cursor": CURSOR,
        "expected": 4,
    }
    outcome = windowed_blender.run_script("drop_weights.py", arguments, window=True, timeout_s=600).check()
    facts = outcome.result
    assert facts["code"] == 0 and facts["said"] == ""
    assert sorted(facts["shapes"]) == ["101_sf", "102_sf", "103_sf", "spot"]  # one that is damaged stops none
    for number, name in enumerate(("101_sf", "102_sf", "103_sf")):
        shape = facts["shapes"][name]
        assert shape["location"] == pytest.approx(np.add(CURSOR, [2.0 * number, 0.0, 0.0])), name  # a row
        assert shape["tilt"] == pytest.approx(np.pi / 2.0)
        height, width = shape["extent"]
        assert height == pytest.approx(2.5 * width, rel=0.1) and height > 1.0, name  # upright
    spot = facts["shapes"]["spot"]
    assert spot["location"] == pytest.approx(CURSOR) and spot["tilt"] == 0.0
    assert spot["bytes"] == WEIGHTS.stat().st_size
    assert all(shape["state"] == "finished" and shape["selected"] for shape in facts["shapes"].values())
    assert facts["active"] in facts["shapes"]
    assert facts["left after undo"] == []  # one step takes all of it away
