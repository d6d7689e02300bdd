"""What draft, standard and fine mean, and how single settings change them.

Presets are numbers of steps, not of seconds, so that equal seeds give equal files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..fitting.fit import FitOptions
from ..fitting.hard_samples import HardOptions
from ..fitting.losses import LossOptions
from ..fitting.training_settings import with_training
from ..fitting.warm_start import check_start
from ..formats.weights_files import load_weights
from ..network.parameters import GAINS
from ..protocol.weights import Activation, Architecture, NeuralWeights
from .options import ConvertOptions
from .precision import Precision

SMALLEST_SAMPLES = 10_000
# as accurate as gelu, as cheap as relu, without facets in the shading, and exactly linear where a unit is decided
SMOOTH = Architecture(activation="hard_gelu")
# a short run has first to find the surface
FEW_HARD = HardOptions(share=0.05, num_searches=6, farther_than=0.05, copies=0)
PRESETS: dict[str, FitOptions] = {
    "draft": FitOptions(
        architecture=SMOOTH,
        num_steps=4200,
        batch_size=1024,
        num_samples=3 << 18,
        learning_rate=4e-2,
        hard=FEW_HARD,
        loss=LossOptions(tail_weight=200.0),
    ),
    "standard": FitOptions(
        architecture=SMOOTH,
        num_steps=36000,
        batch_size=1024,
        num_samples=1 << 21,
        hard=HardOptions(share=0.1),
        loss=LossOptions(tail_weight=500.0),  # 300 is better near the surface and over .02 somewhere else
    ),
    "fine": FitOptions(
        architecture=replace(SMOOTH, width=64),
        num_steps=64000,
        batch_size=1024,
        num_samples=1 << 22,
        learning_rate=1.4e-2,
        first_factor=2.5,  # fits better; bounds on so wide a network are worth nothing with 1 either
        hard=HardOptions(share=0.05),
        loss=LossOptions(tail_weight=100.0),
    ),
}


def convert_options(
    *,
    output: Path,
    report: Path | None = None,
    proxy: Path | None = None,
    preset: str = "standard",
    width: int | None = None,
    depth: int | None = None,
    activation: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    snapshots: bool = False,
    precision: Precision = "auto",
    tolerance: float | None = None,
    tolerance_object: float | None = None,
    num_bytes: int | None = None,
    start: Path | None = None,
    reconstruct: int | None = None,
    training: Mapping[str, Any] | None = None,
) -> ConvertOptions:
    """Give a preset with the settings that are not None in place.

    A tolerance (mean surface error, in unit space or in object units) or a number of bytes chooses the network, which
    is then not to be named by width or depth. `training` holds settings of `training_settings`.
    `start` names weights to begin with, whose network is then the one that is fitted.

    Raises:
        OptionError: A setting is out of its range.
        EngineError: A file of samples cannot be read, or a device is not there.
    """
    sized = width is not None or depth is not None
    asked = (tolerance, tolerance_object, num_bytes)
    _check(preset, activation, samples, seed, sized and any(one is not None for one in asked))
    base = PRESETS[preset]
    old = None if start is None else _old_network(start, width, depth, activation)
    if old is not None:
        width, depth, activation = _named(old.architecture)
    seeded = replace(base, seed=seed, num_samples=samples or base.num_samples)
    fit = _of_network(seeded, {"width": width, "depth": depth, "activation": activation})
    run = with_training(fit, {"samples": samples, **(training or {})})
    return ConvertOptions(
        fit=run.fit,
        outputs=run.outputs,
        reconstruct=reconstruct,
        start=old,
        preset=preset,
        output=output,
        report=report,
        proxy=proxy,
        snapshots=snapshots,
        precision=precision,
        may_grow=not sized,
        quick=preset == "draft",
        tolerance=tolerance,
        tolerance_object=tolerance_object,
        num_bytes=num_bytes,
    )


def _of_network(base: FitOptions, changes: Mapping[str, Any]) -> FitOptions:
    """Give the fit with the changes of its network that are not None."""
    architecture = replace(base.architecture, **{k: v for k, v in changes.items() if v is not None})
    if architecture.activation == base.architecture.activation:
        return replace(base, architecture=architecture)
    usual = FitOptions()  # the preset's own suit its activation
    return replace(
        base, architecture=architecture, learning_rate=usual.learning_rate, first_factor=usual.first_factor
    )


def _old_network(path: Path, width: int | None, depth: int | None, activation: str | None) -> NeuralWeights:
    old = load_weights(path)
    check_start(old)
    for name, asked, there in zip(
        ("width", "depth", "activation"), (width, depth, activation), _named(old.architecture)
    ):
        if asked is not None and asked != there:
            raise OptionError(
                f"{path.name} holds a network of {name} {there}, not {asked}. Leave out the {name}, or the start."
            )
    return old


def _named(architecture: Architecture) -> tuple[int, int, Activation]:
    return architecture.width, architecture.depth, architecture.activation


def _check(preset: str, activation: str | None, samples: int | None, seed: int, sized_twice: bool) -> None:
    if preset not in PRESETS:
        raise OptionError(f"There is no preset {preset!r}. Use one of {', '.join(PRESETS)}.")
    if activation is not None and activation not in GAINS:
        raise OptionError(f"There is no activation {activation!r}. Use one of {', '.join(GAINS)}.")
    if samples is not None and samples < SMALLEST_SAMPLES:
        raise OptionError(f"At least {SMALLEST_SAMPLES} samples are needed, got {samples}.")
    if not 0 <= seed < 1 << 31:
        raise OptionError(f"A seed is 0 to {(1 << 31) - 1}, got {seed}.")
    if sized_twice:
        raise OptionError(
            "A tolerance or a number of bytes chooses the network: leave out its width and depth."
        )
