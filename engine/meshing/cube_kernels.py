"""Marching cubes over a list of cells: the corners they need, their cases, and the triangles. Compiled by Numba.

Cells are numbered as in `active_cells`, corners the same with R + 3 a side; both lists are sorted, so a plane of the
grid is a run of them, and memory grows with the surface and not with the box.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .cube_table import FIRST_CENTRE

NOT_THERE = -1


@nb.njit(cache=True, nogil=True)
def corners_of(cells: Any, side: int) -> tuple[Any, Any]:
    """Give the sorted numbers of all corners of cells, and where each plane's begin (side + 2,).

    Args:
        cells: Sorted numbers (N,), `side` = R + 2 cells a side.
        side: Cells a side.
    """
    wide = side + 1
    plane_start = np.zeros(wide + 1, np.int64)
    marks = np.zeros((wide, wide), np.uint8)
    corners = np.empty(8 * len(cells), np.int64)
    count, begin, end = 0, 0, 0
    for x in range(wide):  # plane x has the corners of the cells in layers x - 1 and x
        before = begin
        begin = end
        while end < len(cells) and cells[end] // (side * side) == x:
            end += 1
        for n in range(before, end):
            rest = cells[n] % (side * side)
            y, z = rest // side, rest % side
            marks[y, z] = marks[y, z + 1] = marks[y + 1, z] = marks[y + 1, z + 1] = 1
        plane_start[x] = count
        for y in range(wide):
            for z in range(wide):
                if marks[y, z]:
                    corners[count] = (x * wide + y) * wide + z
                    count += 1
                    marks[y, z] = 0
    plane_start[wide] = count
    return corners[:count].copy(), plane_start


@nb.njit(cache=True, nogil=True)
def _fill_plane(corners: Any, start: int, end: int, wide: int, plane: Any) -> None:
    for n in range(start, end):
        plane[corners[n] % (wide * wide)] = n


@nb.njit(cache=True, nogil=True)
def _corner_rows(y: int, z: int, wide: int, lower: Any, upper: Any, rows: Any) -> None:
    """Give the rows of a cell's eight corners in the list of corners."""
    for k in range(8):
        place = (y + (k >> 1 & 1)) * wide + z + (k >> 2 & 1)
        rows[k] = upper[place] if k & 1 else lower[place]


@nb.njit(cache=True, nogil=True)
def _table_row(values: Any, rows: Any, row_of: Any, faces: Any) -> int:
    case, decision = 0, 0
    for k in range(8):
        if values[rows[k]] < 0.0:
            case |= 1 << k
    if case == 0 or case == 255:
        return NOT_THERE
    for f in range(6):
        a, b = np.float64(values[rows[faces[f, 0]]]), np.float64(values[rows[faces[f, 1]]])
        c, d = np.float64(values[rows[faces[f, 2]]]), np.float64(values[rows[faces[f, 3]]])
        even_inside = a < 0.0 and c < 0.0 and b >= 0.0 and d >= 0.0
        odd_inside = b < 0.0 and d < 0.0 and a >= 0.0 and c >= 0.0
        if (even_inside and a * c > b * d) or (odd_inside and b * d > a * c):
            decision |= 1 << f
    return int(row_of[case, decision])


@nb.njit(cache=True, nogil=True)
def cases_of(
    cells: Any, side: int, corners: Any, plane_start: Any, values: Any, row_of: Any, faces: Any
) -> Any:
    """Give the table's row of each cell (N,), -1 where the surface does not pass."""
    wide = side + 1
    lower, upper = np.zeros(wide * wide, np.int64), np.zeros(wide * wide, np.int64)
    found = np.empty(len(cells), np.int32)
    rows = np.empty(8, np.int64)
    filled = -1
    for n in range(len(cells)):
        x, rest = cells[n] // (side * side), cells[n] % (side * side)
        if x != filled:
            _fill_plane(corners, plane_start[x], plane_start[x + 1], wide, lower)
            _fill_plane(corners, plane_start[x + 1], plane_start[x + 2], wide, upper)
            filled = x
        _corner_rows(rest // side, rest % side, wide, lower, upper, rows)
        found[n] = _table_row(values, rows, row_of, faces)
    return found


@nb.njit(cache=True, nogil=True)
def _has(cells: Any, number: int) -> bool:
    place = np.searchsorted(cells, number)
    return bool(place < len(cells) and cells[place] == number)


@nb.njit(cache=True, nogil=True)
def missing_neighbours(
    cells: Any, side: int, corners: Any, plane_start: Any, values: Any, found: Any, faces: Any
) -> Any:
    """Give the numbers of cells that the surface passes into through a face and that are not in the list."""
    wide = side + 1
    lower, upper = np.zeros(wide * wide, np.int64), np.zeros(wide * wide, np.int64)
    rows = np.empty(8, np.int64)
    missing = []
    missing.append(np.int64(NOT_THERE))  # gives the list its type
    filled = -1
    for n in range(len(cells)):
        x, rest = cells[n] // (side * side), cells[n] % (side * side)
        y, z = rest // side, rest % side
        at_border = x == 1 or y == 1 or z == 1 or x == side - 2 or y == side - 2 or z == side - 2
        if found[n] == NOT_THERE and not at_border:
            continue
        if x != filled:
            _fill_plane(corners, plane_start[x], plane_start[x + 1], wide, lower)
            _fill_plane(corners, plane_start[x + 1], plane_start[x + 2], wide, upper)
            filled = x
        _corner_rows(y, z, wide, lower, upper, rows)
        for f in range(6):
            inside = 0
            for k in range(4):
                inside += values[rows[faces[f, k]]] < 0.0
            axis, step = f // 2, 1 if f % 2 else -1
            place = (x, y, z)[axis] + step
            if inside == 0 or not 0 <= place < side or (inside == 4 and 0 < place < side - 1):
                continue
            number = cells[n] + step * (side * side, side, 1)[axis]
            if not _has(cells, number):
                missing.append(number)
    return np.array(missing[1:], np.int64)


@nb.njit(cache=True, nogil=True)
def triangles_of(
    cells: Any,
    side: int,
    corners: Any,
    plane_start: Any,
    found: Any,
    num_triangles: Any,
    table: Any,
    edges: Any,
) -> tuple[Any, Any]:
    """Give triangles (T, 3) and, for each vertex (V, 2), the rows of the corners its edge joins; -1 for a centre.

    Vertices are numbered as the cells meet them, so equal surfaces give equal meshes, whatever other cells are listed.
    """
    wide = side + 1
    lower, upper = np.zeros(wide * wide, np.int64), np.zeros(wide * wide, np.int64)
    total = 0
    for n in range(len(cells)):
        if found[n] != NOT_THERE:
            total += num_triangles[found[n]]
    triangles = np.empty((total, 3), np.int32)
    ends = np.empty((3 * total, 2), np.int64)
    vertex_of = np.full((len(corners), 3), NOT_THERE, np.int32)
    rows = np.empty(8, np.int64)
    count, vertices, filled = 0, 0, -1
    for n in range(len(cells)):
        if found[n] == NOT_THERE:
            continue
        x, rest = cells[n] // (side * side), cells[n] % (side * side)
        if x != filled:
            _fill_plane(corners, plane_start[x], plane_start[x + 1], wide, lower)
            _fill_plane(corners, plane_start[x + 1], plane_start[x + 2], wide, upper)
            filled = x
        _corner_rows(rest // side, rest % side, wide, lower, upper, rows)
        centre = NOT_THERE
        for t in range(num_triangles[found[n]]):
            for corner in range(3):
                e = table[found[n], t, corner]
                if e >= FIRST_CENTRE:
                    if centre == NOT_THERE:
                        centre = vertices
                        ends[vertices] = NOT_THERE
                        vertices += 1
                    triangles[count, corner] = centre
                    continue
                axis, low = edges[e, 0], rows[edges[e, 1]]
                if vertex_of[low, axis] == NOT_THERE:
                    vertex_of[low, axis] = vertices
                    ends[vertices, 0], ends[vertices, 1] = low, rows[edges[e, 1] | 1 << axis]
                    vertices += 1
                triangles[count, corner] = vertex_of[low, axis]
            count += 1
    return triangles, ends[:vertices].copy()
