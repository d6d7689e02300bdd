"""The zero set as triangles: marching cubes where the surface is, with vertices moved onto it.

Each vertex is the crossing itself on its edge of the grid, found between two corners of different signs, so it never
leaves the cell and a face never turns over; the rare point in the middle of a loop follows the gradient. The mesh is
closed, has two triangles at each edge, and is the same whatever cells without surface are looked at besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cache import use_cache_folder
from ..errors import FitError, OptionError
from ..protocol.weights import NeuralWeights
from .active_cells import FloatArray, IntArray, active_cells, sorted_unique
from .cube_table import cube_table

SMALLEST_RESOLUTION, LARGEST_RESOLUTION = 8, 2048
NEWTON_STEPS = 3
REFINEMENTS = 8  # of a crossing; two are enough nearly everywhere
CONVERGED = 1e-7  # |f|, below the rounding of the network in float32
NEAREST_CORNER = 1e-4  # of an edge: crossings stay so far from its ends that no triangle loses its area
OUTSIDE = 1.0  # value around the box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZeroSetMesh:
    """Triangles of the zero set in unit space, facing outward."""

    vertices_unit: FloatArray  # (V, 3) float64
    triangles: npt.NDArray[np.int32]  # (T, 3)
    normals: FloatArray  # (V, 3) float64, from the gradient
    bound: str  # what said where the surface may be: "sampled" or "certified"


def zero_set(weights: NeuralWeights, resolution: int = 128) -> ZeroSetMesh:
    """Extract the zero set on a grid of `resolution` cells a side over [-1, 1]^3.

    Raises:
        OptionError: The resolution is out of range.
        FitError: The network has no zero set there.
    """
    if not SMALLEST_RESOLUTION <= resolution <= LARGEST_RESOLUTION:
        raise OptionError(
            f"A mesh resolution is {SMALLEST_RESOLUTION} to {LARGEST_RESOLUTION}, got {resolution}."
        )
    use_cache_folder()
    from ..tracing import make_tracer

    return extract(make_tracer(weights), resolution)


def extract(tracer: Any, resolution: int, cells: IntArray | None = None) -> ZeroSetMesh:
    """Extract the zero set of a `CpuTracer`'s network.

    Args:
        tracer: The network.
        resolution: Cells a side.
        cells: Which cells to look at (`active_cells` numbers them); by default those the surface can pass.

    Raises:
        FitError: There is no zero set.
    """
    from . import cube_kernels as kernels

    table, side = cube_table(), resolution + 2
    bound, grid = tracer.steps
    cells = active_cells(tracer, resolution, grid) if cells is None else cells
    while True:
        corners, plane_start = kernels.corners_of(cells, side)
        values = _values(tracer, corners, resolution)
        listed = (cells, side, corners, plane_start)
        found = kernels.cases_of(*listed, values, table.row, table.faces)
        missing = kernels.missing_neighbours(*listed, values, found, table.faces)
        if not len(missing):
            break
        cells = sorted_unique(np.concatenate([cells, missing]))
    triangles, ends = kernels.triangles_of(*listed, found, table.num_triangles, table.triangles, table.edges)
    if not len(triangles):
        raise FitError("The network has no surface: its field has no inside. Convert the shape again.")
    vertices = _vertices(tracer, ends, corners, values, resolution)
    _place_centres(tracer, vertices, triangles, ends, resolution)
    normals = directions(tracer, vertices)
    return ZeroSetMesh(vertices_unit=vertices, triangles=triangles, normals=normals, bound=bound)


def directions(tracer: Any, points: FloatArray) -> FloatArray:
    """Give the gradient's direction (N, 3) at points (N, 3)."""
    gradient: FloatArray = tracer.gradient_parallel(points).astype(np.float64)
    gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-30)
    return gradient


def project(tracer: Any, points: FloatArray, reach: float) -> FloatArray:
    """Move points (N, 3) onto the zero set along the gradient, at most `reach` away from where they are."""
    places = points.astype(np.float64)
    for _ in range(NEWTON_STEPS):
        gradient = tracer.gradient_parallel(places).astype(np.float64)
        steepness = np.maximum((gradient * gradient).sum(axis=1), 1e-12)
        places = places - (tracer.value_parallel(places) / steepness)[:, None] * gradient
        away = places - points
        length = np.linalg.norm(away, axis=1, keepdims=True)
        places = points + away * np.minimum(1.0, reach / np.maximum(length, 1e-30))
        places = np.clip(places, -1.0, 1.0)
    return places


def _places(corners: IntArray, resolution: int) -> tuple[IntArray, FloatArray]:
    """Give the grid index (N, 3) of corners, -1 to R + 1, and their positions, those around the box on its border."""
    wide = resolution + 3
    index = np.stack([corners // (wide * wide), corners // wide % wide, corners % wide], axis=1) - 1
    return index, np.clip(index * (2.0 / resolution) - 1.0, -1.0, 1.0)


def _values(tracer: Any, corners: IntArray, resolution: int) -> npt.NDArray[np.float32]:
    index, places = _places(corners, resolution)
    values: npt.NDArray[np.float32] = tracer.value_parallel(places)
    around = ((index < 0) | (index > resolution)).any(axis=1)
    values[around] = OUTSIDE
    return values


def _vertices(
    tracer: Any, ends: IntArray, corners: IntArray, values: npt.NDArray[np.float32], resolution: int
) -> FloatArray:
    """Give the crossing (V, 3) on each edge, by the Illinois method between its ends; zeros for centres."""
    edge = np.flatnonzero(ends[:, 0] >= 0)
    (_, low), (_, high) = (_places(corners[ends[edge, k]], resolution) for k in (0, 1))
    f_low, f_high = (values[ends[edge, k]].astype(np.float64) for k in (0, 1))
    t_low, t_high = np.zeros(len(edge)), np.ones(len(edge))
    t = f_low / (f_low - f_high)
    moved = np.zeros(len(edge), np.int8)  # which end did last
    # Edges that end around the box have both ends at one place, and stay there.
    open_edges = np.flatnonzero((low != high).any(axis=1))
    for _ in range(REFINEMENTS):
        o = open_edges
        f = tracer.value_parallel(low[o] + t[o, None] * (high[o] - low[o])).astype(np.float64)
        far = np.abs(f) > CONVERGED
        o, f = o[far], f[far]
        if not len(o):
            break
        same = (f < 0.0) == (f_low[o] < 0.0)
        a, b = o[same], o[~same]
        t_low[a], f_low[a] = t[a], f[same]
        t_high[b], f_high[b] = t[b], f[~same]
        f_high[a[moved[a] < 0]] *= 0.5  # the same end twice: its weight pulls the next point over
        f_low[b[moved[b] > 0]] *= 0.5
        moved[a], moved[b] = -1, 1
        t[o] = (t_low[o] * f_high[o] - t_high[o] * f_low[o]) / (f_high[o] - f_low[o])
        open_edges = o
    t = np.clip(t, NEAREST_CORNER, 1.0 - NEAREST_CORNER)
    vertices = np.zeros((len(ends), 3))
    vertices[edge] = low + t[:, None] * (high - low)
    return vertices


def _place_centres(
    tracer: Any, vertices: FloatArray, triangles: npt.NDArray[np.int32], ends: IntArray, resolution: int
) -> None:
    """Put each centre into the middle of its loop, then onto the surface, within its cell."""
    around = triangles[ends[triangles[:, 0], 0] < 0]
    if not len(around):
        return
    centres, number, size = np.unique(around[:, 0], return_inverse=True, return_counts=True)
    middle = np.zeros((len(centres), 3))
    np.add.at(middle, number, vertices[around[:, 1]])
    middle /= size[:, None]
    cell = np.floor((middle + 1.0) * (0.5 * resolution))
    low = cell * (2.0 / resolution) - 1.0
    moved = project(tracer, middle, 0.5 / resolution)
    vertices[centres] = np.clip(moved, low, low + 2.0 / resolution)
