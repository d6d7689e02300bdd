"""Rendered shading in real windows: what is on the screen is what Blender itself finds there."""

import numpy as np
import pytest
from PIL import Image

from tests.blender.occlusion import AT_CURVE, INSIDE, SPOT, agreement
from tests.blender.spot import dense_spot, neural_spot

STEP = 6  # pixels between rays, as in the script
SATURATED = 1.5  # the largest channel over the next; grey and black pixels tell no object

# Blender's rays meet the proxy, 0.3 % of the diameter inside the surface: a pixel or less of the silhouette.
OBJECT_AGREES = 0.99
NATIVE_DEPTH = 2e-5  # in the depth buffer; Blender casts rays with 32 bits as well
SCREEN_AGREES = 0.995  # the rest: Blender's own lines of camera and passepartout


@pytest.fixture
def pictures(windowed_blender):
    """What one window showed, view by view, and facts about it."""

    def run(**arguments):
        outcome = windowed_blender.run_script(
            "viewport_pictures.py",
            {**neural_spot(windowed_blender.folder), **arguments},
            window=True,
            timeout_s=600,
        ).check()
        planes = {path.stem: dict(np.load(path)) for path in outcome.folder.glob("*.npz")}
        return outcome, planes

    return run


def test_viewport_in_each_kind_of_view(pictures):
    outcome, views = pictures(perspectives=["PERSP", "ORTHO", "CAMERA"])
    assert sorted(views) == ["camera", "negative", "ortho", "persp", "restarted"]
    for name, planes in views.items():
        check_against_rays(name, planes)
        check_screen(outcome.folder / f"{name}.png", planes, outcome.result["region"])
    assert outcome.result["restarted"] not in (None, outcome.result["killed"])
    assert outcome.result["idle redraws"] == 0
    assert not outcome.result["idle timer"]


def test_neural_shape_occludes_as_its_dense_mesh_in_a_window(pictures, windowed_blender):
    _, views = pictures(**dense_spot(windowed_blender.folder), perspectives=["PERSP"])
    neural, dense = views["persp"], views["dense"]
    found = agreement(
        *(planes[name][..., 0] for planes in (neural, dense) for name in ("pass_index", "view_z"))
    )
    assert found["inside"] > INSIDE
    assert found["curve"] > AT_CURVE


def away_from_borders(index):
    """Where the object is the same two pixels up, down, left and right: rays meet the proxy, which lies inside."""
    same = np.ones(index.shape, bool)
    for axis in (0, 1):
        for shift in (-2, 2):
            same &= np.roll(index, shift, axis) == index
    return same


def check_against_rays(name, planes, all_in_view=True, small=False):
    index, depth = (planes[plane][::STEP, ::STEP, 0] for plane in ("pass_index", "depth"))
    ray_index, ray_depth = planes["rays"][..., 0], planes["rays"][..., 1]
    objects = np.unique(ray_index)
    assert SPOT in objects and (not all_in_view or len(objects) == 5), f"{name}: {objects} in view"
    inside = (index > 0) | (ray_index > 0)
    if small:  # a quarter of a window has a hundred such points, and a few on borders would decide
        inside &= away_from_borders(planes["pass_index"][..., 0])[::STEP, ::STEP]
    agrees = (index == ray_index)[inside].mean()
    native = (index == ray_index) & (index > SPOT)
    error = np.abs(depth - ray_depth)[native].max()
    assert agrees > OBJECT_AGREES
    assert error < NATIVE_DEPTH


def check_screen(path, planes, region):
    screen = np.asarray(Image.open(path).convert("RGB"), np.float64)
    x, y, width, height = region
    shown = screen[::-1][y : y + height, x : x + width]
    ordered = np.sort(shown, axis=2)
    saturated = (ordered[..., 2] > SATURATED * ordered[..., 1]) & (ordered[..., 2] > 40)
    said = np.array([1, 3, 2])[shown.argmax(axis=2)]  # red, green, blue
    index = planes["pass_index"][..., 0]
    agrees = (said == index)[saturated].mean()
    told = saturated[(index > 0) & (index < 4)].mean()
    assert agrees > SCREEN_AGREES
    assert told > 0.5  # the side away from the sun is dark
