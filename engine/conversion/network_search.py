"""Which network to fit when a result is asked for: the smallest within an error, or the best within a size.

Networks are compared by short fits first. Errors fall about as a power of the number of parameters, so for an error
the ladder is entered where the short fits say, the full fit there says how much a full one gains over a short one,
and from then on the next rung is where the error should just be met, by what full fits have said on either side,
until a rung was seen to meet it and the one below not to. For a size, the largest networks that fit in it have a knock-out over short fits of doubling length.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from ..fitting.fit import FitOptions
from ..protocol.weights import Architecture

log = logging.getLogger(__name__)

LADDER = ((8, 3), (8, 5), (12, 5), (16, 5), (16, 8), (20, 8), (24, 8), (32, 8), (40, 8), (48, 8), (64, 8))
SHORT_SHARE = 0.1  # of a full run's steps
SHORTEST = 100  # steps
FIRST_GAIN = 0.5  # error of a full fit over that of a short one, before one was made
USUAL_SLOPE = -0.7  # of log error over log parameters, where short fits do not tell
LEAST_SLOPE = -0.1
MOST_FULL_FITS = 5
WIDTHS, DEPTHS = range(4, 68, 4), range(2, 11)  # of the networks that compete for a size
SMALLEST_RIVAL = 0.8  # of the parameters that fit into the size
NUM_RIVALS = 4

ShortFit = Callable[[FitOptions], float]  # mean surface error


def ladder(base: Architecture) -> list[Architecture]:
    """Give the networks to choose from, the smallest first."""
    return [replace(base, width=width, depth=depth) for width, depth in LADDER]


class LadderSearch:
    """Finds the smallest network of the ladder that meets an error; ask for a rung, fit it, tell, and ask again."""

    def __init__(self, first: FitOptions, tolerance: float, short_fit: ShortFit) -> None:
        """Make the short fits: the ladder's two ends and its middle."""
        self._first, self._tolerance = first, tolerance
        self._rungs = ladder(first.architecture)
        self._sizes = np.log([rung.num_parameters() for rung in self._rungs])
        self._full: dict[int, float] = {}
        probes = [1, len(self._rungs) // 2, len(self._rungs) - 2]
        shorter = shortened(first)
        errors = [short_fit(replace(shorter, architecture=self._rungs[k])) for k in probes]
        self._slope, at_nil = np.polyfit(self._sizes[probes], np.log(errors), 1)
        self._level = float(at_nil) + math.log(FIRST_GAIN)
        if not self._slope < LEAST_SLOPE:  # noise, or nothing that a network of this ladder can hold
            self._slope = USUAL_SLOPE
            self._level = float(np.mean(np.log(errors) - self._slope * self._sizes[probes])) + math.log(
                FIRST_GAIN
            )

    def next(self) -> FitOptions | None:
        """Give the next full fit, or None where the answer is known."""
        meets = [k for k, error in self._full.items() if error <= self._tolerance]
        fails = [k for k, error in self._full.items() if error > self._tolerance]
        low, high = max(fails, default=-1) + 1, min(meets, default=len(self._rungs)) - 1
        if low > high or len(self._full) == MOST_FULL_FITS:
            return None
        if meets and fails:
            self._slope = min(self._slope_between(max(fails), min(meets)), LEAST_SLOPE)
            self._level = self._level_through(min(meets))
        wanted = (math.log(self._tolerance) - self._level) / self._slope
        rung = int(np.searchsorted(self._sizes, wanted))
        return replace(self._first, architecture=self._rungs[min(max(rung, low), high)])

    def _level_through(self, rung: int) -> float:
        return float(math.log(self._full[rung]) - self._slope * self._sizes[rung])

    def _slope_between(self, one: int, other: int) -> float:
        gain = math.log(self._full[other]) - math.log(self._full[one])
        return gain / float(self._sizes[other] - self._sizes[one])

    def tell(self, architecture: Architecture, error: float) -> None:
        """Take in the error of a full fit."""
        rung = self._rungs.index(architecture)
        self._full[rung] = error
        self._level = self._level_through(rung)
        log.info("%d x %d: %.2e of %.2e", architecture.depth, architecture.width, error, self._tolerance)


def best_within(
    first: FitOptions, num_bytes: int, file_bytes: Callable[[Architecture], int], short_fit: ShortFit
) -> FitOptions:
    """Give the run whose network wins the knock-out among those whose file is at most `num_bytes` long.

    Raises:
        OptionError: Not even the smallest network fits.
    """
    sizes = [replace(first.architecture, width=width, depth=depth) for width in WIDTHS for depth in DEPTHS]
    fitting = [architecture for architecture in sizes if file_bytes(architecture) <= num_bytes]
    if not fitting:
        least = min(file_bytes(architecture) for architecture in sizes)
        raise OptionError(f"No network fits into {num_bytes} bytes; the smallest takes {least}.")
    largest = max(architecture.num_parameters() for architecture in fitting)
    large = [one for one in fitting if one.num_parameters() >= SMALLEST_RIVAL * largest]
    large.sort(key=lambda one: (abs(one.depth - 7), -one.num_parameters()))  # depths of 6 to 8 win most often
    rivals, run = large[:NUM_RIVALS], shortened(first)
    while len(rivals) > 1:
        errors = [short_fit(replace(run, architecture=rival)) for rival in rivals]
        for rival, error in zip(rivals, errors):
            log.info("%d x %d after %d steps: %.2e", rival.depth, rival.width, run.num_steps, error)
        rivals = [rivals[k] for k in np.argsort(errors, kind="stable")[: len(rivals) // 2]]
        run = replace(run, num_steps=min(2 * run.num_steps, first.num_steps))
    return replace(first, architecture=rivals[0])


def shortened(run: FitOptions) -> FitOptions:
    """Give the short version of a run."""
    steps = min(run.num_steps, max(SHORTEST, round(SHORT_SHARE * run.num_steps)))
    samples = max(run.batch_size, min(run.num_samples, steps * run.batch_size // 2))
    return replace(run, num_steps=steps, num_samples=samples)
