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


Points = list[tuple[float, float]]


def plot(
    name: str,
    title: str,
    x_label: str,
    points: Points | dict[str, Points],
    publish: bool,
    y_label: str = "seconds",
) -> None:
    """Write bench/NAME.png, and docs/plots/NAME.png when it is to be published; several lines have names."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter

    figure, axes = pyplot.subplots(figsize=(5.0, 3.4), layout="constrained")
    if isinstance(points, dict):
        for label, line in points.items():
            axes.plot(*zip(*line), marker="o", label=label)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0.0)
        axes.legend(fontsize=7)
    else:
        axes.loglog(*zip(*points), marker="o", color="#2b6cb0")
        ticks = [x for x, _ in points]
        axes.set_xticks(ticks, [f"{x:,}" for x in ticks], fontsize=8)
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(True, which="both", alpha=0.25)
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.png", dpi=120)
    pyplot.close(figure)
    if publish:
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / f"{name}.png", PUBLISHED / f"{name}.png")
