"""Small vector algebra on arrays of points and directions, in double precision.

Matrices are (4, 4) float64 and read right to left; points and directions are (N, 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import SceneError

Array = npt.NDArray[Any]


def matrix(values: tuple[float, ...], what: str) -> Array:
    """Give 16 row-major numbers as a (4, 4) float64 matrix.

    Raises:
        SceneError: There are not 16, or one is not finite.
    """
    if len(values) != 16 or not np.isfinite(values).all():
        raise SceneError(f"The matrix of {what} must be 16 finite numbers; check its transform.")
    return np.array(values, np.float64).reshape(4, 4)


def is_invertible(world_from_object: Array) -> bool:
    """Whether a transform keeps volume, so that rays can be taken back through it."""
    linear = world_from_object[:3, :3]
    size = np.linalg.norm(linear, axis=0)
    if not (size > 0.0).all():
        return False
    return bool(abs(np.linalg.det(linear / size)) > 1e-9)


def transform_points(target_from_source: Array, points: Array) -> Array:
    """Give points (N, 3) in the target space; the matrix is affine."""
    moved: Array = np.einsum("nj,ij->ni", points, target_from_source[:3, :3]) + target_from_source[:3, 3]
    return moved


def transform_directions(target_from_source: Array, directions: Array) -> Array:
    """Give directions (N, 3) in the target space, their length not normalised."""
    turned: Array = np.einsum("nj,ij->ni", directions, target_from_source[:3, :3])
    return turned


def transform_normals(source_from_target: Array, normals: Array) -> Array:
    """Give unit normals (N, 3) in the target space: by the inverse transpose, so shear and mirrors are right."""
    return normalized(np.einsum("nj,ji->ni", normals, source_from_target[:3, :3]))


def dot(a: Array, b: Array) -> Array:
    """Give the dot products (N,) of rows."""
    products: Array = np.einsum("ni,ni->n", a, b)
    return products


def normalized(vectors: Array) -> Array:
    """Give rows of length 1; zero rows stay zero."""
    length = np.sqrt(dot(vectors, vectors))
    scaled: Array = vectors / np.where(length > 0.0, length, 1.0)[:, None]
    return scaled


def orthonormal_basis(normals: Array) -> tuple[Array, Array]:
    """Give two unit vectors (N, 3) that span the plane across each unit normal [Duff 2017].

    [Duff 2017] T. Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017.
    """
    x, y, z = normals[:, 0], normals[:, 1], normals[:, 2]
    sign = np.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    tangent = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=1)
    bitangent = np.stack([b, sign + y * y * a, -y], axis=1)
    return tangent, bitangent


def clip_to_box(
    origins: Array, directions: Array, box: Array, t_min: Array, t_max: Array
) -> tuple[Array, Array]:
    """Give the part of each ray inside a box (2, 3): t_enter and t_exit (N,); t_enter > t_exit where it passes by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / directions
        low, high = (box[0] - origins) * inverse, (box[1] - origins) * inverse
    # A ray along a face gives 0 * inf = nan: fmin and fmax then leave that axis unbounded.
    near, far = np.fmin(low, high), np.fmax(low, high)
    near, far = (
        np.nan_to_num(near, nan=-np.inf, neginf=-np.inf),
        np.nan_to_num(far, nan=np.inf, posinf=np.inf),
    )
    return np.maximum(near.max(axis=1), t_min), np.minimum(far.min(axis=1), t_max)
