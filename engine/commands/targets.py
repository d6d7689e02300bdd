"""Which file each weights file becomes, one named file or one of a kind for each in a folder, and work on many files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import EngineError, OptionError, OutputError
from ..formats.weights_files import find_weights

EXIT_ERROR = 3
Item = TypeVar("Item")


def weights_to_files(kinds: Sequence[str], output_help: str) -> Any:
    """Give a decorator that adds WEIGHTS..., --output and --format (`weights`, `output`, `kind`), as `targets` takes them."""
    path: Any = click.Path(path_type=Path)
    added = (
        click.argument("weights", type=path, nargs=-1, required=True),
        click.option("-o", "--output", type=path, required=True, help=output_help),
        click.option("--format", "kind", type=click.Choice(kinds), help="Kind of the files in a folder."),
    )

    def decorate(command: Any) -> Any:
        for one in reversed(added):
            command = one(command)
        return command

    return decorate


def targets(
    sources: Sequence[Path], output: Path, kind: str | None, kinds: Sequence[str]
) -> list[tuple[Path, Path]]:
    """Give (weights file, file to write) pairs; a folder is made where it is missing.

    Args:
        sources: Weights files and folders of them.
        output: A file, or a folder where `kind` is given.
        kind: Ending of the files in the folder, without its dot.
        kinds: Endings that are known; `kind` is one of them.

    Raises:
        OptionError: Several files would go into one.
        OutputError: The kind of the file is unknown, or the folder cannot be made.
        WeightsFileError: A folder holds no weights.
    """
    paths = find_weights(sources)
    if kind is None:
        if len(paths) > 1 or output.is_dir() or not output.suffix:
            raise OptionError("Several files go to a folder: name it with -o, and the kind with --format.")
        if output.suffix.lower().lstrip(".") not in kinds:
            raise OutputError(f"{output.name} is of an unknown kind. Use one of {', '.join(kinds)}.")
        return [(paths[0], output)]
    make_folder(output)
    return [(path, output / f"{name}.{kind}") for path, name in zip(paths, distinct_names(paths))]


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Give a name for what each file becomes: its own without the ending, and more where two would be alike."""
    stems = Counter(path.stem for path in paths)
    names = [p.stem if stems[p.stem] == 1 else f"{p.stem}_{p.suffix.lower().lstrip('.')}" for p in paths]
    taken = set[str]()
    for index, name in enumerate(names):
        number = 1
        while names[index] in taken:  # files of one name from several folders
            number += 1
            names[index] = f"{name}_{number}"
        taken.add(names[index])
    return names


def for_each(items: Sequence[Item], work: Callable[[Item], None]) -> None:
    """Do the same with each of many; one that fails says why on stderr and stops none of the rest, then the exit code is 3.

    Raises:
        EngineError: There is one only, and it failed.
    """
    failed = 0
    for item in items:
        try:
            work(item)
        except EngineError as error:
            if len(items) == 1:
                raise
            failed += 1
            click.echo(f"error: {error}", err=True)
    if failed:
        click.echo(f"{failed} of {len(items)} files failed.", err=True)
        sys.exit(EXIT_ERROR)


def make_folder(path: Path) -> None:
    """Make a folder where it is missing.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}. Choose another folder.") from error
