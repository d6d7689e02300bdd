"""Points spread evenly over a surface's area."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .mesh import UnitMesh

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

REACH_SLACK = 1e-5  # added to a bound on a point's distance: float32 rounding of the points


class SurfaceSampler:
    """Area-uniform points on triangles."""

    def __init__(self, mesh: UnitMesh) -> None:
        corners = mesh.triangles()
        self._origin = corners[:, 0]
        self._edges = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        self.areas = 0.5 * np.linalg.norm(np.cross(*self._edges), axis=1)
        self._cumulative = np.cumsum(self.areas)

    def sample(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Give points (count, 3) float64 and their faces (count,)."""
        drawn = rng.random(count) * self._cumulative[-1]
        faces = np.minimum(np.searchsorted(self._cumulative, drawn), len(self.areas) - 1)
        u, v = rng.random((2, count))
        over = u + v > 1.0
        u[over], v[over] = 1.0 - u[over], 1.0 - v[over]
        first, second = self._edges
        return self._origin[faces] + u[:, None] * first[faces] + v[:, None] * second[faces], faces
