"""Where the samples of a run in epochs come from: a shape's sampler, or a file of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..ground_truth.signed_distance import SurfaceDistance
from .fit import FitOptions
from .sample_files import load_samples, samples_of
from .samplers import draw_samples
from .sampling import SEARCH_CELLS

FloatArray = npt.NDArray[np.floating[Any]]


class SampleSource(Protocol):
    """Samples (N, inputs + 2) float32: place, signed distance, weight."""

    def samples(self, options: FitOptions, waiting: Callable[[], None]) -> FloatArray:
        """Give what a run is trained on; `waiting` is called again and again meanwhile."""
        ...

    def grid(self, resolution: int, waiting: Callable[[], None]) -> FloatArray:
        """Give samples on a grid of `resolution` points a side."""
        ...


class ShapeSource:
    """Samples of one shape."""

    def __init__(self, truth: SurfaceDistance) -> None:
        self._truth = truth

    def samples(self, options: FitOptions, waiting: Callable[[], None]) -> FloatArray:
        """Give the samples of the run's sampler or file (N, 5).

        Raises:
            EngineError: The file cannot be used.
            OptionError: It holds fewer points than a batch.
        """
        training = options.training
        assert training is not None
        if training.queries is not None:
            samples = samples_of(load_samples(training.queries), self._truth, training.queries.name)
            if len(samples) < options.batch_size:
                raise OptionError(
                    f"{training.queries.name} holds {len(samples)} points, less than a batch of "
                    f"{options.batch_size}. Use a smaller --batch."
                )
        else:
            drawn = training.sampler, options.sampling, options.num_samples, options.seed
            samples = draw_samples(self._truth, *drawn, waiting)
        return weighted(samples, training.loss_weight)

    def grid(self, resolution: int, waiting: Callable[[], None]) -> FloatArray:
        """Give samples (resolution^3, 5) on a grid of [-1, 1]^3."""
        return grid_samples(self._truth, resolution, waiting)


def weighted(samples: FloatArray, k: float) -> FloatArray:
    """Multiply the weight of samples (N, inputs + 2) with exp(-k |d|), in place, and give them."""
    if k > 0.0:
        samples[:, -1] *= np.exp(-k * np.abs(samples[:, -2]))
    return samples


def grid_samples(truth: SurfaceDistance, resolution: int, waiting: Callable[[], None]) -> FloatArray:
    """Give samples (resolution^3, 5), in blocks of neighbours, since searches near each other are quick."""
    axis = np.linspace(-1.0, 1.0, resolution, dtype=np.float32)
    block = -(-resolution // SEARCH_CELLS)
    pieces = []
    for x in range(0, resolution, 4 * block):
        slab = np.meshgrid(axis[x : x + 4 * block], axis, axis, indexing="ij")
        points = np.stack(slab, axis=-1).reshape(-1, 3)
        piece = np.ones((len(points), 5), np.float32)
        piece[:, :3], piece[:, 3] = points, truth.signed_distance(points)
        pieces.append(piece)
        waiting()
    return np.concatenate(pieces)
