"""Flat outlines pushed into the third dimension and turned about an axis: gears, brackets, shafts, letters."""

from __future__ import annotations

import numpy as np

from tests.shapes.parametric import grid_faces, level_set, outward, rounded

STROKES = {  # letters as segments between points of a field 4 wide and 6 high: x0 y0 x1 y1
    "A": "0026 2640 1232",
    "E": "4000 0006 0646 0333",
    "I": "2026",
    "K": "0006 0346 0340",
    "L": "0600 0040",
    "M": "0006 0623 2346 4640",
    "N": "0006 0640 4046",
    "P": "0006 0646 4643 4303",
    "R": "0006 0646 4643 4303 2340",
    "S": "4606 0603 0343 4340 4000",
    "T": "0646 2620",
    "U": "0600 0040 4046",
    "X": "0046 0640",
    "Z": "0646 4600 0040",
    "8": "0040 4046 4606 0600 0343",
    "2": "0646 4643 4303 0300 0040",
}


def ear_clipped(outline: np.ndarray) -> np.ndarray:
    """Triangles (n - 2, 3) of a simple polygon (n, 2) that runs counter-clockwise."""
    left, triangles = list(range(len(outline))), []
    while len(left) > 3:
        for k in range(len(left)):
            a, b, c = (left[(k + step) % len(left)] for step in (-1, 0, 1))
            others = outline[[v for v in left if v not in (a, b, c)]]
            if _cross(outline[a], outline[b], outline[c]) <= 1e-12:
                continue
            inside = np.ones(len(others), bool)
            for p, q in ((a, b), (b, c), (c, a)):
                inside &= _cross(outline[p], outline[q], others) >= -1e-12
            if not inside.any():
                triangles.append((a, b, c))
                left.pop(k)
                break
        else:
            raise ValueError("the outline crosses itself")
    return np.array([*triangles, tuple(left)])


def _cross(a, b, c):
    c = np.asarray(c)
    return (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])


def extruded(outline: np.ndarray, height: float):
    """A prism over a counter-clockwise polygon (n, 2)."""
    outline = np.asarray(outline, float)
    n, caps = len(outline), ear_clipped(outline)
    low = np.column_stack([outline, np.full(n, -0.5 * height)])
    vertices = np.vstack([low, low + np.array([0.0, 0.0, height])])
    here, there = np.arange(n), np.roll(np.arange(n), -1)
    sides = np.vstack([np.stack([here, there, there + n], 1), np.stack([here, there + n, here + n], 1)])
    return outward(*rounded(vertices, np.vstack([caps[:, ::-1], caps + n, sides])))


def gear(teeth: int, height: float, depth: float = 0.18):
    """A spur gear with straight flanks."""
    angles = 2.0 * np.pi * (np.arange(4 * teeth) + 0.5) / (4 * teeth)
    radii = np.where((np.arange(4 * teeth) // 2) % 2 == 0, 1.0, 1.0 - depth)
    return extruded(radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]), height)


def star(points: int, inner: float, height: float):
    """A star with sharp points."""
    angles = np.pi * np.arange(2 * points) / points
    radii = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)
    return extruded(radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]), height)


def turned(profile, steps: int = 48):
    """A lathe's work: a closed profile (n, 2) of radius and height, all of positive radius, about the z axis."""
    profile = np.asarray(profile, float)
    angles = 2.0 * np.pi * np.arange(steps) / steps
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places = np.empty((len(profile), steps, 3))
    places[..., :2] = profile[:, None, :1] * ring[None]
    places[..., 2] = profile[:, None, 1]
    return outward(*rounded(places.reshape(-1, 3), grid_faces(len(profile), steps, True, True)))


def letters(word: str, weight: float = 0.55, height: float = 1.2, resolution: int = 80):
    """A word in a stroke font, as thick as it is told."""
    segments = []
    for k, letter in enumerate(word):
        for stroke in STROKES[letter].split():
            x0, y0, x1, y1 = map(int, stroke)
            segments.append((x0 + 5.5 * k, y0, x1 + 5.5 * k, y1))
    ends = np.array(segments, float)
    middle = np.array([0.5 * ends[:, [0, 2]].max(), 3.0])
    reach = max(0.5 * ends[:, [0, 2]].max(), 3.0) + 1.5 * weight

    def field(points):
        flat, distance = points[:, :2] + middle, np.full(len(points), np.inf)
        for x0, y0, x1, y1 in ends:
            start, along = np.array([x0, y0]), np.array([x1 - x0, y1 - y0])
            share = np.clip((flat - start) @ along / (along @ along), 0.0, 1.0)
            distance = np.minimum(distance, np.linalg.norm(flat - start - share[:, None] * along, axis=1))
        return np.maximum(distance - weight, np.abs(points[:, 2]) - height)

    return level_set(field, resolution, reach)
