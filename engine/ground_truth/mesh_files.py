"""Mesh files to triangles: obj, stl, ply, off, glb, gltf and 3mf through trimesh, and the add-on's .npz.

The .npz holds `vertices` (V, 3) float64 in object space, `triangles` (T, 3) integers and `name`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EngineError, MeshFileError
from .mesh import Mesh

KINDS = (".obj", ".stl", ".ply", ".off", ".glb", ".gltf", ".3mf", ".npz")


def load_mesh(path: Path) -> Mesh:
    """Read a mesh file; a scene's parts are put in their places and joined.

    Raises:
        MeshFileError: The file is missing, empty, truncated or of an unknown kind.
    """
    kind = path.suffix.lower()
    if not path.is_file():
        raise MeshFileError(f"{path} is not there. Check the path.")
    if kind not in KINDS:
        raise MeshFileError(
            f"{path.name} is of an unknown kind. Use one of {', '.join(k[1:] for k in KINDS)}."
        )
    try:
        if path.stat().st_size == 0:
            raise MeshFileError(f"{path.name} is empty. Export the mesh again.")
        vertices, faces, name = _read_npz(path) if kind == ".npz" else _read_with_trimesh(path)
    except OSError as error:
        raise MeshFileError(
            f"{path} cannot be read: {error.strerror or error}. Check its permissions."
        ) from error
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise _damaged(path, "its faces name vertices it does not hold")
    return Mesh(name=name, vertices=vertices, faces=faces)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            vertices, faces, name = data["vertices"], data["triangles"], str(data["name"])
        return (
            np.asarray(vertices, np.float64).reshape(-1, 3),
            np.asarray(faces, np.int64).reshape(-1, 3),
            name,
        )
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error


def _read_with_trimesh(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    import trimesh  # 0.3 s, so only when a file needs it

    try:
        # else an .obj's vertices are split at seams of its UV map, in an order that depends on the processor
        as_written: dict[str, Any] = {"maintain_order": True} if path.suffix.lower() == ".obj" else {}
        loaded: Any = trimesh.load_scene(path, process=False, **as_written)
        parts = [part for part in loaded.dump() if isinstance(part, trimesh.Trimesh)]
    except (EngineError, OSError, MemoryError):
        raise
    except Exception as error:  # trimesh raises anything on a damaged file: a boundary, so all is caught
        raise _damaged(path, str(error) or type(error).__name__) from error
    if not parts:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64), path.stem
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([np.asarray(part.vertices, np.float64) for part in parts])
    faces = np.concatenate([np.asarray(part.faces, np.int64) + start for part, start in zip(parts, offsets)])
    return vertices, faces, path.stem


def _damaged(path: Path, why: str) -> MeshFileError:
    return MeshFileError(f"{path.name} cannot be read ({why}). It may be cut short: export the mesh again.")
