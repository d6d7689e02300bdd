"""Shapes that grow or wear: plants of an L-system, relief, scans with noise and holes, lattices of bars."""

from __future__ import annotations

import numpy as np
import trimesh

from tests.shapes.parametric import grid_faces, outward, rounded, tube


def joined(parts):
    """The faces of some meshes as one."""
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + offset for (_, faces), offset in zip(parts, offsets)]
    return np.vstack([vertices for vertices, _ in parts]), np.vstack(faces)


def moved(shape, by, scale=1.0):
    return shape[0] * scale + np.asarray(by, float), shape[1]


def of(shape: trimesh.Trimesh):
    """A mesh of trimesh.creation as rounded arrays."""
    return rounded(np.asarray(shape.vertices, float), np.asarray(shape.faces))


def box(extents, at=(0.0, 0.0, 0.0)):
    return moved(of(trimesh.creation.box(extents)), at)


def ball(radius=1.0, at=(0.0, 0.0, 0.0), subdivisions=3):
    return moved(of(trimesh.creation.icosphere(subdivisions, radius)), at)


def bar(start, end, radius, sides=12):
    """A cylinder between two points."""
    return tube(np.linspace(start, end, 4), radius, sides, closed=False)


def bars(nodes, pairs, radius, sides=12):
    return joined([bar(nodes[i], nodes[j], radius, sides) for i, j in pairs])


def inside_out(shape):
    return shape[0], shape[1][:, ::-1]


def plant(seed: int, depth: int = 4, angle: float = 0.5):
    """Branches of an L-system, F -> F[+F][-F], with random turns; the tubes overlap where they meet."""
    rng, parts = np.random.default_rng(seed), []

    def grow(start, direction, length, radius, level):
        end = start + length * direction
        parts.append(
            tube(np.linspace(start, end, 5), np.linspace(radius, 0.75 * radius, 5), 10, closed=False)
        )
        if level == 0:
            return
        for side in (1.0, -1.0):
            turn = direction + angle * side * rng.standard_normal(3) + [0.0, 0.0, 0.2]
            grow(end, turn / np.linalg.norm(turn), 0.75 * length, 0.72 * radius, level - 1)

    grow(np.zeros(3), np.array([0.0, 0.0, 1.0]), 1.0, 0.14, depth)
    return joined(parts)


def relief(seed: int, cells: int = 48, height: float = 0.5):
    """A block whose top is a landscape of sines."""
    rng, axis = np.random.default_rng(seed), np.linspace(-1.0, 1.0, cells)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    z = np.zeros_like(x)
    for octave in range(1, 6):
        a, b, phase = rng.standard_normal(3) * [octave, octave, 1.0]
        z += height / octave**1.5 * 0.4 * np.sin(2.0 * a * x + 2.0 * b * y + phase)
    top = np.stack([x, y, z], axis=-1)
    bottom = np.stack([x, y, np.full_like(x, -0.8)], axis=-1)
    return _slab(top, bottom)


def _slab(top: np.ndarray, bottom: np.ndarray):
    """What lies between two grids of points (r, c, 3)."""
    rows, columns = top.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    rim = np.concatenate([number[0, :-1], number[:-1, -1], number[-1, :0:-1], number[:0:-1, 0]])
    here, there, n = rim, np.roll(rim, -1), rows * columns
    sides = np.vstack([np.stack([here, there, here + n], 1), np.stack([there, there + n, here + n], 1)])
    faces = grid_faces(rows, columns, False, False)
    return outward(
        *rounded(
            np.vstack([top.reshape(-1, 3), bottom.reshape(-1, 3)]),
            np.vstack([faces, faces[:, ::-1] + n, sides]),
        )
    )


def slab(extents, cells: int = 12):
    """A plate of two grids and its rim."""
    axis = np.linspace(-0.5, 0.5, cells)
    x, y = np.meshgrid(axis * extents[0], axis * extents[1], indexing="ij")
    half = np.full_like(x, 0.5 * extents[2])
    return _slab(np.stack([x, y, half], -1), np.stack([x, y, -half], -1))


def scanned(shape, noise: float, holes: int, seed: int):
    """A scan: vertices off along their normals by a share of the extent, and round holes."""
    shape = rounded(*shape)  # corners that were one place are one
    mesh, rng = trimesh.Trimesh(*shape, process=False), np.random.default_rng(seed)
    extent = float(np.ptp(shape[0], axis=0).max())
    normals = np.round(mesh.vertex_normals, 9)
    vertices = shape[0] + noise * extent * rng.standard_normal((len(shape[0]), 1)) * normals
    middles, keep = shape[0][shape[1]].mean(axis=1), np.ones(len(shape[1]), bool)
    for centre in middles[rng.choice(len(middles), holes, replace=False)]:
        keep &= np.linalg.norm(middles - centre, axis=1) > 0.06 * extent
    return rounded(vertices, shape[1][keep])


def wheel(spokes: int, wire: float, rim: float = 0.05):
    """A rim, a hub, and spokes that run from one to the other, as on a bicycle."""
    circle = 2.0 * np.pi * np.arange(96) / 96
    hoop = tube(np.column_stack([np.cos(circle), np.sin(circle), 0.0 * circle]), rim, 16)
    hub = bar([0.0, 0.0, -0.16], [0.0, 0.0, 0.16], 0.1, 24)
    parts = [hoop, hub]
    for k in range(spokes):
        out, back = 2.0 * np.pi * k / spokes, 2.0 * np.pi * (k + (1.5 if k % 4 < 2 else -1.5)) / spokes
        start = [0.09 * np.cos(back), 0.09 * np.sin(back), 0.13 * (-1.0) ** k]
        parts.append(bar(start, [np.cos(out), np.sin(out), 0.0], wire, 8))
    return joined(parts)


def sheet(field, cells: int = 24):
    """An open surface over a square: points of a function of x and y."""
    axis = np.linspace(-1.0, 1.0, cells)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    return rounded(np.stack(field(x, y), axis=-1).reshape(-1, 3), grid_faces(cells, cells, False, False))


def moebius(width: float = 0.4, steps: int = 96):
    """The band with one side."""
    t, s = np.meshgrid(np.arange(steps) * 2.0 * np.pi / steps, np.linspace(-1, 1, 9) * width, indexing="ij")
    radius = 1.0 + s * np.cos(0.5 * t)
    vertices = np.stack([radius * np.cos(t), radius * np.sin(t), s * np.sin(0.5 * t)], -1).reshape(-1, 3)
    faces = grid_faces(steps, 9, False, False)
    last, first = (steps - 1) * 9 + np.arange(9), np.arange(9)[::-1]
    a, b, c, d = last[:-1], first[:-1], first[1:], last[1:]
    return rounded(vertices, np.vstack([faces, np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
