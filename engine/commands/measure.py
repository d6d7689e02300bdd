"""`measure`: how far weights are from the meshes they were made from, as a table, JSON or CSV."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..protocol.weights import write_atomically
from .compiling import compile_first

EXIT_ERROR = 3
SHOWN = ("surface_mean", "iou", "paper_surface", "paper_grid", "paper_importance")


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("mesh", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a shape to stdout.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write a table of all shapes here.")
@click.option("--paper", is_flag=True, help="Add the paper's own three errors (a 128^3 grid: half a minute).")
@click.option("--points", type=click.IntRange(1000, 10_000_000), default=100_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Of the points; another one than training uses.")
def command(
    weights: Path,
    mesh: Path,
    as_json: bool,
    csv_path: Path | None,
    paper: bool,
    points: int,
    seed: int | None,
) -> None:
    """Measure the errors of WEIGHTS against MESH, in unit space (the shape's ball has radius 0.9).

    Both may be folders: pairs are found by name. A shape that fails does not stop the others; then the exit code is 3.
    """
    from ..measuring.field_errors import MEASURE_SEED, MeasureOptions
    from ..measuring.file_errors import measure_file
    from ..measuring.folder_errors import Row, csv_text, measure_folder

    options = MeasureOptions(num_points=points, seed=MEASURE_SEED if seed is None else seed)
    compile_first("tracing")
    rows: list[Row] = []
    if weights.is_dir():
        for row in measure_folder(weights, mesh, options, paper):
            rows.append(row)
            click.echo(json.dumps(row) if as_json else _line(row))
    else:
        errors = measure_file(weights, mesh, options, paper)
        rows.append({"weights": weights.name, "mesh": mesh.name, **errors})
        if as_json:
            click.echo(json.dumps(errors, indent=2, sort_keys=True, allow_nan=False))
        else:
            width = max(len(name) for name in errors)
            click.echo("\n".join(f"{name:<{width}}  {value:.6g}" for name, value in errors.items()))
    if csv_path is not None:
        write_atomically(csv_path, csv_text(rows).encode())
    failed = sum("error" in row for row in rows)
    if failed:
        click.echo(f"{failed} of {len(rows)} shapes were not measured.", err=True)
        sys.exit(EXIT_ERROR)


def _line(row: dict[str, float | str]) -> str:
    if "error" in row:
        return f"{row['weights']}: {row['error']}"
    return f"{row['weights']}: " + ", ".join(f"{n} {row[n]:.5g}" for n in SHOWN if n in row)
