"""The triangles of a cell by the signs of its corners, derived here rather than listed: marching cubes.

Corner k of a cell lies at x = k & 1, y = k >> 1 & 1, z = k >> 2 & 1. On each face, seen from outside and walked
counter-clockwise, the contour runs from the edge where the walk leaves the inside to one where it enters it. A face whose
signs alternate has two such contours, and they can join its two inside corners or keep them apart; whoever meshes decides by
the bilinear saddle, which both cells of a face see alike [Nielson 1991]. Every crossed edge is left by one contour
and reached by another, so contours close to loops. Loops are cut into triangles by diagonals that lie in no face; thus a mesh
of such cells is closed, and each of its edges has two triangles.

[Nielson 1991] G. M. Nielson, B. Hamann, "The Asymptotic Decider", IEEE Visualization 1991.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

NUM_CASES, NUM_DECISIONS = 256, 64
FIRST_CENTRE = 12  # numbers of points in the middle of a loop, after those of the 12 edges
# (axis, lower corner) of each of the 12 edges, in the order of `edge_number`
EDGES = tuple((axis, corner) for axis in range(3) for corner in range(8) if not corner >> axis & 1)
# Corners of each face counter-clockwise, seen from outside; face 2 axis + side.
FACES = (
    (0, 4, 6, 2),
    (1, 3, 7, 5),
    (0, 1, 5, 4),
    (2, 6, 7, 3),
    (0, 2, 3, 1),
    (4, 5, 7, 6),
)


class CubeTable(NamedTuple):
    """What the kernels read."""

    row: np.ndarray  # (256, 64) int32: by corners inside (bit k: corner k) and faces joined (bit f: face f)
    num_triangles: np.ndarray  # (rows,) int32
    triangles: (
        np.ndarray
    )  # (rows, most, 3) int32: edges, or a centre first, counter-clockwise seen from the outside of the shape
    edges: np.ndarray  # (12, 2) int32: axis and lower corner
    faces: np.ndarray  # (6, 4) int32: corners


@functools.cache
def cube_table() -> CubeTable:
    """Derive the table."""
    row = np.zeros((NUM_CASES, NUM_DECISIONS), np.int32)
    found: list[list[tuple[int, int, int]]] = []
    for case in range(NUM_CASES):
        alternating = [f for f in range(6) if _alternates(case, f)]
        rows = {}
        for size in range(len(alternating) + 1):
            for joined in itertools.combinations(alternating, size):
                rows[sum(1 << f for f in joined)] = len(found)
                found.append(_triangles(case, joined))
        relevant = sum(1 << f for f in alternating)
        for decision in range(NUM_DECISIONS):
            row[case, decision] = rows[decision & relevant]
    most = max(len(triangles) for triangles in found)
    table = np.zeros((len(found), most, 3), np.int32)
    for k, triangles in enumerate(found):
        table[k, : len(triangles)] = np.array(triangles, np.int32).reshape(-1, 3)
    counts = np.array([len(triangles) for triangles in found], np.int32)
    return CubeTable(row, counts, table, np.array(EDGES, np.int32), np.array(FACES, np.int32))


def _inside(case: int, corner: int) -> bool:
    return bool(case >> corner & 1)


def _alternates(case: int, face: int) -> bool:
    signs = [_inside(case, corner) for corner in FACES[face]]
    return signs[0] == signs[2] != signs[1] == signs[3]


def _edge(a: int, b: int) -> int:
    return EDGES.index(({1: 0, 2: 1, 4: 2}[a ^ b], min(a, b)))


@functools.cache
def _contours(case: int, face: int, joined: bool) -> tuple[tuple[int, int], ...]:
    """Give (from, to) edges of the contours on a face."""
    corners = FACES[face]
    around = [(corners[k], corners[(k + 1) % 4]) for k in range(4)]
    crossed = [
        (k, _inside(case, a)) for k, (a, b) in enumerate(around) if _inside(case, a) != _inside(case, b)
    ]
    contours = []
    for position, (k, leaves) in enumerate(crossed):
        if leaves:  # joined: on to where the walk enters next; apart: back to where it entered
            other = crossed[(position + (1 if joined else -1)) % len(crossed)][0]
            contours.append((_edge(*around[k]), _edge(*around[other])))
    return tuple(contours)


def _triangles(case: int, joined: tuple[int, ...]) -> list[tuple[int, int, int]]:
    following: dict[int, int] = {}
    for face in range(6):
        following.update(_contours(case, face, face in joined))
    triangles: list[tuple[int, int, int]] = []
    centre = FIRST_CENTRE
    while following:
        start, loop = next(iter(following)), []
        while start in following:
            loop.append(start)
            start = following.pop(start)
        ring = tuple(reversed(loop))  # contours keep the inside on their left, triangles face the outside
        pieces = _cut(ring)
        if pieces is None:
            pieces = [(centre, a, b) for a, b in zip(ring, (*ring[1:], ring[0]))]
            centre += 1
        triangles += pieces
    return triangles


def _cut(ring: tuple[int, ...]) -> list[tuple[int, int, int]] | None:
    """Cut a polygon of edges by the shortest diagonals of which none lies in a face; None where none such do."""
    num = len(ring)
    cost = {(k, k + 1): 0.0 for k in range(num - 1)}
    choice: dict[tuple[int, int], int] = {}
    for span in range(2, num):
        for first in range(num - span):
            last = first + span
            diagonal = 0.0 if span == num - 1 else _diagonals()[ring[first]][ring[last]]
            middle = min(range(first + 1, last), key=lambda k: cost[first, k] + cost[k, last])
            cost[first, last] = diagonal + cost[first, middle] + cost[middle, last]
            choice[first, last] = middle
    if cost[0, num - 1] == np.inf:
        return None
    pieces, waiting = [], [(0, num - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first >= 2:
            middle = choice[first, last]
            pieces.append((ring[first], ring[middle], ring[last]))
            waiting += [(first, middle), (middle, last)]
    return pieces


@functools.cache
def _diagonals() -> list[list[float]]:
    """Give the distance between the middles of two edges, infinite where both lie in a face."""
    places = [_middle(edge) for edge in range(12)]
    return [
        [np.inf if _share_a_face(a, b) else float(np.linalg.norm(places[a] - places[b])) for b in range(12)]
        for a in range(12)
    ]


def _middle(edge: int) -> np.ndarray:
    axis, corner = EDGES[edge]
    place = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1], float)
    place[axis] += 0.5
    return place


def _share_a_face(one: int, other: int) -> bool:
    return any({*_ends(one), *_ends(other)} <= set(face) for face in FACES)


def _ends(edge: int) -> tuple[int, int]:
    axis, corner = EDGES[edge]
    return corner, corner | 1 << axis
