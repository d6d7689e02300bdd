"""What one conversion is to make, and where it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import OptionError
from ..fitting.fit import FitOptions
from ..fitting.training_options import TrainingOutputs
from ..protocol.weights import NeuralWeights
from .precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """One conversion."""

    fit: FitOptions = field(default_factory=FitOptions)
    preset: str = "standard"
    output: Path
    report: Path | None = None
    proxy: Path | None = None
    snapshots: bool = False  # replace the output while training, too
    threads: int | None = None  # all processors by default
    precision: Precision = "auto"
    may_grow: bool = True  # where a network is too small for the shape
    quick: bool = False  # say what was missed instead of trying again
    tolerance: float | None = None  # mean surface error, unit space: fit the smallest network that meets it
    tolerance_object: float | None = None  # the same in object units
    num_bytes: int | None = None  # of the weights file: fit the best network within
    outputs: TrainingOutputs = field(default_factory=TrainingOutputs)  # of a run in epochs
    start: NeuralWeights | None = (
        None  # of the shape before it changed: begin with them, and take fewer steps
    )
    reconstruct: int | None = None  # cells a side: write the zero set as NAME.ply beside the weights, too

    def __post_init__(self) -> None:
        asked = [x for x in (self.tolerance, self.tolerance_object, self.num_bytes) if x is not None]
        if len(asked) > 1:
            raise OptionError("Ask for a tolerance or for a number of bytes, not for both.")
        if asked and not (math.isfinite(asked[0]) and asked[0] > 0.0):
            raise OptionError(f"A tolerance or a number of bytes must be positive, got {asked[0]}.")
        if asked and self.fit.training is not None:
            raise OptionError(
                "A tolerance or a number of bytes chooses the run: leave out its training settings."
            )
        if self.start is not None and (asked or self.fit.training is not None):
            raise OptionError(
                "A run that begins with old weights is a preset's: leave out tolerance, bytes and training settings."
            )
