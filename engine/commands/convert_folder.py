"""`convert` with a folder: one network for each mesh in it, and tables of what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..protocol.messages import Message, Progress
from .targets import make_folder

EXIT_ERROR, EXIT_MISSED = 3, 4
KINDS = {
    "report": ".report.json",
    "proxy": ".proxy.npz",
    "checkpoint": ".checkpoint.npz",
    "plot": ".png",
    "log": "",
}
LEFT_OUT = ("mesh", "output", "messages", "as_json", "moving")
SAMPLE_KINDS = (".npz", ".h5", ".hdf5")


def run(context: click.Context, source: Path, target: Path, as_json: bool) -> int:
    """Convert each mesh of a folder, say what came of it, and give the exit code.

    Raises:
        EngineError: The folders cannot be used.
    """
    from ..conversion.folder_conversion import convert_folder, jobs_of

    make_folder(target)
    jobs = jobs_of(source.resolve(), target.resolve(), _arguments(context))
    tell = (lambda job, message: None) if as_json else _progress()
    failed = missed = 0
    for row, done in convert_folder(jobs, target, tell):
        failed, missed = failed + ("error" in row), missed + bool(row.get("missed"))
        click.echo(json.dumps(row) if as_json else _line(row, done))
    if failed:
        click.echo(f"{failed} of {len(jobs)} shapes were not converted.", err=True)
    return EXIT_ERROR if failed else EXIT_MISSED if missed else 0


def _arguments(context: click.Context) -> Callable[[str], Sequence[str]]:
    """Give a function from a shape's name to the options that the user gave; a file is in the folder that was named."""
    given: list[tuple[str, str, Any]] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        chosen = context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
        if not chosen or name in LEFT_OUT or any(name == known for known, _, _ in given):
            continue
        if name == "precision":
            given.append(
                (name, f"--float{str(value).removeprefix('float')}".replace("floatauto", "float-auto"), None)
            )
        else:
            given.append((name, parameter.opts[0], value))
    for name, _, value in given:
        if name in KINDS:
            make_folder(value)

    def arguments_for(shape: str) -> list[str]:
        arguments = []
        for name, flag, value in given:
            if name in KINDS:
                value = (value / f"{shape}{KINDS[name]}").resolve()
            elif name == "queries":
                value = _samples_of(value, shape)
            elif name == "start":
                value = value.resolve() / f"{shape}.safetensors"
                if not value.is_file():
                    continue  # a shape that was not there before
            arguments += [flag] if value is None else [flag, str(value)]
        return arguments

    return arguments_for


def _samples_of(folder: Path, shape: str) -> Path:
    """Give the file of a shape's samples; the first kind where there is none, whose absence is the shape's error."""
    paths = [folder.resolve() / f"{shape}{kind}" for kind in SAMPLE_KINDS]
    return next((path for path in paths if path.is_file()), paths[0])


def _progress() -> Callable[[Any, Message], None]:
    """Give a listener that says each phase of each shape once."""
    said: list[tuple[str, str]] = []

    def tell(job: Any, message: Message) -> None:
        if isinstance(message, Progress) and (job.mesh.name, message.phase) not in said:
            said[:] = [one for one in said if one[0] == job.mesh.name] + [(job.mesh.name, message.phase)]
            click.echo(f"{job.mesh.name}: {message.phase}", err=True)

    return tell


def _line(row: dict[str, Any], done: bool) -> str:
    if "error" in row:
        return f"{row['mesh']}: {row['error']}"
    facts = f"{row['num_bytes']:,} bytes, surface error {row['surface_mean']:.5f}, overlap {row['iou']:.4f}"
    note = ", done before" if done else f", {row['seconds']:.1f} s"
    return f"{row['mesh']}: {facts}{note}" + (f", missed: {row['missed']}" if row["missed"] else "")
