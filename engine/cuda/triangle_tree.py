"""A tree over the triangles of one geometry, built level by level with NumPy: halves along the longest side.

All nodes of a level are sorted and cut in one go, so a million triangles take a second or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .layouts import TRIANGLE_NODE

Array = npt.NDArray[Any]
LEAF = 4  # triangles


@dataclass(frozen=True, slots=True, eq=False)
class TriangleTree:
    """Nodes and the triangles in their order."""

    nodes: Array  # (M,) TRIANGLE_NODE; node 0 is the root
    corners: npt.NDArray[np.float32]  # (T, 3, 3)
    faces: npt.NDArray[np.int32]  # (T,): number of each in the geometry
    depth: int


def triangle_tree(corners: Array) -> TriangleTree:
    """Build a tree over triangles (T, 3, 3), T at least 1."""
    corners = np.ascontiguousarray(corners, np.float32)
    low, high = corners.min(axis=1), corners.max(axis=1)
    centres = 0.5 * (low + high)
    order = np.arange(len(corners))
    starts, counts = np.array([0]), np.array([len(corners)])
    levels, made, depth = [], 1, 1
    while True:
        where, begins = _places(starts, counts)
        order[where] = _sorted(order[where], centres, counts, begins)
        nodes = np.zeros(len(starts), TRIANGLE_NODE)
        nodes["low"] = _outward(np.minimum.reduceat(low[order[where]], begins, axis=0), -1.0)
        nodes["high"] = _outward(np.maximum.reduceat(high[order[where]], begins, axis=0), 1.0)
        inner = counts > LEAF
        nodes["count"] = np.where(inner, 0, counts)
        nodes["first"] = np.where(inner, 0, starts)
        nodes["first"][inner] = made + 2 * np.arange(int(inner.sum()))
        levels.append(nodes)
        if not inner.any():
            break
        half = counts[inner] // 2
        starts, counts = (
            np.stack([starts[inner], starts[inner] + half], axis=1).ravel(),
            np.stack([half, counts[inner] - half], axis=1).ravel(),
        )
        made += len(starts)
        depth += 1
    return TriangleTree(
        np.concatenate(levels),
        np.ascontiguousarray(corners[order]),
        order.astype(np.int32),
        depth,
    )


def _places(starts: Array, counts: Array) -> tuple[Array, Array]:
    """Give the places of all ranges one after the other, and where each range begins among them."""
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.repeat(starts - begins, counts) + np.arange(int(counts.sum())), begins


def _sorted(members: Array, centres: Array, counts: Array, begins: Array) -> Array:
    """Sort the triangles of each range along the longest side of their centres' box."""
    places = centres[members]
    sides = np.maximum.reduceat(places, begins, axis=0) - np.minimum.reduceat(places, begins, axis=0)
    node = np.repeat(np.arange(len(counts)), counts)
    key = places[np.arange(len(members)), sides.argmax(axis=1)[node]]
    result: Array = members[np.lexsort((key, node))]
    return result


def _outward(values: Array, sign: float) -> Array:
    """Move float32 bounds outward by more than the rounding of a ray's way to them."""
    moved: Array = (values + sign * (1e-6 * np.abs(values) + 1e-30)).astype(np.float32)
    return np.nextafter(moved, np.float32(sign * np.inf))
