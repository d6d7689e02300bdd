"""An animated object becomes a network of x, y, z and t that plays with the timeline."""

import numpy as np
import OpenEXR
import pytest

ORTHO, WIDTH = 4.0, 160  # metres and pixels across the picture, whose middle is x = 1


def middle_and_width(path):
    """Where the ball is along x, and how wide, in metres."""
    with OpenEXR.File(str(path)) as file:
        channels = {n.split(".", 1)[1]: c.pixels for p in file.parts for n, c in p.channels.items()}
    index = channels.get("Object Index.X", channels.get("IndexOB.X"))
    columns = np.nonzero((index == 1).any(axis=0))[0]
    metres = 1.0 + (columns + 0.5 - 0.5 * WIDTH) * ORTHO / WIDTH
    return metres.mean(), np.ptp(metres) + ORTHO / WIDTH


def test_animated_object_moves_with_the_timeline(blender):
    outcome = blender.run_script("moving.py", timeout_s=400).check()
    result = outcome.result
    assert result["frame after"] == 14  # where the user left it
    assert "2 to 1000 frames, not 1" in result["refused"]
    assert result["frames"] == [11, 21] and result["inputs"] == 4
    assert result["trained at"] == pytest.approx(np.linspace(0.0, 1.0, 6))
    assert result["errors"]["surface_mean"] < 0.01
    expected = {"1": 0.0, "11": 0.0, "16": 0.5, "21": 1.0, "90": 1.0}  # it rests before and after
    assert result["times"] == pytest.approx(expected)
    assert result["proxy"].pop("complaint") == ""
    assert result["damaged"] == [True, True, True, False]
    where = {"1": 0.0, "11": 0.0, "16": 1.0, "21": 2.0}  # the proxy moves too, by the nearest of six moments
    assert result["proxy"] == pytest.approx(where, abs=0.25)
    assert result["exported"]["moves"] and result["exported"]["time"] == pytest.approx(0.25)
    for name, x in (("frame_11", 0.0), ("frame_16", 1.0), ("frame_21", 2.0)):
        middle, width = middle_and_width(outcome.folder / f"{name}.exr")
        # a small network: a fiftieth of the way, and a pixel of 0.025 m on each side
        assert middle == pytest.approx(x, abs=0.05) and width == pytest.approx(1.0, abs=0.1), name
    assert result["meshed at the last frame"] == pytest.approx(2.0, abs=0.05)
