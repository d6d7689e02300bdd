"""`slice`: a plane through the field as a picture, or many planes as a film."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from ..errors import OutputError
from ..formats.weights_files import load_weights
from .compiling import compile_first
from .targets import for_each, targets, weights_to_files

KINDS = ("png", "gif", "mp4", "webm", "mkv")


@click.command("slice")
@weights_to_files(KINDS, "A .png, .gif or video, or a folder with --format.")
@click.option("--axis", type=click.Choice(["x", "y", "z"]), default="z", show_default=True)
@click.option("--at", default=0.0, show_default=True, help="Where on the axis, unit space, -1 to 1.")
@click.option("--sweep", type=click.IntRange(2, 10_000), help="So many planes along the axis, as a film.")
@click.option("--size", default=512, show_default=True, help="Pixels a side.")
@click.option("--spacing", default=0.05, show_default=True, help="Distance between lines, unit space.")
@click.option("--time", default=0.0, show_default=True, help="Of a moving shape (4 inputs).")
@click.option("--rate", type=click.FloatRange(1, 120), default=24.0, show_default=True, help="A second.")
def command(
    weights: tuple[Path, ...],
    output: Path,
    kind: str | None,
    axis: str,
    at: float,
    sweep: int | None,
    size: int,
    spacing: float,
    time: float,
    rate: float,
) -> None:
    """Draw a slice through the fields of WEIGHTS (files or folders): inside blue, outside brown, the surface black.

    A file that fails does not stop the others; then the exit code is 3.
    """
    from ..network.moving_shapes import at_time
    from ..pictures.films import Film
    from ..pictures.slices import slice_picture
    from ..tracing.network_values import NetworkValues

    name = output.name if kind is None else f".{kind}"
    if sweep is None and not name.lower().endswith(".png"):
        raise OutputError(f"{name} is of an unknown kind. One slice is written as .png.")

    def draw(pair: tuple[Path, Path]) -> None:
        path, target = pair
        film = Film(target, rate)
        network = at_time(load_weights(path), time)
        field = NetworkValues(network)
        low, high = network.bounds_unit[:, "xyz".index(axis)]
        places = [at] if sweep is None else np.linspace(low, high, sweep).tolist()
        for place in places:
            picture = slice_picture(field, axis, place, size, spacing)
            if sweep is None:
                film.save_one(picture)
            else:
                film.add(picture)
        film.close()
        where = f"{axis} = {places[0]:g} to {places[-1]:g}"
        click.echo(f"{target}: {len(places)} of {size} x {size} pixels, {where}")

    pairs = targets(weights, output, kind, KINDS)
    compile_first("tracing")
    for_each(pairs, draw)
