"""What was proven about the cells of a network's domain, apart from how, so that reading it needs no compiler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .packed_grid import AROUND, UNKNOWN, PackedGrid, in_parts

MOST_PARAMETERS = 40_000  # larger networks take minutes


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedCells:
    """The cells of [-1, 1]^3, R a side; no cells at all where bounds were found to be of no use."""

    reachable: npt.NDArray[np.bool_]  # (R, R, R): not proven to be free of the surface
    gradient: npt.NDArray[np.float32]  # (C, 6): low, then high, in those cells, in the order of the array
    error: float  # proven bound on the error of a float32 value in those cells, in any order of summation
    sampled_error: (
        float  # four times the largest error seen there, some hundred times less: what steps allow for
    )
    # of PART_SIDE^3 parts of each cell, where they were looked into:
    open_parts: npt.NDArray[np.bool_] | None = (
        None  # (C, PART_SIDE^3): not proven to be free of the surface; x first
    )
    part_gradient: npt.NDArray[np.float32] | None = None  # (P, 6), in those, in the order of the array
    # (P, 4): a slope, and how far the field is from the function with it and its value at the part's centre
    part_linear: npt.NDArray[np.float32] | None = None

    def packed(self) -> PackedGrid:
        """Give the grid that the march reads."""
        from .step_grid import packed_grid

        grid = packed_grid(self.reachable, self.gradient, self.sampled_error)
        if self.open_parts is None or self.part_gradient is None:
            return grid
        return in_parts(grid, self.open_parts, self.part_gradient, self.part_linear)


def nothing_proven() -> CertifiedCells:
    """Give what stands for a proof that is not worth making, so that it is not tried again."""
    return CertifiedCells(np.zeros((0, 0, 0), bool), np.zeros((0, 6), np.float32), 0.0, 0.0)


def rounded_linear(linear: npt.NDArray[np.float32], half: float) -> npt.NDArray[np.float32]:
    """Round functions (P, 4) in cells of half a side to half precision, the slopes' rounding added to the distance."""
    found = linear[:, 3] < UNKNOWN
    with np.errstate(over="ignore"):
        slope = np.where(found[:, None], linear[:, :3], 0.0).astype(np.float16)
        lost = np.abs(linear[:, :3].astype(np.float64) - slope).sum(axis=1)
        rest = (linear[:, 3] + (half + AROUND) * lost) / half
        rounded = rest.astype(np.float16)
        rounded = np.where(rounded < rest, np.nextafter(rounded, np.float16(np.inf)), rounded)
    rest = np.where(found & np.isfinite(rounded), rounded.astype(np.float64) * half, 2.0 * UNKNOWN)
    return np.concatenate([slope.astype(np.float32), rest[:, None].astype(np.float32)], axis=1)


def can_certify(weights: NeuralWeights) -> bool:
    """Whether a network is small enough to be certified in reasonable time."""
    return weights.architecture.num_parameters() <= MOST_PARAMETERS
