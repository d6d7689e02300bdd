"""How far a conversion is, and what it came to, in the words that panel and terminal show."""

from __future__ import annotations

from typing import Any

from ..engine.protocol.messages import Progress
from .conversion_job import ConversionJob

STARTING = "Starting the engine"
PHASES = {
    "starting": STARTING,
    "ready": STARTING,
    "compiling": "Compiling for this computer, once",
    "reading": "Reading the surface",
    "checking": "Checking the surface",
    "sampling": "Measuring distances",
    "fitting": "Training",
    "measuring": "Measuring errors",
    "writing": "Writing",
}


def progress_line(job: ConversionJob) -> str:
    """Give one line for a terminal."""
    if job.state == "finished":
        return f"{job.name}: done"
    if not job.active:
        return f"{job.name}: {job.problem or job.state}"
    return f"{job.name}: {phase_text(job)} {100 * fraction(job):.0f} %{_joined(', ', detail_texts(job))}"


def phase_text(job: ConversionJob) -> str:
    """Give what is being done."""
    if job.state == "waiting":
        return "Waiting"
    if job.waits_for_edit_mode:
        return "Done: leave Edit Mode to see it"
    progress = job.engine.progress if job.engine is not None else None
    return phase_name(progress) if progress is not None else STARTING


def phase_name(progress: Progress) -> str:
    """Give what an engine says it is doing."""
    return PHASES[progress.phase]


def fraction(job: ConversionJob) -> float:
    """Give how much of the whole job is done, 0 to 1."""
    progress = job.engine.progress if job.engine is not None else None
    return 0.0 if progress is None else min(max(progress.fraction, 0.0), 1.0)


def detail_texts(job: ConversionJob) -> list[str]:
    """Give step, error and time left, as far as they are known."""
    progress = job.engine.progress if job.engine is not None else None
    if progress is None or progress.phase != "fitting":
        return []
    texts = [f"step {progress.step} of {progress.num_steps}"]
    if progress.error is not None:
        texts.append(f"error {progress.error:.5f}")
    return texts + _time_left(progress)


def _time_left(progress: Progress) -> list[str]:
    if progress.seconds_left is None:
        return []
    seconds = round(progress.seconds_left)
    return [f"{seconds} s left" if seconds < 100 else f"{seconds // 60} min {seconds % 60} s left"]


def report_rows(report: dict[str, Any], num_bytes: int) -> list[tuple[str, str]]:
    """Give what a report says of a neural object as rows of a name and a value."""
    rows = []
    errors = report.get("errors", {})
    for key, name in (
        ("surface_mean", "Surface Error"),
        ("surface_p95", "95 % Under"),
        ("grid_mean", "Field Error"),
    ):
        if isinstance(errors.get(key), float):
            rows.append((name, f"{errors[key]:.5f}"))
    if isinstance(errors.get("iou"), float):
        rows.append(("Overlap", f"{100 * errors['iou']:.2f} %"))
    if isinstance(report.get("training_error"), float):
        rows.append(("Training Error", f"{report['training_error']:.5f}"))
    rows.append(("Size", f"{num_bytes:,} bytes"))
    if isinstance(report.get("seconds"), float):
        rows.append(("Time", f"{report['seconds']:.1f} s"))
    return rows


def _joined(separator: str, texts: list[str]) -> str:
    return "".join(separator + text for text in texts)
