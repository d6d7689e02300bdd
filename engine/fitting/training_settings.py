"""Single settings of a training to the options of a run: what is not named is as in the preset.

A setting of `IN_EPOCHS` makes the run one in epochs; without any the fit is the preset's own, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import DeviceError, OptionError
from .fit import FitOptions
from .losses import LossOptions
from .sample_files import load_samples
from .samplers import SamplerOptions
from .schedules import ScheduleOptions
from .training_options import ADAM_RATE, TrainingOptions, TrainingOutputs

OUTPUTS = ("checkpoint", "snapshots", "validate", "plot", "log")
SAMPLER = {"sampling": "kind", "importance_weight": "importance", "noise": "noise"}
IN_EPOCHS = (
    *SAMPLER,
    *OUTPUTS,
    *("loss", "loss_weight", "fourier", "fourier_scale", "learning_rate", "schedule"),
    *("batch", "epochs", "epoch_length", "optimizer", "queries"),
)
MOST_FEATURES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A run, and what it writes."""

    fit: FitOptions
    outputs: TrainingOutputs


def with_training(base: FitOptions, settings: Mapping[str, Any]) -> Training:
    """Give a run with the settings that are there in place; those that are None are not.

    Raises:
        OptionError: A setting is out of its range.
        EngineError: A file of samples cannot be read, or a device is not there.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if "device" in given:
        base = replace(base, device=_checked_device(given["device"]))
    if "output_activation" in given:
        squashed = replace(base.architecture, output_activation=given["output_activation"])
        base = replace(base, architecture=squashed)
    if not any(name in given for name in IN_EPOCHS):
        return Training(fit=base, outputs=TrainingOutputs())
    outputs = TrainingOutputs(**{name: given[name] for name in OUTPUTS if name in given})
    return Training(fit=_in_epochs(base, given), outputs=outputs)


def _in_epochs(base: FitOptions, given: Mapping[str, Any]) -> FitOptions:
    batch = given.get("batch", base.batch_size)
    if batch < 1:
        raise OptionError(f"A batch has at least one sample, got {batch}.")
    length = _epoch_length(base, given)
    if length < batch:
        raise OptionError(f"An epoch of {length} samples is shorter than a batch of {batch}.")
    epochs = given.get("epochs", max(1, round(base.num_steps * base.batch_size / length)))
    optimizer = given.get("optimizer", "soap")
    usual = ADAM_RATE if optimizer == "adam" else base.learning_rate
    rate = given.get("learning_rate", usual)
    if not 0.0 < rate < 10.0:
        raise OptionError(f"A learning rate is above 0 and below 10, got {rate}.")
    schedule = {"kind": given["schedule"]} if "schedule" in given else {}
    training = TrainingOptions(
        epochs=epochs,
        epoch_length=length,
        sampler=SamplerOptions(**{SAMPLER[name]: given[name] for name in SAMPLER if name in given}),
        schedule=ScheduleOptions(**schedule),
        optimizer=optimizer,
        **{name: given[name] for name in ("loss_weight", "fourier_scale", "queries") if name in given},
    )
    return replace(
        base,
        architecture=_encoded(base, given.get("fourier")),
        num_steps=epochs * (length // batch),
        batch_size=batch,
        num_samples=length if given.get("samples") is None else max(batch, given["samples"]),
        learning_rate=rate,
        loss=LossOptions(kind=given["loss"]) if "loss" in given else base.loss,
        training=training,
    )


def _epoch_length(base: FitOptions, given: Mapping[str, Any]) -> int:
    if "epoch_length" in given:
        return int(given["epoch_length"])
    if "queries" in given:
        return len(load_samples(given["queries"]).points)
    return base.num_samples


def _encoded(base: FitOptions, features: int | None) -> Any:
    if features is None:
        return base.architecture
    if not 1 <= features <= MOST_FEATURES:
        raise OptionError(f"There are 1 to {MOST_FEATURES} Fourier features, got {features}.")
    return replace(base.architecture, encoding="fourier", fourier_features=features)


def _checked_device(name: str) -> str:
    if name == "cpu":
        return name
    import torch  # seconds

    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch raises any of them
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"torch has no device {name!r} here ({reason}). Use cpu, or leave it out."
        ) from error
    return name
