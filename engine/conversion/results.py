"""Where a conversion's results go: files that can be written, the errors inside the weights, the report, the message."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..protocol.messages import Converted
from ..protocol.weights import write_atomically
from .options import ConvertOptions
from .report import report_bytes

COMPACT_ERRORS = ("surface_mean", "surface_p95", "near_surface_mean", "grid_mean", "iou")
COMPACT_DIGITS = 4  # that count


def compact_errors(errors: dict[str, float], num_missed: int) -> dict[str, float]:
    """Give the errors that travel inside a weights file, and how many aims were missed."""
    compact = {name: float(f"{errors[name]:.{COMPACT_DIGITS}g}") for name in COMPACT_ERRORS}
    return compact | {"missed": float(num_missed)}


def closing_message(
    options: ConvertOptions,
    report: dict[str, Any],
    num_bytes: int,
    seconds: float,
    warnings: tuple[str, ...],
) -> Converted:
    """Add size, seconds and warnings to a report, write it where one is asked for, and give the closing message."""
    report = report | {"num_bytes": num_bytes, "seconds": seconds, "warnings": list(warnings)}
    if options.report is not None:
        write_atomically(options.report, report_bytes(report))
    return Converted(
        path=str(options.output),
        proxy=str(options.proxy) if options.proxy else None,
        report=report,
        num_bytes=num_bytes,
        seconds=seconds,
        warnings=warnings,
    )


def check_all_writable(paths: Iterable[Path | None]) -> None:
    """Check each path that is one; see `check_writable`."""
    for path in paths:
        if path is not None:
            check_writable(path)


def check_writable(path: Path) -> None:
    """Try to write beside a file that is to be written later.

    Raises:
        OutputError: The folder is missing or not writable, or the disk is full.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Name a file in it.")
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent) as trial:
            trial.write(bytes(1 << 16))
            trial.flush()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Choose another folder or free some space."
        ) from error
