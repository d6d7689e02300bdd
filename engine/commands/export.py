"""`export`: weights files to Keras, ONNX, GLSL or NumPy."""

from __future__ import annotations

from pathlib import Path

import click

from .targets import for_each, targets


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="File (.h5, .onnx, .glsl, .npz), or a folder with --format.",
)
@click.option("--format", "kind", help="Kind of the files in a folder: h5, onnx, glsl, npz or safetensors.")
def command(files: tuple[Path, ...], output: Path, kind: str | None) -> None:
    """Write the weights in FILES (or folders of them) as another kind of file.

    h5: Keras and the paper's renderer; the architecture goes beside it as .json. onnx: needs the package onnx. glsl: a
    function for any shader. npz: NumPy. A file that fails does not stop the others; then the exit code is 3.
    """
    from ..formats.exports import KINDS, export
    from ..formats.weights_files import load_weights

    def write(pair: tuple[Path, Path]) -> None:
        path, target = pair
        notes = export(load_weights(path), target)
        click.echo(f"{target}: {target.stat().st_size:,} bytes")
        for note in notes:
            click.echo(f"  note: {note}")

    for_each(targets(files, output, kind, KINDS), write)
