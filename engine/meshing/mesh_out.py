"""A zero set as the bytes of a mesh file, in the units of the object that the network was made from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights, write_atomically
from .marching_cubes import ZeroSetMesh, zero_set


def save_mesh(weights: NeuralWeights, resolution: int, path: Path) -> None:
    """Write the zero set on a grid of `resolution` cells a side; the path's ending says the kind.

    Raises:
        FitError: There is no zero set.
        OutputError: The file cannot be written.
    """
    surface = zero_set(weights, resolution)
    write_atomically(path, mesh_bytes(surface, weights, path.suffix.lower().lstrip(".")))


def mesh_bytes(
    surface: ZeroSetMesh,
    network: NeuralWeights,
    kind: str,
    errors: npt.NDArray[np.floating[Any]] | None = None,
) -> bytes:
    """Give the file of a surface; `kind` is ply, obj, stl, off, glb or npz, which also holds a vertex's error (V,)."""
    object_from_unit = np.linalg.inv(network.unit_from_object)
    vertices = surface.vertices_unit @ object_from_unit[:3, :3].T + object_from_unit[:3, 3]
    if kind == "npz":
        stream = io.BytesIO()
        name = np.array(network.description.source.name)
        arrays: dict[str, Any] = {
            "vertices": vertices,
            "triangles": surface.triangles,
            "normals": surface.normals,
        }
        if errors is not None:
            arrays["errors"] = errors
        np.savez(stream, name=name, **arrays)
        return stream.getvalue()
    import trimesh  # 0.5 s

    mesh = trimesh.Trimesh(vertices, surface.triangles, vertex_normals=surface.normals, process=False)
    options: dict[str, Any] = {"vertex_normal": True} if kind == "ply" else {}
    options |= {"include_normals": True} if kind in ("obj", "glb") else {}
    data: Any = mesh.export(file_type=kind, **options)
    return data.encode() if isinstance(data, str) else bytes(data)
