"""Which file each weights file becomes: one named file, or one of a kind for each in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import OptionError, OutputError
from ..formats.weights_files import find_weights


def targets(
    sources: Sequence[Path], output: Path, kind: str | None, kinds: Sequence[str]
) -> list[tuple[Path, Path]]:
    """Give (weights file, file to write) pairs; a folder is made where it is missing.

    Args:
        sources: Weights files and folders of them.
        output: A file, or a folder where `kind` is given.
        kind: Ending of the files in the folder, without its dot.
        kinds: Endings that are known.

    Raises:
        OptionError: Several files would go into one, or the kind is unknown.
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
    if kind not in kinds:
        raise OptionError(f"There is no format {kind!r}. Use one of {', '.join(kinds)}.")
    make_folder(output)
    return [(path, output / f"{path.stem}.{kind}") for path in paths]


def make_folder(path: Path) -> None:
    """Make a folder where it is missing.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}. Choose another folder.") from error
