"""The smallest ball that holds a set of points, in float64.

The farthest point is added to a small support set until nothing sticks out; the ball of a support set of at most
five points is found by trying its subsets [Welzl 1991]. The radius grows with each round, so it ends.

[Welzl 1991] E. Welzl, "Smallest enclosing disks (balls and ellipsoids)", LNCS 555, 1991.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

TOLERANCE = 1e-12  # relative; float64 rounding of a squared distance
MAX_ROUNDS = 1000  # a few dozen are usual


def enclosing_ball(points: FloatArray) -> tuple[FloatArray, float]:
    """Give centre (3,) and radius of the smallest ball around finite points (N, 3), N >= 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    origin, extent = 0.5 * low + 0.5 * high, float((high - low).max())
    if not extent > 0.0:
        return origin, 0.0
    local = (points - origin) / extent
    centre, radius, support = local[0], 0.0, local[:1]
    for _ in range(MAX_ROUNDS):
        distances = np.linalg.norm(local - centre, axis=1)
        farthest = int(distances.argmax())
        if distances[farthest] <= radius * (1.0 + TOLERANCE) + TOLERANCE:
            break
        centre, radius, support = _ball_of_few(np.vstack([support, local[farthest]]))
    radius = float(np.linalg.norm(local - centre, axis=1).max())
    return origin + extent * centre, extent * radius


def _ball_of_few(points: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """Give centre, radius and supporting points of the smallest ball around at most five points."""
    best: tuple[FloatArray, float, FloatArray] | None = None
    for size in range(1, min(len(points), 4) + 1):
        for chosen in combinations(range(len(points)), size):
            subset = points[list(chosen)]
            centre = _circumcentre(subset)
            radius = float(np.linalg.norm(subset - centre, axis=1).max())
            holds_all = (
                np.linalg.norm(points - centre, axis=1).max() <= radius * (1.0 + TOLERANCE) + TOLERANCE
            )
            if holds_all and (best is None or radius < best[1]):
                best = centre, radius, subset
    assert best is not None, "four points on the hull always hold the fifth"
    return best


def _circumcentre(points: FloatArray) -> FloatArray:
    """Give the point of the affine hull of 1 to 4 points that is equally far from all of them."""
    edges = points[1:] - points[0]
    if len(edges) == 0:
        only: FloatArray = points[0]
        return only
    gram = edges @ edges.T
    weights = np.linalg.lstsq(2.0 * gram, np.diag(gram), rcond=None)[0]
    centre: FloatArray = points[0] + weights @ edges
    return centre
