"""`export`: weights files to Keras, ONNX, GLSL or NumPy."""

from __future__ import annotations

from pathlib import Path

import click

from ..formats.exports import KINDS, export
from ..formats.weights_files import load_weights
from .targets import for_each, targets, weights_to_files


@click.command()
@weights_to_files(KINDS, "File (.h5, .onnx, .glsl, .npz), or a folder with --format.")
def command(weights: tuple[Path, ...], output: Path, kind: str | None) -> None:
    """Write WEIGHTS (files or folders of them) as another kind of file.

    h5: Keras and the paper's renderer; the architecture goes beside it as .json. onnx: needs the package onnx. glsl: a
    function for any shader. npz: NumPy. A file that fails does not stop the others; then the exit code is 3.
    """

    def write(pair: tuple[Path, Path]) -> None:
        path, target = pair
        notes = export(load_weights(path), target)
        click.echo(f"{target}: {target.stat().st_size:,} bytes")
        for note in notes:
            click.echo(f"  note: {note}")

    for_each(targets(weights, output, kind, KINDS), write)
