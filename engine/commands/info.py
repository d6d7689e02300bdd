"""`info`: prints what a weights file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..formats.weights_files import find_weights, load_weights
from ..protocol.codec import to_plain
from ..protocol.weights import NeuralWeights
from ..tracing.certified_cache import bound_in_use
from .targets import for_each


@click.command()
@click.argument("weights", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--json", "as_json", is_flag=True, help="JSON for programs; of several files one object a line."
)
def command(weights: tuple[Path, ...], as_json: bool) -> None:
    """Print what WEIGHTS (files or folders) hold: network, size, source, errors.

    A file that fails does not stop the others; then the exit code is 3.
    """
    paths = find_weights(weights)

    def tell(path: Path) -> None:
        description = describe(load_weights(path), path.stat().st_size)
        if not as_json:
            Console().print(_table(path.name, description))
        elif len(paths) == 1:
            click.echo(json.dumps(description, indent=2))
        else:
            click.echo(json.dumps({"file": str(path), **description}))

    for_each(paths, tell)


def describe(network: NeuralWeights, num_bytes: int) -> dict[str, Any]:
    """Give plain values: the file's description, its size in bytes, and the number of parameters."""
    plain: dict[str, Any] = to_plain(network.description)
    plain["num_parameters"] = network.architecture.num_parameters()
    plain["num_bytes"] = num_bytes
    plain["bound"] = bound_in_use(network)
    plain["precision"] = "float16" if network.float16 else "float32"
    return plain


def _table(title: str, description: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in _readable(description).items():
        table.add_row(key, value)
    return table


def _readable(description: dict[str, Any]) -> dict[str, str]:
    architecture, source = description["architecture"], description["source"]
    encoding = architecture["encoding"]
    if encoding != "none":
        encoding += f", {architecture['fourier_features']} features"
    low, high = description["bounds_unit"][:3], description["bounds_unit"][3:]
    rows = {
        "network": f"{architecture['depth']} hidden layers of {architecture['width']}, {architecture['activation']}",
        "inputs": f"{architecture['inputs']}, encoding {encoding}",
        "parameters": f"{description['num_parameters']:,}, {description['precision']}",
        "size": f"{description['num_bytes']:,} bytes",
        "bounds": " to ".join("(" + ", ".join(f"{x:.3f}" for x in corner) + ")" for corner in (low, high)),
        "source": f"{source['name']}, {source['num_vertices']:,} vertices, {source['num_faces']:,} faces",
        "steps rely on": f"{description['bound']} bounds",
        "seed": str(description["seed"]),
        "software": description["software"],
    }
    errors = {f"error: {name}": f"{value:.3g}" for name, value in description["errors"].items()}
    return {**rows, **errors}
