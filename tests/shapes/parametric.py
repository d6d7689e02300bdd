"""Surfaces from formulas: tubes along curves, level sets of sums, rounded boxes; vertices (V, 3) and faces (F, 3).

Everything is rounded so that the same bytes come out wherever NumPy's sine differs in its last bit: coordinates to
1e-6, and the fields of level sets to a power of two before their triangles are taken.
"""

from __future__ import annotations

import numpy as np

DECIMALS = 6
FIELD_STEP = 2.0**-14  # of a level set's values; the half step keeps them off zero


def grid_faces(rows: int, columns: int, wrap_rows: bool, wrap_columns: bool) -> np.ndarray:
    """Triangles of a grid of points, numbered row by row, joined to itself where it wraps."""
    number = np.arange(rows * columns).reshape(rows, columns)
    if wrap_rows:
        number = np.vstack([number, number[:1]])
    if wrap_columns:
        number = np.hstack([number, number[:, :1]])
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def rounded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same bytes on every machine; faces whose corners have come together go."""
    vertices = np.round(vertices, DECIMALS) + 0.0
    _, first, number = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    faces = number.reshape(-1)[faces]
    flat = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    return vertices[first], faces[~flat].astype(np.int64)


def tube(curve: np.ndarray, radius: np.ndarray | float, sides: int = 16, closed: bool = True):
    """A tube of a radius, or one a point, along a curve (n, 3); an open one gets caps."""
    n = len(curve)
    tangent = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    if not closed:
        tangent[0], tangent[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.empty_like(curve)
    normal[0] = np.cross(tangent[0], np.eye(3)[np.abs(tangent[0]).argmin()])
    for k in range(1, n):  # carried along without twisting more than it must
        normal[k] = normal[k - 1] - normal[k - 1] @ tangent[k] * tangent[k]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    if closed:  # what is left of a twist at the seam is spread over the curve
        seam = normal[-1] - normal[-1] @ tangent[0] * tangent[0]
        angle = np.arctan2(np.cross(seam, normal[0]) @ tangent[0], seam @ normal[0])
        turn = (angle * np.arange(n) / n)[:, None]
        normal = np.cos(turn) * normal + np.sin(turn) * np.cross(tangent, normal)
    across = np.cross(tangent, normal)
    around = 2.0 * np.pi * np.arange(sides) / sides
    ring = np.cos(around)[None, :, None] * normal[:, None] + np.sin(around)[None, :, None] * across[:, None]
    radii = np.broadcast_to(np.asarray(radius, float), (n,))[:, None, None]
    vertices = (curve[:, None] + radii * ring).reshape(-1, 3)
    faces = grid_faces(n, sides, closed, True)
    if not closed:
        first, last = n * sides, n * sides + 1
        here, there = np.arange(sides), np.roll(np.arange(sides), -1)
        start = np.stack([here, there, np.full(sides, first)], 1)
        end = np.stack([there, here, np.full(sides, last)], 1)
        end[:, :2] += (n - 1) * sides
        vertices = np.vstack([vertices, curve[[0, -1]]])
        faces = np.vstack([faces, start, end])
    return outward(*rounded(vertices, faces))


def outward(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces turned so that they enclose a positive volume."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum()
    return vertices, faces if volume > 0.0 else faces[:, ::-1]


def level_set(field, resolution: int, reach: float = 1.0):
    """The surface where a function of points (N, 3) is zero, negative inside, within a box, closed at its sides."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-reach, reach, resolution)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    values = field(points.reshape(-1, 3)).reshape((resolution,) * 3)
    values = (np.round(values / FIELD_STEP) + 0.5) * FIELD_STEP
    values = np.pad(values, 1, constant_values=0.5).astype(np.float32)
    corners, faces, _, _ = marching_cubes(values, 0.0)
    places = (np.asarray(corners, np.float64) - 1.0) * (2.0 * reach / (resolution - 1)) - reach
    return outward(*rounded(places, np.asarray(faces, np.int64)))


def knot(p: int, q: int, thickness: float, steps: int = 240, sides: int = 16):
    """A tube along a torus knot."""
    t = 2.0 * np.pi * np.arange(steps) / steps
    radius = 2.0 + np.cos(q * t)
    curve = np.stack([radius * np.cos(p * t), radius * np.sin(p * t), -np.sin(q * t)], axis=1)
    return tube(curve, thickness, sides)


def blob(seed: int, count: int, resolution: int = 56):
    """The surface of some metaballs."""
    rng = np.random.default_rng(seed)
    centres, sizes = rng.uniform(-0.45, 0.45, (count, 3)), rng.uniform(0.15, 0.3, count)

    def field(points):
        squared = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
        return 0.6 - np.exp(-squared / sizes**2).sum(axis=1)

    return level_set(field, resolution, 1.1)


def rounded_box(half, radius: float, resolution: int = 48):
    """A box of half extents with rounded edges."""
    half = np.asarray(half)

    def field(points):
        q = np.abs(points) - (half - radius)
        return np.linalg.norm(np.maximum(q, 0.0), axis=1) + np.minimum(q.max(axis=1), 0.0) - radius

    return level_set(field, resolution, float(half.max()) * 1.05)
