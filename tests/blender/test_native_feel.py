"""What makes the add-on feel like a part of Blender, in real ones."""

import numpy as np
import OpenEXR
import pytest

from engine.ground_truth.mesh_files import load_mesh
from tests.blender.harness.blenders import ROOT
from tests.blender.spot import neural_spot

SIZE = (192, 108)
SPOT_ERROR = 0.001  # the draft network's mean error in object lengths, at most; measured 0.00063


def source_arrays(folder):
    mesh = load_mesh(ROOT / "examples/spot.obj")
    path = folder / "source.npz"
    np.savez(path, vertices=mesh.vertices, triangles=mesh.faces)
    return {"source": str(path)}


def read(path):
    with OpenEXR.File(str(path)) as file:
        channels = file.channels()
        return next(c.pixels.copy() for name, c in channels.items() if name in ("RGBA", "RGB"))


def check_composite(folder):
    """Ours is where the neural shape is nearest, the other's everywhere else; a cube half inside the shape cuts it."""
    ours, native, both = (read(folder / f"{name}.exr")[..., :3] for name in ("ours", "native", "composite"))
    red = (ours[..., 0] > 3 * ours[..., 2]) & (ours[..., 0] > 3 * ours[..., 1]) & (ours[..., 0] > 0.05)
    assert 0.02 < red.mean() < 0.5
    inner = red & np.roll(red, 2, 0) & np.roll(red, -2, 0) & np.roll(red, 2, 1) & np.roll(red, -2, 1)
    # Light from the shape's surroundings is in neither; the other's bounces are not ours, so only near.
    assert np.abs(both - ours)[inner].mean() < 0.05 * ours[inner].mean() + 0.01
    blue = (native[..., 2] > 3 * native[..., 0]) & (ours[..., 2] > 3 * ours[..., 0])
    assert blue.mean() > 0.01
    away = blue & np.roll(blue, 1, 0) & np.roll(blue, -1, 0) & np.roll(blue, 1, 1) & np.roll(blue, -1, 1)
    lit = np.median(np.abs(both - native)[away]) / native[away].mean()
    assert lit < 0.05


def test_baking_errors_presets_and_adding(bpy_module):
    arguments = {
        **neural_spot(bpy_module.folder),
        **source_arrays(bpy_module.folder),
        "size": SIZE,
        "composite": True,
    }
    outcome = bpy_module.run_script("native_feel.py", arguments, timeout_s=400).check()
    facts = outcome.result
    bake = facts["bake"]
    assert bake["faces"] > 5000 and bake["materials"] == ["Spot"] and bake["follows"] and bake["hidden"]
    assert bake["placed"] < 1e-6
    assert bake["error_materials"] == ["Neural Implicit Error"] and bake["colors"]
    mean, largest = bake["errors"]
    assert 0.0 < mean < SPOT_ERROR and mean < largest < 20 * SPOT_ERROR
    assert facts["show"]["mean"] == pytest.approx(mean, rel=0.2)
    assert facts["show"]["mean"] < facts["show"]["top"] < largest * 1.2
    assert "has no source in this file any more" in facts["show"]["refused"]
    assert facts["presets"] == ["DRAFT", True, 48]
    assert facts["added"] == ["Cube.002 Neural"]
    check_composite_facts(facts["composite"])
    check_composite(outcome.folder)


def check_composite_facts(facts, engine="CYCLES"):
    assert facts["partner"] == ["NEURAL_IMPLICIT", True, True]
    assert facts["again"], "pressed twice it makes nothing twice"
    assert engine in facts["engine"]


def test_neural_shape_stands_in_a_picture_of_cycles(windowed_blender):
    arguments = {**neural_spot(windowed_blender.folder), "size": SIZE, "composite": True}
    outcome = windowed_blender.run_script("native_feel.py", arguments, timeout_s=400).check()
    check_composite_facts(outcome.result["composite"])
    check_composite(outcome.folder)


def test_neural_shape_stands_in_a_picture_of_eevee(long_blender):
    arguments = {**neural_spot(long_blender.folder), "size": SIZE, "engine": "EEVEE"}
    outcome = long_blender.run_script("eevee_composite.py", arguments, window=True, timeout_s=1200).check()
    check_composite_facts(outcome.result["composite"], "EEVEE")
    check_composite(outcome.folder)
