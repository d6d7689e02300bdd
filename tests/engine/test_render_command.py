"""`python -m engine render`: pictures, distances and normals of an octahedron, and sentences for what cannot be."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from engine.commands.render import command
from engine.errors import EngineError, OptionError, OutputError, WeightsFileError
from engine.pictures.picture_files import linear_from_srgb, srgb_from_linear
from tests.engine.networks import octahedron

ROOT = Path(__file__).parents[2]
SIZE = 0.7  # of the octahedron |x| + |y| + |z| = SIZE
FAR_NORMAL = 1.0 / np.sqrt(3.0)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "octahedron.safetensors"
    octahedron(SIZE).with_description(bounds_unit=(-SIZE,) * 3 + (SIZE,) * 3).save(path)
    return path


def render(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    return result


def drawn(weights, *options, size="96x64", samples=4):
    target = weights.with_suffix(".png")
    result = render(weights, "-o", target, "--size", size, "--samples", samples, *options)
    assert result.exit_code == 0, result.output
    return np.asarray(Image.open(target))


def test_picture_shows_the_shape_framed_on_the_background(weights):
    image = drawn(weights, "--background", "0", "0", "1")
    covered = (image != (0, 0, 255)).any(axis=2)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    assert image.shape == (64, 96, 3)
    assert rows[0] > 0 and rows[-1] < 63 and columns[0] > 0 and columns[-1] < 95
    assert rows[-1] - rows[0] > 0.8 * 64  # FRAME_SHARE is 0.94; the lattice of points adds a little


def test_front_view_has_the_octahedrons_silhouette(weights):
    alpha = drawn(weights, "--transparent", "--view", 0, 0, size="100x100", samples=16)[..., 3] / 255.0
    rows = np.flatnonzero(alpha.max(axis=1) > 0.5)
    side = rows[-1] - rows[0] + 1
    # A diamond of diagonal d covers d^2 / 2; one pixel of its border on each side is 4 / d of that.
    assert alpha.sum() == pytest.approx(side * side / 2.0, rel=4.0 / side)
    assert np.abs(alpha - alpha[:, ::-1]).max() < 0.2  # mirrored but for where the samples fall in a pixel


def test_distances_lie_on_the_shape_in_object_units(weights, tmp_path):
    depth = tmp_path / "depth.npy"
    drawn(weights, "--view", 0, 0, "--depth", depth, size="65x65", samples=1)
    view_z = np.load(depth)
    there = np.isfinite(view_z)
    assert view_z.shape == (65, 65) and view_z.dtype == np.float32 and not there[0, 0]
    # From the tip to the equator is SIZE; pixels beside the silhouette are up to 2 % of it nearer.
    assert np.ptp(view_z[there]) == pytest.approx(SIZE, rel=0.05)
    assert np.unravel_index(np.argmin(view_z), view_z.shape) == (32, 32)


def test_16_bit_depth_and_exr_hold_the_same_distances(weights, tmp_path):
    pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    import OpenEXR

    for kind in ("npy", "png", "exr"):
        drawn(weights, "--depth", tmp_path / f"depth.{kind}", samples=1)
    exact = np.load(tmp_path / "depth.npy")
    there = np.isfinite(exact)
    picture = Image.open(tmp_path / "depth.png")
    near, far = float(picture.text["near"]), float(picture.text["far"])
    steps = np.asarray(picture)
    assert (steps[~there] == 65535).all()
    distances = near + steps[there] / 65534.0 * (far - near)
    assert np.abs(distances - exact[there]).max() <= 0.51 * (far - near) / 65534.0  # half a step, and float32
    with OpenEXR.File(str(tmp_path / "depth.exr")) as file:
        z = file.channels()["Z"].pixels
    assert (z[there] == exact[there]).all() and (z[~there] == np.float32(1e10)).all()


def test_normals_are_those_of_the_octahedrons_faces(weights, tmp_path):
    drawn(weights, "--normal", tmp_path / "n.png", samples=1)
    image = np.asarray(Image.open(tmp_path / "n.png"))
    normals = image[image[..., 3] == 255][:, :3] / 127.5 - 1.0
    assert np.abs(np.abs(normals) - FAR_NORMAL).max() < 1.01 / 127.5  # one step of 8 bits
    assert (image[0, 0] == 0).all()


def test_up_axis_turns_the_camera(weights, tmp_path):
    up_y, up_z = tmp_path / "y.png", tmp_path / "z.png"
    drawn(weights, "--view", 0, 60, "--normal", up_y, samples=1)
    drawn(weights, "--view", 0, 60, "--normal", up_z, "--up", "z", samples=1)
    y, z = (np.asarray(Image.open(p)).astype(int) for p in (up_y, up_z))
    middle = y[32, 48], z[32, 48]
    assert middle[0][1] > 128 and middle[1][2] > 128  # seen from above: the normal points up
    assert y.shape == z.shape


def test_two_shapes_stand_in_one_picture(weights, tmp_path):
    other = tmp_path / "other.safetensors"
    moved = np.eye(4)
    moved[0, 3] = 2.0  # unit = object + 2, so the shape stands at x = -2
    small = octahedron(SIZE).with_description(
        unit_from_object=tuple(moved.ravel()), bounds_unit=(-SIZE,) * 3 + (SIZE,) * 3
    )
    small.save(other)
    image = drawn(weights, other, "--transparent", "--view", 0, 0, size="160x64")
    columns = image[..., 3].max(axis=0) > 128
    edges = np.flatnonzero(np.diff(columns.astype(int)))
    assert len(edges) == 4  # in, out, in, out


def test_equal_calls_give_equal_files(weights):
    first = drawn(weights, samples=2).copy()
    assert (drawn(weights, samples=2) == first).all()


def test_srgb_curve_has_the_standards_values_and_inverts():
    # IEC 61966-2-1: linear 0.18 is 0.4614 in sRGB, 0.0031308 is where the line ends (0.04045).
    assert srgb_from_linear(np.array([0.0, 0.18, 0.0031308, 1.0, 7.0])) == pytest.approx(
        [0.0, 0.46135613, 0.04045, 1.0, 1.0], abs=1e-5
    )
    values = np.linspace(0.0, 1.0, 101)
    assert linear_from_srgb(srgb_from_linear(values)) == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (["--size", "0x10"], OptionError, "1 to 16384 pixels"),
        (["--zoom", "0"], OptionError, "zoom is 0.001 to 1000"),
        (["--view", "nan", "0"], OptionError, "two angles"),
        (["-o", "picture.jpg"], OutputError, "written as .png"),
        (["-o", "no/such/folder/a.png"], OutputError, "folder does not exist"),
        (["--depth", "depth.tiff"], OutputError, "unknown kind"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_any_work(weights, options, error, sentence):
    with pytest.raises(error, match=sentence):
        render(weights, "-o", weights.with_suffix(".png"), *options)


@pytest.mark.parametrize("content", [None, b"", b"not weights at all", b"\xff" * 64])
def test_missing_or_damaged_weights_get_a_sentence(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsFileError, match=r"bad\.safetensors"):
        render(path, "-o", tmp_path / "a.png")


def test_exit_codes_of_the_process(weights, tmp_path):
    def run(*arguments):
        line = [sys.executable, "-m", "engine", "render", *map(str, arguments)]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)

    good = run(weights, "-o", tmp_path / "a.png", "--size", "32x20", "--samples", 1)
    assert (good.returncode, good.stderr) == (0, "")
    assert re.search(r"a\.png: 32 x 20 pixels, 1 samples, sRGB, (sampled|certified) bounds", good.stdout)
    missing = run(tmp_path / "none.safetensors", "-o", tmp_path / "b.png")
    assert missing.returncode == 3 and missing.stderr.startswith("error: ")
    assert "Traceback" not in missing.stderr and not (tmp_path / "b.png").exists()
    assert run(weights, "-o", tmp_path / "c.png", "--size", "big").returncode == 2
    assert run().returncode == 2
