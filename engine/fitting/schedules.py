"""Learning rates over a run in epochs: constant, our warm-up and cosine, exponential, and the paper's decay on a plateau.

A plateau depends on the losses so far, so all of them are functions of the step and of the epochs' losses alone: a run
that goes on from a checkpoint needs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import OptionError

ScheduleKind = Literal["cosine", "constant", "exponential", "plateau"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """How the learning rate changes."""

    kind: ScheduleKind = "cosine"
    decay: float = 0.8  # at a plateau; an exponential one falls to a hundredth over the run
    patience: int = 30  # epochs without a better loss
    least_gain: float = 1e-4  # of a loss, relative: below it nothing got better

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScheduleKind):
            raise OptionError(f"There is no schedule {self.kind!r}. Use {', '.join(get_args(ScheduleKind))}.")
        if not 0.0 < self.decay < 1.0 or self.patience < 1:
            raise OptionError(
                "A plateau's decay lies between 0 and 1, and its patience is at least an epoch."
            )


def rate_factor(
    options: ScheduleOptions, step: int, num_steps: int, warm_up: float, losses: Sequence[float]
) -> float:
    """Give what the learning rate is multiplied with.

    Args:
        options: The schedule.
        step: Which one, from 0.
        num_steps: Of the run.
        warm_up: Share of the steps in which a cosine's rate rises.
        losses: Mean loss of each epoch so far.
    """
    if options.kind == "constant":
        return 1.0
    if options.kind == "exponential":
        return float(0.01 ** (step / num_steps))
    if options.kind == "plateau":
        return float(options.decay ** num_decays(losses, options))
    rising = max(1.0, warm_up * num_steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1.0, num_steps - rising)))


def num_decays(losses: Sequence[float], options: ScheduleOptions) -> int:
    """Count how often the loss did not get better for `patience` epochs."""
    best, waited, decays = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1.0 - options.least_gain):
            best, waited = loss, 0
            continue
        waited += 1
        if waited == options.patience:
            waited, decays = 0, decays + 1
    return decays
