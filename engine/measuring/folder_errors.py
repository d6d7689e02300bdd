"""A folder of weights against a folder of meshes: pairs by name, a table of all errors, and what failed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import EngineError, MeshFileError
from ..formats.weights_files import find_weights
from ..ground_truth.mesh_files import KINDS
from .field_errors import MeasureOptions
from .file_errors import measure_file

SUFFIX = "_sf"  # of the paper's published weights: 1234_sf.h5 is made from 1234.stl
Row = dict[str, float | str]


def pairs(weights: Path, meshes: Path) -> list[tuple[Path, Path | None]]:
    """Give each weights file of a folder and the mesh of the same name in another, None where there is none.

    Raises:
        WeightsFileError: There is no weights file.
        MeshFileError: The folder of meshes is none.
    """
    if not meshes.is_dir():
        raise MeshFileError(
            f"{meshes} is not a folder. A folder of weights is measured against one of meshes."
        )
    by_name = {path.stem: path for path in sorted(meshes.iterdir()) if path.suffix.lower() in KINDS}
    return [
        (path, by_name.get(path.stem) or by_name.get(path.stem.removesuffix(SUFFIX)))
        for path in find_weights([weights])
    ]


def measure_folder(weights: Path, meshes: Path, options: MeasureOptions, paper: bool) -> Iterator[Row]:
    """Give a row for each pair as it is done; one that fails has its reason under `error` and stops none of the rest.

    Raises:
        EngineError: A folder is missing or empty.
    """
    for path, mesh in pairs(weights, meshes):
        row: Row = {"weights": path.name, "mesh": mesh.name if mesh else ""}
        try:
            if mesh is None:
                raise MeshFileError(f"{meshes.name} has no mesh named {path.stem}.")
            row |= measure_file(path, mesh, options, paper)
        except EngineError as error:
            row["error"] = str(error)
        yield row


def csv_text(rows: Sequence[Mapping[str, float | str]]) -> str:
    """Give rows as CSV, with every column that any of them has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
