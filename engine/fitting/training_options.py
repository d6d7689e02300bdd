"""A run counted in epochs over a fixed set of samples, as the paper trains, with every setting in the user's hand.

Without any of these settings a fit is `fitting.fit`, which is quicker. What `TrainingOptions` holds changes the result;
`TrainingOutputs` only says what is written on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ..errors import OptionError
from .samplers import SamplerOptions
from .schedules import ScheduleOptions

OptimizerKind = Literal["soap", "adam"]
LONGEST_EPOCH = 1 << 26
SMALLEST_GRID, LARGEST_GRID = 2, 512
ADAM_RATE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """What a run in epochs has beside `FitOptions`, whose steps are its epochs times their steps."""

    epochs: int
    epoch_length: int  # samples
    sampler: SamplerOptions = field(default_factory=SamplerOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    optimizer: OptimizerKind = "soap"
    loss_weight: float = 0.0  # k of the weight exp(-k |d|), 1 / unit length
    fourier_scale: float = 1.0  # cycles in a unit of length
    queries: Path | None = None  # points that are trained on instead of a sampler's

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 1 <= self.epoch_length <= LONGEST_EPOCH:
            raise OptionError(f"There is at least one epoch, and 1 to {LONGEST_EPOCH} samples in it.")
        if self.optimizer not in get_args(OptimizerKind):
            raise OptionError(f"There is no optimiser {self.optimizer!r}. Use soap or adam.")
        if not 0.0 <= self.loss_weight < 1e4:
            raise OptionError(f"A loss weight is 0 to 10,000, got {self.loss_weight}.")
        if not 0.0 < self.fourier_scale < 1e3:
            raise OptionError(
                f"The scale of Fourier features is above 0 and below 1,000, got {self.fourier_scale}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutputs:
    """What a run in epochs writes beside its weights."""

    checkpoint: Path | None = None  # gone on from where it is there
    snapshots: int | None = None  # epochs between two that are kept
    validate: int | None = None  # points a side of a grid over [-1, 1]^3
    plot: Path | None = None  # .png
    log: Path | None = None  # a folder, for TensorBoard

    def __post_init__(self) -> None:
        if self.snapshots is not None and self.snapshots < 1:
            raise OptionError("Snapshots are kept each so many epochs: at least 1.")
        if self.validate is not None and not SMALLEST_GRID <= self.validate <= LARGEST_GRID:
            raise OptionError(
                f"A validation grid has {SMALLEST_GRID} to {LARGEST_GRID} points a side, got {self.validate}."
            )
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise OptionError(f"A loss plot is a .png, got {self.plot.name}.")
