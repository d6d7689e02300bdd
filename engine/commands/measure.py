"""`measure`: how far a weights file is from the mesh it was made from, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("mesh", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object to stdout.")
@click.option("--points", type=click.IntRange(1000, 10_000_000), default=100_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Of the points; another one than training uses.")
def command(weights: Path, mesh: Path, as_json: bool, points: int, seed: int | None) -> None:
    """Measure the errors of WEIGHTS against MESH, in unit space (the shape's ball has radius 0.9)."""
    from ..measure import MEASURE_SEED, MeasureOptions
    from ..measure_file import measure_file

    options = MeasureOptions(num_points=points, seed=MEASURE_SEED if seed is None else seed)
    errors = measure_file(weights, mesh, options)
    if as_json:
        click.echo(json.dumps(errors, indent=2, sort_keys=True, allow_nan=False))
        return
    width = max(len(name) for name in errors)
    for name, value in errors.items():
        click.echo(f"{name:<{width}}  {value:.6g}")
