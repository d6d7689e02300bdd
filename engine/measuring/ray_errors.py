"""Errors along rays: hits that the tracer misses or makes up, the silhouette, and the depth against the source.

Missed and false hits compare the tracer with its own network, sampled densely along random rays; the silhouette and the
depth compare the network with a ray cast of the source's triangles. All lengths are in unit space. A shell's own
middle surface is what is cast at, so its depth holds half its thickness.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MeshError
from ..ground_truth.signed_distance import SurfaceDistance
from ..network.field import Field
from ..protocol.weights import NeuralWeights
from ..rendering.native_geometry import NativeGeometry, Triangles
from ..tracing.cpu import CpuTracer
from .field_errors import MeasureOptions, generator

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

RAYS_PER_POINT = 0.1  # random rays for each point of the other metrics: 1e4 by default
SAMPLES = 800  # along a ray, a 0.0025th of the box apart at most
GRAZING = 1e-6  # rays that come nearer to the zero set without crossing it by more are left out
HIT_WIDTH = 1e-5  # a hit changes sign within it
VIEWS = 14  # the faces and corners of a cube
VIEW_RAYS = 96  # a side
FAR = 1.8  # where rays begin, just outside the ball around the box


def measure_rays(weights: NeuralWeights, truth: SurfaceDistance, options: MeasureOptions) -> dict[str, float]:
    """Give the errors along rays, by name; depths are compared where both surfaces are hit."""
    tracer = CpuTracer(weights)
    tracer.certify()
    certified = {"bound_certified": float(tracer.bound == "certified")}
    return certified | _hits(tracer, Field(weights), options) | _views(tracer, truth)


def _hits(tracer: CpuTracer, field: Field, options: MeasureOptions) -> dict[str, float]:
    """Compare the tracer with dense samples of its own network along random rays."""
    count = max(1, int(RAYS_PER_POINT * options.num_points))
    rng = generator(options, 7)
    origins = FAR * _directions(rng, count)
    through = rng.uniform(-0.9, 0.9, (count, 3))
    directions = through - origins
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    t_hit = tracer.trace(origins, directions, np.zeros(count), np.full(count, 2.0 * FAR))
    crossed, grazing = _dense(tracer, origins, directions)
    hit = np.isfinite(t_hit)
    false = hit.copy()
    false[hit] = ~_changes_sign(field, origins[hit], directions[hit], t_hit[hit])
    missed = crossed & ~hit & ~grazing
    return {
        "rays": float(count),
        "rays_grazing": float(grazing.sum()),
        "missed_hits": float(missed.sum()),
        "false_hits": float((false & ~grazing).sum()),
    }


def _dense(tracer: CpuTracer, origins: FloatArray, directions: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Whether the samples along each ray change sign in [-1, 1]^3, and whether only by less than `GRAZING`."""
    t = np.linspace(0.0, 2.0 * FAR, SAMPLES + 1)
    crossed, grazing = np.zeros(len(origins), bool), np.zeros(len(origins), bool)
    for start in range(0, len(origins), 500):
        part = slice(start, start + 500)
        places = origins[part, None] + t[:, None] * directions[part, None]
        inside = (np.abs(places) <= 1.0).all(axis=2)
        values = np.full(inside.shape, np.inf)
        values[inside] = tracer.value_parallel(places[inside])
        lowest = values.min(axis=1)
        highest = np.where(inside, values, -np.inf).max(axis=1)
        crossed[part] = (lowest < 0.0) & (highest >= 0.0)
        grazing[part] = np.minimum(np.abs(lowest), np.abs(highest)) < GRAZING
    return crossed, grazing


def _changes_sign(field: Field, origins: FloatArray, directions: FloatArray, t: FloatArray) -> BoolArray:
    before = field.value(origins + (t - 0.5 * HIT_WIDTH)[:, None] * directions)
    after = field.value(origins + (t + 0.5 * HIT_WIDTH)[:, None] * directions)
    near = np.minimum(np.abs(before), np.abs(after)) < GRAZING
    changes: BoolArray = ((before < 0.0) != (after < 0.0)) | near
    return changes


def _views(tracer: CpuTracer, truth: SurfaceDistance) -> dict[str, float]:
    """Look at both surfaces from all around, with parallel rays."""
    mesh = truth.mesh
    if not len(mesh.faces):
        raise MeshError("The mesh has no faces to cast rays at. Give the one the weights were made from.")
    triangles = Triangles.build(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
    native = NativeGeometry([triangles], [np.eye(4)])
    origins, directions = view_rays()
    low, high = np.zeros(len(origins)), np.full(len(origins), 2.0 * FAR)
    source = native.cast(origins, directions, low, high).t
    fitted = tracer.trace(origins, directions, low, high)
    one, two = np.isfinite(source), np.isfinite(fitted)
    both, either = one & two, one | two
    errors = {"silhouette_iou": float(both.sum() / either.sum()) if either.any() else 0.0}
    if both.any():
        differences = np.abs(source[both] - fitted[both])
        errors["depth_rmse"] = float(np.sqrt((differences**2).mean()))
        errors["depth_median"] = float(np.median(differences))
    return errors


def view_rays() -> tuple[FloatArray, FloatArray]:
    """Give parallel rays of length 1 from 14 sides, origins (N, 3) and directions (N, 3)."""
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T / np.sqrt(3.0)
    axis = (np.arange(VIEW_RAYS) + 0.5) * (2.0 / VIEW_RAYS) - 1.0
    u, v = (array.reshape(-1, 1) for array in np.meshgrid(axis, axis))
    origins, directions = [], []
    for toward in np.concatenate([np.eye(3), -np.eye(3), corners]):
        side = np.cross(toward, np.roll(np.abs(toward) + np.array([0.0, 0.1, 0.2]), 1))
        side /= np.linalg.norm(side)
        origins.append(u * side + v * np.cross(toward, side) - FAR * toward)
        directions.append(np.broadcast_to(toward, (len(u), 3)))
    return np.concatenate(origins), np.concatenate(directions)


def _directions(rng: np.random.Generator, count: int) -> FloatArray:
    directions = rng.standard_normal((count, 3))
    unit: FloatArray = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return unit
