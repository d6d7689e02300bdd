"""Operators that wait for the engine, in a real window, with mouse and keys."""

import numpy as np
from PIL import Image

from tests.blender.spot import neural_spot

MESHING = "OBJECT_OT_neural_implicit_to_mesh"


def test_meshing_by_its_dialog_and_escape(windowed_blender):
    arguments = {**neural_spot(windowed_blender.folder), "resolution": 48}
    outcome = windowed_blender.run_script("window_tasks.py", arguments, window=True, timeout_s=600).check()
    facts = outcome.result
    assert facts["back"]["faces"] > 2000 and facts["back"]["active"]
    assert MESHING in facts["escape"]["running"] and MESHING not in facts["escape"]["left"]
    assert facts["escape"]["made"] == 0
    hidden, shown = (rim_pixels(outcome.folder / f"holes_{name}.png") for name in ("hidden", "shown"))
    assert shown > hidden + 300  # a circle as wide as the shape


def rim_pixels(path):
    """Give how many pixels of a picture have the colour of rims."""
    picture = np.asarray(Image.open(path).convert("RGB"), int)
    return int((np.abs(picture - (255, 64, 26)).max(axis=2) < 40).sum())
