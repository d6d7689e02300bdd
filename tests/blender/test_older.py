"""Older Blenders, the oldest that the manifest allows among them: convert, save, open, render, with the real engine."""

import numpy as np
import pytest

from tests.blender.conftest import find_or_skip
from tests.blender.harness import blenders, installing
from tests.blender.test_final_render import read

SURFACE = 0.02  # unit space: a small network, trained for seconds; the default's is a tenth of it
RADIUS = 3**0.5  # of the cube's corners, m
FAR = 1e9


@pytest.mark.blender
@pytest.mark.parametrize("name", blenders.OLDER)
def test_a_cube_is_converted_saved_opened_and_rendered(name, extension_zip, tmp_path):
    found = find_or_skip(name)
    profile = installing.make_profile(found, installing.installed_resources(found, extension_zip), tmp_path)
    outcome = profile.run_script("convert_and_render.py", timeout_s=400).check()
    assert name.startswith("bpy-" + ".".join(outcome.result["version"].split(".")[:2]))
    assert outcome.result["state"] == "finished"
    assert outcome.result["errors"]["surface_mean"] < SURFACE
    picture = read(outcome.folder / "cube.exr")
    cube = picture["index"] == 1
    assert 0.03 < cube.mean() < 0.5
    distance = np.linalg.norm(np.array(outcome.result["camera"])[:3, 3])
    assert np.abs(picture["depth"][cube] - distance).max() < RADIUS + 0.1
    assert (picture["depth"][~cube] > FAR).all()  # nothing else is there: its source is hidden
    faces = np.array(outcome.result["matrix"])[:3, :3]
    along = np.abs(picture["normal"][cube] @ faces).max(axis=1)
    assert np.median(along) > 0.98  # most pixels look at the middle of a face
