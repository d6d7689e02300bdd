"""`mesh`: the zero set of weights files as triangles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from ..errors import OutputError
from ..protocol.weights import NeuralWeights, write_atomically

KINDS = ("ply", "obj", "stl", "off", "glb")


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help=f"Mesh file: {', '.join(KINDS)}."
)
@click.option(
    "--resolution", default=128, show_default=True, help="Cells a side of the grid over the shape's box."
)
def command(weights: Path, output: Path, resolution: int) -> None:
    """Extract the zero set of WEIGHTS, in the units of the object it was made from."""
    kind = output.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise OutputError(f"{output.name} is of an unknown kind. Use one of {', '.join(KINDS)}.")
    network = NeuralWeights.load(weights)
    import trimesh  # 0.5 s

    from ..meshing import zero_set

    surface = zero_set(network, resolution)
    object_from_unit = np.linalg.inv(network.unit_from_object)
    vertices = surface.vertices_unit @ object_from_unit[:3, :3].T + object_from_unit[:3, 3]
    mesh = trimesh.Trimesh(vertices, surface.triangles, vertex_normals=surface.normals, process=False)
    data: Any = mesh.export(file_type=kind)
    write_atomically(output, data.encode() if isinstance(data, str) else data)
    click.echo(
        f"{output}: {len(vertices)} vertices, {len(surface.triangles)} triangles, {surface.bound} bounds"
    )
