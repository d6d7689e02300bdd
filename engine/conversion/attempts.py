"""Fit, measure, and fit again where the result is not what it should be: another seed first, then a wider network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..fitting.fit import FitOptions
from ..protocol.weights import NeuralWeights
from .aims import Shortfall, collapsed, shortfalls

log = logging.getLogger(__name__)

SEED_STEP = 7919  # between two tries
MOST_TRIES = 4
MOST_SEEDS = 3  # of one network that collapses again and again
WIDER = {8: 16, 16: 32, 32: 48, 48: 64}  # past 64 a step takes minutes, and the fused one ends
SEED_SHORTFALLS = {"floating_parts"}  # accidents of a seed; the others are a lack of room


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """A network that was fitted and measured as it will be stored."""

    options: FitOptions
    weights: NeuralWeights
    errors: dict[str, float]
    missed: tuple[Shortfall, ...]

    @property
    def badness(self) -> tuple[bool, int, float, float]:
        """What to compare attempts by; the smallest is the best."""
        off = sum(shortfall.by for shortfall in self.missed)
        return collapsed(self.errors), len(self.missed), off, self.errors["surface_mean"]


FitAndMeasure = Callable[[FitOptions], tuple[NeuralWeights, dict[str, float]]]


def fit_until_good(
    first: FitOptions,
    fit_and_measure: FitAndMeasure,
    *,
    may_grow: bool,
    tolerance: float | None = None,
    quick: bool = False,
    most_tries: int = MOST_TRIES,
) -> tuple[Attempt, list[Attempt]]:
    """Give the best of up to `most_tries` attempts, and all of them in order.

    Args:
        first: The run to begin with.
        fit_and_measure: Gives the stored weights of a run and their errors.
        may_grow: Whether the network's width is ours to choose.
        tolerance: Of the mean surface error, where the user named one.
        quick: Whether only a collapsed network is worth another try.
        most_tries: At most `MOST_TRIES`.
    """
    attempts: list[Attempt] = []
    options: FitOptions | None = first
    while options is not None:
        weights, errors = fit_and_measure(options)
        missed = tuple(shortfalls(errors, tolerance))
        attempts.append(Attempt(options=options, weights=weights, errors=errors, missed=missed))
        if missed:
            log.warning("seed %d, width %d: %s", options.seed, options.architecture.width, missed[0].text)
        worth_it = len(attempts) < most_tries and (not quick or collapsed(errors))
        options = next_options(attempts, may_grow) if worth_it else None
    return min(attempts, key=lambda attempt: attempt.badness), attempts


def next_options(attempts: list[Attempt], may_grow: bool) -> FitOptions | None:
    """Give what to try after these attempts; None where the last one is good or nothing is left to try."""
    last = attempts[-1]
    missed = {shortfall.name for shortfall in last.missed}
    if len(attempts) == MOST_TRIES or not missed:
        return None
    width = last.options.architecture.width
    seeds = sum(attempt.options.architecture.width == width for attempt in attempts)
    other = replace(last.options, seed=attempts[0].options.seed + SEED_STEP * len(attempts))
    accident = collapsed(last.errors) or missed <= SEED_SHORTFALLS
    if accident and seeds < (2 if may_grow and width in WIDER else MOST_SEEDS):
        return other
    if may_grow and width in WIDER:
        architecture = replace(last.options.architecture, width=WIDER[width])
        return replace(last.options, architecture=architecture)
    return other if seeds == 1 else None


def notes_of(best: Attempt, attempts: list[Attempt]) -> list[str]:
    """Give sentences for the user on what went wrong on the way, and on what is still wrong."""
    notes = []
    for attempt in attempts:
        if collapsed(attempt.errors):
            notes.append(f"The fit with seed {attempt.options.seed} collapsed.")
    first, kept = attempts[0].options.architecture.width, best.options.architecture.width
    if kept != first:
        notes.append(
            f"A network of {first} units a layer was not enough, so it was given {kept}: "
            f"{attempts[0].missed[0].text.split('. ')[0]}."
        )
    elif len(attempts) > 1 and not collapsed(attempts[0].errors):
        notes.append(f"{len(attempts)} fits were made; the best is that with seed {best.options.seed}.")
    return [*notes, *(shortfall.text for shortfall in best.missed)]
