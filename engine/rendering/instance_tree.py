"""A tree over boxes in world space, and which instances a ray may meet, nearest first.

A ray is taken to an instance's unit space in double precision and clipped to the box of its zero set, so that only
instances whose box it meets are ever traced. Everything about one ray is in one place, so it costs no memory per instance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..cache import use_cache_folder
from ..transforms import Array

use_cache_folder()
import numba as nb  # noqa: E402

from ..tracing.ray_state import inlined, uncounted  # noqa: E402

LEAF = 4  # instances
DEEPEST = 64  # a tree that is halved at each level never gets there


class InstanceTree(NamedTuple):
    """Nodes and leaves as arrays; node 0 is the root."""

    boxes: np.ndarray  # (M, 2, 3) float64, world space
    first: np.ndarray  # (M,) int32: the left child, the right one follows it; of a leaf the place in `order`
    members: np.ndarray  # (M,) int32: instances of a leaf, 0 for other nodes
    order: np.ndarray  # (N,) int32, instances by leaves
    unit_from_world: np.ndarray  # (N, 4, 4) float64
    unit_boxes: np.ndarray  # (N, 2, 3) float64


def build_tree(world_boxes: Array, unit_from_world: Array, unit_boxes: Array) -> InstanceTree:
    """Build a tree over N instances by halving them along the longest side of their centres' box."""
    centres = world_boxes.mean(axis=1)
    boxes: list[Array] = [np.zeros((2, 3))]
    first, count, order = [0], [0], [np.zeros(0, np.int64)]
    todo, placed = [(0, np.arange(len(world_boxes)))], 0
    while todo:
        node, members = todo.pop()
        if len(members):
            boxes[node] = np.stack([world_boxes[members, 0].min(axis=0), world_boxes[members, 1].max(axis=0)])
        if len(members) <= LEAF:
            first[node], count[node] = placed, len(members)
            placed += len(members)
            order.append(members)
            continue
        axis = int(np.argmax(np.ptp(centres[members], axis=0)))
        members = members[np.argsort(centres[members, axis], kind="stable")]
        first[node] = len(boxes)
        boxes += [np.zeros((2, 3)), np.zeros((2, 3))]
        first += [0, 0]
        count += [0, 0]
        half = len(members) // 2
        todo += [(first[node], members[:half]), (first[node] + 1, members[half:])]
    return InstanceTree(
        np.array(boxes),
        np.array(first, np.int32),
        np.array(count, np.int32),
        np.concatenate(order).astype(np.int32),
        np.ascontiguousarray(unit_from_world, np.float64).reshape(-1, 4, 4),
        np.ascontiguousarray(unit_boxes, np.float64).reshape(-1, 2, 3),
    )


@inlined
def _clip(origin: Any, direction: Any, box: Any, enter: float, leave: float) -> tuple[float, float]:
    """The part of a ray in a box; enter > leave where it passes by."""
    for axis in range(3):
        if direction[axis] == 0.0:
            if not box[0, axis] <= origin[axis] <= box[1, axis]:
                return 1.0, 0.0
            continue
        one = (box[0, axis] - origin[axis]) / direction[axis]
        two = (box[1, axis] - origin[axis]) / direction[axis]
        enter, leave = max(enter, min(one, two)), min(leave, max(one, two))
    return enter, leave


@inlined
def _to_unit(matrix: Any, vector: Any, w: float, out: Any) -> None:
    for row in range(3):
        out[row] = vector[0] * matrix[row, 0] + vector[1] * matrix[row, 1] + vector[2] * matrix[row, 2]
        out[row] += w * matrix[row, 3]


@nb.njit(cache=True, nogil=True, error_model="numpy")
def find_spans(tree: InstanceTree, origins: Any, directions: Any, t_max: Any) -> tuple[Any, Any, Any]:
    """Give the instances whose box each ray meets between 0 and `t_max`, by the ray parameter where it enters.

    Args:
        tree: The tree.
        origins: (N, 3) float64, world space.
        directions: (N, 3) float64.
        t_max: (N,) float64.

    Returns:
        Where each ray's instances begin (N + 1,), their numbers (K,), and where the ray enters and leaves (K, 2).
    """
    num = origins.shape[0]
    begins, used = np.zeros(num + 1, np.int64), 0
    numbers, spans = np.empty(num + 64, np.int32), np.empty((num + 64, 2))
    scratch, stack = np.empty((2, 3)), np.empty(DEEPEST, np.int32)
    ray = 0
    while True:
        ray, used = _find_spans(
            tree, origins, directions, t_max, ray, begins, numbers, spans, stack, scratch[0], scratch[1]
        )
        if ray == num:
            return begins, numbers[:used], spans[:used]
        more, wider = np.empty(2 * len(numbers), np.int32), np.empty((2 * len(numbers), 2))
        more[:used], wider[:used] = numbers[:used], spans[:used]
        numbers, spans = more, wider


@uncounted
def _find_spans(
    tree: InstanceTree,
    origins: Any,
    directions: Any,
    t_max: Any,
    ray: int,
    begins: Any,
    numbers: Any,
    spans: Any,
    stack: Any,
    start: Any,
    toward: Any,
) -> tuple[int, int]:
    """`find_spans` from a ray on; gives the ray that finds no room any more, and how many spans there are."""
    while ray < origins.shape[0]:
        used = begins[ray]
        origin, direction, end = origins[ray], directions[ray], t_max[ray]
        stack[0], top = 0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            enter, leave = _clip(origin, direction, tree.boxes[node], 0.0, end)
            if not enter <= leave:
                continue
            if tree.members[node] == 0 and tree.order.shape[0] > 0:
                stack[top], stack[top + 1] = tree.first[node], tree.first[node] + 1
                top += 2
                continue
            for place in range(tree.first[node], tree.first[node] + tree.members[node]):
                number = tree.order[place]
                matrix = tree.unit_from_world[number]
                _to_unit(matrix, origin, 1.0, start)
                _to_unit(matrix, direction, 0.0, toward)
                enter, leave = _clip(start, toward, tree.unit_boxes[number], 0.0, end)
                if not enter < leave:
                    continue
                if used == numbers.shape[0]:
                    return ray, begins[ray]
                at = used
                while at > begins[ray] and spans[at - 1, 0] > enter:
                    numbers[at] = numbers[at - 1]
                    spans[at, 0], spans[at, 1] = spans[at - 1, 0], spans[at - 1, 1]
                    at -= 1
                numbers[at], spans[at, 0], spans[at, 1] = number, enter, leave
                used += 1
        ray += 1
        begins[ray] = used
    return ray, begins[ray]


@nb.njit(cache=True, nogil=True, error_model="numpy")
def unit_rays(
    tree: InstanceTree, numbers: Any, origins: Any, directions: Any, rays: Any, enter: Any
) -> tuple[Any, Any]:
    """Give origins and directions (K, 3) in unit space of the rays numbered (K,), begun at `enter` (K,)."""
    start, toward = np.empty((rays.shape[0], 3)), np.empty((rays.shape[0], 3))
    for row in range(rays.shape[0]):
        matrix = tree.unit_from_world[numbers[row]]
        _to_unit(matrix, origins[rays[row]], 1.0, start[row])
        _to_unit(matrix, directions[rays[row]], 0.0, toward[row])
        for axis in range(3):
            start[row, axis] += enter[row] * toward[row, axis]
    return start, toward


@nb.njit(cache=True, nogil=True, error_model="numpy")
def unit_places(tree: InstanceTree, numbers: Any, points: Any) -> Any:
    """Give where world points (K, 3) lie in the unit space of instances (K,), clamped to [-1, 1]^3."""
    places, place = np.empty((points.shape[0], 3)), np.empty(3)
    for row in range(points.shape[0]):
        _to_unit(tree.unit_from_world[numbers[row]], points[row], 1.0, place)
        for axis in range(3):
            places[row, axis] = min(max(place[axis], -1.0), 1.0)
    return places


@nb.njit(cache=True, nogil=True, error_model="numpy")
def world_normals(tree: InstanceTree, numbers: Any, gradients: Any) -> tuple[Any, Any]:
    """Turn gradients (K, 3) in the unit space of instances (K,) into world normals of length 1 (zeros stay zeros).

    Also gives how many lengths of unit space a metre along each normal is (K,).
    """
    normals, sizes = np.empty((gradients.shape[0], 3)), np.empty(gradients.shape[0])
    for row in range(gradients.shape[0]):
        matrix, gradient = tree.unit_from_world[numbers[row]], gradients[row]
        x, y, z = float(gradient[0]), float(gradient[1]), float(gradient[2])
        length = np.sqrt(x * x + y * y + z * z)
        scale = 1.0 / length if length > 0.0 else 1.0
        square = 0.0
        for axis in range(3):
            turned = scale * (x * matrix[0, axis] + y * matrix[1, axis] + z * matrix[2, axis])
            normals[row, axis] = turned
            square += turned * turned
        size = max(np.sqrt(square), 1e-30)
        for axis in range(3):
            normals[row, axis] /= size
        sizes[row] = size
    return normals, sizes
