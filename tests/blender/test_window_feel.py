"""Buttons and menus pressed in real windows: Convert Again, Show Error, the redo panel of a bake, Add, the status bar."""

import numpy as np
import pytest
from PIL import Image

STATUS_PX = 20  # height of the status bar
FACES = (128 / 48) ** 2  # how many more the first resolution gives


@pytest.mark.slow
def test_buttons_menus_and_the_redo_panel_do_what_they_say(long_blender):
    outcome = long_blender.run_script("window_feel.py", window=True, timeout_s=5400).check()
    facts, folder = outcome.result, outcome.folder
    check_again(facts["first"], facts["again"])
    check_error(facts["error"], folder)
    check_redo(facts["bake"])
    assert facts["add"] == {"name": "Torus", "running": True, "left": ["Torus"], "state": "cancelled"}
    idle, busy = (status_bar(folder / f"{name}.png") for name in ("cancelled", "status_bar"))
    assert (np.abs(busy - idle).max(axis=2) > 30).sum() > 500  # the bar, its text and its cross


def check_again(first, again):
    assert again["steps"] == first["steps"] / 4 and again["error"] < 2.0 * first["error"]
    assert again["state"] == "finished" and not again["outdated"] and again["objects"] == 1
    assert not again["problem"]


def check_error(facts, folder):
    assert facts["shown"] and not facts["hidden"] and 0.0 < facts["mean"] < facts["top"]
    before, shown, after = (colorful(folder / f"error_{n}.png") for n in ("hidden", "shown", "hidden_again"))
    assert shown > before + 20_000  # pixels: the shape fills the view
    assert after < before + 2_000


def check_redo(facts):
    (first,), (again,) = facts["faces"], facts["redone"]  # one mesh each time: the first is undone
    assert first / again == pytest.approx(FACES, rel=0.1)
    assert facts["hidden"] and facts["panel"] == ["OBJECT_OT_neural_implicit_to_mesh"]


def status_bar(path):
    return np.asarray(Image.open(path).convert("RGB"), int)[-STATUS_PX:]


def colorful(path):
    """Give how many pixels have a strong colour; Solid shading is grey."""
    picture = np.asarray(Image.open(path).convert("RGB"), int)
    return int((np.ptp(picture, axis=2) > 90).sum())
