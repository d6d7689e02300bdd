"""`mesh`: the zero set of weights files as triangles."""

from __future__ import annotations

import time as clock
from pathlib import Path

import click

from ..errors import OptionError
from ..formats.weights_files import load_weights
from ..network.moving_shapes import at_time
from ..protocol.weights import write_atomically
from .compiling import compile_first
from .devices import device_option
from .targets import for_each, targets, weights_to_files

KINDS = ("ply", "obj", "stl", "off", "glb", "npz")


@click.command()
@weights_to_files(KINDS, f"Mesh file ({', '.join(KINDS)}), or a folder with --format.")
@click.option(
    "--resolution", default=128, show_default=True, help="Cells a side of the grid over [-1, 1]^3, 8 to 2048."
)
@click.option("--time", default=0.0, show_default=True, help="Of a moving shape (4 inputs).")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="The mesh that the weights were made from; an .npz then holds each vertex's distance to it, as `errors`.",
)
@device_option
def command(
    weights: tuple[Path, ...],
    output: Path,
    kind: str | None,
    resolution: int,
    time: float,
    source: Path | None,
) -> None:
    """Extract the zero set of WEIGHTS (files or folders), in the units of the objects they were made from.

    A file that fails does not stop the others; then the exit code is 3.
    """
    from ..measuring.vertex_errors import vertex_errors
    from ..meshing.marching_cubes import zero_set
    from ..meshing.mesh_out import mesh_bytes

    if source is not None and (len(weights) != 1 or weights[0].is_dir() or output.suffix.lower() != ".npz"):
        raise OptionError("--source belongs to one weights file and one .npz. Leave it out, or name those.")

    def mesh(pair: tuple[Path, Path]) -> None:
        path, target = pair
        start = clock.perf_counter()
        network = at_time(load_weights(path), time)
        surface = zero_set(network, resolution)
        errors = None if source is None else vertex_errors(surface.vertices_unit, network, source)
        write_atomically(target, mesh_bytes(surface, network, target.suffix.lower().lstrip("."), errors))
        counts = f"{len(surface.vertices_unit)} vertices, {len(surface.triangles)} triangles, {surface.bound} bounds"
        click.echo(f"{target}: {counts}, {clock.perf_counter() - start:.1f} s")

    pairs = targets(weights, output, kind, KINDS)
    compile_first("tracing")
    for_each(pairs, mesh)
