"""Runs in epochs: samplers, schedules, optimisers, samples from files, checkpoints, and whole conversions with them."""

import io
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner
from PIL import Image

from engine.commands.convert import command as convert_command
from engine.commands.training_flags import FLAGS, training_of
from engine.conversion.convert import convert
from engine.conversion.presets import PRESETS, convert_options
from engine.errors import CheckpointError, DeviceError, EngineError, MeshFileError, OptionError
from engine.fitting.adam import AdamOptions, CpuAdam
from engine.fitting.checkpoint import Checkpoint, load_checkpoint
from engine.fitting.cpu_optimizer import SoapOptions
from engine.fitting.epochs import EpochRecord
from engine.fitting.fit import start_of
from engine.fitting.loss_plot import loss_plot
from engine.fitting.losses import LossOptions
from engine.fitting.sample_files import load_samples, samples_of
from engine.fitting.sample_sources import grid_samples, weighted
from engine.fitting.samplers import SamplerOptions, draw_samples
from engine.fitting.sampling import SamplingOptions
from engine.fitting.schedules import ScheduleOptions, num_decays, rate_factor
from engine.fitting.torch_adam import Adam
from engine.fitting.torch_trainer import TorchTrainer
from engine.fitting.trainers import CpuTrainer
from engine.fitting.training_options import TrainingOutputs
from engine.fitting.training_settings import with_training
from engine.ground_truth.signed_distance import SurfaceDistance
from engine.network.field import Field
from engine.network.parameters import fourier_matrix, initial_parameters
from engine.protocol.weights import Architecture, NeuralWeights
from engine.tracing.network_values import NetworkValues
from tests.engine.shapes import box, sphere, unit

ROOT = Path(__file__).resolve().parents[2]
TINY = {"preset": "draft", "width": 16, "depth": 2}
SHORT = {"epochs": 3, "epoch_length": 20_000, "batch": 500}


def quiet(*_) -> None:
    pass


@pytest.fixture(scope="module")
def ball():
    return SurfaceDistance(unit(sphere(3)))


@pytest.fixture(scope="module")
def ball_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("meshes") / "ball.ply"
    trimesh.creation.icosphere(3).export(path)
    return path


def converted(mesh, output, training, **settings):
    return convert(mesh, convert_options(output=output, training=training, **(TINY | settings)), quiet)


def drawn(truth, kind, count=40_000, seed=1, **options):
    sampler = SamplerOptions(kind=kind, **options)
    return draw_samples(truth, sampler, SamplingOptions(), count, seed, quiet)


@pytest.mark.parametrize("kind", ["default", "importance", "surface", "vertex", "uniform"])
def test_every_sampler_gives_exact_distances_in_the_box_and_the_same_ones_again(ball, kind):
    samples = drawn(ball, kind, 5000)
    assert samples.shape == (5000, 5) and samples.dtype == np.float32 and (samples[:, 4] == 1.0).all()
    assert np.abs(samples[:, :3]).max() <= 1.0
    assert samples[:, 3] == pytest.approx(ball.signed_distance(samples[:, :3]), abs=1e-6)
    assert np.array_equal(samples, drawn(ball, kind, 5000))
    assert not np.array_equal(samples, drawn(ball, kind, 5000, seed=2))


def test_samplers_spread_as_their_names_say(ball):
    far = np.abs(drawn(ball, "uniform")[:, 3]) > 0.05
    # a shell of +- 0.05 around a sphere of 0.9 (facets are within 0.01) is 13 % of the box
    assert 1.0 - far.mean() == pytest.approx(4.0 * np.pi * 0.9**2 * 0.1 / 8.0, abs=0.02)
    for kind in ("surface", "vertex"):
        distances = np.abs(drawn(ball, kind, noise=0.02)[:, 3])
        share = (distances < 0.08).mean()  # four deviations, and what of the uniform tenth is so near
        assert share == pytest.approx(0.9 + 0.1 * 0.20, abs=0.015)
        assert np.median(distances) == pytest.approx(0.6745 * 0.02, rel=0.25)  # of the normal part
    assert (
        np.abs(drawn(ball, "importance", importance=400.0)[:, 3]).mean()
        < 0.25 * np.abs(drawn(ball, "importance")[:, 3]).mean()
    )  # exp(-w d) falls to a share in a length of 1 / w: 0.15 of the other


def test_vertex_samples_lie_around_vertices():
    truth = SurfaceDistance(unit(box()))
    samples = drawn(truth, "vertex", 4000, noise=0.005)
    corners = np.abs(truth.mesh.vertices[0])
    near = np.linalg.norm(np.abs(samples[:, :3]) - corners, axis=1) < 0.03  # six deviations
    assert near.mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    "wrong", [{"kind": "best"}, {"importance": -1.0}, {"noise": 0.0}, {"importance": float("nan")}]
)
def test_sampler_that_cannot_be_is_refused(wrong):
    with pytest.raises(OptionError):
        SamplerOptions(**wrong)


def test_schedules_have_their_closed_forms():
    def factor(kind, step, losses=()):
        return rate_factor(ScheduleOptions(kind=kind), step, 1000, 0.05, losses)

    assert factor("constant", 999) == 1.0
    assert factor("exponential", 500) == pytest.approx(0.1)
    assert factor("cosine", 0) == pytest.approx(0.02) and factor("cosine", 525) == pytest.approx(
        0.5, abs=1e-3
    )
    options = ScheduleOptions(kind="plateau", patience=3, decay=0.5)
    losses = [1.0, 0.9, 0.9, 0.95, 0.91, 0.5, 0.6, 0.6, 0.6, 0.6]
    assert [num_decays(losses[:n], options) for n in (4, 5, 8, 9, 10)] == [0, 1, 1, 2, 2]
    assert rate_factor(options, 0, 10, 0.05, losses) == 0.25
    with pytest.raises(OptionError, match="no schedule"):
        ScheduleOptions(kind="warm restarts")


def test_adam_takes_torchs_own_steps():
    generator = torch.Generator().manual_seed(3)
    start, mask = torch.randn(3, 16, 32, generator=generator), torch.ones(3, 16, 32)
    mask[1, 4:] = 0.0
    gradients = torch.randn(20, 3, 16, 32, generator=generator)
    theirs = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([theirs], 1e-2, eps=AdamOptions().epsilon)
    ours, numpys = start.clone(), start.numpy().copy()
    torchs, cpus = Adam(ours, mask, AdamOptions()), CpuAdam(numpys, mask.numpy(), AdamOptions())
    for gradient in gradients:
        theirs.grad = gradient * mask
        optimizer.step()
        torchs.prepare(1e-2)
        torchs.gather(gradient)
        torchs.update(gradient)
        cpus.step(gradient.numpy(), 1e-2)
    # 20 steps of 0.01 in float32
    assert torch.allclose(ours, theirs, atol=2e-6) and torch.allclose(
        torch.from_numpy(numpys), theirs, atol=2e-6
    )
    assert torch.equal(ours[1, 4:], start[1, 4:])


@pytest.mark.parametrize("optimizer", ["soap", "adam"])
@pytest.mark.parametrize("trainer", ["cpu", "torch"])
def test_restored_trainer_goes_on_as_if_nothing_had_been(ball, optimizer, trainer):
    run = with_training(PRESETS["draft"], {**SHORT, "optimizer": optimizer}).fit
    options = AdamOptions() if optimizer == "adam" else run.soap
    arguments = run.architecture, start_of(run), run.loss, options
    new = (
        (lambda: CpuTrainer(*arguments, 1)) if trainer == "cpu" else (lambda: TorchTrainer(*arguments, "cpu"))
    )
    samples = drawn(ball, "surface", 25 * 400).reshape(25, 400, 5)
    whole, first, second = new(), new(), new()
    for batch in samples:
        whole.step(batch, 1e-3)
    for batch in samples[:23]:  # past a turn of the bases
        first.step(batch, 1e-3)
    second.restore(first.state())
    for batch in samples[23:]:
        second.step(batch, 1e-3)
    assert np.array_equal(whole.parameters(), second.parameters())


@pytest.mark.parametrize("given", [{"inputs": 4}, {"fourier_features": 9, "encoding": "fourier"}])
def test_fused_step_and_torch_train_networks_of_more_inputs_alike(given):
    architecture = Architecture(width=20, depth=3, activation="hard_gelu", **given)
    matrix = fourier_matrix(architecture, 0.5, 1)
    start = initial_parameters(architecture, 0)
    arguments = architecture, start, LossOptions(), SoapOptions(basis_interval=5)
    ours, theirs = CpuTrainer(*arguments, 2, matrix), TorchTrainer(*arguments, "cpu", matrix)
    samples = (
        np.random.default_rng(4).uniform(-1.0, 1.0, (10, 400, architecture.inputs + 2)).astype(np.float32)
    )
    samples[..., -2] = np.linalg.norm(samples[..., :3], axis=-1) - 0.7
    samples[..., -1] = np.abs(samples[..., -1])  # weights
    for batch in samples:
        for trainer in (ours, theirs):
            trainer.step(batch, 2e-3)
        assert ours.loss() == pytest.approx(theirs.loss(), rel=0.02)  # float32 steps that part slowly
    assert ours.errors(samples[0]) == pytest.approx(theirs.errors(samples[0]), abs=0.02)
    ours.close()


def test_samples_from_files_come_in_unit_space(ball, tmp_path):
    rng = np.random.default_rng(5)
    placed = SurfaceDistance(unit(sphere(3)))
    inside = 0.5 * rng.uniform(-1.0, 1.0, (300, 3))
    scale = placed.mesh.scale
    expected = ball.signed_distance(inside * scale)
    np.savez(tmp_path / "a.npz", points=inside, distances=expected / scale)
    np.savez(tmp_path / "b.npz", queries=inside * scale, space="unit")  # no distances: exact ones
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["queries"], file["sdf"] = inside * scale, expected[:, None]
        file.attrs["space"] = "unit"
    for name in ("a.npz", "b.npz", "c.h5"):
        samples = samples_of(load_samples(tmp_path / name), placed, name)
        assert samples[:, :3] == pytest.approx(inside * scale, abs=1e-6)
        assert samples[:, 3] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": np.zeros((3, 3))}, "no array points or queries; it holds nothing"),
        ({"points": np.zeros((3, 2))}, r"must be \(N, 3\)"),
        ({"points": np.zeros((3, 3)), "sdf": np.zeros(2)}, "3 points but 2 distances"),
        ({"points": np.full((3, 3), np.nan)}, "not finite"),
        ({"points": np.zeros((3, 3)), "space": "world"}, "object or unit"),
        ({"points": np.full((3, 3), 1.5), "space": "unit"}, "3 of 3 points .* lie outside"),
    ],
)
def test_file_of_samples_that_cannot_be_used_gets_a_sentence(ball, tmp_path, arrays, sentence):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(MeshFileError, match=sentence):
        samples_of(load_samples(tmp_path / "s.npz"), ball, "s.npz")


@pytest.mark.parametrize("name", ["none.npz", "cut.npz", "cut.h5", "table.csv"])
def test_file_that_is_no_file_of_samples_gets_a_sentence(tmp_path, name):
    if name != "none.npz":
        (tmp_path / name).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(MeshFileError, match=r"cannot be read|unknown kind"):
        load_samples(tmp_path / name)


def test_weights_fall_with_the_distance(ball):
    samples = weighted(drawn(ball, "uniform", 100), 50.0)
    assert samples[:, 4] == pytest.approx(np.exp(-50.0 * np.abs(samples[:, 3])), rel=1e-5)


def test_validation_grid_is_every_point_once(ball):
    grid = grid_samples(ball, 19, quiet)
    assert (
        len(np.unique(grid[:, :3], axis=0)) == 19**3
        and grid[:, :3].min() == -1.0
        and grid[:, :3].max() == 1.0
    )
    assert grid[:, 3] == pytest.approx(ball.signed_distance(grid[:, :3]), abs=1e-6)


def test_conversion_without_a_training_setting_is_the_presets_own(tmp_path):
    options = convert_options(
        output=tmp_path / "o", training=training_of({name: None for name in ("epochs", "log")})
    )
    assert options.fit == PRESETS["standard"] and options.outputs == TrainingOutputs()


def test_every_setting_arrives_in_the_run(tmp_path):
    np.savez(tmp_path / "q.npz", points=np.zeros((900, 3)))
    given = {
        "importance_weight": 30.0,
        "loss": "clamped",
        "loss_weight": 50.0,
        "fourier": 6,
        "fourier_scale": 2.0,
        "output_activation": "tanh",
        "optimizer": "adam",
        "schedule": "plateau",
        "batch": 100,
        "epochs": 4,
        "queries": tmp_path / "q.npz",
        "validate": 16,
        "device": "cpu",
    }
    made = with_training(PRESETS["draft"], given)
    run, training = made.fit, made.fit.training
    assert run.num_steps == 4 * 9 and run.batch_size == 100 and run.learning_rate == 1e-3
    assert run.loss.kind == "clamped" and run.loss.tail_weight == 0.0
    assert run.architecture.fourier_features == 6 and run.architecture.output_activation == "tanh"
    assert (
        training.sampler.importance == 30.0 and training.loss_weight == 50.0 and training.fourier_scale == 2.0
    )
    assert (
        training.epoch_length == 900 and training.schedule.kind == "plateau" and made.outputs.validate == 16
    )
    usual = with_training(PRESETS["draft"], {"schedule": "constant"}).fit
    steps = PRESETS["draft"].num_steps * PRESETS["draft"].batch_size
    assert usual.training.epochs == round(steps / PRESETS["draft"].num_samples)  # as many as the preset has
    assert usual.learning_rate == PRESETS["draft"].learning_rate


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"batch": 400, "epoch_length": 300},
        {"epochs": 0},
        {"learning_rate": -1.0},
        {"fourier": 0},
        {"loss_weight": float("inf")},
        {"validate": 1},
        {"snapshots": 0},
        {"plot": Path("losses.pdf")},
    ],
)
def test_setting_out_of_range_is_refused(wrong):
    with pytest.raises(OptionError):
        with_training(PRESETS["draft"], wrong)


def test_device_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match="no device 'cuda:99' here"):
        with_training(PRESETS["draft"], {"device": "cuda:99"})
    with pytest.raises(DeviceError, match="Use cpu"):
        with_training(PRESETS["draft"], {"device": "abacus"})


def test_tolerance_and_training_settings_exclude_each_other(tmp_path):
    with pytest.raises(OptionError, match="leave out its training settings"):
        convert_options(output=tmp_path / "o", tolerance=0.01, training={"epochs": 2})


@pytest.mark.parametrize(
    "training",
    [
        {"sampling": "importance", "optimizer": "adam", "loss": "l2", "schedule": "plateau"},
        {"sampling": "surface", "loss": "l1", "loss_weight": 20.0},
        {"sampling": "vertex", "noise": 0.05, "loss": "clamped"},
        {"fourier": 4, "fourier_scale": 0.5},
        {"output_activation": "tanh", "schedule": "exponential"},
    ],
    ids=lambda training: " ".join(map(str, training.values())),
)
def test_ball_is_fitted_by_every_kind_of_training(tmp_path, ball_file, training):
    longer = {"epochs": 20, "epoch_length": 20_000, "batch": 500, "learning_rate": 5e-3}
    out = tmp_path / "ball.safetensors"
    told = converted(ball_file, out, training | longer)
    errors = told.report["errors"]
    assert errors["surface_mean"] < 0.02 and errors["iou"] > 0.95, (
        errors
    )  # 800 steps of a network of 353 numbers
    assert len(told.report["epochs"]) == 20
    assert told.report["epochs"][-1]["loss"] < 0.5 * told.report["epochs"][0]["loss"]
    weights = NeuralWeights.load(out)
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    # the reference in float64 against torch in float32
    assert NetworkValues(weights).value(points) == pytest.approx(Field(weights).value(points), abs=2e-4)


def test_validation_is_the_mean_error_on_the_grid(tmp_path, ball, ball_file):
    out = tmp_path / "ball.safetensors"
    told = converted(ball_file, out, SHORT | {"validate": 12}, precision="float32")
    grid = grid_samples(ball, 12, quiet)
    measured = np.abs(NetworkValues(NeuralWeights.load(out)).value(grid[:, :3]) - grid[:, 3]).mean()
    assert told.report["epochs"][-1]["validation"] == pytest.approx(measured, rel=1e-4)


def test_snapshots_plot_and_mesh_lie_beside_the_weights(tmp_path, ball_file):
    out = tmp_path / "ball.safetensors"
    training = SHORT | {"snapshots": 2, "plot": tmp_path / "losses.png", "validate": 8, "epochs": 5}
    options = convert_options(output=out, training=training, reconstruct=24, **TINY)
    convert(ball_file, options, quiet)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "ball.ply",
        "ball.safetensors",
        "ball_0002.safetensors",
        "ball_0004.safetensors",
        "losses.png",
    ]
    second, last = (NeuralWeights.load(tmp_path / f"ball{end}.safetensors") for end in ("_0002", ""))
    assert not np.array_equal(second.weights[0], last.weights[0])
    mesh = trimesh.load(tmp_path / "ball.ply")
    assert mesh.is_watertight and mesh.volume == pytest.approx(4.0 / 3.0 * np.pi, rel=0.1)  # object units


def test_plot_shows_both_curves_and_grows():
    def record(epoch, loss, validation):
        return EpochRecord(epoch=epoch, step=epoch, loss=loss, learning_rate=1.0, validation=validation)

    history = [record(n, 10.0**-n, 2.0 * 10.0**-n) for n in range(1, 5)]
    image = np.asarray(Image.open(io.BytesIO(loss_plot(history)))).astype(int)
    for color in ((184, 92, 30), (44, 92, 160)):
        rows, columns = np.nonzero((np.abs(image - color).sum(axis=2) < 30)[60:])
        assert np.ptp(columns) > 750  # from the left to the right
        left, right = rows[columns < 150].mean(), rows[columns > 850].mean()
        assert right - left > 250  # it falls
    assert loss_plot(history[:1])[:4] == b"\x89PNG"


def test_log_for_tensorboard_or_a_sentence(tmp_path, ball_file, monkeypatch):
    training = SHORT | {"log": tmp_path / "log", "validate": 8}
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(DeviceError, match="pip install tensorboard"):
            converted(ball_file, tmp_path / "o", training)
        return
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = converted(ball_file, tmp_path / "o", training)
    log = EventAccumulator(str(tmp_path / "log"))
    log.Reload()
    assert [event.value for event in log.Scalars("loss")] == pytest.approx(
        [e["loss"] for e in told.report["epochs"]]
    )
    assert len(log.Scalars("validation")) == 3


def arguments(mesh, out, *more):
    run = ["convert", mesh, "-o", out, "--preset", "draft", "--width", "16", "--depth", "3", "--json"]
    run += ["--epochs", "12", "--epoch-length", "200000", "--schedule", "plateau", *more]
    return [sys.executable, "-m", "engine", *map(str, run)]


def test_killed_conversion_goes_on_and_gives_the_bytes_of_an_unbroken_one(tmp_path):
    spot, checkpoint = ROOT / "examples/spot.obj", tmp_path / "run.npz"
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    done = subprocess.run(arguments(spot, whole), cwd=ROOT, capture_output=True, timeout=300)
    assert done.returncode in (0, 4), done.stderr  # a small network may miss an aim
    command = arguments(spot, broken, "--checkpoint", checkpoint)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            told = json.loads(line)
            if told["kind"] == "progress" and told["step"] > 0.4 * told["num_steps"]:
                process.kill()
                break
    assert process.returncode == -9 and not broken.exists()
    steps = json.loads(str(np.load(checkpoint)["neural_implicit_checkpoint"]))["step"]
    assert 0 < steps < told["num_steps"]
    again = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300)
    assert again.returncode == done.returncode, again.stderr
    fitting = [m for m in map(json.loads, again.stdout.splitlines()) if m.get("phase") == "fitting"]
    assert fitting[0]["step"] >= steps  # it did not begin anew
    assert broken.read_bytes() == whole.read_bytes()


def test_checkpoint_of_another_run_or_damaged_is_refused(tmp_path, ball_file):
    checkpoint = tmp_path / "run.npz"
    converted(ball_file, tmp_path / "o", SHORT | {"checkpoint": checkpoint})
    first = (tmp_path / "o").read_bytes()
    converted(ball_file, tmp_path / "p", SHORT | {"checkpoint": checkpoint})  # it is at its end
    assert (tmp_path / "p").read_bytes() == first
    with pytest.raises(CheckpointError, match="another run"):
        converted(ball_file, tmp_path / "o", SHORT | {"checkpoint": checkpoint, "epochs": 4})
    for data in (checkpoint.read_bytes()[:1000], b"nothing"):
        checkpoint.write_bytes(data)
        with pytest.raises(CheckpointError, match="damaged"):
            converted(ball_file, tmp_path / "o", SHORT | {"checkpoint": checkpoint})


def test_checkpoint_holds_what_was_put_in(tmp_path):
    facts, arrays = {"history": [1.5, None]}, {"a": np.arange(6.0).reshape(2, 3)}
    Checkpoint(fingerprint="f", step=7, facts=facts, arrays=arrays).save(tmp_path / "c.npz")
    found = load_checkpoint(tmp_path / "c.npz", "f")
    assert found.step == 7 and found.facts == facts and np.array_equal(found.arrays["a"], arrays["a"])
    assert load_checkpoint(tmp_path / "none.npz", "f") is None


def test_queries_are_what_is_trained_on(tmp_path, ball_file):
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.6, 0.6, (20_000, 3))
    np.savez(
        tmp_path / "q.npz", points=points, distances=np.linalg.norm(points, axis=1) - 0.5
    )  # a smaller ball
    told = converted(
        ball_file,
        tmp_path / "o",
        {"queries": tmp_path / "q.npz", "epochs": 20, "batch": 500, "learning_rate": 5e-3},
    )
    axis = np.array([[0.5 * 0.9, 0.0, 0.0]])  # unit space: the ball of the mesh has radius 0.9
    assert NetworkValues(NeuralWeights.load(tmp_path / "o")).value(axis)[0] == pytest.approx(0.0, abs=0.03)
    assert told.report["missed_aim"]  # it is not the mesh, and is told so


def test_recipes_are_settings_that_single_ones_override():
    settings = {"width": None, "depth": 4, "activation": None, "precision": "auto", "reconstruct": 64}
    given = training_of(settings | {"recipe": "paper-8152", "epochs": 1, "loss": None})
    run = with_training(PRESETS["standard"], given).fit
    assert run.batch_size == 8152 and run.training.epochs == 1 and run.loss.kind == "l2"
    assert run.architecture.output_activation == "tanh" and run.training.schedule.kind == "plateau"
    assert run.training.sampler.kind == "importance" and run.num_steps == 1_000_000 // 8152


@pytest.mark.parametrize("recipe", ["paper-512", "paper-8152"])
def test_experiments_of_the_paper_start_and_run(tmp_path, ball_file, recipe):
    out, report = tmp_path / "ball.safetensors", tmp_path / "ball.json"
    length, width = 163_840, 32
    shortened = ["--epochs", 2, "--epoch-length", length, "--validate", 16, "--reconstruct", 24]
    called = [ball_file, "-o", out, "--report", report, "--recipe", recipe, *shortened, "--width", width]
    result = CliRunner().invoke(convert_command, [str(a) for a in called])
    if isinstance(result.exception, EngineError):
        raise result.exception
    assert result.exit_code in (0, 4), result.output  # so short a run may miss an aim
    told = json.loads(report.read_text())
    network = told["architecture"]
    assert (network["depth"], network["width"], network["activation"]) == (10, width, "relu")
    assert network["output_activation"] == "tanh" and told["precision"] == "float32"
    assert told["num_steps"] == 2 * (length // int(recipe.split("-")[1]))
    first, second = told["epochs"]
    assert second["validation"] < 0.5 and second["loss"] < first["loss"]
    assert len(trimesh.load(out.with_suffix(".ply")).faces) > 500


def test_help_groups_the_trainings_options():
    text = CliRunner().invoke(convert_command, ["--help"]).output
    options, training = text.split("Training (")
    listed = [
        {line.split()[0] for line in part.splitlines() if line.startswith("  -")}
        for part in (options, training)
    ]
    assert set(FLAGS) == listed[1] and "--preset" in listed[0] and not listed[0] & listed[1]
