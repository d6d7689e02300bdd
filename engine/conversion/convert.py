"""From a mesh file to a weights file: reads, checks, fits, measures, tries again where a fit failed, and writes.

A user asks for a preset, for an error (the smallest network that meets it) or for a size (the best within it).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import FitError, OptionError, OutputError
from ..fitting.epoch_fit import fit_in_epochs
from ..fitting.epochs import EpochRecord
from ..fitting.fit import FitOptions, FitState, fit
from ..fitting.fitted_weights import neural_weights
from ..fitting.sample_sources import ShapeSource
from ..fitting.training_options import TrainingOutputs
from ..ground_truth.mesh import Mesh, check_mesh, to_unit
from ..ground_truth.mesh_files import load_mesh
from ..ground_truth.sign_doctor import Diagnosis, examine
from ..ground_truth.signed_distance import use_device
from ..ground_truth.surface_sampler import SurfaceSampler
from ..measuring.field_errors import measure_errors
from ..network.parameters import initial_parameters
from ..protocol.messages import Converted, Message
from ..protocol.weights import Architecture, NeuralWeights, Source, write_atomically
from ..tracing.network_values import NetworkValues
from .aims import empty, shortfalls
from .announcer import FIT_ENDS, Announcer, save_result
from .attempts import MOST_TRIES, SEED_STEP, Attempt, fit_until_good, notes_of
from .network_search import LadderSearch, best_within
from .precision import Precision, stored
from .report import conversion_report, report_bytes

log = logging.getLogger(__name__)

COMPACT_ERRORS = ("surface_mean", "surface_p95", "near_surface_mean", "grid_mean", "iou")
COMPACT_DIGITS = 4  # that count
QUICK_POINTS = 20_000  # of the mean surface error of a short fit


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
    precision: Precision = "auto"
    may_grow: bool = True  # where a network is too small for the shape
    quick: bool = False  # say what was missed instead of trying again
    tolerance: float | None = None  # mean surface error, unit space: fit the smallest network that meets it
    tolerance_object: float | None = None  # the same in object units
    num_bytes: int | None = None  # of the weights file: fit the best network within
    outputs: TrainingOutputs = field(default_factory=TrainingOutputs)  # of a run in epochs
    reconstruct: int | None = None  # cells a side: write the zero set as NAME.ply beside the weights, too

    def __post_init__(self) -> None:
        asked = [x for x in (self.tolerance, self.tolerance_object, self.num_bytes) if x is not None]
        if len(asked) > 1:
            raise OptionError("Ask for a tolerance or for a number of bytes, not for both.")
        if asked and not (math.isfinite(asked[0]) and asked[0] > 0.0):
            raise OptionError(f"A tolerance or a number of bytes must be positive, got {asked[0]}.")
        if asked and self.fit.training is not None:
            raise OptionError(
                "A tolerance or a number of bytes chooses the run: leave out its training settings."
            )


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
    outputs = options.outputs
    for path in (options.output, options.report, options.proxy, outputs.checkpoint, outputs.plot):
        if path is not None:
            check_writable(path)
    announcer = Announcer(tell, options.fit.num_steps)
    loaded = announcer.during("reading", 0.0, lambda: load_mesh(source))
    mesh = announcer.during("checking", 0.02, lambda: check_mesh(loaded))
    use_device(options.fit.device)
    diagnosis = announcer.during("checking", 0.03, lambda: examine(to_unit(mesh), options.threads))
    announcer.phase("sampling", 0.04)
    job = _Job(mesh, diagnosis, options, announcer)
    best, attempts = job.run()
    announcer.phase("writing", 0.99)
    num_bytes = save_result(best.weights, options.output, options.proxy)
    if options.reconstruct is not None:
        from ..meshing.mesh_out import save_mesh  # marching cubes, only where a mesh is asked for

        mesh_path, cells = options.output.with_suffix(".ply"), options.reconstruct
        announcer.during("writing", 0.99, lambda: save_mesh(best.weights, cells, mesh_path))
    warnings = (
        *mesh.warnings,
        *diagnosis.warnings,
        *notes_of(best, attempts),
    )
    seconds = time.monotonic() - start
    report = conversion_report(best, attempts, diagnosis, options.preset)
    report |= {"num_bytes": num_bytes, "seconds": seconds, "warnings": list(warnings)}
    report |= {"epochs": [dataclasses.asdict(record) for record in job.history]} if job.history else {}
    if options.report is not None:
        write_atomically(options.report, report_bytes(report))
    log.info("converted %s in %.1f s, surface error %.2e", mesh.name, seconds, best.errors["surface_mean"])
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


class _Job:
    """The fits of one conversion."""

    def __init__(
        self, mesh: Mesh, diagnosis: Diagnosis, options: ConvertOptions, announcer: Announcer
    ) -> None:
        self._options, self._announcer = options, announcer
        self._source = Source(
            name=mesh.name, sha256=mesh.digest(), num_vertices=len(mesh.vertices), num_faces=len(mesh.faces)
        )
        self._truth = diagnosis.truth
        self.history: list[EpochRecord] = []  # of a run in epochs

    def run(self) -> tuple[Attempt, list[Attempt]]:
        """Give the attempt to keep, and all attempts of the network that it is of.

        Raises:
            FitError: No try gave a zero set.
            OptionError: No network is as small as was asked for.
        """
        options, tolerance = self._options, self._tolerance()
        if options.fit.training is not None:  # whose settings are the user's, its seed too
            best, attempts = fit_until_good(options.fit, self._fit_and_measure, may_grow=False, most_tries=1)
        elif tolerance is not None:
            best, attempts = self._smallest(tolerance)
        elif options.num_bytes is not None:
            first = best_within(options.fit, options.num_bytes, self._file_bytes, self._short_fit)
            best, attempts = fit_until_good(first, self._fit_and_measure, may_grow=False)
        else:
            best, attempts = fit_until_good(
                options.fit, self._fit_and_measure, may_grow=options.may_grow, quick=options.quick
            )
        if empty(best.errors):
            raise FitError(
                f"{self._source.name} could not be fitted: {len(attempts)} networks with different seeds came out "
                "empty. Try a wider network or the preset fine."
            )
        return best, attempts

    def _tolerance(self) -> float | None:
        if self._options.tolerance_object is not None:
            return self._options.tolerance_object * self._truth.mesh.scale
        return self._options.tolerance

    def _smallest(self, tolerance: float) -> tuple[Attempt, list[Attempt]]:
        """Climb the ladder of networks; the answer is the smallest one that meets the tolerance, or else the best."""
        search = LadderSearch(self._options.fit, tolerance, self._short_fit)
        tried: list[tuple[Attempt, list[Attempt]]] = []
        while (run := search.next()) is not None:
            tried.append(fit_until_good(run, self._fit_and_measure, may_grow=False, tolerance=tolerance))
            search.tell(run.architecture, tried[-1][0].errors["surface_mean"])
        good = [one for one in tried if not one[0].missed]
        if good:
            return min(good, key=lambda one: one[0].options.architecture.num_parameters())
        return min(tried, key=lambda one: one[0].badness)

    def _short_fit(self, run: FitOptions) -> float:
        """Give the mean surface error of a network that is not kept."""
        self._announcer.fit_begins()
        parameters = fit(self._truth, run, self._announcer.fitting)
        weights = neural_weights(parameters, run, self._source, self._truth.mesh.unit_from_object)
        points = SurfaceSampler(self._truth.source).sample(QUICK_POINTS, np.random.default_rng(0x51))[0]
        return float(np.abs(NetworkValues(weights).value(points) - self._truth.level(points)).mean())

    def _file_bytes(self, architecture: Architecture) -> int:
        """Give an upper bound of the size of a network's file."""
        run = dataclasses.replace(self._options.fit, architecture=architecture)
        parameters = initial_parameters(architecture, 0)
        plain = neural_weights(parameters, run, self._source, self._truth.mesh.unit_from_object)
        longest = 1.0 / 3.0
        sized = plain.with_description(
            seed=run.seed + SEED_STEP * MOST_TRIES,
            bounds_unit=(-longest,) * 6,
            errors=dict.fromkeys((*COMPACT_ERRORS, "missed"), -1.2345e-05),
        )
        half = self._options.precision != "float32"
        return len(dataclasses.replace(sized, float16=half).to_bytes())

    def _fit(self, run: FitOptions, report: Callable[[FitState], None]) -> np.ndarray:
        if run.training is None:
            return fit(self._truth, run, report)

        def weights_of(parameters: np.ndarray) -> NeuralWeights:
            return neural_weights(parameters, run, self._source, self._truth.mesh.unit_from_object)

        options = self._options
        parameters, self.history = fit_in_epochs(
            ShapeSource(self._truth), run, options.outputs, options.output, weights_of, report
        )
        return parameters

    def _fit_and_measure(self, run: FitOptions) -> tuple[NeuralWeights, dict[str, float]]:
        unit_from_object, announcer = self._truth.mesh.unit_from_object, self._announcer
        options = self._options

        def report(state: FitState) -> None:
            announcer.fitting(state)
            if not options.snapshots or not announcer.snapshot_due(state):
                return
            rough = neural_weights(state.parameters, run, self._source, unit_from_object)
            with contextlib.suppress(FitError):  # no zero set yet: the next one may have something to see
                save_result(rough, options.output, options.proxy)
                announcer.snapshot(options.output, options.proxy, state)

        announcer.fit_begins()
        parameters = self._fit(run, report)
        precision: Precision = options.precision
        if options.num_bytes is not None and precision == "auto":
            precision = "float16"  # what the size was reckoned with

        def finish() -> tuple[NeuralWeights, dict[str, float]]:
            single = neural_weights(parameters, run, self._source, unit_from_object)
            weights = stored(single, self._truth, precision)
            return weights, measure_errors(NetworkValues(weights), self._truth)

        weights, errors = announcer.during("measuring", FIT_ENDS, finish)
        compact = {name: float(f"{errors[name]:.{COMPACT_DIGITS}g}") for name in COMPACT_ERRORS}
        compact["missed"] = float(len(shortfalls(errors, self._tolerance())))
        return weights.with_description(errors=compact), errors
