"""`export`: weights files to Keras, ONNX, GLSL or NumPy."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import OptionError, OutputError


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
    function for any shader. npz: NumPy.
    """
    from ..formats.exports import KINDS, export
    from ..formats.weights_files import find_weights, load_weights

    paths = find_weights(files)
    if kind is not None and kind not in KINDS:
        raise OptionError(f"There is no format {kind!r}. Use one of {', '.join(KINDS)}.")
    if kind is None and (len(paths) > 1 or not output.suffix):
        raise OptionError("Several files go to a folder: name it with -o, and the kind with --format.")
    if kind is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{output} cannot be made: {error.strerror}. Choose another folder.") from error
    for path in paths:
        target = output if kind is None else output / f"{path.stem}.{kind}"
        notes = export(load_weights(path), target)
        click.echo(f"{target}: {target.stat().st_size:,} bytes")
        for note in notes:
            click.echo(f"  note: {note}")
