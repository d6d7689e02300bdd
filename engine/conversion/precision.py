"""Half or single precision: half where it costs next to nothing, by measuring what will be stored."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..fitting.sampling import SamplingOptions, training_points
from ..ground_truth.signed_distance import SurfaceDistance
from ..ground_truth.surface_sampler import SurfaceSampler
from ..network.parameters import encode
from ..network.rounding import rounded_together
from ..protocol.weights import NeuralWeights
from ..tracing.network_values import NetworkValues

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
Precision = Literal["auto", "float16", "float32"]

DEAREST = 1.05  # times the error in single precision, on average and of the worst twentieth
FARTHEST_SHIFT = 0.002  # of the field anywhere: a tenth of what it may be off far from the surface
ROUNDING_POINTS = 2048  # twice the numbers of a layer of 32 units
TRIAL_POINTS = 20_000
ROUNDING_SEED = 0xF16


def stored(weights: NeuralWeights, truth: SurfaceDistance, precision: Precision) -> NeuralWeights:
    """Give the network as it is to be stored: what is measured afterwards is what a reader gets."""
    if precision == "float32":
        return weights
    rng = np.random.default_rng(ROUNDING_SEED)
    spread = SamplingOptions(uniform_share=0.1)
    points = training_points(SurfaceSampler(truth.mesh), ROUNDING_POINTS, spread, rng)[0]
    half = rounded_together(weights, encode(points, weights.fourier_matrix))
    if precision == "float16" or _cheap(weights, half, truth, rng):
        return half
    log.info("float16 would cost more than %.0f %%: stored in float32", 100 * (DEAREST - 1.0))
    return weights


def _cheap(
    single: NeuralWeights, half: NeuralWeights, truth: SurfaceDistance, rng: np.random.Generator
) -> bool:
    points = SurfaceSampler(truth.source).sample(TRIAL_POINTS, rng)[0]
    level = truth.level(points)
    before, after = (np.abs(NetworkValues(one).value(points) - level) for one in (single, half))
    anywhere = rng.uniform(-1.0, 1.0, (TRIAL_POINTS, 3))
    shift = np.abs(NetworkValues(single).value(anywhere) - NetworkValues(half).value(anywhere)).max()
    return cheap_enough(before, after) and float(shift) < FARTHEST_SHIFT


def cheap_enough(before: FloatArray, after: FloatArray) -> bool:
    """Whether errors (N,) after rounding are hardly larger than before, on average and of the worst twentieth."""
    dear = after.mean() > DEAREST * before.mean()
    dear |= np.quantile(after, 0.95) > DEAREST * np.quantile(before, 0.95)
    return not dear
