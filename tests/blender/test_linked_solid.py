"""Solid shading in real windows draws a linked neural object, its override and its instances as it draws the file's own."""

import numpy as np
from PIL import Image

from tests.blender.spot import neural_spot
from tests.blender.test_solid_view import kinds

SPOT = 1  # as `kinds` numbers it
ROUNDING, FEW = 1.5 / 255, 30  # of 220,000 pixels; 3 were seen to differ, by 1


def test_linked_overridden_and_instanced_objects_look_as_the_files_own(windowed_blender):
    arguments = neural_spot(windowed_blender.folder)
    outcome = windowed_blender.run_script("linked_solid.py", arguments, window=True, timeout_s=1200).check()
    facts = outcome.result
    assert facts["linked"] == [True, True] and facts["override"] == [True, True] and not facts["problem"]
    x, y, width, height = facts["region"]

    def shown(name):
        screen = (
            np.asarray(Image.open(outcome.folder / f"{name}.png").convert("RGB"), np.float64)[::-1] / 255.0
        )
        return screen[y : y + height, x : x + width]

    assert (kinds(shown("none")) == SPOT).sum() == 0
    for name, own in (("linked", "own"), ("override_aside", "own_aside"), ("instance_aside", "own_aside")):
        assert (kinds(shown(own)) == SPOT).sum() > 3000
        difference = np.abs(shown(name) - shown(own))
        assert difference.max() < ROUNDING and (difference > 0.0).any(axis=2).sum() < FEW, name
