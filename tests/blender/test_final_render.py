"""F12 in real Blenders: passes, border, resolution, transparency, Apply Transform, Esc and failures."""

import math

import numpy as np
import OpenEXR
import pytest

from tests.blender.occlusion import AT_CURVE, INSIDE, SPOT, agreement
from tests.blender.spot import dense_spot, neural_spot

SIZE = (192, 108)
DENSE_SIZE = (480, 270)
PLANE = 4  # pass index
BORDER = {
    "use_border": True,
    "border_min_x": 0.25,
    "border_max_x": 0.75,
    "border_min_y": 0.25,
    "border_max_y": 0.75,
}
INNER = (slice(27, 81), slice(48, 144))  # the border in pixels
FAR = 1e10  # Blender's depth of nothing
FLOAT_32 = 1e-5  # relative; the ray's arithmetic in 32 bits
APPLIED = 1e-4  # metres; the matrix is found again from the proxy's vertices, 32 bits each
CANCEL_S = 1.0  # Esc is answered within a second


def read(path):
    """Give a multilayer EXR's passes by name, top row first."""
    with OpenEXR.File(str(path)) as file:
        channels = {n.split(".", 1)[1]: c.pixels.copy() for p in file.parts for n, c in p.channels.items()}
    normal = np.stack([channels[f"Normal.{axis}"] for axis in "XYZ"], axis=-1)
    index = channels.get("Object Index.X", channels.get("IndexOB.X"))
    return {"combined": channels["Combined"], "depth": channels["Depth.Z"], "normal": normal, "index": index}


def render(profile, **arguments):
    arguments = {**neural_spot(profile.folder), "size": SIZE, **arguments}
    outcome = profile.run_script("final_pictures.py", arguments, timeout_s=200).check()
    return outcome, {path.stem: read(path) for path in outcome.folder.glob("*.exr")}


def test_final_render_and_its_settings(blender):
    renders = {
        "whole": {},
        "border": BORDER,
        "crop": {**BORDER, "use_crop_to_border": True},
        "half": {"resolution_percentage": 50},
        "transparent": {"film_transparent": True},
    }
    outcome, pictures = render(blender, renders=renders, apply=True, cancel=0.5)
    check_passes(pictures["whole"])
    check_border(pictures)
    assert pictures["half"]["combined"].shape == (54, 96, 4)
    shares = [(pictures[name]["index"] == SPOT).mean() for name in ("whole", "half")]
    assert shares[0] == pytest.approx(
        shares[1], rel=0.05
    )  # of the silhouette's pixels every other one is left
    nothing = pictures["transparent"]["index"] == 0
    assert (pictures["whole"]["combined"][..., 3] == 1.0).all()
    assert (pictures["transparent"]["combined"][nothing] == 0.0).all()
    assert (pictures["transparent"]["combined"][~nothing][:, 3] == 1.0).all()
    check_applied(pictures, outcome.result["matrix"])
    assert outcome.result["cancel_s"] < CANCEL_S


def check_passes(picture):
    index, depth, normal = picture["index"], picture["depth"], picture["normal"]
    assert list(np.unique(index)) == [0, 1, 2, 3, 4]
    assert (depth[index == 0] == np.float32(FAR)).all()
    lengths = np.linalg.norm(normal[index > 0], axis=-1)
    assert np.abs(lengths - 1.0).max() < FLOAT_32
    plane = index == PLANE
    assert np.abs(normal[plane] - (0, 0, 1)).max() < FLOAT_32
    assert np.abs(depth / plane_depth(index.shape) - 1.0)[plane].max() < FLOAT_32
    spot = picture["combined"][index == SPOT]
    assert spot[:, 0].mean() > 5 * spot[:, 2].mean(), "spot is red"


def plane_depth(shape):
    """Give the distance along the camera's axis at which each pixel's ray meets z = 0."""
    height, width = shape
    across = 36.0 / 50.0 / width  # of a pixel: sensor over focal length
    x = (np.arange(width) + 0.5 - width / 2) * across
    y = (height / 2 - np.arange(height) - 0.5) * across
    tilt = math.radians(71)
    rise = y[:, None] * math.sin(tilt) - math.cos(tilt) + 0.0 * x
    return -2.2 / np.minimum(rise, -1e-9)


def check_border(pictures):
    whole, border, crop = pictures["whole"], pictures["border"], pictures["crop"]
    for name in whole:
        assert np.array_equal(border[name][INNER], whole[name][INNER]), name
        assert np.array_equal(crop[name], whole[name][INNER]), name
    outside = np.ones(border["index"].shape, bool)
    outside[INNER] = False
    assert (border["combined"][outside][:, :3] == 0.0).all()


def check_applied(pictures, matrix):
    whole, applied = pictures["whole"], pictures["applied"]
    assert np.abs(np.array(matrix) - np.eye(4)).max() < FLOAT_32
    same = whole["index"] == applied["index"]
    assert (~same).sum() <= 2  # a pixel's centre on the silhouette may fall to either side
    assert np.median(np.abs(whole["depth"] - applied["depth"])[same & (whole["index"] == SPOT)]) < APPLIED


def test_neural_shape_occludes_as_its_dense_mesh(bpy_module):
    dense = dense_spot(bpy_module.folder)
    _, pictures = render(bpy_module, **dense, size=DENSE_SIZE, renders={"neural": {}})
    neural, dense = pictures["neural"], pictures["dense"]
    found = agreement(neural["index"], neural["depth"], dense["index"], dense["depth"])
    assert found["inside"] > INSIDE
    assert found["curve"] > AT_CURVE


def test_failed_render_ends_blender_with_an_error(windowed_blender):
    variables = {"NEURAL_IMPLICIT_PYTHON": "/bin/false"}
    ended = command_line_render(windowed_blender, variables)
    assert ended.returncode == 1
    assert "The engine ended at start" in ended.stderr + ended.stdout
    assert not list(windowed_blender.folder.glob("frame*"))


def test_command_line_renders_a_frame(windowed_blender):
    ended = command_line_render(windowed_blender, {})
    assert ended.returncode == 0, ended.stderr
    assert len(list(windowed_blender.folder.glob("frame*.png"))) == 1


def command_line_render(profile, variables):
    output = str(profile.folder / "frame")
    settings = "import bpy; bpy.context.scene.render.resolution_percentage = 10"
    arguments = ["--background", "-E", "NEURAL_IMPLICIT", "--python-expr", settings, "-o", output, "-f", "1"]
    return profile.command_line(arguments, variables=variables)
