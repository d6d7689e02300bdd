"""Faces that lie inside the solid, and lids that part nothing: they bound nothing, so the distance must not see them.

Where parts overlap, or a part lies inside another one, the boundary of what is inside is less than all the faces.
A face that is buried only in part is cut in four, again and again, which changes no point of the surface.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .mesh import UnitMesh
from .signed_distance import SurfaceDistance

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

OFFSET = 5e-4  # unit space: how far from a face its two sides are asked
COARSEST = 0.15  # longest edge that four probes can speak for
FINEST = 0.03  # longest edge that is not cut any more
MOST_FACES = 1_000_000  # pieces; beyond that the rest is kept as it is
PROBES = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / [[3.0], [6.0], [6.0], [6.0]]  # barycentric


def visible_surface(
    mesh: UnitMesh, solid: SurfaceDistance, num_lid_faces: int
) -> tuple[UnitMesh, IntArray, int]:
    """Drop what bounds nothing.

    Args:
        mesh: Faces in unit space, the last `num_lid_faces` of which are lids.
        solid: Says what is inside.
        num_lid_faces: How many are lids.

    Returns:
        The faces that are left, cut up where they had to be; for each the face it comes from, in order; and how many
        faces that are no lids lost something.
    """
    num_given = len(mesh.faces) - num_lid_faces
    lost: list[IntArray] = []
    faces, origin = mesh.faces, np.arange(len(mesh.faces))
    vertices, count = [mesh.vertices], len(mesh.vertices)
    kept: list[IntArray] = []
    kept_origin: list[IntArray] = []
    while len(faces):
        everything = np.concatenate(vertices)
        corners = everything[faces]
        buried = _buried(corners, solid, origin >= num_given)
        some, all_of_it = buried.any(axis=1), buried.all(axis=1)
        longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
        cut = (some & ~all_of_it & (longest > FINEST)) | (longest > COARSEST)
        if 4 * int(cut.sum()) + sum(len(pieces) for pieces in kept) > MOST_FACES:
            cut[:] = False
        whole = ~cut & ~all_of_it
        kept.append(faces[whole])
        kept_origin.append(origin[whole])
        lost.append(origin[~whole & ~cut])
        middles = 0.5 * (corners[cut] + np.roll(corners[cut], -1, axis=1))
        faces, origin = _quartered(faces[cut], count), np.repeat(origin[cut], 4)
        vertices.append(middles.reshape(-1, 3))
        count += 3 * len(middles)
    order = np.argsort(np.concatenate(kept_origin), kind="stable")
    visible = replace(mesh, vertices=np.concatenate(vertices), faces=np.concatenate(kept)[order])
    gone = np.unique(np.concatenate(lost))
    return visible, np.concatenate(kept_origin)[order], int((gone < num_given).sum())


def _quartered(faces: IntArray, first: int) -> IntArray:
    """Cut faces at the middles of their edges, whose numbers begin at `first`, three to a face."""
    a, b, c = faces.T
    ab, bc, ca = (first + 3 * np.arange(len(faces)) + k for k in range(3))
    rows = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
    return np.array(rows, np.int64).transpose(2, 0, 1).reshape(-1, 3)


def _buried(corners: FloatArray, solid: SurfaceDistance, lid: BoolArray) -> BoolArray:
    """Say at four points of each face (F, 4) whether both sides are inside, or for a lid whether they are alike."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    points = np.einsum("pk,fkx->fpx", PROBES, corners)
    sides = [points + side * OFFSET * normals[:, None] for side in (1.0, -1.0)]
    reach = np.full(points.size // 3, 2.0 * OFFSET)
    inside = [solid.signed_distance(side.reshape(-1, 3), reach) < 0.0 for side in sides]
    both = (inside[0] & inside[1]).reshape(len(corners), len(PROBES))
    alike = (inside[0] == inside[1]).reshape(len(corners), len(PROBES))
    useless: BoolArray = np.where(lid[:, None], alike, both)
    return useless
