"""Errors and seconds of the presets over three seeds, and the curve of error against seconds beside the paper's recipe.

python build.py bench fitting       NEURAL_IMPLICIT_BENCH="--meshes A.obj B.obj --presets draft standard --seeds 0 1 2"

A preset's figure is one `python -m engine convert`, from start to end of the process. A point of our curve is one whole
fit of so many steps, a point of the recipe's is a look into its one training; both take place in this process, in turn,
on the same threads, with ground truth included. Figures go to bench/fitting.json, the plot to docs/plots/fitting.png.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from engine.conversion.presets import PRESETS, SMOOTH
from engine.fitting.fit import fit
from engine.fitting.torch_network import evaluate
from engine.ground_truth.mesh import check_mesh, to_unit
from engine.ground_truth.mesh_files import load_mesh
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.surface_sampler import SurfaceSampler
from tests.benchmarks import _paper_recipe

ROOT = Path(__file__).resolve().parents[2]
STEPS = (500, 1000, 2000, 4000, 8000, 16000, 36000)
RECIPE_SAMPLES = 1 << 20
RECIPE_LIMIT_S = 400.0
NUM_POINTS = 100_000
ERRORS = {
    "seconds": "seconds",
    "processor_seconds": "CPU s",
    "surface_mean": "surface",
    "surface_p95": "p95",
    "near_surface_mean": "near",
    "grid_mean": "grid",
    "grid_max": "grid max",
    "iou": "IoU",
    "surface_lost": "lost",
    "num_bytes": "bytes",
    "missed": "missed aims",
}
MISSED = 4  # exit code


def converted(mesh: Path, preset: str, seed: int, folder: Path) -> dict:
    """The errors of one conversion, its bytes, and its seconds from start to end of the process."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "engine", "convert", str(mesh), "--preset", preset, "--seed", str(seed)]
    command += ["-o", str(folder / "out.safetensors"), "--report", str(report), "--json"]
    before, start = os.times(), time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, os.times()
    if ended.returncode not in (0, MISSED):
        raise SystemExit(f"{' '.join(command)} ended with exit code {ended.returncode}")
    processor = sum(after[2:4]) - sum(before[2:4])  # of ended children
    full = json.loads(report.read_text())
    named = {"seconds": seconds, "processor_seconds": processor, "num_bytes": full["num_bytes"]}
    return full["errors"] | named | {"missed": len(full["missed"])}


def preset_table(meshes: list[Path], presets: list[str], seeds: list[int], console: Console) -> list[dict]:
    rows = []
    for mesh in meshes:
        table = Table("preset", *ERRORS.values(), title=f"{mesh.stem}, {len(seeds)} seeds: mean (spread)")
        for preset in presets:
            with tempfile.TemporaryDirectory() as folder:
                runs = [converted(mesh, preset, seed, Path(folder)) for seed in seeds]
            figures = {name: [run[name] for run in runs] for name in ERRORS}
            rows.append({"mesh": mesh.stem, "preset": preset, "seeds": seeds} | figures)
            cells = [f"{statistics.mean(x):.4g} ({max(x) - min(x):.1g})" for x in figures.values()]
            table.add_row(preset, *cells)
        console.print(table)
    return rows


def surface_error(truth):
    """A function from a network, as a function of points, to its mean surface error."""
    points = SurfaceSampler(truth.source).sample(NUM_POINTS, np.random.default_rng(0xE44))[0]
    pieces = torch.from_numpy(points.astype(np.float32)).split(8192)

    def error_of(network) -> float:
        with torch.no_grad():
            return float(torch.cat([network(piece) for piece in pieces]).abs().mean())

    return error_of


def our_curve(truth, error_of) -> list[tuple[float, float]]:
    figures = []
    for steps in STEPS:
        samples = min(1 << 21, max(1 << 17, 64 * steps))
        options = replace(PRESETS["standard"], num_steps=steps, num_samples=samples)
        start = time.perf_counter()
        parameters = torch.from_numpy(fit(truth, options, lambda state: None))
        seconds = time.perf_counter() - start
        figures.append((seconds, error_of(lambda p, w=parameters: evaluate(w, SMOOTH, p))))
    return figures


def curves(mesh: Path) -> dict[str, list[tuple[float, float]]]:
    truth = examine(to_unit(check_mesh(load_mesh(mesh)))).truth
    error_of = surface_error(truth)
    fit(truth, replace(PRESETS["standard"], num_steps=20, num_samples=1 << 14), lambda state: None)
    ours = our_curve(truth, error_of)
    return {"ours": ours, "paper": _paper_recipe.curve(truth, error_of, RECIPE_SAMPLES, RECIPE_LIMIT_S)}


def plot(figures: dict[str, dict[str, list[tuple[float, float]]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, all_axes = pyplot.subplots(1, len(figures), figsize=(5.2 * len(figures), 4.2), squeeze=False)
    for axes, (name, both) in zip(all_axes[0], figures.items()):
        axes.loglog(
            *zip(*both["paper"]),
            "s-",
            color="#888",
            ms=4,
            label=f"the paper's recipe: Adam, {RECIPE_SAMPLES:,} of its samples",
        )
        axes.loglog(*zip(*both["ours"]), "o-", color="#c33", ms=4, label="ours: one fit a point")
        axes.set(title=name, xlabel="seconds, ground truth included", ylabel="mean surface error, unit space")
        axes.grid(True, which="both", alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0.0, 0.07, 1.0, 1.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table, draw the curve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--meshes", nargs="+", type=Path, default=[ROOT / "examples/spot.obj"])
    parser.add_argument("--presets", nargs="*", default=["draft", "standard"])  # fine takes minutes
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--no-curve", action="store_true")
    arguments = parser.parse_args(shlex.split(os.environ.get("NEURAL_IMPLICIT_BENCH", "")))
    console = Console(width=150)
    results: dict = {"presets": preset_table(arguments.meshes, arguments.presets, arguments.seeds, console)}
    if not arguments.no_curve:
        results["curves"] = {mesh.stem: curves(mesh) for mesh in arguments.meshes}
        for name, both in results["curves"].items():
            for label, points in both.items():
                console.print(f"{name}, {label}: " + ", ".join(f"{s:.1f} s {e:.5f}" for s, e in points))
        plot(results["curves"], ROOT / "docs/plots/fitting.png")
    path = ROOT / "bench/fitting.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
