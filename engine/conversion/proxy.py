"""The coarse mesh that stands for a neural object in Blender: picked, outlined, snapped to, drawn by other engines.

It lies a little inside the surface, so that it never shows through where the surface itself is drawn, and on the
surface where a part is thinner than that.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cache import use_cache_folder
from ..errors import FitError
from ..meshing.marching_cubes import ZeroSetMesh, extract
from ..protocol.weights import NeuralWeights, write_atomically

FloatArray = npt.NDArray[np.floating[Any]]

RESOLUTION = 56  # cells a side
FINER = (1, 2, 4)  # times as many, until a thin shape shows on the grid
INSET = 0.006  # unit space: 0.3 % of the shape's diameter, under 3 pixels where it fills 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProxyMesh:
    """A coarse mesh in unit space."""

    vertices_unit: npt.NDArray[np.float32]  # (V, 3)
    triangles: npt.NDArray[np.int32]  # (T, 3)

    def save(self, path: Path) -> None:
        """Write it as .npz in one step.

        Raises:
            OutputError: It could not be written.
        """
        stream = io.BytesIO()
        np.savez(stream, vertices_unit=self.vertices_unit, triangles=self.triangles)
        write_atomically(path, stream.getvalue())


def proxy_mesh(weights: NeuralWeights, resolution: int = RESOLUTION) -> ProxyMesh:
    """Give the proxy of a network.

    Raises:
        FitError: The network has no zero set.
    """
    use_cache_folder()
    from ..tracing.cpu import CpuTracer

    tracer = CpuTracer(weights, grid_resolution=32)
    surface = _coarsest(tracer, resolution)
    places = surface.vertices_unit.copy()
    waiting = np.ones(len(places), bool)
    for depth in (INSET, 0.5 * INSET, 0.25 * INSET):
        moved = surface.vertices_unit - depth * surface.normals
        inside = waiting & (tracer.value(moved) < -0.5 * depth) & (np.abs(moved) < 1.0).all(axis=1)
        places[inside] = moved[inside]
        waiting &= ~inside
    return ProxyMesh(vertices_unit=places.astype(np.float32), triangles=surface.triangles)


def _coarsest(tracer: Any, resolution: int) -> ZeroSetMesh:
    """Give the zero set on the coarsest grid that finds any; a thin plate slips through a coarse one."""
    for factor in FINER[:-1]:
        with contextlib.suppress(FitError):
            return extract(tracer, factor * resolution)
    return extract(tracer, FINER[-1] * resolution)
