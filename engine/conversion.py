"""From a mesh file to a weights file: reads, checks, fits, measures, tries again where a fit failed, and writes."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import VERSION
from .announcer import FIT_ENDS, Announcer, save_result
from .errors import FitError, OutputError
from .fitting import FitOptions, FitState, fit, use_threads
from .measure import measure_errors
from .mesh import Mesh, check_mesh, to_unit
from .mesh_files import load_mesh
from .network import NetworkField, split_parameters, zero_set_box
from .protocol.messages import Converted, Message
from .protocol.weights import Description, NeuralWeights, Source, write_atomically
from .report import report_bytes
from .sign_doctor import Diagnosis, examine

log = logging.getLogger(__name__)

COMPACT_ERRORS = ("surface_mean", "surface_p95", "near_surface_mean", "grid_mean", "iou")
NUM_TRIES = 3  # with another seed each, where a fit collapsed
SEED_STEP = 7919  # between two tries
COLLAPSED_LOST = 0.5  # share of the surface that lies far from the zero set
AIM_LOST = 0.01
AIM_IOU = 0.95
AIM_IOU_SOLID = 0.01  # share of the box that is inside, above which the IoU says something


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """One conversion."""

    fit: FitOptions = field(default_factory=FitOptions)
    preset: str = "standard"
    output: Path
    report: Path | None = None
    proxy: Path | None = None
    snapshots: bool = False  # replace the output while training, too
    threads: int | None = None  # all processors by default


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
    start = time.monotonic()
    for path in (options.output, options.report, options.proxy):
        if path is not None:
            check_writable(path)
    use_threads(options.threads)
    announcer = Announcer(tell, options.fit.num_steps)
    loaded = announcer.during("reading", 0.0, lambda: load_mesh(source))
    mesh = announcer.during("checking", 0.02, lambda: check_mesh(loaded))
    diagnosis = announcer.during("checking", 0.03, lambda: examine(to_unit(mesh), options.threads))
    announcer.phase("sampling", 0.04)
    weights, errors, notes = _fit_until_good(mesh, diagnosis, options, announcer)
    announcer.phase("writing", 0.99)
    num_bytes = save_result(weights, options.output, options.proxy)
    warnings = (*mesh.warnings, *diagnosis.warnings, *notes)
    seconds = time.monotonic() - start
    report = _report(weights, errors, diagnosis, options) | {"seconds": seconds, "warnings": list(warnings)}
    if options.report is not None:
        write_atomically(options.report, report_bytes(report))
    log.info("converted %s in %.1f s, surface error %.2e", mesh.name, seconds, errors["surface_mean"])
    return Converted(
        path=str(options.output),
        proxy=str(options.proxy) if options.proxy else None,
        report=report,
        num_bytes=num_bytes,
        seconds=seconds,
        warnings=warnings,
    )


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


def neural_weights(
    parameters: np.ndarray, options: FitOptions, mesh: Mesh, unit_from_object: np.ndarray
) -> NeuralWeights:
    """Give trained parameters as a weights file's content, without errors yet."""
    matrices, biases = split_parameters(parameters, options.architecture)
    description = Description(
        architecture=options.architecture,
        unit_from_object=tuple(float(x) for x in unit_from_object.ravel()),
        bounds_unit=(-1.0, -1.0, -1.0, 1.0, 1.0, 1.0),
        source=Source(
            name=mesh.name, sha256=mesh.digest(), num_vertices=len(mesh.vertices), num_faces=len(mesh.faces)
        ),
        seed=options.seed,
        software=f"neural-implicit {VERSION}",
    )
    weights = NeuralWeights(description=description, weights=matrices, biases=biases)
    box = zero_set_box(NetworkField(weights))
    return weights.with_description(bounds_unit=tuple(float(x) for x in box.ravel()))


def _fit_until_good(
    mesh: Mesh, diagnosis: Diagnosis, options: ConvertOptions, announcer: Announcer
) -> tuple[NeuralWeights, dict[str, float], list[str]]:
    """Fit, measure, and fit again with another seed while the result has collapsed.

    Raises:
        FitError: No try gave a zero set.
    """
    notes = []
    for attempt in range(NUM_TRIES):
        run = dataclasses.replace(options.fit, seed=options.fit.seed + SEED_STEP * attempt)
        weights, errors = _fit_and_measure(mesh, diagnosis, run, options, announcer)
        if not _collapsed(errors):
            break
        log.warning("the fit with seed %d collapsed: overlap %.3f", run.seed, errors["iou"])
        notes.append(f"The fit with seed {run.seed} collapsed.")
    if errors["inside_share"] == 0.0:
        raise FitError(
            f"{mesh.name} could not be fitted: {NUM_TRIES} networks with different seeds came out empty. "
            "Try a wider network or the preset fine."
        )
    return weights, errors, [*notes, *_shortfalls(errors)]


def _fit_and_measure(
    mesh: Mesh, diagnosis: Diagnosis, run: FitOptions, options: ConvertOptions, announcer: Announcer
) -> tuple[NeuralWeights, dict[str, float]]:
    unit_from_object = diagnosis.truth.mesh.unit_from_object

    def report(state: FitState) -> None:
        announcer.fitting(state)
        if not options.snapshots or not announcer.snapshot_due(state):
            return
        rough = neural_weights(state.parameters, run, mesh, unit_from_object)
        with contextlib.suppress(FitError):  # no zero set yet: the next one may have something to see
            save_result(rough, options.output, options.proxy)
            announcer.snapshot(options.output, options.proxy, state)

    announcer.fit_begins()
    parameters = fit(diagnosis.truth, run, report)
    weights = neural_weights(parameters, run, mesh, unit_from_object)
    measuring = partial(measure_errors, NetworkField(weights), diagnosis.truth)
    errors = announcer.during("measuring", FIT_ENDS, measuring)
    compact = {name: round(errors[name], 9) for name in COMPACT_ERRORS}
    return weights.with_description(errors=compact), errors


def _collapsed(errors: dict[str, float]) -> bool:
    return errors["inside_share"] == 0.0 or errors["surface_lost"] > COLLAPSED_LOST


def _shortfalls(errors: dict[str, float]) -> list[str]:
    texts = []
    if errors["surface_lost"] > AIM_LOST:
        texts.append(
            f"{100 * errors['surface_lost']:.1f} % of the surface is missing or more than 1 % off. "
            "Use the preset fine or a wider network."
        )
    if errors["iou"] < AIM_IOU and errors["iou_inside_share"] > AIM_IOU_SOLID:
        texts.append(
            f"The overlap with the source is only {errors['iou']:.3f}. Use the preset fine or a wider network."
        )
    if errors["floating_parts"] > 0:
        texts.append(
            f"{int(errors['floating_parts'])} floating parts have no counterpart in the source. Try another seed."
        )
    return texts


def _report(
    weights: NeuralWeights, errors: dict[str, float], diagnosis: Diagnosis, options: ConvertOptions
) -> dict[str, Any]:
    architecture = weights.architecture
    return {
        "architecture": dataclasses.asdict(architecture),
        "errors": errors,
        "missed_aim": bool(_shortfalls(errors)),
        "num_bytes": len(weights.to_bytes()),
        "num_parameters": architecture.num_parameters(),
        "num_samples": options.fit.num_samples,
        "num_steps": options.fit.num_steps,
        "object_length_of_unit": 1.0 / diagnosis.truth.mesh.scale,
        "preset": options.preset,
        "seed": weights.description.seed,
        "software": weights.description.software,
        "source": dataclasses.asdict(weights.description.source),
        "surface": diagnosis.findings,
    }
