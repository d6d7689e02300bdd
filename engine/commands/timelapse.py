"""`timelapse`: a film of a network while it is trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("mesh", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A .gif, .mp4 or .png.")
@click.option(
    "--preset", type=click.Choice(["draft", "standard", "fine"]), default="draft", show_default=True
)
@click.option("--pictures", type=click.IntRange(2, 1000), default=40, show_default=True)
@click.option("--panel", default=320, show_default=True, help="Pixels a side of each of the three panels.")
@click.option(
    "--axis", type=click.Choice(["x", "y", "z"]), default="x", show_default=True, help="Of the slice."
)
@click.option("--at", default=0.0, show_default=True, help="Where the slice is, unit space.")
@click.option(
    "--view", type=(float, float), default=(35.0, 20.0), show_default=True, metavar="AZIMUTH ELEVATION"
)
@click.option("--up", type=click.Choice(["y", "z"]), default="y", show_default=True)
@click.option("--width", type=int, help="Units of a hidden layer.")
@click.option("--depth", type=int, help="Hidden layers.")
@click.option("--activation", type=str, help="As in convert.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 120), default=8.0, show_default=True, help="A second.")
def command(mesh: Path, output: Path, pictures: int, rate: float, **chosen: Any) -> None:
    """Fit a network to MESH and film it: the shape, its distance to MESH, a slice, and the error against time.

    Blue is on the source, red a fiftieth of unit space off.
    """
    from ..conversion.presets import convert_options
    from ..ground_truth.mesh import check_mesh, to_unit
    from ..ground_truth.mesh_files import load_mesh
    from ..ground_truth.sign_doctor import examine
    from ..pictures import timelapse
    from ..pictures.films import Film
    from ..pictures.portrait import View

    film = Film(output, rate)
    azimuth, elevation = chosen["view"]
    options = timelapse.FilmOptions(
        panel=chosen["panel"],
        view=View(azimuth_deg=azimuth, elevation_deg=elevation, up=chosen["up"]),
        axis=chosen["axis"],
        at=chosen["at"],
    )
    settings = {name: chosen[name] for name in ("preset", "width", "depth", "activation", "seed")}
    run = convert_options(output=output, **settings).fit
    source = check_mesh(load_mesh(mesh))
    diagnosis = examine(to_unit(source), None)
    with click.progressbar(length=1000, label="fitting", file=sys.stderr) as bar:

        def tell(share: float) -> None:
            bar.update(round(1000 * share) - bar.pos)

        moments = timelapse.record(source, diagnosis, run, pictures, tell)
    with click.progressbar(length=len(moments), label="drawing", file=sys.stderr) as bar:
        for picture in timelapse.pictures(source, diagnosis.truth, moments, options):
            film.add(picture)
            bar.update(1)
    film.close()
    last = moments[-1]
    click.echo(f"{output}: {len(moments)} pictures of {last.step} steps, mean |f - d| {last.error:.5f}")
