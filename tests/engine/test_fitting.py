"""The fused step against automatic differentiation, the optimiser, and whole fits of small shapes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import FitError, OptionError
from engine.fitting.cpu_optimizer import CpuSoap, SoapOptions
from engine.fitting.fit import FitOptions, fit, learning_rate
from engine.fitting.fused_step import FusedStep
from engine.fitting.hard_samples import HardOptions, HardSamples
from engine.fitting.losses import LossOptions
from engine.fitting.sampling import SamplePool, SamplingOptions
from engine.fitting.torch_network import ACTIVATIONS, evaluate, torch_step
from engine.fitting.torch_optimizer import Soap
from engine.fitting.torch_trainer import TorchTrainer
from engine.fitting.trainers import CpuTrainer
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.signed_distance import SurfaceDistance
from engine.ground_truth.surface_sampler import SurfaceSampler
from engine.network.parameters import initial_parameters, parameter_mask
from engine.protocol.weights import Architecture
from tests.engine.shapes import sphere, triangle, unit

SMALL = FitOptions(
    architecture=Architecture(width=16, depth=4, activation="hard_gelu"),
    num_steps=200,
    batch_size=2048,
    num_samples=1 << 15,
)


def quiet(state) -> None:
    assert state.step <= state.num_steps


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize(("width", "depth"), [(32, 8), (13, 2), (64, 1)])
def test_fused_step_gives_the_gradient_of_automatic_differentiation(activation, width, depth):
    architecture = Architecture(width=width, depth=depth, activation=activation)
    parameters = initial_parameters(architecture, 3)
    generator = torch.Generator().manual_seed(4)
    compare_steps(architecture, LossOptions(), parameters, random_samples(1000, generator))


@pytest.mark.parametrize(
    "loss",
    [
        LossOptions(kind="l2"),
        LossOptions(kind="clamped", clamp=0.3),
        LossOptions(tail_start=0.2, tail_weight=5.0),
    ],
    ids=["l2", "clamped", "tail"],
)
@pytest.mark.parametrize("output", ["none", "tanh"])
def test_every_loss_has_the_gradient_of_automatic_differentiation(loss, output):
    architecture = Architecture(width=16, depth=3, activation="softplus", output_activation=output)
    generator = torch.Generator().manual_seed(5)
    compare_steps(architecture, loss, initial_parameters(architecture, 3), random_samples(1000, generator))


def random_samples(count, generator):
    samples = 2.0 * torch.rand(count, 5, generator=generator) - 1.0  # x, y, z, distance, weight
    samples[:, 4].abs_()
    return samples


def compare_steps(architecture, loss, parameters, samples):
    with ThreadPoolExecutor(2) as pool:
        value, gradient = FusedStep(architecture, loss, pool)(parameters, samples.numpy())
    other_value, other = torch_step(architecture, loss)(torch.from_numpy(parameters), samples)
    assert value == pytest.approx(float(other_value), rel=1e-5)
    # float32 sums of 1000 terms in another order, and activations to 2e-7
    masked = torch.from_numpy(gradient * parameter_mask(architecture))
    assert torch.allclose(masked, other, rtol=1e-3, atol=2e-5 * float(other.abs().max()))


def test_fused_step_does_not_depend_on_the_number_of_threads():
    architecture = Architecture()
    parameters, samples = initial_parameters(architecture, 0), torch.rand(3000, 5).numpy()
    gradients = []
    for threads in (1, 3):
        with ThreadPoolExecutor(threads) as pool:
            gradients.append(FusedStep(architecture, LossOptions(), pool)(parameters, samples)[1].copy())
    assert np.array_equal(*gradients)


def test_optimizer_on_the_cpu_takes_the_steps_of_the_one_in_torch():
    architecture = Architecture(width=30, depth=3)
    generator = torch.Generator().manual_seed(6)
    mask = torch.from_numpy(parameter_mask(architecture))
    ours, theirs = (
        initial_parameters(architecture, 1),
        torch.from_numpy(initial_parameters(architecture, 1)),
    )
    first, last = ours.copy(), None
    noise = torch.randn(25, *mask.shape, generator=generator) * mask
    with ThreadPoolExecutor(2) as pool:
        fast, slow = CpuSoap(ours, mask.numpy(), SoapOptions(), pool), Soap(theirs, mask, SoapOptions())
        for gradient in noise:  # across two turns of the bases
            fast.step(gradient.numpy(), 1e-2)
            slow.step(gradient, 1e-2)
            last = theirs.numpy()
    # The hidden layers: the outer ones' gradients leave directions out, in which any basis will do. Orthogonal
    # iterations in float32 part slowly: a hundredth of the way gone.
    assert np.abs(ours - last)[1:-1].max() < 0.01 * np.abs(last - first)[1:-1].max()


def test_optimizer_leaves_padding_alone_and_finds_a_minimum():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(2, 4, 5, generator=generator)
    mask = torch.ones(2, 4, 5)
    mask[0, 3] = 0.0
    parameters = torch.zeros(2, 4, 5)
    optimizer = Soap(parameters, mask, SoapOptions())
    for step in range(400):
        optimizer.step((parameters - target) * mask, 0.05 * (1.0 - step / 400))
    assert float(((parameters - target) * mask).abs().max()) < 0.01  # a fifth of the first step's length
    assert float(parameters[0, 3].abs().max()) == 0.0


def test_learning_rate_warms_up_and_ends_at_zero():
    options = FitOptions(num_steps=1000, learning_rate=0.1, warm_up=0.1)
    rates = [learning_rate(step, options) for step in range(1000)]
    assert rates[0] == pytest.approx(0.001) and max(rates) == pytest.approx(0.1) and rates[-1] < 1e-6


def test_a_fit_of_a_ball_is_a_ball():
    truth = examine(unit(sphere())).truth
    parameters = fit(truth, replace(SMALL, num_steps=800), quiet)
    points = SurfaceSampler(truth.mesh).sample(10_000, np.random.default_rng(1))[0]
    with torch.no_grad():
        values = evaluate(
            torch.from_numpy(parameters), SMALL.architecture, torch.from_numpy(points.astype(np.float32))
        )
        centre = evaluate(torch.from_numpy(parameters), SMALL.architecture, torch.zeros(1, 3))
    assert (
        float(values.abs().mean()) < 0.005
    )  # a fourth of 1 % of the diameter, by a network of 900 parameters
    assert float(centre) == pytest.approx(-0.9, abs=0.2)  # the tip of a cone, where few samples fall


def test_equal_seeds_give_equal_bits_and_others_do_not():
    truth = examine(unit(sphere(2))).truth
    first, again = fit(truth, SMALL, quiet), fit(truth, SMALL, quiet)
    assert np.array_equal(first, again)
    other = FitOptions(architecture=SMALL.architecture, num_steps=20, num_samples=1 << 15, seed=1)
    assert not np.array_equal(fit(truth, other, quiet), fit(truth, replace(other, seed=2), quiet))


def test_samples_hold_exact_distances_whatever_thread_made_them():
    truth = SurfaceDistance(unit(sphere(2)))
    pool = SamplePool(truth, SamplingOptions(), num_chunks=2, chunk_size=5000, seed=7)
    samples = pool.chunk(1, lambda: None)
    points, distances = samples[:, :3], samples[:, 3]
    pool.close()
    assert np.array_equal(distances, truth.signed_distance(points))
    assert np.abs(points).max() <= 1.0


def test_a_loss_that_is_no_number_ends_the_fit():
    truth = SurfaceDistance(unit(triangle()), "shell", float("nan"))
    with pytest.raises(FitError, match="no longer a number"):
        fit(truth, SMALL, quiet)


@pytest.mark.parametrize("changes", [{"width": 0}, {"width": 100_000}, {"depth": 0}, {"depth": 1000}])
def test_impossible_networks_are_refused(changes):
    with pytest.raises(OptionError, match="wide"):
        FitOptions(architecture=Architecture(**changes))


def test_trainers_on_the_cpu_and_in_torch_go_the_same_way():
    architecture = Architecture(width=24, depth=3, activation="hard_gelu")
    arguments = (
        architecture,
        initial_parameters(architecture, 0),
        LossOptions(),
        SoapOptions(basis_interval=5),
    )
    ours, theirs = CpuTrainer(*arguments, threads=2), TorchTrainer(*arguments, "cpu")
    generator = torch.Generator().manual_seed(7)
    for _ in range(40):
        samples = random_samples(512, generator)
        samples[:, 3] = samples[:, :3].norm(dim=1) - 0.7
        for trainer in (ours, theirs):
            trainer.step(samples.numpy(), 5e-3)
    assert ours.loss() == pytest.approx(theirs.loss(), rel=0.05)  # 40 float32 steps that part slowly
    assert ours.loss() < 0.1  # it began at 0.4 or more
    ours.close()


def test_errors_are_those_of_a_plain_evaluation():
    architecture = Architecture(width=20, depth=3, activation="sine", output_activation="tanh")
    arguments = architecture, initial_parameters(architecture, 0), LossOptions(), SoapOptions()
    samples = random_samples(3001, torch.Generator().manual_seed(8)).numpy()
    ours, theirs = CpuTrainer(*arguments, threads=2), TorchTrainer(*arguments, "cpu")
    assert np.abs(ours.errors(samples) - theirs.errors(samples)).max() < 1e-5
    ours.close()


def test_hard_samples_are_the_worst_far_ones_and_end_a_batch():
    options = HardOptions(share=0.25, num_searches=1, fewest=3, least_error=0.5)
    chunk = np.ones((40, 5), np.float32)
    chunk[:, 0], chunk[:, 3] = np.arange(40), np.where(np.arange(40) < 20, 0.01, 0.2)
    hard = HardSamples(options, num_steps=10, seed=0)
    assert [step for step in range(10) if hard.due(step)] == [5]
    hard.find(
        [chunk], lambda samples: samples[:, 0] / 20.0
    )  # only 20 to 39 are far; all of them are wrong enough
    batch = np.zeros((12, 5), np.float32)
    mixed = hard.mixed_into(batch)
    assert len(mixed) == 12 and not mixed[:9].any()
    assert set(mixed[9:, 0]) <= set(range(35, 40))  # the worst quarter of the twenty


def test_around_hard_samples_there_are_new_ones_with_exact_distances():
    truth = SurfaceDistance(unit(sphere()), "winding")
    pool = SamplePool(truth, SamplingOptions(), num_chunks=1, chunk_size=4096, seed=0)
    chunk = pool.chunk(0, lambda: None)
    hard = HardSamples(HardOptions(share=0.25, num_searches=1, fewest=80), num_steps=10, seed=0)
    hard.find([chunk], lambda samples: samples[:, 0], pool.distances)  # the farther along x the worse
    found = hard.state()[1]
    pool.close()
    worst = chunk[np.abs(chunk[:, 3]) > HardOptions().farther_than]
    kept = (found[:, None, :3] == chunk[None, :, :3]).all(axis=2).any(axis=1)
    assert 0 < kept.sum() == len(found) // 8
    np.testing.assert_array_equal(np.sort(found[kept, 0]), np.sort(worst[:, 0])[-kept.sum() :])
    gaps = np.linalg.norm(found[~kept, None, :3] - found[None, kept, :3], axis=2).min(axis=1)
    assert gaps.min() > 0.0 and gaps.max() < 0.3 and np.abs(found[:, :3]).max() <= 1.0
    np.testing.assert_allclose(found[:, 3], truth.signed_distance(found[:, :3]), atol=1e-6)
