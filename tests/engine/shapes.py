"""Small meshes for the tests, as vertices (V, 3) float64 and faces (F, 3), and a slow signer to compare with."""

import numpy as np
import trimesh

from engine.ground_truth.mesh import Mesh, UnitMesh, check_mesh, to_unit


def mesh(vertices, faces, name="shape") -> Mesh:
    return Mesh(name=name, vertices=np.array(vertices, np.float64), faces=np.array(faces, np.int64))


def from_trimesh(shape: trimesh.Trimesh) -> Mesh:
    return mesh(shape.vertices, shape.faces)


def sphere(subdivisions: int = 3) -> Mesh:
    return from_trimesh(trimesh.creation.icosphere(subdivisions))


def box(extents=(1.0, 1.0, 1.0)) -> Mesh:
    return from_trimesh(trimesh.creation.box(extents))


def triangle() -> Mesh:
    return mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])


def sheet(cells: int = 8) -> Mesh:
    axis = np.linspace(-1.0, 1.0, cells + 1)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return mesh(np.stack([x, y, 0.0 * x], -1).reshape(-1, 3), faces)


def unit(shape: Mesh) -> UnitMesh:
    return to_unit(check_mesh(shape))


def winding_numbers(shape: UnitMesh, points: np.ndarray) -> np.ndarray:
    """Sum the solid angles of all triangles, in float64 [Van Oosterom and Strackee 1983]."""
    a, b, c = (shape.triangles()[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    above = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(above, below).sum(axis=1) / (2.0 * np.pi)
