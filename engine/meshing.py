"""The zero set as triangles: marching cubes where the surface is, with vertices moved onto it.

The step grid says which cells the surface may reach; only grid points near those are evaluated, the others only need
their sign, so the mesh is that of the full grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from .errors import FitError, OptionError
from .protocol.weights import NeuralWeights
from .tracing.packed_grid import PackedGrid

FloatArray = npt.NDArray[np.floating[Any]]

NEWTON_STEPS = 3
LARGEST_RESOLUTION = 1024


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
    if not 8 <= resolution <= LARGEST_RESOLUTION:
        raise OptionError(f"A mesh resolution is 8 to {LARGEST_RESOLUTION}, got {resolution}.")
    from .cache import use_cache_folder

    use_cache_folder()
    from .tracing.cpu import CpuTracer

    return extract(CpuTracer(weights), resolution)


def extract(tracer: Any, resolution: int) -> ZeroSetMesh:
    """Extract the zero set of a `CpuTracer`'s network.

    Raises:
        FitError: There is no zero set.
    """
    from skimage.measure import marching_cubes

    bound, grid = tracer.steps
    values = _values(tracer, grid, resolution)
    if not (values < 0.0).any():
        raise FitError("The network has no surface: its field has no inside. Convert the shape again.")
    padded = np.pad(values, 1, constant_values=1.0)  # closed where the inside reaches the border of the box
    corners, triangles, _, _ = marching_cubes(padded, 0.0, gradient_direction="ascent")  # type: ignore[no-untyped-call]
    size = 2.0 / resolution
    vertices = np.clip((corners - 1.0) * size - 1.0, -1.0, 1.0)
    vertices = project(tracer, vertices, 0.5 * size)
    normals = tracer.gradient(vertices).astype(np.float64)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    facing = _outward(vertices, triangles)
    return ZeroSetMesh(vertices_unit=vertices, triangles=facing, normals=normals, bound=bound)


def project(tracer: Any, vertices: FloatArray, reach: float) -> FloatArray:
    """Move vertices (V, 3) onto the zero set, at most `reach` away from where they are."""
    places = vertices.astype(np.float64)
    for _ in range(NEWTON_STEPS):
        gradient = tracer.gradient(places).astype(np.float64)
        steepness = np.maximum((gradient * gradient).sum(axis=1), 1e-12)
        places = places - (tracer.value(places) / steepness)[:, None] * gradient
        away = places - vertices
        length = np.linalg.norm(away, axis=1, keepdims=True)
        places = vertices + away * np.minimum(1.0, reach / np.maximum(length, 1e-30))
        places = np.clip(places, -1.0, 1.0)
    return places


def _values(tracer: Any, grid: PackedGrid, resolution: int) -> FloatArray:
    """Give the field at grid points (R + 1)^3; where the surface cannot be near, only its sign, as 1 or -1."""
    coarse = grid.distance.shape[0]
    axis = np.linspace(-1.0, 1.0, resolution + 1)
    cell = np.clip(((axis + 1.0) * 0.5 * coarse).astype(int), 0, coarse - 1)
    centre = (np.arange(coarse) + 0.5) * (2.0 / coarse) - 1.0
    centres = np.stack(np.meshgrid(centre, centre, centre, indexing="ij"), axis=-1).reshape(-1, 3)
    signs = np.sign(tracer.value_parallel(centres)).reshape((coarse,) * 3)
    values: FloatArray = signs[np.ix_(cell, cell, cell)].astype(np.float32)
    reachable = binary_dilation(grid.distance == 0, np.ones((3, 3, 3), bool))
    where = np.nonzero(reachable[np.ix_(cell, cell, cell)])
    points = np.stack([axis[index] for index in where], axis=1)
    values[where] = tracer.value_parallel(points)
    return values


def _outward(vertices: FloatArray, triangles: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Give triangles whose enclosed volume is positive."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    volume = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())
    facing = triangles if volume >= 0.0 else triangles[:, ::-1]
    return np.ascontiguousarray(facing, np.int32)
