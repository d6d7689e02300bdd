"""The proxy of shapes that a coarse grid hardly sees."""

import numpy as np

from engine.conversion.proxy import RESOLUTION, proxy_mesh
from engine.protocol.weights import Architecture
from tests.engine.networks import from_arrays


def plate(half_thickness, middle):
    """|x - middle| - half_thickness, exactly, as one ReLU layer of two."""
    return from_arrays(
        Architecture(width=2, depth=1),
        [[[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], [[1.0, 1.0]]],
        [[-middle, middle], [-half_thickness]],
    )


def test_a_plate_thinner_than_a_cell_has_a_proxy():
    cell = 2.0 / RESOLUTION
    proxy = proxy_mesh(plate(0.3 * cell, middle=0.5 * cell))  # midway between two planes of grid points
    assert len(proxy.triangles) > 0
    assert (
        np.abs(proxy.vertices_unit[:, 0] - 0.5 * cell).max() < 0.3 * cell + 1e-6
    )  # at or inside the surface
