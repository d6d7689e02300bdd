"""Where a surface ends: the boundary of its faces as a chain, cut into simple loops.

Every edge counts the faces that run along it one way less those that run the other way. Where the difference is
nil everywhere the winding number is an integer everywhere; what is left over is the boundary, whichever edges are
open, crowded or doubled, and every vertex has as many boundary edges in as out, so it falls into loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundaryEdges:
    """E directed edges that the faces leave over, each as its face runs along it."""

    starts: IntArray  # (E,) vertices
    ends: IntArray  # (E,)
    faces: IntArray  # (E,) one face on that edge

    def __len__(self) -> int:
        return len(self.starts)


def boundary_edges(faces: IntArray) -> BoundaryEdges:
    """Give the boundary of faces (F, 3) whose equal corners have equal numbers."""
    starts, ends = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    keys = low * (int(faces.max()) + 1) + high
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
    forward = np.where(starts < ends, 1, -1)[order]
    balance = np.add.reduceat(forward, first)
    counts = np.diff(np.append(first, len(order)))
    group = np.repeat(np.arange(len(first)), counts)
    same_way = forward * np.sign(balance)[group] > 0
    rank: IntArray = np.cumsum(same_way) - np.repeat(np.cumsum(same_way)[first] - same_way[first], counts)
    left = order[same_way & (rank <= np.abs(balance)[group])]
    return BoundaryEdges(starts=starts[left], ends=ends[left], faces=left // 3)


def simple_loops(edges: BoundaryEdges) -> list[IntArray]:
    """Cut the boundary into loops that pass each of their vertices once; each is the numbers of its edges in order."""
    order = np.argsort(edges.starts, kind="stable")
    vertices, first = np.unique(edges.starts[order], return_index=True)
    following = first.copy()  # the next unused edge out of each vertex
    last = np.append(first[1:], len(order))
    target = np.searchsorted(vertices, edges.ends)  # of each edge, among `vertices`
    loops: list[IntArray] = []
    path: list[int] = []
    place = np.full(len(vertices), -1, np.int64)  # of a vertex on the path
    for begin in range(len(vertices)):
        here = begin
        while following[here] < last[here] or path:
            edge = int(order[following[here]])
            following[here] += 1
            place[here] = len(path)
            path.append(edge)
            here = int(target[edge])
            if place[here] >= 0:  # the path has come back to itself
                loop = path[place[here] :]
                del path[place[here] :]
                place[np.searchsorted(vertices, edges.starts[loop])] = -1
                loops.append(np.array(loop))
    return loops
