"""How far single points of a network's surface are from the mesh it was made from, for pictures of the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MeshError
from ..ground_truth.mesh import UnitMesh, check_mesh
from ..ground_truth.mesh_files import load_mesh
from ..ground_truth.signed_distance import SurfaceDistance
from ..protocol.weights import NeuralWeights
from .file_errors import PLACEMENT_TOLERANCE

FloatArray = npt.NDArray[np.floating[Any]]


def vertex_errors(points_unit: FloatArray, weights: NeuralWeights, mesh_path: Path) -> FloatArray:
    """Give the distance (N,) float32 of points (N, 3) in unit space to a mesh, without a sign, in the object's lengths.

    Raises:
        MeshFileError: The mesh cannot be read.
        MeshError: It has no surface, or is not the one that the weights were made from.
    """
    mesh = check_mesh(load_mesh(mesh_path))
    matrix = weights.unit_from_object
    vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    if np.abs(vertices).max() > 1.0 + PLACEMENT_TOLERANCE:
        raise MeshError(
            f"{mesh.name} reaches far beyond the shape that was fitted. Give the source mesh as it was then."
        )
    unit = UnitMesh(vertices=vertices, faces=mesh.faces, unit_from_object=matrix)
    distances = SurfaceDistance(unit).nearest(np.ascontiguousarray(points_unit, np.float64))[0]
    found: FloatArray = (distances / unit.scale).astype(np.float32)
    return found
