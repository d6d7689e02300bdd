"""`import`: the paper's and other Keras weights files to ours, one, many, or a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ..errors import EngineError, OutputError
from .targets import EXIT_ERROR, distinct_names, make_folder


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder, or a .safetensors file."
)
@click.option(
    "--architecture", type=click.Path(path_type=Path), help="JSON of model.to_json(), for the activations."
)
@click.option("--proxy", is_flag=True, help="Write a coarse mesh beside each (.npz), for the add-on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, for programs.")
def command(
    files: tuple[Path, ...], output: Path, architecture: Path | None, proxy: bool, as_json: bool
) -> None:
    """Read FILES (.h5 of Keras, ours, or folders of them) and write them as .safetensors.

    A file that cannot be read does not stop the others; then the exit code is 3.
    """
    from ..formats.weights_files import find_weights

    paths = find_weights(files)
    single = output.suffix.lower() == ".safetensors" and not output.is_dir()
    if single and len(paths) > 1:
        raise OutputError(f"{output.name} is one file, but {len(paths)} are to be written. Name a folder.")
    if not single:
        make_folder(output)
    failed = 0
    for path, name in zip(paths, distinct_names(paths)):
        target = output if single else output / f"{name}.safetensors"
        try:
            result = _import(path, target, architecture, proxy)
        except EngineError as error:
            failed += 1
            result = {"source": str(path), "error": str(error), "code": error.code}
        click.echo(json.dumps(result) if as_json else _line(result), err="error" in result and not as_json)
    if failed:
        click.echo(f"{failed} of {len(paths)} files were not imported.", err=True)
        sys.exit(EXIT_ERROR)


def _import(path: Path, target: Path, architecture: Path | None, proxy: bool) -> dict[str, object]:
    from ..formats.weights_files import load_with_notes

    loaded = load_with_notes(path, architecture)
    if proxy:
        from ..conversion.proxy import proxy_mesh

        proxy_mesh(loaded.weights).save(target.with_suffix(".npz"))
    num_bytes = loaded.weights.save(target)
    arch = loaded.weights.architecture
    return {
        "source": str(path),
        "path": str(target),
        "num_bytes": num_bytes,
        "network": f"{arch.depth} x {arch.width}, {arch.activation}, then {arch.output_activation}",
        "notes": list(loaded.notes),
    }


def _line(result: dict[str, object]) -> str:
    if "error" in result:
        return f"error: {result['error']}"
    notes = result["notes"]
    assert isinstance(notes, list)
    text = f"{result['path']}: {result['network']}, {result['num_bytes']:,} bytes"
    return "\n".join([text, *(f"  note: {note}" for note in notes)])
