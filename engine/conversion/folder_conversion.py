"""A folder of meshes to a folder of weights: one process for each, so that no shape can take another with it.

`results.json` and `results.csv` in the output folder are replaced after each shape. A shape is done when its row was made
from the same bytes with the same settings and its weights are there; another run leaves it as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import VERSION
from ..errors import MeshFileError, ProtocolError
from ..ground_truth.mesh_files import KINDS
from ..measuring.folder_errors import csv_text
from ..protocol.messages import Converted, Failure, Message, decode
from ..protocol.weights import write_atomically

log = logging.getLogger(__name__)

RESULTS = "results"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One mesh of the folder."""

    mesh: Path
    weights: Path
    arguments: tuple[str, ...]  # of `convert`, its mesh and output among them
    key: str  # of what the result depends on


def jobs_of(source: Path, target: Path, arguments_for: Callable[[str], Sequence[str]]) -> list[Job]:
    """Give a job for each mesh of a folder, in the order of their names.

    Args:
        source: The folder.
        target: Where weights go.
        arguments_for: Gives the other arguments of `convert` for a shape's name.

    Raises:
        MeshFileError: There is no mesh in it.
    """
    meshes = sorted(path for path in source.iterdir() if path.suffix.lower() in KINDS and path.is_file())
    if not meshes:
        raise MeshFileError(f"{source} holds no mesh. Known kinds are {', '.join(k[1:] for k in KINDS)}.")
    counts = Counter(path.stem for path in meshes)
    jobs = []
    for mesh in meshes:
        kind = mesh.suffix.lower().lstrip(".")
        name = mesh.stem if counts[mesh.stem] == 1 else f"{mesh.stem}_{kind}"
        weights = target / f"{name}.safetensors"
        rest = tuple(arguments_for(name))
        arguments = ("convert", str(mesh), "-o", str(weights), *rest, "--json")
        jobs.append(Job(mesh=mesh, weights=weights, arguments=arguments, key=_key(mesh, rest)))
    return jobs


def convert_folder(
    jobs: Sequence[Job], target: Path, tell: Callable[[Job, Message], None]
) -> Iterator[tuple[Row, bool]]:
    """Convert what is not done yet; give each row as it is known, and whether it was done before.

    A shape that fails has its reason under `error`, and stops none of the rest.

    Args:
        jobs: The shapes.
        target: The folder for results.
        tell: Gets the messages of each conversion.

    Raises:
        OutputError: The results cannot be written.
    """
    before = {row.get("key"): row for row in _older_rows(target / f"{RESULTS}.json")}
    rows: list[Row] = []
    for job in jobs:
        row = before.get(job.key)
        done = row is not None and "error" not in row and job.weights.is_file()
        if row is None or not done:
            row = _converted(job, tell)
        rows.append(row)
        _write(target, rows)
        yield row, done


def _converted(job: Job, tell: Callable[[Job, Message], None]) -> Row:
    row: Row = {"mesh": job.mesh.name, "weights": job.weights.name, "key": job.key}
    told: Message | None = None
    command = [sys.executable, "-m", "engine", *job.arguments]
    root = Path(__file__).resolve().parents[2]  # where `engine` is found
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, cwd=root) as process:
            assert process.stdout is not None
            for line in process.stdout:
                with contextlib.suppress(ProtocolError):
                    told = decode(line)
                    tell(job, told)
        complaints.seek(0)
        noise = complaints.read().decode(errors="replace").strip().splitlines()
    if isinstance(told, Converted):
        return row | _facts(told)
    if isinstance(told, Failure):
        return row | {"error": told.message}
    last = f": {noise[-1]}" if noise else ""
    return row | {"error": f"The conversion ended early with code {process.returncode}{last}."}


def _facts(converted: Converted) -> Row:
    report = converted.report
    architecture = report["architecture"]
    return {
        "num_bytes": converted.num_bytes,
        "seconds": round(converted.seconds, 3),
        "seed": report["seed"],
        "width": architecture["width"],
        "depth": architecture["depth"],
        "activation": architecture["activation"],
        "precision": report["precision"],
        "missed": " ".join(one["name"] for one in report["missed"]),
        "warnings": " ".join(converted.warnings),
        **report["errors"],
    }


def _key(mesh: Path, arguments: Sequence[str]) -> str:
    digest = hashlib.sha256(repr((VERSION, mesh.name, tuple(arguments))).encode())
    try:
        digest.update(mesh.read_bytes())
    except OSError as error:
        log.warning("%s: %s", mesh.name, error)  # its conversion says the same, as an error of its row
    return digest.hexdigest()


def _older_rows(path: Path) -> list[Row]:
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError):
        return []  # there was no run before, or its results were damaged: all is done again
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _write(target: Path, rows: Sequence[Row]) -> None:
    text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    write_atomically(target / f"{RESULTS}.json", text.encode())
    shown = [{name: value for name, value in row.items() if name != "key"} for row in rows]
    write_atomically(target / f"{RESULTS}.csv", csv_text(shown).encode())
