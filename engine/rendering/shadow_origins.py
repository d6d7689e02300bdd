"""Where rays from a surface to a light start, so that they do not meet the surface that they come from."""

from __future__ import annotations

from typing import Any

from .compiled import compiled

LIFT_BELOW = (
    0.1  # cosine under which shadow rays of smooth triangles start from the smooth surface, as in Cycles
)


@compiled
def fill_origins(
    chosen: Any, directions: Any, points: Any, geometric: Any, normals: Any, bias: Any, lift: Any, out: Any
) -> None:
    """Write the starts of K rays from M points.

    Args:
        chosen: (K,) int, the point of each.
        directions: (K, 3) float64, unit.
        points: (M, 3) float64.
        geometric: (M, 3) float64, unit normals on the viewer's side.
        normals: (M, 3) float64, smooth where a mesh is.
        bias: (M,) float64, m off the surface.
        lift: (M, 3) float64, m, to the smooth surface that a triangle stands for.
        out: Out (K, 3) float64.
    """
    for k in range(len(chosen)):
        n, slope, shading = chosen[k], 0.0, 0.0
        for axis in range(3):
            slope += geometric[n, axis] * directions[k, axis]
            shading += normals[n, axis] * directions[k, axis]
        amount = 2.0 - (slope + shading) / LIFT_BELOW if shading < LIFT_BELOW else 1.0 - slope / LIFT_BELOW
        amount = min(max(amount, 0.0), 1.0)
        off = -bias[n] if slope < 0.0 else bias[n]
        for axis in range(3):
            out[k, axis] = points[n, axis] + amount * lift[n, axis] + off * geometric[n, axis]
