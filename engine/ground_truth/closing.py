"""Holes closed by lids, so that a winding number is an integer everywhere and a distance has no jump in an opening.

Without lids the winding number's level set of one half closes a hole of a tenth of a ball nearly flat, and near the
opening the distance to the rim changes its sign where there is no surface: nothing a network can follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .boundary import BoundaryEdges, boundary_edges, simple_loops
from .lids import close_loop
from .mesh import UnitMesh

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

LARGEST_LID = 0.6  # area of the lids of a part, over its own; a hemisphere has 0.5, a soup's triangle 1
MOST_EDGES = 200_000  # of a boundary; a surface in more pieces than that is a soup
SHOWN_LOOPS = 200  # kept in the report, the largest ones
SHOWN_POINTS = 48  # of each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosedSurface:
    """A surface with its lids; the last `num_lid_faces` faces are theirs."""

    mesh: UnitMesh
    num_lid_faces: int = 0
    num_smooth: int = 0  # lids that carry on the surface around them
    num_flat: int = 0
    num_left_open: int = 0  # loops whose part is hardly more than they are
    loops: tuple[FloatArray, ...] = ()  # closed polygons (n, 3) in unit space around what was filled

    def shown_loops(self) -> list[list[float]]:
        """Give the largest loops, thinned out, each as x, y, z one after the other, for a report."""
        largest = sorted(self.loops, key=_extent, reverse=True)[:SHOWN_LOOPS]
        return [
            [round(float(x), 4) for x in loop[:: 1 + (len(loop) - 1) // SHOWN_POINTS].ravel()]
            for loop in largest
        ]


def close_holes(mesh: UnitMesh, part_of_face: IntArray) -> ClosedSurface:
    """Close the holes of consistently oriented faces, but not those that would double a part."""
    edges = boundary_edges(mesh.faces)
    if not 0 < len(edges) <= MOST_EDGES:
        return ClosedSurface(mesh=mesh, num_left_open=int(len(edges) > 0))
    corners = mesh.triangles()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = 0.5 * np.linalg.norm(normals, axis=1)
    normals /= np.maximum(2.0 * areas, 1e-30)[:, None]
    loops = [loop for loop in simple_loops(edges) if len(loop) > 2]
    parts = np.array([part_of_face[edges.faces[loop[0]]] for loop in loops], np.int64)
    lids = [close_loop(mesh.vertices[edges.starts[loop]], normals[edges.faces[loop]]) for loop in loops]
    lid_areas = np.array([_flat_area(mesh.vertices[edges.starts[loop]]) for loop in loops])
    of_part = np.bincount(parts, lid_areas, minlength=int(part_of_face.max()) + 1)
    good = of_part[parts] <= LARGEST_LID * np.bincount(part_of_face, areas)[parts]
    vertices, faces, count = [mesh.vertices], [mesh.faces], len(mesh.vertices)
    for k in np.flatnonzero(good):
        numbers = np.concatenate([edges.starts[loops[k]], count + np.arange(len(lids[k].inner))])
        vertices.append(lids[k].inner)
        faces.append(numbers[lids[k].faces])
        count += len(lids[k].inner)
    closed = replace(mesh, vertices=np.concatenate(vertices), faces=np.concatenate(faces))
    num_smooth = sum(lids[k].smooth for k in np.flatnonzero(good))
    return ClosedSurface(
        mesh=closed,
        num_lid_faces=len(closed.faces) - len(mesh.faces),
        num_smooth=num_smooth,
        num_flat=int(good.sum()) - num_smooth,
        num_left_open=int((~good).sum()),
        loops=tuple(_points(mesh, edges, loops[k]) for k in np.flatnonzero(good)),
    )


def _points(mesh: UnitMesh, edges: BoundaryEdges, loop: IntArray) -> FloatArray:
    return mesh.vertices[edges.starts[loop]]


def _extent(loop: FloatArray) -> float:
    return float(np.ptp(loop, axis=0).max())


def _flat_area(loop: FloatArray) -> float:
    """Give the area of the fan from a loop's middle."""
    spokes = loop - loop.mean(axis=0)
    return 0.5 * float(np.linalg.norm(np.cross(spokes, np.roll(spokes, -1, axis=0)), axis=1).sum())
