"""Which pixels need no more samples: those whose mean hardly changed when their samples doubled.

The error of a pixel is how far its mean moved in the last doubling, over the root of its brightness, as eyes see noise
[Dammertz et al. 2010]. A pixel goes on as long as one of its neighbours does: alone it would stop by chance too often.

[Dammertz et al. 2010] H. Dammertz, J. Hanika, A. Keller, H. Lensch, "A Hierarchical Automatic Stopping Condition for Monte
Carlo Global Illumination", WSCG 2010.
"""

from __future__ import annotations

import numpy as np

from ..transforms import Array

LEAST_SAMPLES = 16  # fewer may all miss a thin shadow
DARKEST = 1e-3  # of the sum of three channels; below it noise is not seen any better


class NoiseWatch:
    """One picture's pixels, looked at after each round of samples, whose number doubles."""

    def __init__(self, threshold: float, size: tuple[int, int]) -> None:
        """Begin with all pixels of a picture of `size` rows and columns; `threshold` is positive."""
        self.active: Array = np.ones(size, bool)  # whether a pixel gets more samples
        self._threshold = threshold
        self._before: Array | None = None

    def look(self, mean: Array, samples: int) -> None:
        """Take out the pixels that have settled, by the means (h, w, 4) of so many samples."""
        if self._before is not None and samples >= LEAST_SAMPLES:
            moved = np.abs(mean - self._before).sum(axis=2)
            error = moved / np.sqrt(np.maximum(mean[..., :3].sum(axis=2), DARKEST))
            self.active &= _grown(error > self._threshold)
        self._before = mean


def _grown(chosen: Array) -> Array:
    """Give the pixels that are chosen or have a neighbour that is."""
    height, width = chosen.shape
    padded = np.pad(chosen, 1)
    grown: Array = np.zeros_like(chosen)
    for row in range(3):
        for column in range(3):
            grown |= padded[row : row + height, column : column + width]
    return grown
