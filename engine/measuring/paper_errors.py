"""The three errors of the paper's own script, as it defines them, but against exact distances [Davies 2021].

Surface error: mean |f| at area-uniform points of the surface. Grid error: mean |f - d| on a 128^3 grid of [-1, 1]^3.
Importance error: mean |f - d| at points drawn, with repetition, from ten times as many uniform ones by the weight
exp(-60 |d|). The script takes 1e5 points. Its distances come from libigl, which scales them by (1 - 2 w) on open meshes; ours do not.

[Davies 2021] T. Davies, D. Nowrouzezahrai, A. Jacobson, "On the Effectiveness of Weight-Encoded Neural Implicit 3D
Shapes", ICML 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..fitting.samplers import importance_points
from ..ground_truth.signed_distance import SurfaceDistance
from ..ground_truth.surface_sampler import SurfaceSampler
from ..tracing.network_values import NetworkValues
from .field_errors import MeasureOptions, generator

FloatArray = npt.NDArray[np.floating[Any]]

GRID = 128  # points a side


def measure_as_the_paper(
    field: NetworkValues, truth: SurfaceDistance, options: MeasureOptions, grid: int = GRID
) -> dict[str, float]:
    """Give the paper's errors, named `paper_...`."""
    rng = generator(options, 10)
    surface = SurfaceSampler(truth.source).sample(options.num_points, rng)[0]
    points, distances = importance_points(truth, options.num_points, rng)
    return {
        "paper_surface": float(np.abs(field.value(surface)).mean()),
        "paper_grid": _grid_error(field, truth, grid),
        "paper_importance": float(np.abs(field.value(points) - distances).mean()),
    }


def _grid_error(field: NetworkValues, truth: SurfaceDistance, grid: int) -> float:
    axis = np.linspace(-1.0, 1.0, grid, dtype=np.float32)
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    total = 0.0
    for x in axis:  # a plane at a time: memory stays small
        points = np.concatenate([np.full((len(plane), 1), x, np.float32), plane], axis=1)
        total += float(np.abs(field.value(points) - truth.signed_distance(points)).sum(dtype=np.float64))
    return total / grid**3
