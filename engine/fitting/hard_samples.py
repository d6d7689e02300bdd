"""Samples far from the surface that the network gets most wrong: looked for a few times a fit, and trained on more.

The creases of the distance field, midway between parts of the surface, are where a mean loss forgets a small network's
error. They lie in little volume, so uniform samples seldom fall there, and new ones are made around those that are found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import OptionError

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardOptions:
    """What is hard, and how much of it; lengths are in unit space."""

    share: float = 0.2  # of each batch
    num_searches: int = 30  # in a fit
    farther_than: float = 0.015  # from the surface: nearer samples are many as it is
    least_error: float = 0.01
    fewest: int = 8000  # where more are found the worst quarter is kept, but not fewer than this
    copies: int = (
        7  # of the worst eighth of these, moved and with exact distances, in the place of the others
    )
    moved_by: float = 0.04  # deviation along each axis

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0 or self.num_searches < 0 or self.fewest < 1 or self.copies < 0:
            raise OptionError("Hard samples are a share from 0 to 1 of a batch, and at least one.")


class HardSamples:
    """The latest hard samples of one fit."""

    def __init__(self, options: HardOptions, num_steps: int, seed: int) -> None:
        self._options = options
        self._interval = num_steps // (options.num_searches + 1) if options.share > 0.0 else 0
        self._rng = np.random.default_rng([seed, 3 << 20])
        self._found: FloatArray = np.zeros((0, 5), np.float32)
        self._far: list[FloatArray] = []  # of each chunk

    def due(self, step: int) -> bool:
        """Whether to look again before this step."""
        return self._interval > 0 and step > 0 and step % self._interval == 0

    def find(
        self,
        chunks: list[FloatArray],
        errors_of: Callable[[FloatArray], FloatArray],
        distances_of: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
    ) -> None:
        """Look for what is hard.

        Args:
            chunks: Samples (N, inputs + 2) to look through; those of the last call, and others after them.
            errors_of: Gives |f - d| (N,) of samples.
            distances_of: Gives exact distances (N,) of points (N, 3), with bounds (N,) of their size; without it there
                are no new samples.
        """
        options = self._options
        for chunk in chunks[len(self._far) :]:
            self._far.append(chunk[np.abs(chunk[:, -2]) > options.farther_than])
        errors = np.concatenate([errors_of(far) for far in self._far])
        hard = np.flatnonzero(errors > options.least_error)
        kept = len(hard) if len(hard) <= options.fewest else max(options.fewest, len(hard) // 4)
        worst = hard[np.argsort(-errors[hard], kind="stable")[:kept]]
        found = _rows(self._far, worst)
        if distances_of is not None:
            found = self._with_copies(found[: max(1, len(found) // (1 + options.copies))], distances_of)
        self._found = found[self._rng.permutation(len(found))]

    def _with_copies(
        self, worst: FloatArray, distances_of: Callable[[FloatArray, FloatArray], FloatArray]
    ) -> FloatArray:
        """Give samples (N, 5) and others around each: between the few of a pool an error has room to hide."""
        copies = np.repeat(worst, self._options.copies, axis=0)
        moves = (self._rng.standard_normal((len(copies), 3)) * self._options.moved_by).astype(np.float32)
        copies[:, :3] = np.clip(copies[:, :3] + moves, -1.0, 1.0)
        farthest = np.abs(copies[:, 3]) + np.linalg.norm(moves, axis=1)
        copies[:, 3] = distances_of(copies[:, :3], farthest)
        return np.concatenate([worst, copies])

    def mixed_into(self, batch: FloatArray) -> FloatArray:
        """Give a batch (N, 5) whose last samples are hard ones, where there are enough."""
        count = int(len(batch) * self._options.share)
        if count == 0 or len(self._found) < count:
            return batch
        start = int(self._rng.integers(len(self._found) - count + 1))
        return np.concatenate([batch[: len(batch) - count], self._found[start : start + count]])

    def state(self) -> tuple[dict[str, Any], FloatArray]:
        """Give plain values and an array from which `restore` goes on as if nothing had been."""
        return dict(self._rng.bit_generator.state), self._found

    def restore(self, facts: dict[str, Any], found: FloatArray) -> None:
        """Go on from a `state`."""
        self._rng.bit_generator.state = facts
        self._found = found


def _rows(arrays: list[FloatArray], numbers: npt.NDArray[np.intp]) -> FloatArray:
    """Give some rows (M, K) of arrays (N, K), numbered from the first one's first on."""
    ends = np.cumsum([len(array) for array in arrays])
    owners = np.searchsorted(ends, numbers, side="right")
    found = np.empty((len(numbers), arrays[0].shape[1]), np.float32)
    for k in np.unique(owners):
        mine = owners == k
        found[mine] = arrays[k][numbers[mine] - (ends[k] - len(arrays[k]))]
    return found
