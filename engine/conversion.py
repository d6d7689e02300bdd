"""From a mesh file to a weights file: reads, checks, fits, measures and writes, and tells how far it is."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from . import VERSION
from .errors import OutputError
from .fitting import FitOptions, FitState, fit
from .measure import measure_errors
from .mesh import Mesh, UnitMesh, check_mesh, to_unit
from .mesh_files import load_mesh
from .network import NetworkField, split_layers
from .protocol.messages import Converted, Message, Progress, Snapshot
from .protocol.weights import Description, NeuralWeights, Source, write_atomically
from .report import report_bytes
from .signed_distance import SurfaceDistance

log = logging.getLogger(__name__)

COMPACT_ERRORS = ("surface_mean", "surface_p95", "near_surface_mean", "grid_mean", "iou")
FIRST_SNAPSHOT_S = 0.5  # after the fit's first step: rough, but there is something to see
SNAPSHOT_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 0.1
FIT_STARTS, FIT_ENDS = 0.05, 0.93  # of the whole job's progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """One conversion."""

    fit: FitOptions = field(default_factory=FitOptions)
    preset: str = "standard"
    output: Path
    report: Path | None = None
    proxy: Path | None = None
    snapshots: bool = False  # replace the output while training, too
    threads: int | None = None


def convert(source: Path, options: ConvertOptions, tell: Callable[[Message], None]) -> Converted:
    """Convert one file.

    Args:
        source: The mesh file.
        options: What to make and where to put it.
        tell: Gets `Progress` and `Snapshot` as they come; may raise to stop the job.

    Returns:
        The closing message; the output file is final.

    Raises:
        EngineError: The mesh, an option, the output folder or the fit is at fault.
    """
    job = _Job(options, tell)
    for path in (options.output, options.report, options.proxy):
        if path is not None:
            check_writable(path)
    job.progress("reading", 0.0)
    mesh = load_mesh(source)
    job.progress("checking", 0.02)
    mesh = check_mesh(mesh)
    unit = to_unit(mesh)
    job.progress("sampling", 0.03)
    truth = SurfaceDistance(unit, threads=options.threads)
    layers = fit(truth, options.fit, lambda state: job.fitting(state, mesh, unit))
    job.progress("measuring", FIT_ENDS)
    weights = neural_weights(layers, options.fit, mesh, unit)
    errors = measure_errors(NetworkField(weights), truth)
    weights = weights.with_description(errors={name: round(errors[name], 9) for name in COMPACT_ERRORS})
    return job.finish(weights, errors, mesh)


def check_writable(path: Path) -> None:
    """Try to write beside a file that is to be written later.

    Raises:
        OutputError: The folder is missing or not writable, or the disk is full.
    """
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder. Name a file in it.")
        with tempfile.TemporaryFile(prefix=f".{path.name}.", dir=path.parent) as trial:
            trial.write(bytes(1 << 16))
            trial.flush()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Choose another folder or free some space."
        ) from error


def neural_weights(layers: list[Tensor], options: FitOptions, mesh: Mesh, unit: UnitMesh) -> NeuralWeights:
    """Give trained layers as a weights file's content, without errors yet."""
    matrices, biases = split_layers(layers)
    low, high = unit.vertices.min(axis=0), unit.vertices.max(axis=0)
    description = Description(
        architecture=options.architecture,
        unit_from_object=tuple(float(x) for x in unit.unit_from_object.ravel()),
        bounds_unit=tuple(float(x) for x in np.concatenate([low, high])),
        source=Source(
            name=mesh.name, sha256=mesh.digest(), num_vertices=len(mesh.vertices), num_faces=len(mesh.faces)
        ),
        seed=options.seed,
        software=f"neural-implicit {VERSION}",
    )
    return NeuralWeights(description=description, weights=matrices, biases=biases)


class _Job:
    """The clock, the messages and the files of one conversion."""

    def __init__(self, options: ConvertOptions, tell: Callable[[Message], None]) -> None:
        self._options, self._tell = options, tell
        self._start = time.monotonic()
        self._fit_start: float | None = None
        self._last_progress = self._last_snapshot = self._start

    def progress(
        self, phase: Any, fraction: float, state: FitState | None = None, left: float | None = None
    ) -> None:
        self._last_progress = time.monotonic()
        step, num_steps = (state.step, state.num_steps) if state else (0, self._options.fit.num_steps)
        error = state.error if state else None
        self._tell(
            Progress(
                phase=phase, step=step, num_steps=num_steps, fraction=fraction, error=error, seconds_left=left
            )
        )

    def fitting(self, state: FitState, mesh: Mesh, unit: UnitMesh) -> None:
        now = time.monotonic()
        if state.step == 0:
            if now - self._last_progress >= PROGRESS_INTERVAL_S:
                self.progress("sampling", 0.04)
            return
        if self._fit_start is None:
            self._fit_start = now
            self._last_snapshot = now - SNAPSHOT_INTERVAL_S + FIRST_SNAPSHOT_S
        share = state.step / state.num_steps
        if now - self._last_progress >= PROGRESS_INTERVAL_S or state.step == state.num_steps:
            left = (now - self._fit_start) * (1.0 / share - 1.0)
            self.progress("fitting", FIT_STARTS + (FIT_ENDS - FIT_STARTS) * share, state, left)
        if self._options.snapshots and now - self._last_snapshot >= SNAPSHOT_INTERVAL_S:
            weights = neural_weights(state.layers, self._options.fit, mesh, unit)
            self._write(weights)
            proxy = str(self._options.proxy) if self._options.proxy else None
            path = str(self._options.output)
            self._tell(Snapshot(path=path, proxy=proxy, step=state.step, error=state.error))
            self._last_snapshot = time.monotonic()

    def _write(self, weights: NeuralWeights) -> int:
        num_bytes = weights.save(self._options.output)
        if self._options.proxy is not None:
            from .proxy import proxy_mesh  # scikit-image, only where a proxy is asked for

            proxy_mesh(weights).save(self._options.proxy)
        return num_bytes

    def finish(self, weights: NeuralWeights, errors: dict[str, float], mesh: Mesh) -> Converted:
        self.progress("writing", 0.99)
        num_bytes = self._write(weights)
        seconds = time.monotonic() - self._start
        architecture = dataclasses.asdict(weights.architecture)
        report = {
            "errors": errors,
            "seconds": seconds,
            "num_bytes": num_bytes,
            "num_parameters": weights.architecture.num_parameters(),
            "architecture": architecture,
            "preset": self._options.preset,
            "seed": self._options.fit.seed,
            "num_steps": self._options.fit.num_steps,
            "num_samples": self._options.fit.num_samples,
            "warnings": list(mesh.warnings),
        }
        if self._options.report is not None:
            write_atomically(self._options.report, report_bytes(report))
        log.info("converted %s in %.1f s: %d bytes", mesh.name, seconds, num_bytes)
        return Converted(
            path=str(self._options.output),
            proxy=str(self._options.proxy) if self._options.proxy else None,
            report=report,
            num_bytes=num_bytes,
            seconds=seconds,
            warnings=mesh.warnings,
        )
