"""Direct light against Cycles on a diffuse scene: one picture of a dense sphere on a plane for each type of light.

bpy renders the scene with Cycles and exports it as the add-on does; the engine draws that export here.
"""

import json

import numpy as np
import pytest

from engine.protocol.codec import from_plain
from engine.protocol.scene import Camera, Scene
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture
from tests.blender.conftest import find_or_skip
from tests.blender.harness import blenders, installing

pytestmark = pytest.mark.blender

SIZE = (128, 96)
CYCLES_SAMPLES = 128
SAMPLES = 64
# Largest mean difference over the mean of the lit pixels. Noise alone is 0.2 to 2 % at these samples (the world and
# the spots have most); a wrong unit, a factor of pi or 4, would be 50 % and more.
TOLERANCE = 0.03
NOISE = {"environment": 0.06}  # its lamp shines a hundred times as bright: 4 % and more of noise alone
BIAS = 0.005  # of the means' ratio, in which noise averages out: measured 0.02 to 0.13 %
EDGES = {"panorama": 0.01, "fisheye": 0.01}  # edges of the small picture: 0.2 and 0.5 % at 48 samples
LIGHTS = (
    *("sun", "point", "spot", "spot_scaled", "area_square", "area_disk", "area_ellipse_scaled", "world"),
    *("area_spread", "area_narrow", "alpha", "alpha_sun"),
    *("sun_unnormalized", "point_unnormalized", "spot_unnormalized", "area_unnormalized"),
    *("environment", "ambient", "lens", "lens_orthographic", "panorama", "fisheye", "equisolid"),
)


@pytest.fixture(scope="module")
def pictures(extension_zip, tmp_path_factory):
    """The folder with Cycles' pictures and the exported scenes."""
    found = find_or_skip(blenders.MODULE)
    folder = tmp_path_factory.mktemp("cycles")
    profile = installing.make_profile(found, installing.installed_resources(found, extension_zip), folder)
    arguments = {"size": SIZE, "samples": CYCLES_SAMPLES}
    outcome = profile.run_script("cycles_lights.py", arguments, timeout_s=400).check()
    assert sorted(outcome.result["lights"]) == sorted(LIGHTS)
    return outcome.folder


def both(folder, light):
    """Give Cycles' and the engine's linear colours (N, 3) of the lit pixels of objects, and their share."""
    expected = np.load(folder / f"{light}.npy")[..., :3]
    exported = json.loads((folder / f"{light}.json").read_text())
    prepared = prepare_scene(from_plain(Scene, exported["scene"]), SceneCache(folder / "blobs"))
    request = ViewRequest(
        camera=from_plain(Camera, exported["camera"]),
        width=SIZE[0],
        height=SIZE[1],
        samples=SAMPLES,
        planes=("combined", "object_id"),
    )
    planes = render_picture(prepared, request).planes
    ours = planes["combined"][..., :3]
    lit = (planes["object_id"][..., 0] > 0) & (np.maximum(expected, ours).max(axis=2) > 0)
    return expected[lit], ours[lit], lit.mean()


@pytest.mark.parametrize("light", LIGHTS)
def test_direct_light_is_that_of_cycles(pictures, light):
    expected, ours, share = both(pictures, light)
    assert share > 0.15  # the spot's ring, the smallest, is a fifth of the picture
    assert np.abs(ours - expected).mean() <= NOISE.get(light, TOLERANCE) * expected.mean()
    assert ours.mean() == pytest.approx(expected.mean(), rel=EDGES.get(light, BIAS))
