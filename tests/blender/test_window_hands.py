"""What people do in a window in Rendered shading, with mouse and keys, in each Blender that opens one."""

import numpy as np
import pytest

from tests.blender.occlusion import SPOT
from tests.blender.spot import neural_spot
from tests.blender.test_final_render import read
from tests.blender.test_viewport import check_against_rays

SAMPLES = 4
PARTS = ["picked", "quad", "two", "local", "same", "escape"]
FAR = 1e9
SAME_PIXEL = (
    2  # pixels on silhouettes, whose one ray may fall to either side: the two matrices differ by a rounding
)
ROUNDING = 2e-5  # relative, of both: 32 bits
STOPS_S = 5.0  # the render itself would take minutes; the promise, a second, holds on a machine that is free


@pytest.fixture
def hands(windowed_blender):
    """What a person found in one window."""
    arguments = {**neural_spot(windowed_blender.folder), "samples": SAMPLES, "parts": PARTS}
    return windowed_blender.run_script("window_hands.py", arguments, window=True, timeout_s=900).check()


def test_hands_in_rendered_shading(hands):
    facts = hands.result
    assert facts["picked"] == {"Spot": ["Spot"], "Cube": ["Cube"]}
    assert facts["quad"] == {"regions": 4, "views": 4}
    assert facts["two"]["views"] == 2
    for path in sorted(hands.folder.glob("quad_*.npz")) + sorted(hands.folder.glob("two_*.npz")):
        check_against_rays(path.stem, dict(np.load(path)), all_in_view=False, small=True)
    assert facts["local"] == {"inside": [0.0, float(SPOT)], "outside": [0.0, 1.0, 2.0, 3.0, 4.0]}
    check_same_picture(dict(np.load(hands.folder / "viewport.npz")), read(hands.folder / "final.exr"))
    assert facts["escape"]["went_on"]
    assert facts["escape"]["took_s"] < STOPS_S


def check_same_picture(viewport, final):
    """Same objects, depths and colours: the same samples of the same camera."""
    index, view_z, color = (viewport[name][::-1] for name in ("pass_index", "view_z", "combined"))
    same = index[..., 0] == final["index"]
    assert (~same).sum() <= SAME_PIXEL * (index.shape[0] + index.shape[1]) / 100
    hit = same & (final["index"] > 0)
    assert hit.mean() > 0.5
    depth = np.abs(view_z[..., 0] / final["depth"] - 1.0)[hit]
    assert np.quantile(depth, 0.999) < ROUNDING
    difference = np.abs(color - final["combined"])[hit]
    assert np.median(difference) < 1e-6
    assert difference.mean() < 1e-3
