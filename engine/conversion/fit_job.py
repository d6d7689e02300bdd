"""The fits of one conversion: one, one after the other until one is good, or a search for a size or an error."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import numpy as np

from ..errors import FitError
from ..fitting.epoch_fit import fit_in_epochs
from ..fitting.epochs import EpochRecord
from ..fitting.fit import FitOptions, FitState, fit
from ..fitting.fitted_weights import neural_weights
from ..fitting.sample_sources import ShapeSource
from ..fitting.warm_start import warm_run
from ..ground_truth.mesh import Mesh
from ..ground_truth.sign_doctor import Diagnosis
from ..ground_truth.surface_sampler import SurfaceSampler
from ..measuring.field_errors import measure_errors
from ..network.parameters import initial_parameters
from ..protocol.weights import Architecture, NeuralWeights, Source
from ..tracing.network_values import NetworkValues
from .aims import empty, shortfalls
from .announcer import FIT_ENDS, Announcer, save_result
from .attempts import MOST_TRIES, SEED_STEP, Attempt, fit_until_good
from .network_search import LadderSearch, best_within
from .options import ConvertOptions
from .precision import Precision, stored
from .results import COMPACT_ERRORS, compact_errors

QUICK_POINTS = 20_000  # of the mean surface error of a short fit


class FitJob:
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
            best, attempts = self._preset_fits()
        if empty(best.errors):
            raise FitError(
                f"{self._source.name} could not be fitted: {len(attempts)} networks with different seeds came out "
                "empty. Try a wider network or the preset fine."
            )
        return best, attempts

    def _preset_fits(self) -> tuple[Attempt, list[Attempt]]:
        """Begin with the old weights where there are some, and with random ones where that did not do."""
        options, before = self._options, list[Attempt]()
        if options.start is not None:
            run = warm_run(options.fit, options.start, self._truth.mesh.unit_from_object)
            best, before = fit_until_good(run, self._fit_and_measure, may_grow=False, most_tries=1)
            if not best.missed:
                return best, before
        best, attempts = fit_until_good(
            options.fit, self._fit_and_measure, may_grow=options.may_grow, quick=options.quick
        )
        return min([*before, best], key=lambda attempt: attempt.badness), [*before, *attempts]

    def _tolerance(self) -> float | None:
        if self._options.tolerance_object is not None:
            return self._options.tolerance_object * self._truth.mesh.scale
        return self._options.tolerance

    def _smallest(self, tolerance: float) -> tuple[Attempt, list[Attempt]]:
        """Climb the ladder of networks; the answer is the smallest one that meets the tolerance, or else the best."""
        search = LadderSearch(self._options.fit, tolerance, self._short_fit)
        tried: list[tuple[Attempt, list[Attempt]]] = []
        while (run := search.next()) is not None:
            tried.append(
                fit_until_good(run, self._fit_and_measure, may_grow=False, tolerance=tolerance, quick=True)
            )  # the next rung is a better try than another seed
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
        compact = compact_errors(errors, len(shortfalls(errors, self._tolerance())))
        return weights.with_description(errors=compact), errors
