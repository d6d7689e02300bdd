"""Samples that were made elsewhere: points from .npz or .h5, with their signed distances or without.

The points are an array `points` or `queries` (N, 3), the distances `distances` or `sdf` (N,) or (N, 1), negative inside.
They are in the units of the mesh, unless the file says `space` = "unit": then in those of its enclosing ball, which has
radius 0.9 around the origin. Points without distances get exact ones.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DeviceError, MeshFileError
from ..ground_truth.signed_distance import SurfaceDistance
from ..transforms import transform_points

FloatArray = npt.NDArray[np.floating[Any]]

POINTS, DISTANCES, SPACE = ("points", "queries"), ("distances", "sdf"), "space"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleFile:
    """What a file of samples holds."""

    points: FloatArray  # (N, 3)
    distances: FloatArray | None  # (N,)
    in_unit_space: bool


def load_samples(path: Path) -> SampleFile:
    """Read a file.

    Raises:
        MeshFileError: It is missing, damaged, of an unknown kind, or lacks points.
        DeviceError: It is an .h5 and the package h5py is missing.
    """
    readers = {".npz": _read_npz, ".h5": _read_h5, ".hdf5": _read_h5}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise MeshFileError(f"{path.name} is of an unknown kind. Samples come from .npz or .h5.")
    try:
        arrays = reader(path)
    except OSError as error:
        raise MeshFileError(f"{path} cannot be read: {error.strerror or error}. Check the path.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MeshFileError(f"{path.name} cannot be read ({error}). It may be cut short.") from error
    return _checked(arrays, path.name)


def samples_of(file: SampleFile, truth: SurfaceDistance, name: str) -> FloatArray:
    """Give samples (N, 5) float32 in unit space: x, y, z, signed distance, weight 1.

    Raises:
        MeshFileError: Points lie outside [-1, 1]^3, where no network is trained.
    """
    points, distances = file.points, file.distances
    if not file.in_unit_space:
        points = transform_points(truth.mesh.unit_from_object, points)
        distances = None if distances is None else distances * truth.mesh.scale
    outside = int((np.abs(points) > 1.0 + 1e-6).any(axis=1).sum())
    if outside:
        raise MeshFileError(
            f"{outside} of {len(points)} points of {name} lie outside the box around the mesh, 1.11 times its enclosing "
            "ball. Leave them out, or give the file an entry space = unit where they are in unit space."
        )
    samples = np.ones((len(points), 5), np.float32)
    samples[:, :3] = np.clip(points, -1.0, 1.0)
    samples[:, 3] = truth.signed_distance(samples[:, :3]) if distances is None else distances
    return samples


def _checked(arrays: dict[str, Any], name: str) -> SampleFile:
    points, distances = (
        next((arrays[k] for k in names if k in arrays), None) for names in (POINTS, DISTANCES)
    )
    if points is None:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise MeshFileError(f"{name} has no array {' or '.join(POINTS)}; it holds {held}.")
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or points.dtype.kind not in "fiu":
        raise MeshFileError(f"{name} has points of shape {points.shape}; they must be (N, 3) numbers.")
    if distances is not None:
        distances = distances.reshape(-1)
        if len(distances) != len(points) or distances.dtype.kind not in "fiu":
            raise MeshFileError(f"{name} has {len(points)} points but {len(distances)} distances.")
    if not all(np.isfinite(x).all() for x in (points, distances) if x is not None):
        raise MeshFileError(f"{name} holds numbers that are not finite.")
    space = str(np.asarray(arrays.get(SPACE, "object")).item())
    if space not in ("object", "unit"):
        raise MeshFileError(f"{name} says space = {space!r}; it is object or unit.")
    return SampleFile(points=points, distances=distances, in_unit_space=space == "unit")


def _read_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        return {name: data[name] for name in data.files if name in (*POINTS, *DISTANCES, SPACE)}


def _read_h5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise DeviceError("Reading .h5 needs the package h5py in the engine's environment.") from error
    with h5py.File(path, "r") as data:
        arrays = {name: data[name][()] for name in (*POINTS, *DISTANCES) if name in data}
        space = data.attrs.get(SPACE, data[SPACE][()] if SPACE in data else None)
    if space is not None:
        arrays[SPACE] = space.decode() if isinstance(space, bytes) else space
    return arrays
