"""What is put right before a surface's inside is asked for: cracks, faces there twice, faces and parts turned over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .boundary import boundary_edges
from .mesh import UnitMesh
from .signed_distance import SurfaceDistance
from .topology import Topology, consistent_orientation, part_volumes

FloatArray = npt.NDArray[np.floating[Any]]

CRACK = 2e-5  # unit space: rims nearer to each other than this are one edge, torn by rounding
OUTWARD_STEP = 1e-3  # from a part's surface, to ask whether another part holds it
LEAST_VOLUME = 1e-4  # of a part, over its area to the power 1.5 (a ball: 0.094); flatter ones have no inside
MOST_TURNED_PARTS = 4096  # a soup of more parts is left to the winding number


def close_cracks(mesh: UnitMesh) -> tuple[UnitMesh, int]:
    """Join vertices on the boundary that lie within `CRACK`; give how many went."""
    edges = boundary_edges(mesh.faces)
    rim = np.unique(np.concatenate([edges.starts, edges.ends]))
    if len(rim) < 2:
        return mesh, 0
    pairs = rim[cKDTree(mesh.vertices[rim]).query_pairs(CRACK, output_type="ndarray")]
    if len(pairs) == 0:
        return mesh, 0
    size = len(mesh.vertices)
    joined = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    count, labels = connected_components(joined, directed=False)
    _, first = np.unique(labels, return_index=True)
    faces = first[labels][mesh.faces]
    flat = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    return replace(mesh, faces=faces[~flat]), size - int(count)


def drop_doubles(mesh: UnitMesh) -> tuple[UnitMesh, int]:
    """Leave one of the faces that have the same three corners, whichever way they run; give how many went."""
    ordered = np.sort(mesh.faces, axis=1)
    order = np.lexsort(ordered.T[::-1])
    rows = ordered[order]
    again = np.concatenate([[False], (rows[1:] == rows[:-1]).all(axis=1)])
    if not again.any():
        return mesh, 0
    keep = np.ones(len(rows), bool)
    keep[order[again]] = False  # the sort is stable, so the first one stays
    return replace(mesh, faces=mesh.faces[keep]), int(again.sum())


def turn_contradictions(mesh: UnitMesh, surface: Topology) -> tuple[UnitMesh, int]:
    """Turn faces over so that neighbours agree; give how many were turned."""
    if surface.num_contradictory_edges == 0:
        return mesh, 0
    return _turn(mesh, consistent_orientation(surface, len(mesh.faces)))


def turn_parts(mesh: UnitMesh, surface: Topology, threads: int | None) -> tuple[UnitMesh, int]:
    """Turn parts that are inside out, but leave a cavity: a part that another one holds."""
    corners = mesh.triangles()
    sizes = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    areas = 0.5 * np.bincount(surface.part_of_face, sizes)
    inside_out = part_volumes(corners, surface.part_of_face) < -LEAST_VOLUME * areas**1.5
    if not inside_out.any() or surface.num_parts > MOST_TURNED_PARTS:
        return mesh, 0
    outward, _ = _turn(mesh, inside_out[surface.part_of_face])
    truth = SurfaceDistance(outward, "winding", threads=threads)
    corners = outward.triangles()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    for part in np.flatnonzero(inside_out):
        face = int(np.argmax(np.where(surface.part_of_face == part, lengths, -1.0)))
        probe = corners[face].mean(axis=0) + OUTWARD_STEP * normals[face] / lengths[face]
        inside_out[part] = truth.signed_distance(probe[None])[0] > 0.0
    turned_mesh, _ = _turn(mesh, inside_out[surface.part_of_face])
    return turned_mesh, int(inside_out.sum())


def _turn(mesh: UnitMesh, turned: npt.NDArray[np.bool_]) -> tuple[UnitMesh, int]:
    faces = mesh.faces.copy()
    faces[turned] = faces[turned][:, ::-1]
    return replace(mesh, faces=faces), int(turned.sum())
