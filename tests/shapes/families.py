"""The suite: more than a hundred shapes in named families, each made by code, the same bytes everywhere.

`shapes.json` lists them with the SHA-256 of their triangles; `python -m tests.shapes.families` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import trimesh

from engine.ground_truth.mesh import Mesh
from engine.ground_truth.mesh_files import load_mesh
from tests.shapes import growth as g
from tests.shapes import outlines as o
from tests.shapes import parametric as p

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("shapes.json")
Arrays = tuple[np.ndarray, np.ndarray]
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_EDGES = [(i, j) for i in range(8) for j in range(i) if (CUBE[i] != CUBE[j]).sum() == 1]
ICO = np.asarray(trimesh.creation.icosahedron().vertices)
_HALF = np.flatnonzero(ICO @ [1.0, 0.1, 0.01] > 0.0)  # one of each two opposite corners
ICO_EDGES = [(i, j) for i in range(12) for j in range(i) if np.linalg.norm(ICO[i] - ICO[j]) < 1.2]
L_OUTLINE = [[0, 0], [2, 0], [2, 0.4], [0.4, 0.4], [0.4, 2], [0, 2]]
I_OUTLINE = [[-1, -1], [1, -1], [1, -0.7], [0.2, -0.7], [0.2, 0.7], [1, 0.7]]
I_OUTLINE += [[1, 1], [-1, 1], [-1, 0.7], [-0.2, 0.7], [-0.2, -0.7], [-1, -0.7]]


def spot() -> Arrays:
    mesh = load_mesh(ROOT / "examples/spot.obj")
    return mesh.vertices, mesh.faces


def _waves(frequency: float, offset: float, kind: str):
    def field(points):
        x, y, z = (frequency * np.pi * points).T
        gyroid = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        primitive = np.cos(x) + np.cos(y) + np.cos(z)
        wave = gyroid if kind == "gyroid" else primitive
        ball = (np.linalg.norm(points, axis=1) - 0.95) * 3.0
        return np.maximum(np.abs(wave) - offset if kind == "gyroid" else wave - offset, ball)

    return field


def _tori(count: int):
    """Tori in a row, joined: genus `count`."""

    def field(points):
        best = np.full(len(points), 10.0)
        for k in range(count):
            q = points - [0.9 * (k - 0.5 * (count - 1)) / count * 2.0, 0.0, 0.0]
            ring = np.hypot(q[:, 0], q[:, 1]) - 0.9 / count
            best = np.minimum(best, np.hypot(ring, q[:, 2]) - 0.28 / count)
        return best

    return field


def _supershape(m: float, bumps: float):
    def field(points):
        radius = np.linalg.norm(points, axis=1)
        around, up = np.arctan2(points[:, 1], points[:, 0]), points[:, 2] / np.maximum(radius, 1e-9)
        return radius - 0.65 - bumps * np.cos(m * around) * (1.0 - up**2) ** 2

    return field


def _drilled(points):
    """A block with a bore along each axis."""
    block = np.abs(points).max(axis=1) - 0.8
    bores = [np.hypot(points[:, i], points[:, j]) - 0.4 for i, j in ((0, 1), (1, 2), (0, 2))]
    return np.maximum(block, -np.minimum.reduce(bores))


def _helix(turns: float, wire: float, steps: int) -> Arrays:
    t = np.linspace(0.0, 2.0 * np.pi * turns, steps)
    curve = np.stack([np.cos(t), np.sin(t), 1.6 * (t / t[-1] - 0.5)], axis=1)
    return p.tube(curve, wire, 12, closed=False)


def _lissajous(a: int, b: int, c: int, radius: float) -> Arrays:
    t = 2.0 * np.pi * np.arange(320) / 320
    return p.tube(np.stack([np.cos(a * t + 0.7), np.cos(b * t + 0.2), np.cos(c * t)], axis=1), radius, 14)


def _spiral(radius: float) -> Arrays:
    t = np.linspace(0.5, 6.0 * np.pi, 240)
    curve = np.stack([0.05 * t * np.cos(t), 0.05 * t * np.sin(t), 0.02 * t], axis=1)
    return p.tube(curve, np.linspace(0.3, 1.0, 240) * radius, 14, closed=False)


def _bumpy_knot() -> Arrays:
    t = 2.0 * np.pi * np.arange(240) / 240
    curve = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], axis=1)
    return p.tube(curve, 0.35 + 0.15 * np.sin(9 * t), 16)


def _hemisphere(drop: float) -> Arrays:
    vertices, faces = g.ball(subdivisions=4)
    return vertices, faces[vertices[faces].mean(axis=1)[:, 2] > drop]


def _without_caps(shape: Arrays, low: bool, high: bool) -> Arrays:
    """A pipe without the faces at its ends."""
    z = shape[0][shape[1]][:, :, 2]
    at_low = (z < shape[0][:, 2].min() + 1e-6).all(axis=1)
    at_high = (z > shape[0][:, 2].max() - 1e-6).all(axis=1)
    return shape[0], shape[1][~((at_low & low) | (at_high & high))]


def _link(k: int) -> Arrays:
    t = 2.0 * np.pi * np.arange(64) / 64
    curve = np.stack([np.cos(t) * 0.6 + 0.75 * k, np.sin(t) * 0.4, 0.0 * t], axis=1)
    return p.tube(curve if k % 2 == 0 else curve[:, [0, 2, 1]], 0.12, 12)


def _hollow(outer: Arrays, *cavities: Arrays) -> Arrays:
    return g.joined([outer, *(g.inside_out(cavity) for cavity in cavities)])


C = trimesh.creation
FAMILIES: dict[str, dict[str, Callable[[], Arrays]]] = {
    "solids": {
        "cube": lambda: g.box((1, 1, 1)),
        "brick": lambda: g.box((1, 2, 0.6)),
        "ball": lambda: g.ball(subdivisions=4),
        "coarse-ball": lambda: g.ball(subdivisions=1),
        "cylinder": lambda: g.of(C.cylinder(0.6, 1.8, 48)),
        "cone": lambda: g.of(C.cone(0.8, 1.6, 48)),
        "capsule": lambda: g.of(C.capsule(1.2, 0.5)),
        "torus": lambda: g.of(C.torus(1.0, 0.4)),
        "annulus": lambda: g.of(C.annulus(0.5, 1.0, 0.6)),
        "icosahedron": lambda: (np.round(ICO, 6), np.asarray(C.icosahedron().faces)),
        "ellipsoid": lambda: (g.ball(subdivisions=4)[0] * [1.0, 0.6, 0.4], g.ball(subdivisions=4)[1]),
        "rounded-box": lambda: p.rounded_box((0.9, 0.6, 0.5), 0.2),
    },
    "cad": {
        "gear-8": lambda: o.gear(8, 0.4),
        "gear-20": lambda: o.gear(20, 0.5, 0.12),
        "star-5": lambda: o.star(5, 0.45, 0.4),
        "star-9": lambda: o.star(9, 0.7, 0.7),
        "bracket": lambda: o.extruded(L_OUTLINE, 0.9),
        "beam": lambda: o.extruded(I_OUTLINE, 3.0),
        "stepped-shaft": lambda: o.turned(
            [[0.05, -1], [0.5, -1], [0.5, -0.3], [0.8, -0.3], [0.8, 0.1], [0.3, 0.1], [0.3, 1], [0.05, 1]]
        ),
        "flange": lambda: o.turned([[0.3, -0.8], [0.5, -0.8], [0.5, 0.2], [1, 0.2], [1, 0.5], [0.3, 0.5]]),
        "pulley": lambda: o.turned([[0.2, -0.4], [1, -0.4], [0.65, 0], [1, 0.4], [0.2, 0.4]]),
        "nut": lambda: o.turned([[0.5, -0.35], [1, -0.35], [1, 0.35], [0.5, 0.35]], 6),
        "drilled-block": lambda: p.level_set(_drilled, 56, 0.9),
    },
    "organic": {
        "spot": spot,
        **{f"blob-{k}": (lambda k=k: p.blob(k, 5 + k)) for k in range(6)},
        "flower": lambda: p.level_set(_supershape(5, 0.25), 56),
        "urchin": lambda: p.level_set(_supershape(9, 0.18), 64),
        "pillow": lambda: p.level_set(_supershape(2, 0.2), 48),
    },
    "thin": {
        "plate-1": lambda: g.slab((1.4, 1.0, 0.017)),
        "plate-2": lambda: g.slab((1.4, 1.0, 0.034)),
        "plate-3": lambda: g.slab((1.4, 1.0, 0.052)),
        "needle": lambda: g.bar([0, 0, -1], [0, 0, 1], 0.02),
        "wire-ring": lambda: p.tube(_circle(96), 0.02),
        "coil": lambda: _helix(4, 0.03, 320),
        "wheel": lambda: g.wheel(24, 0.016),
        "needles": lambda: g.bars(
            np.vstack([ICO[_HALF], -ICO[_HALF]]), [(k, k + 6) for k in range(6)], 0.025
        ),
        "bowl": lambda: _hollow(_hemisphere(0.0), g.moved(_hemisphere(0.0), (0, 0, 0), 0.95)),
        "grille": lambda: g.joined(
            [g.box((0.03, 1.2, 0.03), (x, 0, 0)) for x in np.linspace(-0.6, 0.6, 9)]
            + [g.box((1.3, 0.03, 0.03), (0, y, 0)) for y in (-0.6, 0.0, 0.6)]
        ),
    },
    "high-genus": {
        "gyroid": lambda: p.level_set(_waves(2.0, 0.45, "gyroid"), 64),
        "gyroid-fine": lambda: p.level_set(_waves(3.0, 0.5, "gyroid"), 72),
        "schwarz": lambda: p.level_set(_waves(2.0, 0.0, "primitive"), 64),
        "schwarz-fine": lambda: p.level_set(_waves(3.0, 0.2, "primitive"), 72),
        "two-holes": lambda: p.level_set(_tori(2), 64),
        "four-holes": lambda: p.level_set(_tori(4), 80),
        "cube-frame": lambda: g.bars(CUBE, CUBE_EDGES, 0.16),
        "icosahedron-frame": lambda: g.bars(ICO, ICO_EDGES, 0.1),
        "lattice": lambda: g.joined(
            [
                g.box(np.where(np.eye(3)[a], 1.8, 0.16), np.insert([y, z], a, 0.0))
                for a in range(3)
                for y in (-0.6, 0.0, 0.6)
                for z in (-0.6, 0.0, 0.6)
            ]
        ),
    },
    "nested": {
        "hollow-ball": lambda: _hollow(g.ball(), g.ball(0.6)),
        "hollow-box": lambda: _hollow(g.box((1.6, 1.6, 1.6)), g.box((1.1, 1.1, 1.1))),
        "ball-in-ball": lambda: g.joined([_hollow(g.ball(), g.ball(0.75)), g.ball(0.45)]),
        "solid-in-solid": lambda: g.joined([g.ball(), g.box((0.8, 0.8, 0.8))]),
        "two-cavities": lambda: _hollow(
            g.box((2, 1, 1)), g.ball(0.35, (0.5, 0, 0)), g.ball(0.35, (-0.5, 0, 0))
        ),
        "torus-cavity": lambda: _hollow(g.of(C.cylinder(1.0, 0.9, 48)), g.of(C.torus(0.55, 0.22))),
        "onion": lambda: g.joined(
            [_hollow(g.ball(1.0), g.ball(0.85)), _hollow(g.ball(0.65), g.ball(0.5)), g.ball(0.3)]
        ),
    },
    "open": {
        "hemisphere": lambda: _hemisphere(0.0),
        "ball-with-hole": lambda: _hemisphere(-0.8),
        "pipe": lambda: _without_caps(
            p.tube(np.linspace([0, 0, -1], [0, 0, 1], 9), 0.5, 32, False), True, True
        ),
        "cup": lambda: _without_caps(
            p.tube(np.linspace([0, 0, -1], [0, 0, 1], 9), 0.7, 32, False), False, True
        ),
        "open-box": lambda: _without_caps(g.box((1.2, 1.2, 1.0)), False, True),
        "sheet": lambda: g.sheet(lambda x, y: (x, y, 0.0 * x)),
        "saddle": lambda: g.sheet(lambda x, y: (x, y, 0.4 * (x * x - y * y))),
        "curtain": lambda: g.sheet(lambda x, y: (x, 0.2 * np.sin(7.0 * x), y)),
        "moebius": g.moebius,
        "spot-with-holes": lambda: g.scanned(spot(), 0.0, 6, 1),
    },
    "scans": {
        **{
            f"ball-scan-{k}": (lambda k=k: g.scanned(g.ball(subdivisions=5), 0.002 * k, 4 * k, k))
            for k in (1, 2, 3)
        },
        **{f"spot-scan-{k}": (lambda k=k: g.scanned(spot(), 0.001 * k, 5 * k, k)) for k in (1, 2, 3)},
        **{f"blob-scan-{k}": (lambda k=k: g.scanned(p.blob(k, 7), 0.0015 * k, 6, k)) for k in (1, 2)},
    },
    "text": {
        **{f"letter-{c}": (lambda c=c: o.letters(c)) for c in "AERSX8"},
        "word-SUN": lambda: o.letters("SUN", resolution=112),
        "word-MIX": lambda: o.letters("MIX", resolution=112),
        "word-NEURAL": lambda: o.letters("NEURAL", 0.7, resolution=144),
    },
    "curves": {
        "trefoil": lambda: p.knot(2, 3, 0.4),
        "knot-3-4": lambda: p.knot(3, 4, 0.28, 320),
        "knot-2-5": lambda: p.knot(2, 5, 0.35, 320),
        "knot-3-5": lambda: p.knot(3, 5, 0.25, 400),
        "bumpy-trefoil": _bumpy_knot,
        "spring": lambda: _helix(3, 0.14, 240),
        "lissajous-3-4-5": lambda: _lissajous(3, 4, 5, 0.08),
        "lissajous-2-3-7": lambda: _lissajous(2, 3, 7, 0.07),
        "spiral": lambda: _spiral(0.12),
    },
    "plants": {f"plant-{k}": (lambda k=k: g.plant(k, 4 if k < 4 else 5)) for k in range(1, 6)},
    "relief": {f"relief-{k}": (lambda k=k: g.relief(k, height=0.3 + 0.1 * k)) for k in range(1, 6)},
    "assemblies": {
        "overlapping-balls": lambda: g.joined([g.ball(), g.ball(0.8, (1.0, 0.2, 0.0))]),
        "chain": lambda: g.joined([_link(k) for k in range(4)]),
        "table": lambda: g.joined(
            [g.box((2, 1.2, 0.15), (0, 0, 0.6))]
            + [g.box((0.15, 0.15, 1.2), (x, y, 0)) for x in (-0.9, 0.9) for y in (-0.5, 0.5)]
        ),
        "beads": lambda: g.joined([g.ball(0.22, c, 2) for c in ICO]),
        "bricks": lambda: g.joined(
            [
                g.box((0.62, 0.3, 0.28), (0.64 * i + 0.32 * (j % 2), 0.0, 0.3 * j))
                for i in range(3)
                for j in range(4)
            ]
        ),
        "twisted-boxes": lambda: g.joined(
            [
                g.moved((np.round(v @ _turn(0.4 * k), 6), f), (0, 0, 0.24 * k))
                for k in range(6)
                for v, f in [g.box((1, 1, 0.3))]
            ]
        ),
    },
}


def _circle(steps: int):
    t = 2.0 * np.pi * np.arange(steps) / steps
    return np.column_stack([np.cos(t), np.sin(t), 0.0 * t])


def _turn(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


NAMES = {name: family for family, shapes in FAMILIES.items() for name in shapes}


@cache
def shape(name: str) -> Mesh:
    """Make one shape of the suite."""
    vertices, faces = FAMILIES[NAMES[name]][name]()
    return Mesh(name=name, vertices=np.asarray(vertices, np.float64), faces=np.asarray(faces, np.int64))


def listed() -> dict[str, dict]:
    """What `shapes.json` says of each shape."""
    return json.loads(LIST.read_text())


def entry(name: str) -> dict:
    mesh = shape(name)
    return {
        "family": NAMES[name],
        "num_vertices": len(mesh.vertices),
        "num_faces": len(mesh.faces),
        "sha256": mesh.digest(),
    }


if __name__ == "__main__":
    LIST.write_text(json.dumps({name: entry(name) for name in NAMES}, indent=1) + "\n")
