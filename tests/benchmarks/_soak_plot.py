"""Draws a long soak of tests/blender/test_soak.py: memory, files, processes and gaps of the main thread over its time.

    python -m tests.benchmarks._soak_plot soak.csv

keeps the rows beside the picture, docs/plots/soak.csv and soak.png, and prints how the last third of the time differs from the middle one.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
from pathlib import Path

from tests.benchmarks._report import PUBLISHED

Row = dict[str, float]
GAP_MS = 100.0  # what a freeze is
BLUE, RED, GREY, GREEN = "#2b6cb0", "#c53030", "#718096", "#2f855a"


def read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "action"} for row in csv.DictReader(file)]


def draw(rows: list[Row], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [row["seconds"] / 60.0 for row in rows]
    figure, (memory, counts, gaps) = pyplot.subplots(
        3, 1, figsize=(8.0, 7.2), sharex=True, layout="constrained"
    )
    memory.plot(minutes, [row["blender_mb"] for row in rows], color=BLUE, label="Blender")
    memory.plot(
        minutes,
        [row["engines_mb"] for row in rows],
        ".",
        ms=3,
        color=RED,
        label="its engines, after an action",
    )
    memory.set(ylabel="resident memory, MB", ylim=(0.0, None))
    counts.plot(minutes, [row["open_files"] for row in rows], color=BLUE, label="Blender's open files")
    counts.plot(minutes, [row["engines"] for row in rows], ".", ms=3, color=RED, label="engine processes")
    counts.plot(minutes, [row["kills"] for row in rows], color=GREY, label="kills of the engine so far")
    counts.set(ylabel="count", ylim=(0.0, None))
    gaps.semilogy(minutes, [max(1000.0 * row["gap_s"], 1.0) for row in rows], ".", ms=4, color=GREEN)
    gaps.axhline(GAP_MS, color=GREY, lw=0.8)
    gaps.set(ylabel="longest gap of the main thread\nin each action, ms", xlabel="minutes")
    for axes in (memory, counts):
        axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False)
    for axes in (memory, counts, gaps):
        axes.grid(True, alpha=0.25)
    figure.suptitle(f"{len(rows)} actions in a window, {minutes[-1]:.0f} minutes", fontsize=11)
    figure.savefig(path, dpi=110)


def drift(rows: list[Row]) -> str:
    """Say how each count stands in the last third against the middle one, medians."""
    third = len(rows) // 3
    parts = rows[third : 2 * third], rows[2 * third :]
    lines = []
    for name in ("blender_mb", "engines_mb", "engines", "open_files"):
        middle, last = (statistics.median(row[name] for row in part) for part in parts)
        lines.append(f"{name:12} middle third {middle:8.1f}, last third {last:8.1f}")
    gaps = sorted(1000.0 * row["gap_s"] for row in rows)
    lines.append(f"gaps, ms: median {statistics.median(gaps):.0f}, longest {gaps[-1]:.0f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, help="soak.csv in the folder of the test's run")
    arguments = parser.parse_args()
    rows = read(arguments.rows)
    if arguments.rows.resolve() != (PUBLISHED / "soak.csv").resolve():
        shutil.copy(arguments.rows, PUBLISHED / "soak.csv")
    draw(rows, PUBLISHED / "soak.png")
    print(drift(rows))


if __name__ == "__main__":
    main()
