"""A moving shape, imported from a file, follows the timeline in Rendered shading of a real window."""

import numpy as np
import pytest
from PIL import Image

from engine.protocol.weights import Architecture
from tests.engine.networks import from_arrays

SIZE = 0.3


def slider():
    """|x + 0.5 - t| + |y| + |z| - SIZE: its middle goes from x = -0.5 to x = 0.5."""
    rows = [[1, 0, 0, -1], [-1, 0, 0, 1], [0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0]]
    layers = [np.array(rows, float), np.ones((1, 6))]
    return from_arrays(Architecture(inputs=4, width=6, depth=1), layers, [[0.5, -0.5, 0, 0, 0, 0], [-SIZE]])


def red(path, view):
    """Where a screenshot's view (left, top, right, bottom) is red: much more than green and blue."""
    with Image.open(path) as picture:
        colors = np.asarray(picture.convert("RGB")).astype(int)
    mask = np.zeros(colors.shape[:2], bool)
    inside = np.s_[view[1] : view[3], view[0] : view[2]]
    mask[inside] = (colors[..., 0] > 60 + colors[..., 1:].max(axis=2))[inside]
    return mask


def around(mask, place):
    x, y = np.rint(place).astype(int)
    return mask[y - 2 : y + 3, x - 2 : x + 3]


def test_view_shows_the_moment_of_its_frame(windowed_blender):
    weights = windowed_blender.folder / "slider.safetensors"
    slider().save(weights)
    arguments = {"weights": str(weights)}
    outcome = windowed_blender.run_script("moving_in_window.py", arguments, window=True, timeout_s=900)
    facts = outcome.check().result
    assert facts["neural"]
    middles = []
    for number, (frame, places) in enumerate(facts["frames"].items()):
        mask = red(outcome.folder / f"frame_{frame}.png", facts["view"])
        for other, place in enumerate(places):
            assert around(mask, place).all() if other == number else not around(mask, place).any(), frame
        x, y = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
        middles.append((x.mean(), np.ptp(x), np.ptp(y)))
        assert x.mean() == pytest.approx(places[number][0], abs=2.0)  # pixels
    metre = places[2][0] - places[0][0]
    for _, width, height in middles:
        assert width == pytest.approx(2 * SIZE * metre, abs=4.0) and height == pytest.approx(width, abs=4.0)
    played = facts["played"]
    assert played["playing"] and played["way"] > 0.5
    x = np.flatnonzero(red(outcome.folder / "played.png", facts["view"]).any(axis=0)).mean()
    assert x == pytest.approx(places[0][0] + played["way"] * metre, abs=3.0)
