"""Every error of a weights file against a mesh file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ..errors import MeshError, OptionError
from ..formats.weights_files import load_weights
from ..ground_truth.mesh import UnitMesh, check_mesh
from ..ground_truth.mesh_files import load_mesh
from ..ground_truth.sign_doctor import examine
from ..tracing import make_tracer
from ..tracing.network_values import NetworkValues
from .field_errors import MeasureOptions, measure_errors
from .paper_errors import measure_as_the_paper
from .ray_errors import measure_rays
from .surface_errors import measure_surfaces

PLACEMENT_TOLERANCE = 0.05  # of unit space: a mesh that sticks out farther is another one


def measure_file(
    weights_path: Path, mesh_path: Path, options: MeasureOptions, paper: bool = False
) -> dict[str, float]:
    """Give every error by name, with `paper` the paper's own too, and the size of the weights file.

    Raises:
        WeightsFileError: The weights cannot be read.
        MeshFileError: The mesh cannot be read.
        MeshError: The mesh has no surface, or is not the one the weights were made from.
    """
    weights = load_weights(weights_path)
    if weights.architecture.inputs != 3:
        raise OptionError(
            f"{weights_path.name} holds a moving shape. Only networks of x, y, z can be measured."
        )
    mesh = check_mesh(load_mesh(mesh_path))
    matrix = weights.unit_from_object
    vertices = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    if np.abs(vertices).max() > 1.0 + PLACEMENT_TOLERANCE:
        raise MeshError(
            f"{mesh_path.name} does not lie where {weights_path.name} was fitted. Give its source mesh."
        )
    truth = examine(UnitMesh(vertices=vertices, faces=mesh.faces, unit_from_object=matrix)).truth
    field = NetworkValues(weights)
    errors = measure_errors(field, truth, options) | measure_surfaces(make_tracer(weights), truth, options)
    errors |= measure_rays(weights, truth, options)
    if paper:
        errors |= measure_as_the_paper(field, truth, options)
    return {"num_bytes": float(weights_path.stat().st_size), **dataclasses.asdict(options), **errors}
