"""How far a network is from the surface it was fitted to.

All errors are in unit space. Points come from seeds of their own, never from those a fit has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..ground_truth.signed_distance import SurfaceDistance
from ..ground_truth.surface_sampler import REACH_SLACK, SurfaceSampler
from ..tracing.network_values import NetworkValues

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

MEASURE_SEED = 0x5EED  # joined with a number per metric; training seeds are joined with other numbers
NEAR_NOISE = 0.01  # of the near-surface error
BAND = 0.1  # of the grid error near the surface
LOST_DISTANCE = 0.018  # 1 % of the enclosing ball's diameter: no zero set within it, and that point is lost
LOST_PROBES = 17  # along the normal, so that half a wire of a tenth of a per cent is not stepped over
# The truth changes its sign right at a face, if at all; the outer steps leave a shell.
TRUTH_STEPS = (-LOST_DISTANCE, -0.25 * LOST_DISTANCE, -2e-4, 2e-4, 0.25 * LOST_DISTANCE, LOST_DISTANCE)
MOST_DOUBTFUL = 20_000  # points whose truth is asked; where more are lost the network has collapsed anyway
FEWEST_PROBES = 30  # of a part; smaller ones are probed at the middles of their faces
MOST_SMALL_FACES = 100_000
PARTS_RESOLUTION = 96
FLOATING_DISTANCE = 0.02  # a part of the zero set that never comes this near to the source has no counterpart


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """How many points each metric uses."""

    num_points: int = 100_000
    grid_resolution: int = 48
    seed: int = MEASURE_SEED


def measure_errors(
    field: NetworkValues, truth: SurfaceDistance, options: MeasureOptions | None = None
) -> dict[str, float]:
    """Give the errors that need no mesh of the zero set, by name."""
    options = options or MeasureOptions()
    sampler = SurfaceSampler(truth.source)
    errors = _surface_errors(field, truth, sampler, options)
    errors |= _near_surface_errors(field, truth, sampler, options)
    errors |= _grid_errors(field, truth, options)
    return errors | _overlap(field, truth, options) | _parts(field, truth)


def _surface_errors(
    field: NetworkValues, truth: SurfaceDistance, sampler: SurfaceSampler, options: MeasureOptions
) -> dict[str, float]:
    points, faces = sampler.sample(options.num_points, generator(options, 1))
    errors = np.abs(field.value(points) - truth.level(points))
    lost = lost_points(field, truth, points, faces)
    return _spread("surface", errors) | {
        "surface_lost": float(lost.mean()),
        "missing_parts": float(_missing_parts(field, truth, faces, lost)),
    }


def lost_points(
    field: NetworkValues, truth: SurfaceDistance, points: FloatArray, faces: IntArray
) -> npt.NDArray[np.bool_]:
    """Say which points (N, 3) on `faces` (N,) have no zero set within `LOST_DISTANCE` along their normal.

    Where the truth has none either, as on a face that is buried in a solid, nothing can be lost.
    """
    corners = truth.source.triangles()[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    steps = np.linspace(-LOST_DISTANCE, LOST_DISTANCE, LOST_PROBES)
    lost = ~_crossed(field.value, points, normals, steps)
    doubtful = np.flatnonzero(lost)[:MOST_DOUBTFUL]
    lost[doubtful] = _crossed(truth.signed_distance, points[doubtful], normals[doubtful], TRUTH_STEPS)
    return lost


def _crossed(
    value: Callable[[FloatArray], FloatArray], points: FloatArray, normals: FloatArray, steps: Iterable[float]
) -> npt.NDArray[np.bool_]:
    inside, outside = np.zeros(len(points), bool), np.zeros(len(points), bool)
    for step in sorted(steps, key=abs):  # most are crossed by the first few
        open_ = np.flatnonzero(~(inside & outside))
        negative = value(np.clip(points[open_] + step * normals[open_], -1.0, 1.0)) < 0.0
        inside[open_[negative]] = True
        outside[open_[~negative]] = True
    crossed: npt.NDArray[np.bool_] = inside & outside
    return crossed


def _missing_parts(
    field: NetworkValues, truth: SurfaceDistance, faces: IntArray, lost: npt.NDArray[np.bool_]
) -> int:
    """Count the parts of the source of whose surface more than half is lost."""
    source = truth.source
    size = len(source.vertices)
    pairs = np.concatenate([source.faces[:, [0, 1]], source.faces[:, [0, 2]]])
    joined = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    part_of_face = connected_components(joined, directed=False)[1][source.faces[:, 0]]
    _, part_of_face = np.unique(part_of_face, return_inverse=True)
    count = int(part_of_face.max()) + 1
    probes = np.bincount(part_of_face[faces], minlength=count)
    gone = np.bincount(part_of_face[faces], lost, minlength=count)
    small = np.flatnonzero((probes < FEWEST_PROBES)[part_of_face])[:MOST_SMALL_FACES]
    if len(small):
        middles = source.triangles()[small].mean(axis=1)
        probes += np.bincount(part_of_face[small], minlength=count)
        gone += np.bincount(part_of_face[small], lost_points(field, truth, middles, small), minlength=count)
    return int((gone > 0.5 * probes).sum())


def _near_surface_errors(
    field: NetworkValues, truth: SurfaceDistance, sampler: SurfaceSampler, options: MeasureOptions
) -> dict[str, float]:
    rng = generator(options, 2)
    noise = NEAR_NOISE * rng.standard_normal((options.num_points, 3))
    points = np.clip(sampler.sample(options.num_points, rng)[0] + noise, -1.0, 1.0)
    distances = truth.signed_distance(points, np.linalg.norm(noise, axis=1) + REACH_SLACK)
    return _spread("near_surface", np.abs(field.value(points) - distances))


def _grid_errors(field: NetworkValues, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    axis = np.linspace(-1.0, 1.0, options.grid_resolution)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    distances = truth.signed_distance(points)
    errors = np.abs(field.value(points) - distances)
    near = np.abs(distances) < BAND
    return _spread("grid", errors) | {"grid_near_mean": float(errors[near].mean()) if near.any() else 0.0}


def _overlap(field: NetworkValues, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    points = generator(options, 3).uniform(-1.0, 1.0, (options.num_points, 3))
    inside, fitted = truth.signed_distance(points) < 0.0, field.value(points) < 0.0
    union = int((inside | fitted).sum())
    iou = int((inside & fitted).sum()) / union if union else 0.0
    return {"iou": iou, "iou_num_inside": float(inside.sum())}


def _parts(field: NetworkValues, truth: SurfaceDistance) -> dict[str, float]:
    """Give the share of a grid inside the network's shape, and how many of its parts float where nothing is."""
    axis = np.linspace(-1.0, 1.0, PARTS_RESOLUTION)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    inside = (field.value(points) < 0.0).reshape((PARTS_RESOLUTION,) * 3)
    labels, num_parts = ndimage.label(inside, np.ones((3, 3, 3)))
    where = np.flatnonzero(labels)
    parts = labels.reshape(-1)[where]
    sizes = np.bincount(parts, minlength=2)
    small = where[parts != sizes.argmax()]  # the largest part is the shape itself
    nearest = np.full(len(sizes), np.inf)
    np.minimum.at(nearest, labels.reshape(-1)[small], truth.signed_distance(points[small]))
    floating = int((nearest[np.unique(labels.reshape(-1)[small])] > FLOATING_DISTANCE).sum())
    return {
        "inside_share": float(inside.mean()),
        "zero_set_parts": float(num_parts),
        "floating_parts": float(floating),
    }


def _spread(name: str, errors: FloatArray) -> dict[str, float]:
    return {
        f"{name}_mean": float(errors.mean()),
        f"{name}_p95": float(np.quantile(errors, 0.95)),
        f"{name}_max": float(errors.max()),
    }


def generator(options: MeasureOptions, number: int) -> np.random.Generator:
    """Give the random generator of one metric, apart from every generator a fit uses."""
    return np.random.default_rng([options.seed, 1 << 21, number])
