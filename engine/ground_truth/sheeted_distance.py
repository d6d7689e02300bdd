"""A solid with sheets on it: the union of what the solid holds and of the shells around the sheets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .mesh import UnitMesh
from .signed_distance import SurfaceDistance

FloatArray = npt.NDArray[np.floating[Any]]


class SheetedDistance(SurfaceDistance):
    """The smaller of the distances to a solid and to shells of a stated half thickness."""

    def __init__(self, solid: SurfaceDistance, sheets: UnitMesh, half_thickness: float) -> None:
        """Join a solid and sheets, both in the same unit space."""
        super().__init__(
            joined(solid.mesh, sheets),
            "mixed",
            half_thickness,
            solid.threads,
            source=joined(solid.source, sheets),
        )
        self._body = solid
        self._sheets = SurfaceDistance(sheets, "shell", half_thickness, solid.threads)

    def signed_distance(self, points: FloatArray, reach: FloatArray | None = None) -> FloatArray:
        """Give the signed distance (N,) float32 at points (N, 3); what is known of `reach` is of no use here."""
        nearest: FloatArray = np.minimum(
            self._body.signed_distance(points), self._sheets.signed_distance(points)
        )
        return nearest

    def level(self, points: FloatArray) -> FloatArray:
        """Give what a perfect field has at points (N, 3) of the source."""
        return self.signed_distance(points)


def joined(one: UnitMesh, other: UnitMesh) -> UnitMesh:
    """Give the faces of two meshes as one."""
    faces = np.concatenate([one.faces, other.faces + len(one.vertices)])
    return replace(one, vertices=np.concatenate([one.vertices, other.vertices]), faces=faces)
