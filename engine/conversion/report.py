"""The full report of a conversion as JSON; the compact errors travel inside the weights file."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..ground_truth.sign_doctor import Diagnosis
    from .attempts import Attempt


def conversion_report(
    best: Attempt, attempts: list[Attempt], diagnosis: Diagnosis, preset: str
) -> dict[str, Any]:
    """Give what is known of a result; who converts adds its size, seconds and warnings."""
    weights, run = best.weights, best.options
    return {
        "architecture": dataclasses.asdict(weights.architecture),
        "attempts": [_attempt(attempt) for attempt in attempts],
        "errors": best.errors,
        "missed": [{"name": shortfall.name, "text": shortfall.text} for shortfall in best.missed],
        "missed_aim": bool(best.missed),
        "num_parameters": weights.architecture.num_parameters(),
        "num_samples": run.num_samples,
        "num_steps": run.num_steps,
        "object_length_of_unit": 1.0 / diagnosis.truth.mesh.scale,
        "precision": "float16" if weights.float16 else "float32",
        "preset": preset,
        "seed": weights.description.seed,
        "software": weights.description.software,
        "source": dataclasses.asdict(weights.description.source),
        "surface": diagnosis.findings,
    }


def report_bytes(report: dict[str, Any]) -> bytes:
    """Give the report file's bytes, keys in a fixed order."""
    return json.dumps(report, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def _attempt(attempt: Attempt) -> dict[str, Any]:
    architecture = attempt.options.architecture
    return {
        "seed": attempt.options.seed,
        "width": architecture.width,
        "depth": architecture.depth,
        "surface_mean": attempt.errors["surface_mean"],
        "missed": [shortfall.name for shortfall in attempt.missed],
    }
