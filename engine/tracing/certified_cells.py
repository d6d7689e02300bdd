"""What was proven about the cells of a network's domain, apart from how, so that reading it needs no compiler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .packed_grid import PackedGrid

MOST_PARAMETERS = 40_000  # larger networks take minutes


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedCells:
    """The cells of [-1, 1]^3, R a side."""

    reachable: npt.NDArray[np.bool_]  # (R, R, R): not proven to be free of the surface
    gradient: npt.NDArray[np.float32]  # (C, 6): low, then high, in those cells, in the order of the array
    error: float  # proven bound on the error of a float32 value in those cells, in any order of summation
    sampled_error: (
        float  # four times the largest error seen there, some hundred times less: what steps allow for
    )

    def packed(self) -> PackedGrid:
        """Give the grid that the march reads."""
        from .step_grid import packed_grid

        return packed_grid(self.reachable, self.gradient, self.sampled_error)


def can_certify(weights: NeuralWeights) -> bool:
    """Whether a network is small enough to be certified in reasonable time."""
    return weights.architecture.num_parameters() <= MOST_PARAMETERS
