"""`mesh`: the zero set of weights files as triangles."""

from __future__ import annotations

import io
import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..formats.weights_files import load_weights
from ..moving_shapes import at_time
from ..protocol.weights import NeuralWeights, write_atomically
from .devices import device_option
from .targets import targets

if TYPE_CHECKING:
    from ..meshing import ZeroSetMesh

KINDS = ("ply", "obj", "stl", "off", "glb", "npz")


@click.command()
@click.argument("weights", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help=f"Mesh file ({', '.join(KINDS)}), or a folder with --format.",
)
@click.option("--format", "kind", type=click.Choice(KINDS), help="Kind of the files in a folder.")
@click.option(
    "--resolution", default=128, show_default=True, help="Cells a side of the grid over [-1, 1]^3, 8 to 2048."
)
@click.option("--time", default=0.0, show_default=True, help="Of a moving shape (4 inputs).")
@device_option
def command(weights: tuple[Path, ...], output: Path, kind: str | None, resolution: int, time: float) -> None:
    """Extract the zero set of WEIGHTS (files or folders), in the units of the objects they were made from."""
    from ..meshing import zero_set

    for path, target in targets(weights, output, kind, KINDS):
        start = clock.perf_counter()
        network = at_time(load_weights(path), time)
        surface = zero_set(network, resolution)
        write_atomically(target, _file(surface, network, target.suffix.lower().lstrip(".")))
        counts = f"{len(surface.vertices_unit)} vertices, {len(surface.triangles)} triangles, {surface.bound} bounds"
        click.echo(f"{target}: {counts}, {clock.perf_counter() - start:.1f} s")


def _file(surface: ZeroSetMesh, network: NeuralWeights, kind: str) -> bytes:
    object_from_unit = np.linalg.inv(network.unit_from_object)
    vertices = surface.vertices_unit @ object_from_unit[:3, :3].T + object_from_unit[:3, 3]
    if kind == "npz":
        stream = io.BytesIO()
        name = np.array(network.description.source.name)
        arrays = {"vertices": vertices, "triangles": surface.triangles, "normals": surface.normals}
        np.savez(stream, name=name, **arrays)  # type: ignore[arg-type]
        return stream.getvalue()
    import trimesh  # 0.5 s

    mesh = trimesh.Trimesh(vertices, surface.triangles, vertex_normals=surface.normals, process=False)
    options: dict[str, Any] = {"vertex_normal": True} if kind == "ply" else {}
    options |= {"include_normals": True} if kind in ("obj", "glb") else {}
    data: Any = mesh.export(file_type=kind, **options)
    return data.encode() if isinstance(data, str) else bytes(data)
