"""The samplers of the paper's code, with exact distances: importance, surface, vertex and uniform; and our own.

Importance points are drawn, with repetition, from ten times as many uniform ones by the weight exp(-w |d|). Surface and
vertex points get Gaussian noise of one size, and a tenth of them are uniform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..ground_truth.signed_distance import SurfaceDistance
from ..ground_truth.surface_sampler import SurfaceSampler
from .sampling import SamplingOptions, cell_order, training_points

FloatArray = npt.NDArray[np.floating[Any]]

SamplerKind = Literal["default", "importance", "surface", "vertex", "uniform"]
IMPORTANCE = 60.0
CANDIDATES = 10  # uniform points for one that is drawn
UNIFORM_SHARE = 0.1  # beside points near the surface or a vertex
PIECE = 1 << 16  # samples between two calls of who waits


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerOptions:
    """Where samples fall; lengths are in unit space."""

    kind: SamplerKind = "default"
    importance: float = IMPORTANCE
    noise: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in get_args(SamplerKind):
            raise OptionError(f"There is no sampler {self.kind!r}. Use {', '.join(get_args(SamplerKind))}.")
        if not 0.0 <= self.importance < 1e4:
            raise OptionError(f"An importance weight is 0 to 10,000, got {self.importance}.")
        if not 0.0 < self.noise <= 1.0:
            raise OptionError(f"The noise is a length in unit space, above 0 and up to 1, got {self.noise}.")


def draw_samples(
    truth: SurfaceDistance,
    options: SamplerOptions,
    sampling: SamplingOptions,
    count: int,
    seed: int,
    waiting: Callable[[], None],
) -> FloatArray:
    """Give samples (count, 5) float32: x, y, z in unit space, signed distance, weight 1; equal seeds, equal bits.

    Args:
        truth: The distances.
        options: Which sampler.
        sampling: How the default one spreads its points.
        count: How many.
        seed: Of the points.
        waiting: Called again and again meanwhile.
    """
    draw = _drawer(truth, options, sampling)
    samples = np.ones((count, 5), np.float32)
    for number, start in enumerate(range(0, count, PIECE)):
        piece = samples[start : start + PIECE]
        piece[:, :3], piece[:, 3] = draw(len(piece), np.random.default_rng([seed, 6 << 20, number]))
        waiting()
    return samples


def importance_points(
    truth: SurfaceDistance, count: int, rng: np.random.Generator, importance: float = IMPORTANCE
) -> tuple[FloatArray, FloatArray]:
    """Give points (count, 3) drawn by their weight, and their signed distances (count,)."""
    candidates = rng.uniform(-1.0, 1.0, (CANDIDATES * count, 3)).astype(np.float32)
    candidates = candidates[cell_order(candidates)]
    distances = truth.signed_distance(candidates)
    weights = np.exp(-importance * np.abs(distances.astype(np.float64)))
    total = float(weights.sum())
    if not total > 0.0:  # a shape so small that no candidate is near it
        weights, total = np.ones_like(weights), float(len(weights))
    chosen = rng.choice(len(candidates), count, p=weights / total)
    return candidates[chosen], distances[chosen]


Drawer = Callable[[int, np.random.Generator], tuple[FloatArray, FloatArray]]


def _drawer(truth: SurfaceDistance, options: SamplerOptions, sampling: SamplingOptions) -> Drawer:
    if options.kind == "importance":
        return lambda count, rng: importance_points(truth, count, rng, options.importance)
    if options.kind == "vertex":
        return lambda count, rng: _at(truth, _vertex_points(truth, options.noise, count, rng))
    if options.kind == "uniform":
        return lambda count, rng: _at(truth, rng.uniform(-1.0, 1.0, (count, 3)))
    spread = sampling
    if options.kind == "surface":
        spread = SamplingOptions(
            uniform_share=UNIFORM_SHARE, smallest_noise=options.noise, largest_noise=options.noise
        )
    surface = SurfaceSampler(truth.mesh)

    def near(count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        points, reach = training_points(surface, count, spread, rng)
        return points, truth.signed_distance(points, reach)

    return near


def _vertex_points(truth: SurfaceDistance, noise: float, count: int, rng: np.random.Generator) -> FloatArray:
    vertices = truth.mesh.vertices
    num_uniform = round(UNIFORM_SHARE * count)
    near = vertices[rng.integers(len(vertices), size=count - num_uniform)]
    near = near + noise * rng.standard_normal(near.shape)
    return np.concatenate([np.clip(near, -1.0, 1.0), rng.uniform(-1.0, 1.0, (num_uniform, 3))])


def _at(truth: SurfaceDistance, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    places = points.astype(np.float32)
    places = places[cell_order(places)]
    return places, truth.signed_distance(places)
