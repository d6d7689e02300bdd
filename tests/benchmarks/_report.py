"""Medians, a JSON file, and plots of a benchmark."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "bench"
PUBLISHED = ROOT / "docs/plots"
REPEATS = 5


def seconds(work, repeats: int = REPEATS) -> float:
    """Median wall time of `work()` after a warm-up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cpu_seconds(work, repeats: int = REPEATS) -> float:
    """Median processor time of this thread for `work()` after a warm-up: what a busy machine disturbs least."""
    work()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return statistics.median(times)


def store(name: str, results: dict) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(results, indent=1))


def plot(name: str, title: str, x_label: str, points: list[tuple[float, float]], publish: bool) -> None:
    """Write bench/NAME.png, and docs/plots/NAME.png when it is to be published."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.0, 3.4), layout="constrained")
    axes.loglog(*zip(*points), marker="o", color="#2b6cb0")
    axes.set(title=title, xlabel=x_label, ylabel="seconds")
    axes.grid(True, which="both", alpha=0.25)
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.png", dpi=120)
    pyplot.close(figure)
    if publish:
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / f"{name}.png", PUBLISHED / f"{name}.png")
