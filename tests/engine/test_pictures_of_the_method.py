"""Shading without lights, films, slices and the timelapse, on shapes whose pictures are known."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from engine.commands.render import command as render_command
from engine.commands.slice import command as slice_command
from engine.commands.timelapse import command as timelapse_command
from engine.errors import DeviceError, EngineError, OptionError, OutputError
from engine.network.field import Field
from engine.pictures.films import Film
from engine.pictures.slices import slice_picture, slice_points
from engine.pictures.studio import load_matcap
from engine.protocol.weights import Architecture
from tests.engine.networks import from_arrays, octahedron

ROOT = Path(__file__).resolve().parents[2]
SIZE = 0.7
TALL = (-SIZE,) * 3 + (SIZE,) * 3


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "octahedron.safetensors"
    octahedron(SIZE).with_description(bounds_unit=TALL).save(path)
    return path


def drawn(weights, *options, size="65x65"):
    target = weights.with_suffix(".png")
    run(render_command, weights, "-o", target, "--size", size, "--samples", 1, "--view", 0, 0, *options)
    with Image.open(target) as picture:
        return np.asarray(picture).astype(int)


def test_facing_ratio_is_the_cosine(weights):
    image = drawn(weights, "--shading", "facing")
    # Seen from the front a face of the octahedron turns away by the angle whose cosine is 1 / sqrt 3, and the ray
    # through this pixel is a few degrees off the axis.
    assert image[26, 38, 0] == pytest.approx(255.0 / 3**0.5, abs=25)
    assert (image[..., 0] == image[..., 1]).all(where=(image != image[0, 0]).any(axis=2))


def test_shaded_normals_point_right_and_up(weights):
    image = drawn(weights, "--shading", "normal")
    upper_right, lower_left = image[26, 38], image[38, 26]
    far = 127.5 * (1.0 + 1.0 / 3**0.5)
    assert upper_right == pytest.approx([far] * 3, abs=25)
    assert lower_left[0] < 100 and lower_left[1] < 100 and lower_left[2] > 150


def test_matcap_colours_a_surface_by_its_normal(weights, tmp_path):
    sphere = np.zeros((64, 64, 3), np.uint8)
    sphere[:32, 32:], sphere[32:, :32] = (
        (255, 0, 0),
        (0, 0, 255),
    )  # the upper right quarter, the lower left one
    Image.fromarray(sphere).save(tmp_path / "sphere.png")
    image = drawn(weights, "--matcap", tmp_path / "sphere.png")
    assert image[26, 38].tolist() == [255, 0, 0] and image[38, 26].tolist() == [0, 0, 255]


def test_matcap_of_an_installed_blender(weights, tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    folder = tmp_path / "blender/9.9/datafiles/studiolights/matcap"
    folder.mkdir(parents=True)
    part = np.full((8, 8), 0.25, np.float32)
    channels = {f"{layer}.{c}": part for layer in ("diffuse", "specular") for c in "RGB"}
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    with openexr.File(header, channels) as file:
        file.write(str(folder / "clay.exr"))
    picture = load_matcap("clay", tmp_path / "blender")
    assert picture == pytest.approx(np.full((8, 8, 3), 0.5))  # both layers together
    image = drawn(weights, "--matcap", "clay", "--blender", tmp_path / "blender")
    assert image[26, 38] == pytest.approx([188] * 3, abs=1)  # linear 0.5 in sRGB
    with pytest.raises(OptionError, match=r"has no matcap glass\. It has clay"):
        load_matcap("glass", tmp_path / "blender")
    with pytest.raises(OptionError, match="holds no datafiles"):
        load_matcap("clay", tmp_path / "elsewhere")


def test_matcaps_of_a_real_blender(weights):
    pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    folders = sorted(ROOT.glob(".venv-bpy-*/lib/python*/site-packages/bpy"))
    if not folders:
        pytest.skip("bpy is not here; `python build.py environments` makes its environment")
    seen = [
        drawn(weights, "--matcap", name, "--blender", folders[-1])
        for name in ("clay_studio", "basic_grey", "pearl")
    ]
    for image in seen:
        assert (image[26, 38] != image[0, 0]).any()  # the shape, before the background
        assert len({tuple(image[y, x]) for y, x in ((26, 38), (26, 26), (38, 26))}) == 3  # its faces differ
    assert all(np.abs(a - b).max() > 20 for a, b in itertools.pairwise(seen))


def test_matcap_that_cannot_be_used_is_a_sentence(weights, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for options, sentence in (
        (["--matcap", tmp_path / "bad.png"], "cannot be read as a picture"),
        (["--matcap", tmp_path / "none.png"], "is not there"),
        (["--shading", "matcap"], "needs its picture"),
    ):
        with pytest.raises(OptionError, match=sentence):
            drawn(weights, *options)


def frames(path):
    with Image.open(path) as film:
        pictures = []
        for number in range(film.n_frames):
            film.seek(number)
            pictures.append(np.asarray(film.convert("RGB")).astype(int))
    return pictures


def test_spin_turns_once_and_keeps_its_size(weights, tmp_path):
    arguments = ["--shading", "facing", "--size", "41x41", "--samples", 1, "--view", 10, 0]
    run(render_command, weights, "-o", tmp_path / "spin.gif", "--spin", 3, *arguments)
    assert len(frames(tmp_path / "spin.gif")) == 3  # equal ones would be joined
    run(render_command, weights, "-o", tmp_path / "spin.png", "--spin", 8, *arguments)
    numbered = [np.asarray(Image.open(tmp_path / f"spin_{k + 1:04d}.png")).astype(int) for k in range(8)]
    # the octahedron looks the same after a quarter turn, and different after an eighth
    assert np.abs(numbered[0] - numbered[2]).mean() < 3.0 < np.abs(numbered[0] - numbered[1]).mean()
    heights = [np.ptp(np.flatnonzero((p != p[0, 0]).any(axis=(1, 2)))) for p in numbered]
    assert np.ptp(heights) <= 1


def test_animation_moves_the_shape(tmp_path):
    # |x - t| + |y| + |z| - 0.3: it moves along x
    first = np.array(
        [[1, 0, 0, -1], [-1, 0, 0, 1], [0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0]], float
    )
    weights = tmp_path / "moving.safetensors"
    from_arrays(
        Architecture(inputs=4, width=6, depth=1), [first, np.ones((1, 6))], [np.zeros(6), [-0.3]]
    ).save(weights)
    arguments = ["--size", "120x40", "--samples", 1, "--view", 0, 0, "--shading", "facing"]
    run(render_command, weights, "-o", tmp_path / "m.gif", "--animate", 3, "--times", -0.5, 0.5, *arguments)
    middles = [np.flatnonzero((p != p[0, 0]).any(axis=(0, 2))).mean() for p in frames(tmp_path / "m.gif")]
    steps = np.diff(middles)
    assert abs(steps).min() > 10 and abs(steps[0] - steps[1]) < 2.0


def test_films_that_cannot_be_made_are_refused_before_any_work(weights, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="unknown kind"):
        run(render_command, weights, "-o", tmp_path / "a.avi", "--spin", 4)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="ffmpeg"):
        Film(tmp_path / "a.mp4", 24.0)
    with pytest.raises(OptionError, match="one picture"):
        run(render_command, weights, "-o", tmp_path / "a.gif", "--spin", 4, "--depth", tmp_path / "d.npy")


def test_video_is_what_ffmpeg_makes_of_the_pictures(tmp_path):
    import shutil

    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    film = Film(tmp_path / "a.mp4", 10.0)
    for level in (0, 128, 255):
        film.add(np.full((33, 41, 3), level, np.uint8))
    film.close()
    assert (tmp_path / "a.mp4").stat().st_size > 500


def test_slice_shows_both_sides_and_the_surface_between():
    picture = slice_picture(Field(octahedron(SIZE)), "z", 0.0, 200).astype(int)
    middle, corner = picture[100, 100], picture[2, 2]
    assert middle[2] > middle[0] and corner[0] > corner[2]  # blue inside, brown outside
    edge = round((1.0 + SIZE) * 100) - 1  # where |x| = SIZE on the row y = 0
    assert picture[100, edge - 1 : edge + 2].min() < 60
    assert picture[:, ::-1] == pytest.approx(picture, abs=6)  # the shape is its own mirror image


def test_slices_lie_where_they_are_asked_for():
    for axis, column in (("x", 0), ("y", 1), ("z", 2)):
        points = slice_points(axis, 0.25, 4)
        assert (points[:, column] == 0.25).all() and np.ptp(points, axis=0).tolist().count(1.5) == 2
    with pytest.raises(OptionError, match="A slice is x, y or z"):
        slice_points("x", 1.5, 4)


def test_slice_command_writes_one_picture_or_a_film(weights, tmp_path):
    run(slice_command, weights, "-o", tmp_path / "s.png", "--size", 64)
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size == (64, 64)
    run(slice_command, weights, "-o", tmp_path / "s.gif", "--size", 64, "--sweep", 5)
    inside = [((p[..., 2] - p[..., 0]) > 20).sum() for p in frames(tmp_path / "s.gif")]
    assert len(inside) == 5 and inside[2] == max(inside) and inside[0] < 0.2 * inside[2]
    with pytest.raises(OutputError, match="unknown kind"):
        run(slice_command, weights, "-o", tmp_path / "s.gif")


def test_timelapse_shows_the_error_falling(tmp_path):
    import trimesh

    mesh = tmp_path / "ball.ply"
    trimesh.creation.icosphere(3, 0.8).export(mesh)
    target = tmp_path / "ball.gif"
    run(timelapse_command, mesh, "-o", target, "--pictures", 4, "--panel", 64, "--width", 8, "--depth", 2)
    pictures = frames(target)
    assert len(pictures) >= 3 and pictures[0].shape[1] == 3 * 64
    panel = pictures[-1][:64, 64:128]  # its distance to the source
    covered = (panel != panel[0, 0]).any(axis=2)
    assert (
        covered.mean() > 0.3 and (panel[covered][:, 2] > panel[covered][:, 0]).mean() > 0.5
    )  # blue: on the source
