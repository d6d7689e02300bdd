"""Moving shapes from a folder of meshes: their order, their common space, their samples, and a ball that moves."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from engine.commands.convert import command
from engine.conversion.motion import MotionSource, frame_files, load_motion
from engine.conversion.presets import PRESETS
from engine.errors import EngineError, MeshFileError, OptionError
from engine.fitting.training_settings import with_training
from engine.network.moving_shapes import at_time
from engine.protocol.weights import NeuralWeights
from engine.tracing.network_values import NetworkValues

RADIUS, WAY = 0.3, 1.4  # of the ball: from x = 0 to x = WAY


def ball_at(x):
    ball = trimesh.creation.icosphere(3, RADIUS)
    ball.apply_translation((x, 0.0, 0.0))
    return ball


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ball")
    for number in range(11):
        ball_at(WAY * number / 10).export(folder / f"ball_{number + 1}.ply")
    (folder / "notes.txt").write_text("no mesh")
    return folder


def run(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    return result


def test_frames_are_in_the_order_of_their_numbers(folder):
    assert [path.stem for path in frame_files(folder)] == [f"ball_{n}" for n in range(1, 12)]


def test_one_mesh_is_no_motion(tmp_path):
    ball_at(0.0).export(tmp_path / "a.ply")
    with pytest.raises(MeshFileError, match="holds 1 meshes; a motion has 2"):
        frame_files(tmp_path)


def test_all_frames_share_one_unit_space(folder):
    motion = load_motion(folder, None, lambda: None)
    half = 0.5 * WAY + RADIUS  # the ball around all of it
    assert motion.unit_from_object[0, 0] == pytest.approx(0.9 / half, rel=1e-3)
    corners = np.concatenate([frame.truth.mesh.vertices for frame in motion.frames])
    assert np.linalg.norm(corners, axis=1).max() == pytest.approx(0.9, abs=1e-6)
    middles = [frame.truth.mesh.vertices[:, 0].mean() for frame in motion.frames]
    assert middles == pytest.approx(np.linspace(-0.63, 0.63, 11), abs=2e-3)
    assert [frame.time for frame in motion.frames] == pytest.approx(np.linspace(0.0, 1.0, 11))


def test_samples_are_those_of_each_frame_at_its_time(folder):
    motion = load_motion(folder, None, lambda: None)
    settings = {"epochs": 1, "epoch_length": 3000, "batch": 100, "sampling": "surface"}
    samples = MotionSource(motion).samples(with_training(PRESETS["draft"], settings).fit, lambda: None)
    assert samples.shape == (3000, 6) and (samples[:, 5] == 1.0).all()
    centre = -0.63 + 1.26 * samples[:, 3]
    distance = np.linalg.norm(samples[:, :3] - np.stack([centre, 0 * centre, 0 * centre], 1), axis=1) - 0.27
    assert samples[:, 4] == pytest.approx(distance, abs=3e-3)  # facets
    assert len(np.unique(samples[:, 3])) == 11
    grid = MotionSource(motion).grid(5, lambda: None)
    assert sorted(set(grid[:, 3].tolist())) == [0.0, 0.5, 1.0] and len(grid) == 3 * 125


def test_folder_becomes_one_network_whose_zero_set_moves(folder, tmp_path):
    out, report, proxy = tmp_path / "ball.safetensors", tmp_path / "r.json", tmp_path / "proxy.npz"
    shape = ["--width", 24, "--depth", 3, "--epochs", 6, "--epoch-length", 100_000, "--batch", 1000]
    result = run(
        folder, "--moving", "-o", out, "--report", report, "--proxy", proxy, "--preset", "draft", *shape
    )
    assert result.exit_code == 0, result.output
    weights = NeuralWeights.load(out)
    assert weights.architecture.inputs == 4 and weights.float16
    for time in (0.0, 0.25, 0.5, 1.0):  # a quarter is between two frames
        field = NetworkValues(at_time(weights, time))
        x = np.linspace(-1.0, 1.0, 2001)
        inside = x[field.value(np.stack([x, 0 * x, 0 * x], axis=1)) < 0.0]
        # a small network after 600 steps: a hundredth of the space
        assert inside.min() == pytest.approx(-0.63 + 1.26 * time - 0.27, abs=0.02)
        assert inside.max() == pytest.approx(-0.63 + 1.26 * time + 0.27, abs=0.02)
    low, high = weights.bounds_unit
    assert low[0] == pytest.approx(-0.9, abs=0.1) and high[0] == pytest.approx(0.9, abs=0.1)
    told = json.loads(report.read_text())
    assert [frame["name"] for frame in told["frames"]] == [f"ball_{n}" for n in range(1, 12)]
    assert told["errors"]["surface_mean"] == pytest.approx(
        np.mean([f["surface_mean"] for f in told["frames"]])
    )
    with np.load(proxy) as arrays:  # stands where the motion begins
        assert arrays["vertices_unit"][:, 0].mean() == pytest.approx(-0.63, abs=0.05)
        assert arrays["moment_times"] == pytest.approx(np.linspace(0.0, 1.0, 11))
        starts = arrays["moment_starts"][:, 0]
        middles = [arrays["moment_vertices"][a:b, 0].mean() for a, b in itertools.pairwise(starts)]
        assert middles == pytest.approx(np.linspace(-0.63, 0.63, 11), abs=0.05)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--tolerance", 0.01], "leave out tolerance"),
        (["--reconstruct", 32], "many meshes"),
        (["--queries", "none.npz"], "cannot be read"),
    ],
)
def test_what_a_motion_cannot_have_is_refused(folder, tmp_path, more, sentence):
    with pytest.raises(EngineError, match=sentence):
        run(folder, "--moving", "-o", tmp_path / "o", *more)


def test_points_from_a_file_have_no_time(folder, tmp_path):
    np.savez(tmp_path / "q.npz", points=np.zeros((3000, 3)))
    with pytest.raises(OptionError, match="no time"):
        run(folder, "--moving", "-o", tmp_path / "o", "--queries", tmp_path / "q.npz")


def test_moving_needs_a_folder(folder, tmp_path):
    with pytest.raises(OptionError, match="not a folder"):
        run(folder / "ball_1.ply", "--moving", "-o", tmp_path / "o")
