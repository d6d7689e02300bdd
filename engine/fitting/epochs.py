"""A training run in epochs over a fixed set of samples, which can be broken off and gone on with.

Each epoch goes through the samples in an order of its own. Whatever a step depends on is in its number, in the history
and in the trainer's arrays, so a run that goes on from a checkpoint gives the same bits on the same device.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.parameters import fourier_matrix
from .adam import AdamOptions
from .checkpoint import Checkpoint, fingerprint_of, load_checkpoint
from .fit import FitOptions, FitState, running_error, start_of
from .hard_samples import HardSamples
from .schedules import rate_factor
from .trainers import CpuTrainer, OptimizerOptions, Trainer
from .training_options import TrainingOptions

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]

LOOK_INTERVAL = 10  # steps between two looks at the loss, which cost a synchronisation on a GPU
CHECKPOINT_INTERVAL_S = 5.0  # and at the end of each epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """What is known of an epoch that is over."""

    epoch: int  # from 1
    step: int
    loss: float  # mean over the epoch
    learning_rate: float  # of its last step
    validation: float | None  # mean |f - d| on the grid


class Watch(Protocol):
    """Hears of each epoch."""

    def epoch_done(self, history: Sequence[EpochRecord], parameters: FloatArray) -> None:
        """Take in the history so far; the parameters change with the next step."""
        ...


def train_epochs(
    samples: FloatArray,
    options: FitOptions,
    report: Callable[[FitState], None],
    *,
    watch: Watch,
    grid: FloatArray | None = None,
    checkpoint: Path | None = None,
) -> tuple[FloatArray, list[EpochRecord]]:
    """Train a network; give its parameters (depth + 1, rows, rows + PADDING) and what became of each epoch.

    Args:
        samples: (N, inputs + 2) float32: place, signed distance, weight.
        options: The network and the run, whose `training` is set.
        report: Called every few steps; may raise to stop the run.
        watch: Called after each epoch.
        grid: Samples that the network is validated at.
        checkpoint: Where the run stands; gone on from if it is there.

    Raises:
        FitError: The loss is no longer a number.
        CheckpointError: The checkpoint is damaged or of another run.
        OutputError: The checkpoint cannot be written.
    """
    trainer = make_trainer(options)
    try:
        run = _Run(trainer, samples, options, report, grid, checkpoint)
        return run.go(watch), run.history
    finally:
        trainer.close()


def make_trainer(options: FitOptions) -> Trainer:
    """Give the trainer of a run: the fused step on the CPU, torch on other devices."""
    training, architecture = options.training, options.architecture
    assert training is not None
    optimizer: OptimizerOptions = AdamOptions() if training.optimizer == "adam" else options.soap
    arguments = architecture, start_of(options), options.loss, optimizer
    matrix = fourier_matrix(architecture, training.fourier_scale, options.seed)
    if options.device == "cpu":
        return CpuTrainer(*arguments, options.threads, matrix)
    from .torch_trainer import TorchTrainer  # seconds to import, and no other device needs it

    return TorchTrainer(*arguments, options.device, matrix)


class _Run:
    """One run, from wherever it stands to its end."""

    def __init__(
        self,
        trainer: Trainer,
        samples: FloatArray,
        options: FitOptions,
        report: Callable[[FitState], None],
        grid: FloatArray | None,
        checkpoint: Path | None,
    ) -> None:
        assert options.training is not None
        self._trainer, self._samples, self._options, self._report = trainer, samples, options, report
        self._training: TrainingOptions = options.training
        self._grid, self._checkpoint = grid, checkpoint
        self._steps = options.num_steps // self._training.epochs  # of an epoch
        self._hard = HardSamples(options.hard, options.num_steps if self._seeks_hard() else 0, options.seed)
        self.history: list[EpochRecord] = []
        self._step = 0
        self._looks: list[float] = []  # at this epoch's loss
        self._error: float | None = None
        self._saved = time.monotonic()
        self._fingerprint = fingerprint_of(options, samples, grid) if checkpoint else ""
        self._resume()

    def go(self, watch: Watch) -> FloatArray:
        """Give the parameters after the last step."""
        first = self._step // self._steps
        for epoch in range(first, self._training.epochs):
            order = self._order(epoch)
            for k in range(self._step - epoch * self._steps, self._steps):
                self._one_step(order, k)
                self._save_now_and_then()
            self._end_epoch(watch)
        return self._trainer.parameters()

    def _order(self, epoch: int) -> npt.NDArray[np.intp]:
        rng = np.random.default_rng([self._options.seed, 7 << 20, epoch])
        return np.resize(rng.permutation(len(self._samples)), self._steps * self._options.batch_size)

    def _one_step(self, order: npt.NDArray[np.intp], k: int) -> None:
        size = self._options.batch_size
        batch = self._samples[order[k * size : (k + 1) * size]]
        if self._hard.due(self._step):
            self._hard.find([self._samples], self._trainer.errors)
        self._trainer.step(self._hard.mixed_into(batch), self._rate())
        self._step += 1
        if k % LOOK_INTERVAL == 0 or k + 1 == self._steps:
            self._looks.append(self._trainer.loss())
            self._error = running_error(self._error, self._looks[-1])
            self._tell()

    def _tell(self) -> None:
        self._report(
            FitState(
                step=self._step,
                num_steps=self._options.num_steps,
                error=self._error,
                parameters=self._trainer.parameters(),
            )
        )

    def _rate(self) -> float:
        options = self._options
        losses = [record.loss for record in self.history]
        factor = rate_factor(self._training.schedule, self._step, options.num_steps, options.warm_up, losses)
        return options.learning_rate * factor

    def _end_epoch(self, watch: Watch) -> None:
        rate = self._rate()
        validation = None
        if self._grid is not None:
            validation = float(self._trainer.errors(self._grid).mean(dtype=np.float64))
        self.history.append(
            EpochRecord(
                epoch=len(self.history) + 1,
                step=self._step,
                loss=math.fsum(self._looks) / len(self._looks),
                learning_rate=rate,
                validation=validation,
            )
        )
        self._looks = []
        log.info("epoch %d of %d: %s", len(self.history), self._training.epochs, self.history[-1])
        watch.epoch_done(self.history, self._trainer.parameters())
        self._save()

    def _seeks_hard(self) -> bool:
        """Only our own recipe looks for hard samples; another one is done as it is given."""
        plain = self._training.sampler.kind == "default" and self._training.queries is None
        return plain and self._options.loss.tail_weight > 0.0

    def _save_now_and_then(self) -> None:
        if self._checkpoint is not None and time.monotonic() - self._saved > CHECKPOINT_INTERVAL_S:
            self._save()

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        hard_facts, found = self._hard.state()
        facts = {
            "history": [asdict(record) for record in self.history],
            "looks": self._looks,
            "error": self._error,
            "hard": hard_facts,
        }
        arrays = {"hard_samples": found, **self._trainer.state()}
        Checkpoint(fingerprint=self._fingerprint, step=self._step, facts=facts, arrays=arrays).save(
            self._checkpoint
        )
        self._saved = time.monotonic()

    def _resume(self) -> None:
        found = load_checkpoint(self._checkpoint, self._fingerprint) if self._checkpoint else None
        if found is None:
            return
        self._trainer.restore(found.arrays)
        self._hard.restore(found.facts["hard"], found.arrays["hard_samples"])
        self.history = [EpochRecord(**record) for record in found.facts["history"]]
        self._looks, self._error = list(found.facts["looks"]), found.facts["error"]
        self._step = found.step
        log.info("going on from step %d of %d", self._step, self._options.num_steps)
        self._tell()
