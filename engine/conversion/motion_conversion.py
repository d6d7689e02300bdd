"""A folder of meshes, the frames of a motion, to one network of x, y, z and t: reads, fits, measures, writes.

The network is fitted in epochs at the frames' times and is smooth in between. Every error is measured at each frame.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FitError, OptionError
from ..fitting.epoch_fit import fit_in_epochs
from ..fitting.fit import FitOptions, FitState
from ..fitting.fitted_weights import neural_weights
from ..fitting.training_settings import with_training
from ..ground_truth.signed_distance import use_device
from ..measuring.field_errors import MeasureOptions, measure_errors
from ..network.moving_shapes import at_time
from ..network.parameters import encode
from ..network.rounding import rounded_together
from ..protocol.messages import Converted, Message
from ..protocol.weights import NeuralWeights
from ..tracing.network_values import NetworkValues
from .aims import Shortfall, shortfalls
from .announcer import FIT_ENDS, Announcer, save_result
from .attempts import Attempt
from .motion import Motion, MotionSource, load_motion
from .moving_proxy import save_moving_proxy
from .options import ConvertOptions
from .precision import cheap_enough
from .report import conversion_report
from .results import check_all_writable, closing_message, compact_errors

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]

FRAME_POINTS = MeasureOptions(num_points=20_000, grid_resolution=32)  # of a frame: there are many
ROUNDING_POINTS, TRIAL_POINTS = 4096, 20_000
ROUNDING_SEED = 0xF164


def convert_motion(folder: Path, options: ConvertOptions, tell: Callable[[Message], None]) -> Converted:
    """Convert the meshes of a folder to one moving shape.

    Args:
        folder: The frames.
        options: What to make and where to put it; a run without training settings is one in epochs all the same.
        tell: Gets `Progress` and `Snapshot` as they come; may raise to stop the job.

    Returns:
        The closing message; the output file is final.

    Raises:
        EngineError: A mesh, an option, the output folder or the fit is at fault.
    """
    start = clock.monotonic()
    check_all_writable((options.output, options.report, options.proxy))
    run = moving_run(options)
    use_device(run.device)
    announcer = Announcer(tell, run.num_steps)
    motion = load_motion(folder, options.threads, lambda: announcer.phase("checking", 0.02))
    weights, history = _fitted(motion, run, options, announcer)
    best, frames = announcer.during(
        "measuring", FIT_ENDS, lambda: _measured(motion, run, _stored(weights, motion, run, options))
    )
    announcer.phase("writing", 0.99)
    if options.proxy is not None:
        proxy = options.proxy
        announcer.during("writing", 0.99, lambda: save_moving_proxy(best.weights, proxy, len(frames)))
    num_bytes = save_result(best.weights, options.output, None)
    texts = (shortfall.text for shortfall in best.missed)
    warnings = (*motion.warnings, *texts)
    seconds = clock.monotonic() - start
    report = conversion_report(best, [best], motion.frames[0].diagnosis, options.preset)
    report |= {"epochs": [dataclasses.asdict(record) for record in history], "frames": frames}
    log.info("converted %d frames of %s in %.1f s", len(frames), folder.name, seconds)
    return closing_message(options, report, num_bytes, seconds, warnings)


def moving_run(options: ConvertOptions) -> FitOptions:
    """Give the run of a moving shape: the options' own with a time among its inputs, in epochs.

    Raises:
        OptionError: A size or an error is asked for, or a mesh at the end.
    """
    if any(asked is not None for asked in (options.tolerance, options.tolerance_object, options.num_bytes)):
        raise OptionError("A moving shape has the network that is named: leave out tolerance and bytes.")
    if options.reconstruct is not None:
        raise OptionError("A moving shape has many meshes: make one with the command mesh and its --time.")
    fit = options.fit
    if fit.training is None:
        epochs = max(1, round(fit.num_steps * fit.batch_size / fit.num_samples))
        fit = with_training(fit, {"epochs": epochs}).fit
    return dataclasses.replace(fit, architecture=dataclasses.replace(fit.architecture, inputs=4))


def _fitted(
    motion: Motion, run: FitOptions, options: ConvertOptions, announcer: Announcer
) -> tuple[NeuralWeights, list[Any]]:
    def weights_of(parameters: FloatArray) -> NeuralWeights:
        return neural_weights(parameters, run, motion.source, motion.unit_from_object)

    def report(state: FitState) -> None:
        announcer.fitting(state)
        if options.snapshots and announcer.snapshot_due(state):
            with contextlib.suppress(FitError):  # no zero set yet
                save_result(weights_of(state.parameters), options.output, options.proxy)
                announcer.snapshot(options.output, options.proxy, state)

    announcer.fit_begins()
    parameters, history = fit_in_epochs(
        MotionSource(motion), run, options.outputs, options.output, weights_of, report
    )
    return weights_of(parameters), history


def _stored(
    weights: NeuralWeights, motion: Motion, run: FitOptions, options: ConvertOptions
) -> NeuralWeights:
    """Give the network in half precision where that is asked for or costs next to nothing."""
    if options.precision == "float32":
        return weights
    small = dataclasses.replace(run, num_samples=ROUNDING_POINTS + TRIAL_POINTS, seed=ROUNDING_SEED)
    samples = np.random.default_rng(ROUNDING_SEED).permutation(
        MotionSource(motion).samples(small, lambda: None)
    )
    half = rounded_together(weights, encode(samples[:ROUNDING_POINTS, :4], weights.fourier_matrix))
    if options.precision == "float16":
        return half
    before, after = (_errors_at(one, motion, samples[ROUNDING_POINTS:]) for one in (weights, half))
    return half if cheap_enough(before, after) else weights


def _errors_at(weights: NeuralWeights, motion: Motion, samples: FloatArray) -> FloatArray:
    errors = []
    for frame in motion.frames:
        mine = samples[samples[:, 3] == np.float32(frame.time)]
        errors.append(np.abs(NetworkValues(at_time(weights, frame.time)).value(mine[:, :3]) - mine[:, 4]))
    return np.concatenate(errors)


def _measured(
    motion: Motion, run: FitOptions, weights: NeuralWeights
) -> tuple[Attempt, list[dict[str, Any]]]:
    """Give the network with its mean errors, and the errors of each frame.

    Raises:
        FitError: The shape is empty at all times.
    """
    found: list[dict[str, float]] = []
    missed: dict[str, Shortfall] = {}
    for frame in motion.frames:
        errors = measure_errors(NetworkValues(at_time(weights, frame.time)), frame.truth, FRAME_POINTS)
        found.append(errors)
        for shortfall in shortfalls(errors):
            if shortfall.name not in missed or shortfall.by > missed[shortfall.name].by:
                text = f"At frame {frame.name}: {shortfall.text}"
                missed[shortfall.name] = Shortfall(name=shortfall.name, text=text, by=shortfall.by)
    if all(errors["inside_share"] == 0.0 for errors in found):
        raise FitError(
            "The motion could not be fitted: the network is empty at all times. Use the preset fine."
        )
    mean = {name: float(np.mean([errors[name] for errors in found])) for name in found[0]}
    stored = weights.with_description(errors=compact_errors(mean, len(missed)))
    attempt = Attempt(options=run, weights=stored, errors=mean, missed=tuple(missed.values()))
    frames = [{"name": f.name, "time": f.time, **errors} for f, errors in zip(motion.frames, found)]
    return attempt, frames
