"""How triangles hang together: open, crowded and contradictory edges, parts, and a consistent orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Topology:
    """What a list of faces (F, 3) is as a surface."""

    num_open_edges: int  # of one face only
    num_crowded_edges: int  # of more than two faces
    num_contradictory_edges: int  # of two faces that run along it the same way
    num_parts: int  # connected across edges of two faces
    part_of_face: IntArray  # (F,)
    neighbours: IntArray  # (E, 2) faces on both sides of an edge of exactly two
    contradictory: npt.NDArray[np.bool_]  # (E,) whether these two disagree on which side is out

    @property
    def closed(self) -> bool:
        """Whether every edge has two faces that agree on which side is out."""
        return self.num_open_edges == self.num_crowded_edges == self.num_contradictory_edges == 0


def topology(faces: IntArray) -> Topology:
    """Look at faces (F, 3) whose equal corners have equal numbers."""
    starts, ends = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    keys = low * (int(faces.max()) + 1) + high
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(first, len(ordered)))
    pairs = first[counts == 2]
    one, other = order[pairs], order[pairs + 1]
    neighbours = np.stack([one // 3, other // 3], axis=1)
    contradictory = starts[one] == starts[other]
    num_parts, part_of_face = _parts(neighbours, len(faces))
    return Topology(
        num_open_edges=int((counts == 1).sum()),
        num_crowded_edges=int((counts > 2).sum()),
        num_contradictory_edges=int(contradictory.sum()),
        num_parts=num_parts,
        part_of_face=part_of_face,
        neighbours=neighbours,
        contradictory=contradictory,
    )


def consistent_orientation(surface: Topology, num_faces: int) -> npt.NDArray[np.bool_]:
    """Say which faces to turn over (F,) so that neighbours agree; in each part the fewer ones turn."""
    graph = _adjacency(surface.neighbours, num_faces)
    disagree = coo_matrix(
        (surface.contradictory + 1.0, (surface.neighbours[:, 0], surface.neighbours[:, 1])),
        shape=(num_faces, num_faces),
    ).tocsr()
    disagree = disagree.maximum(disagree.T)  # 1: agree, 2: disagree
    turned = np.zeros(num_faces, bool)
    parent = np.arange(num_faces)
    sizes = np.bincount(surface.part_of_face)
    for part in np.unique(surface.part_of_face[surface.neighbours[surface.contradictory, 0]]):
        seed = int(np.argmax(surface.part_of_face == part))
        reached, before = breadth_first_order(graph, seed, directed=False)
        parent[reached[1:]] = before[reached[1:]]
        assert len(reached) == sizes[part]
    child = np.flatnonzero(parent != np.arange(num_faces))
    turned[child] = np.asarray(disagree[child, parent[child]]).ravel() > 1.5
    while True:  # double the path: afterwards each face is compared with its part's first one
        following = parent[parent]
        if np.array_equal(following, parent):
            break
        turned ^= turned[parent] & (parent != np.arange(num_faces))
        parent = following
    share = np.bincount(surface.part_of_face, turned) / sizes
    return turned ^ (share > 0.5)[surface.part_of_face]


def part_volumes(corners: FloatArray, part_of_face: IntArray) -> FloatArray:
    """Give the signed volume of each part, about its own middle, of corners (F, 3, 3)."""
    sizes = np.bincount(part_of_face)
    middles = corners.mean(axis=1)
    centre = np.stack([np.bincount(part_of_face, middles[:, k]) / sizes for k in range(3)], axis=1)
    local = corners - centre[part_of_face][:, None]
    volumes = np.einsum("ij,ij->i", local[:, 0], np.cross(local[:, 1], local[:, 2])) / 6.0
    return np.bincount(part_of_face, volumes).astype(np.float64)


def _parts(neighbours: IntArray, num_faces: int) -> tuple[int, IntArray]:
    num_parts, labels = connected_components(_adjacency(neighbours, num_faces), directed=False)
    return int(num_parts), labels


def _adjacency(neighbours: IntArray, num_faces: int) -> Any:
    ones = np.ones(len(neighbours), np.int8)
    return coo_matrix((ones, (neighbours[:, 0], neighbours[:, 1])), shape=(num_faces, num_faces)).tocsr()
