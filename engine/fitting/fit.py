"""Samples to weights: one training run.

The loss is the mean |f - d|; the optimiser is SOAP with a short warm-up and a cosine decay to zero. A run is a
number of steps, never a number of seconds, so the same seed, device and thread count give the same bytes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import FitError, OptionError
from ..ground_truth.signed_distance import SurfaceDistance
from ..network.parameters import initial_parameters
from ..protocol.weights import MAX_DEPTH, Architecture
from .cpu_optimizer import SoapOptions
from .hard_samples import HardOptions, HardSamples
from .losses import LossOptions
from .sampling import SamplePool, SamplingOptions
from .trainers import CpuTrainer, Trainer
from .training_options import TrainingOptions

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]

CHUNK_SIZE = 1 << 17
REPORT_INTERVAL = 10  # steps between two looks at the loss, which cost a synchronisation on a GPU
TAIL_WEIGHT = 1000.0  # of the loss: keeps the far field's largest errors down
RUNNING_SHARE = 0.2  # of the latest batch in the running error
WATCHED = 512  # samples of a batch from which the error is taken
WIDEST = 256  # wider ones take hours on a CPU
Preset = Literal["draft", "standard", "fine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """One training run."""

    architecture: Architecture = field(default_factory=Architecture)
    num_steps: int = 24000
    batch_size: int = 2048
    num_samples: int = 1 << 21  # different ones; a fit sees each several times
    learning_rate: float = 2e-2
    first_factor: float | None = None  # of the first layer's random weights; the activation's own by default
    warm_up: float = 0.05  # share of the steps
    seed: int = 0
    threads: int | None = None  # all processors by default
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    hard: HardOptions = field(default_factory=HardOptions)
    loss: LossOptions = field(default_factory=lambda: LossOptions(tail_weight=TAIL_WEIGHT))
    soap: SoapOptions = field(default_factory=SoapOptions)
    device: str = "cpu"  # or one that torch knows
    training: TrainingOptions | None = None  # a run in epochs instead of `fit`
    start: FloatArray | None = field(default=None, compare=False)  # parameters; random ones by default

    def __post_init__(self) -> None:
        arch = self.architecture
        if not 4 <= arch.width <= WIDEST or not 1 <= arch.depth <= MAX_DEPTH:
            raise OptionError(
                f"A network is 4 to {WIDEST} wide and 1 to {MAX_DEPTH} deep, got {arch.width} x {arch.depth}."
            )
        if self.num_steps < 1 or self.batch_size < 1 or self.num_samples < self.batch_size:
            raise OptionError("Steps and batch must be positive, and the samples at least one batch.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitState:
    """Where a run stands; `parameters` change with the next step, so copy what is to be kept."""

    step: int
    num_steps: int
    error: float | None  # running mean |f - d|
    parameters: FloatArray


def fit(truth: SurfaceDistance, options: FitOptions, report: Callable[[FitState], None]) -> FloatArray:
    """Train a network and give its parameters (depth + 1, rows, rows + PADDING).

    Args:
        truth: Where the samples' distances come from.
        options: The network and the run.
        report: Called every few steps and while the run waits for samples; may raise to stop it.

    Raises:
        FitError: The loss is no longer a number.
    """
    return fit_with(_trainer(options), truth, options, report)


def fit_with(
    trainer: Trainer, truth: SurfaceDistance, options: FitOptions, report: Callable[[FitState], None]
) -> FloatArray:
    """Train by a given trainer and close it; see `fit`."""
    num_chunks = math.ceil(options.num_samples / CHUNK_SIZE)
    chunk_size = math.ceil(options.num_samples / num_chunks)
    pool = SamplePool(
        truth, options.sampling, num_chunks=num_chunks, chunk_size=chunk_size, seed=options.seed
    )
    try:
        return _train(trainer, pool, options, report)
    finally:
        trainer.close()
        pool.close()


def learning_rate(step: int, options: FitOptions) -> float:
    """Give the learning rate of a step: a linear warm-up, then a cosine to zero."""
    warm_up = max(1.0, options.warm_up * options.num_steps)
    if step < warm_up:
        return options.learning_rate * (step + 1) / warm_up
    progress = (step - warm_up) / max(1.0, options.num_steps - warm_up)
    return options.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def start_of(options: FitOptions) -> FloatArray:
    """Give the parameters that a run begins with."""
    if options.start is not None:
        return options.start
    return initial_parameters(options.architecture, options.seed, options.first_factor)


def _trainer(options: FitOptions) -> Trainer:
    arguments = options.architecture, start_of(options), options.loss, options.soap
    if options.device == "cpu":
        return CpuTrainer(*arguments, options.threads)
    from .torch_trainer import TorchTrainer  # seconds to import, and no other device needs it

    return TorchTrainer(*arguments, options.device)


def _train(
    trainer: Trainer, pool: SamplePool, options: FitOptions, report: Callable[[FitState], None]
) -> FloatArray:
    batches = _Batches(pool, options)
    state = FitState(step=0, num_steps=options.num_steps, error=None, parameters=trainer.parameters())
    hard = HardSamples(options.hard, options.num_steps, options.seed)
    for step in range(options.num_steps):
        batch = batches.take(step, partial(report, state))
        if hard.due(step):
            hard.find(batches.chunks, trainer.errors, pool.distances)
        trainer.step(hard.mixed_into(batch), learning_rate(step, options))
        if step % REPORT_INTERVAL == 0 or step + 1 == options.num_steps:
            error = running_error(state.error, _latest(trainer, batch))
            state = replace(state, step=step + 1, error=error, parameters=trainer.parameters())
            report(state)
    return trainer.parameters()


def _latest(trainer: Trainer, batch: FloatArray) -> float:
    """Give the mean |f - d| of a few samples; the loss has a tail besides, and is no number once the fit went astray."""
    loss = trainer.loss()
    return float(trainer.errors(batch[:WATCHED]).mean()) if math.isfinite(loss) else loss


def running_error(error: float | None, latest: float) -> float:
    """Give the running mean after another error.

    Raises:
        FitError: It is no longer a number.
    """
    if not math.isfinite(latest):
        raise FitError("Training went astray: its error is no longer a number. Try another seed.")
    return latest if error is None else error + RUNNING_SHARE * (latest - error)


class _Batches:
    """Batches cut out of the chunks that should be there by each step, whether or not they came earlier."""

    def __init__(self, pool: SamplePool, options: FitOptions) -> None:
        self._pool, self._options = pool, options
        self._rng = np.random.default_rng([options.seed, 1 << 20])
        self.chunks: list[FloatArray] = []

    def take(self, step: int, waiting: Callable[[], None]) -> FloatArray:
        options, pool = self._options, self._pool
        growth = 2.0 * step / options.num_steps  # all chunks are in use by half of the run
        wanted = min(pool.num_chunks, 1 + int(growth * pool.num_chunks))
        while len(self.chunks) < wanted:
            self.chunks.append(pool.chunk(len(self.chunks), waiting))
        chunk = int(self._rng.integers(wanted))
        size = min(options.batch_size, pool.chunk_size)
        start = int(self._rng.integers(pool.chunk_size - size + 1))  # a chunk is shuffled: any slice will do
        return self.chunks[chunk][start : start + size]
