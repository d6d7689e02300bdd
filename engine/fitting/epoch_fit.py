"""A fit in epochs from its samples to its parameters, with everything that is written on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .epochs import EpochRecord, train_epochs
from .fit import FitOptions, FitState
from .sample_sources import SampleSource
from .training_options import TrainingOutputs
from .training_watch import TrainingWatch

FloatArray = npt.NDArray[np.floating[Any]]


def fit_in_epochs(
    source: SampleSource,
    options: FitOptions,
    outputs: TrainingOutputs,
    output: Path,
    weights_of: Callable[[FloatArray], NeuralWeights],
    report: Callable[[FitState], None],
) -> tuple[FloatArray, list[EpochRecord]]:
    """Train a network; give its parameters (depth + 1, rows, rows + PADDING) and what became of each epoch.

    Args:
        source: Where samples come from.
        options: The run, whose `training` is set.
        outputs: What to write beside `output`.
        output: Where the weights of the whole run go.
        weights_of: Makes weights of parameters, for snapshots.
        report: Called every few steps and while samples are made; may raise to stop the run.

    Raises:
        EngineError: A file of samples, a checkpoint, an output or the fit is at fault.
    """
    watch = TrainingWatch(outputs, output, weights_of)

    def waiting() -> None:
        nothing = np.zeros(0, np.float32)
        report(FitState(step=0, num_steps=options.num_steps, error=None, parameters=nothing))

    try:
        samples = source.samples(options, waiting)
        grid = source.grid(outputs.validate, waiting) if outputs.validate else None
        return train_epochs(samples, options, report, watch=watch, grid=grid, checkpoint=outputs.checkpoint)
    finally:
        watch.close()
