"""Evaluations a second on one thread: as a share of the core's peak and against torch, all measured in turn."""

from __future__ import annotations

import statistics
import time

import numba as nb
import numpy as np
import torch
from rich.table import Table

from engine.tracing import make_tracer
from engine.tracing.simd_tile import PANEL, affine_tile
from tests.benchmarks import _lockstep
from tests.benchmarks._report import plot
from tests.engine.networks import random_network

TORCH_BATCHES = (1024, 4096)
WORK = 1.5e8  # multiply-adds of one timed evaluation
ROUNDS = 9
FAN_IN, TILES = 256, 4000  # of the loop that is nothing but multiply-adds


@nb.njit(nogil=True)
def _tiles(weights, panels, times):
    for _ in range(times):
        affine_tile(weights, 0, FAN_IN, panels, 0, panels, FAN_IN * PANEL, np.float32(1.0))


def _workloads():
    """Give what reaches the peak, and the float32 operations of each: our own tile, and torch's product of two matrices."""
    weights = np.ones(4 * (FAN_IN + 1), np.float32)
    panels = np.zeros((FAN_IN + 4) * PANEL, np.float32)
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    return {
        "tile": (lambda: _tiles(weights, panels, TILES), TILES * 2.0 * 4 * FAN_IN * PANEL),
        "matrices": (lambda: torch.mm(a, b), 2.0 * 512**3),
    }


def _rates(work: dict) -> dict[str, list[float]]:
    """Give the amounts a processor second of `name: (function, amount)`, in turn, ROUNDS times, after a warm-up."""
    for function, _ in work.values():
        function()
    rates = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (function, amount) in work.items():
            start = time.thread_time()
            function()
            rates[name].append(amount / (time.thread_time() - start))
    return rates


def measure(width: int, activation: str) -> dict:
    """Measure an 8-layer network; shares and ratios are medians of those of single rounds."""
    weights = random_network(width=width, depth=8, activation=activation)
    tracer, size = make_tracer(weights, "cpu"), weights.architecture.num_parameters()
    count = max(4096, min(1 << 15, int(WORK / size) // 4096 * 4096))
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (count, 3)).astype(np.float32)
    field = _lockstep.network(weights)
    work = _workloads()
    work["ours"] = (lambda: tracer._value(points), count)
    work["gradients"] = (lambda: tracer.gradient(points), count)
    for batch in TORCH_BATCHES:
        pieces = torch.from_numpy(points).split(batch)
        work[batch] = (lambda q=pieces: [field(p) for p in q], count)
    with torch.inference_mode():
        rates = _rates(work)
    operations = 2 * sum(out * fan_in for out, fan_in in weights.architecture.layer_shapes())
    middle = {name: statistics.median(rate) for name, rate in rates.items()}
    batch = max(TORCH_BATCHES, key=middle.get)
    top = max(("tile", "matrices"), key=middle.get)
    return {
        "width": width,
        "activation": activation,
        "ours": middle["ours"],
        "gradients": middle["gradients"],
        "torch": middle[batch],
        "batch": batch,
        "peak": middle[top],
        "share": statistics.median(operations * a / b for a, b in zip(rates["ours"], rates[top])),
        "ratio": statistics.median(a / b for a, b in zip(rates["ours"], rates[batch])),
    }


def evaluation(console, results, widths, activations, publish) -> None:
    """Print the table, keep its rows and draw the share of the peak against the width."""
    torch.set_num_threads(1)
    heads = ("network", "M/s", "peak, GFLOP/s", "share", "gradients, M/s", "torch, M/s", "its batch", "ratio")
    table = Table(
        *heads, title=f"Values of 8-layer networks on one thread; medians of {ROUNDS} rounds in turn"
    )
    rows = [measure(width, activation) for width in widths for activation in activations]
    lines = {}
    for row in rows:
        lines.setdefault(row["activation"], []).append((row["width"], row["share"]))
        table.add_row(
            f"8 x {row['width']} {row['activation']}",
            f"{row['ours'] / 1e6:.2f}",
            f"{row['peak'] / 1e9:.0f}",
            f"{row['share']:.0%}",
            f"{row['gradients'] / 1e6:.2f}",
            f"{row['torch'] / 1e6:.2f}",
            str(row["batch"]),
            f"{row['ratio']:.2f}",
        )
    results["evaluation"] = rows
    console.print(table)
    plot("tracing_widths", "Values: share of one core's peak", "width", lines, publish, y_label="share")
