"""What matters in the fit: one thing changed at a time, errors after as many steps on the same samples.

python build.py bench ablations       NEURAL_IMPLICIT_BENCH="--mesh A.obj --steps 3000 --only muon adam"

CPU seconds are of the whole process and say what a step costs; torch's variants (eikonal, curvature, skip) are compared with
`torch`, which is our fit by the torch trainer.
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from engine.conversion.presets import SMOOTH
from engine.fitting.fit import FitOptions, fit, fit_with
from engine.fitting.hard_samples import HardOptions
from engine.fitting.losses import LossOptions
from engine.fitting.sampling import SamplingOptions
from engine.fitting.torch_optimizer import Soap
from engine.ground_truth.mesh import check_mesh, to_unit
from engine.ground_truth.mesh_files import load_mesh
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.surface_sampler import SurfaceSampler
from engine.network.parameters import parameter_mask, split_parameters
from engine.protocol.weights import Description, NeuralWeights
from engine.tracing.network_values import NetworkValues
from tests.benchmarks import _variants

ROOT = Path(__file__).resolve().parents[2]
NUM_POINTS = 100_000
Values = Callable[[np.ndarray], np.ndarray]


def stored(parameters: np.ndarray, options: FitOptions) -> Values:
    """The network's values as a function of points."""
    matrices, biases = split_parameters(parameters, options.architecture)
    description = Description(
        architecture=options.architecture,
        unit_from_object=tuple(np.eye(4).ravel().tolist()),
        bounds_unit=(-1.0, -1.0, -1.0, 1.0, 1.0, 1.0),
    )
    return NetworkValues(NeuralWeights(description=description, weights=matrices, biases=biases)).value


def trained(truth: Any, options: FitOptions, trainer: Any = None) -> Values:
    """Values after a fit, by a given trainer or by ours."""
    if trainer is None:
        return stored(fit(truth, options, lambda state: None), options)
    return stored(fit_with(trainer, truth, options, lambda state: None).copy(), options)


def skipped(truth: Any, options: FitOptions) -> Values:
    """Values of a network whose middle layer sees the place again."""
    architecture = options.architecture
    middle = architecture.depth // 2
    loss, value = _variants.skipping_loss(architecture, options.loss, middle)
    trainer = _variants.with_loss(options, loss)
    mask = torch.from_numpy(parameter_mask(architecture))
    mask[middle, : architecture.width, mask.shape[1] + 1 : mask.shape[1] + 4] = 1.0
    trainer._optimizer = Soap(trainer._parameters, mask, options.soap)
    parameters = torch.from_numpy(fit_with(trainer, truth, options, lambda state: None))

    def values(points: np.ndarray) -> np.ndarray:
        pieces = torch.from_numpy(np.asarray(points, np.float32)).split(8192)
        with torch.no_grad():
            return torch.cat([value(parameters, piece) for piece in pieces]).numpy()

    return values


def variants(truth: Any, base: FitOptions) -> dict[str, Callable[[], Values]]:
    """Every variant by name."""
    arch, loss = base.architecture, base.loss

    def changed(**changes: Any) -> Callable[[], Values]:
        return lambda: trained(truth, replace(base, **changes))

    def by_adam(rate: float) -> Callable[[], Values]:
        slow = replace(base, learning_rate=rate)
        return lambda: trained(truth, slow, _variants.with_adam(slow))

    def by_muon(rate: float) -> Callable[[], Values]:
        return lambda: trained(truth, base, _variants.with_muon(base, rate))

    def penalised(**weights: float) -> Callable[[], Values]:
        return lambda: trained(
            truth, base, _variants.with_loss(base, _variants.plain_loss(arch, loss, **weights))
        )

    found: dict[str, Callable[[], Values]] = {
        "ours": changed(),
        "ours, another seed": changed(seed=1),
        "Adam, rate 2e-3": by_adam(2e-3),
        "Adam, rate 5e-3": by_adam(5e-3),
        "Muon, rate 1e-2": by_muon(0.5),
        "Muon, rate 2e-2": by_muon(1.0),
        "average of the last 100 steps": lambda: trained(truth, base, _variants.Averaged(base, 0.99)),
        "average of the last 1,000 steps": lambda: trained(truth, base, _variants.Averaged(base, 0.999)),
        "no tail in the loss": changed(loss=replace(loss, tail_weight=0.0)),
        "no hard samples": changed(hard=HardOptions(share=0.0)),
        "squared error": changed(loss=LossOptions(kind="l2")),
        "clamped at .1": changed(loss=LossOptions(kind="clamped")),
        "batches of 512": changed(batch_size=512),
        "batches of 8,192, a quarter of the steps": changed(batch_size=8192, num_steps=base.num_steps // 4),
        "uniform share .05": changed(sampling=SamplingOptions(uniform_share=0.05)),
        "uniform share .4": changed(sampling=SamplingOptions(uniform_share=0.4)),
        "rate 1e-2": changed(learning_rate=1e-2),
        "rate 4e-2": changed(learning_rate=4e-2),
        "no warm-up": changed(warm_up=0.0),
    }
    for activation in ("relu", "gelu", "silu", "softplus", "elu", "tanh", "sine"):
        found[activation] = changed(architecture=replace(arch, activation=activation))
    found |= {
        "torch": penalised(),
        "torch, eikonal term .01": penalised(eikonal=0.01),
        "torch, eikonal term .1": penalised(eikonal=0.1),
        "torch, curvature term 1e-4": penalised(curvature=1e-4),
        "torch, skip to the middle": lambda: skipped(truth, base),
    }
    return found


def errors(values: Values, truth: Any) -> list[float]:
    """Mean and p95 on the surface, mean and largest anywhere."""
    rng = np.random.default_rng(0xAB1A)
    surface = np.abs(values(SurfaceSampler(truth.source).sample(NUM_POINTS, rng)[0]))
    points = rng.uniform(-1.0, 1.0, (NUM_POINTS, 3))
    anywhere = np.abs(values(points) - truth.signed_distance(points))
    return [float(x) for x in (surface.mean(), np.quantile(surface, 0.95), anywhere.mean(), anywhere.max())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mesh", type=Path, default=ROOT / "examples/spot.obj")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--only", nargs="*", default=[], help="variants whose name contains one of these")
    arguments = parser.parse_args(shlex.split(os.environ.get("NEURAL_IMPLICIT_BENCH", "")))
    torch.set_num_threads(1)  # its batches are small
    truth = examine(to_unit(check_mesh(load_mesh(arguments.mesh)))).truth
    base = FitOptions(architecture=SMOOTH, num_steps=arguments.steps, num_samples=1 << 20)
    title = f"{arguments.mesh.stem}, {arguments.steps:,} steps"
    table = Table("variant", "surface", "p95", "anywhere", "largest", "CPU s", title=title)
    console = Console(width=120)
    for name, run in variants(truth, base).items():
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        start = time.process_time()
        values = run()
        seconds = time.process_time() - start
        found = errors(values, truth)
        table.add_row(name, *(f"{x:.5f}" for x in found), f"{seconds:.0f}")
        console.print(f"{name}: " + " ".join(f"{x:.5f}" for x in found) + f" {seconds:.0f} s")
    console.print(table)


if __name__ == "__main__":
    main()
