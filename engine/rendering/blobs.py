"""Large inputs of a scene: files `blobs/<sha256>` that are checked before they are believed."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import SceneError
from ..protocol.scene import ArrayBlob, MeshGeometry
from ..transforms import Array

MAX_BLOB_BYTES = 1 << 34
_NAME = re.compile(r"[0-9a-f]{64}")


def read_blob(folder: Path, sha256: str) -> bytes:
    """Give a blob's bytes.

    Raises:
        SceneError: It is missing, or its bytes are not those its name promises.
    """
    if not _NAME.fullmatch(sha256):
        raise SceneError("The scene names data by something that is not a SHA-256; update the add-on.")
    try:
        data = (folder / sha256).read_bytes()
    except OSError as error:
        raise SceneError(
            f"The scene's data {sha256[:12]} cannot be read ({error.strerror}); draw the view again, "
            "and if that does not help restart the engine."
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SceneError(
            f"The scene's data {sha256[:12]} is damaged (is the disk full?); draw the view again."
        )
    return data


def read_array(folder: Path, blob: ArrayBlob) -> Array:
    """Give a blob as an array of its dtype and shape.

    Raises:
        SceneError: It is missing or damaged, or its size is not what the scene says.
    """
    dtype = np.dtype(blob.dtype).newbyteorder("<")
    if any(n < 0 for n in blob.shape) or math.prod(blob.shape) * dtype.itemsize > MAX_BLOB_BYTES:
        raise SceneError(f"An array of shape {blob.shape} is impossible; update the add-on.")
    data = read_blob(folder, blob.sha256)
    if len(data) != math.prod(blob.shape) * dtype.itemsize:
        raise SceneError(
            f"The scene's data {blob.sha256[:12]} is not of shape {blob.shape}; draw the view again."
        )
    return np.frombuffer(data, dtype).reshape(blob.shape).astype(blob.dtype)


class GeometryArrays(NamedTuple):
    """What a geometry's blobs hold."""

    vertices: Array  # (V, 3) float32
    triangles: Array  # (T, 3) int32
    corner_normals: Array | None  # (T, 3, 3) float32
    triangle_materials: Array | None  # (T,) int32
    corner_uvs: Array | None  # (T, 3, 2) float32


def read_geometry(folder: Path, geometry: MeshGeometry) -> GeometryArrays:
    """Give a geometry's arrays.

    Raises:
        SceneError: An array is missing or damaged, has another shape, or names vertices that are not there.
    """
    vertices = _shaped(read_array(folder, geometry.vertices), (3,), "float32", "vertices")
    triangles = _shaped(read_array(folder, geometry.triangles), (3,), "int32", "triangles")
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise SceneError(
            "A mesh has triangles that name vertices it does not have; check it (Mesh > Clean Up)."
        )
    if not np.isfinite(vertices).all():
        raise SceneError("A mesh has coordinates that are not finite numbers; repair or remove them.")
    normals = materials = uvs = None
    if geometry.corner_normals is not None:
        normals = _shaped(read_array(folder, geometry.corner_normals), (3, 3), "float32", "corner normals")
        normals = np.nan_to_num(normals, nan=0.0, posinf=0.0, neginf=0.0)
    if geometry.triangle_materials is not None:
        materials = _shaped(
            read_array(folder, geometry.triangle_materials), (), "int32", "triangle materials"
        )
    if geometry.corner_uvs is not None:
        uvs = _shaped(read_array(folder, geometry.corner_uvs), (3, 2), "float32", "UV coordinates")
    for extra in (normals, materials, uvs):
        if extra is not None and len(extra) != len(triangles):
            raise SceneError(
                "A mesh has normals, materials or UVs for another number of triangles; draw it again."
            )
    return GeometryArrays(vertices, triangles, normals, materials, uvs)


def _shaped(array: Array, row: tuple[int, ...], dtype: str, what: str) -> Array:
    if array.ndim != 1 + len(row) or array.shape[1:] != row or array.dtype != dtype:
        raise SceneError(f"A mesh has {what} of the wrong shape or type; update the add-on and the engine.")
    return array
