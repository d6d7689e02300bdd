"""Certifying networks: seconds, cells left undecided, and a million rays against the float64 oracle.

python build.py bench certified
NEURAL_IMPLICIT_BENCH="FILE..." python build.py bench certified      of weights files, without rays
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np

from engine.cache import use_cache_folder

use_cache_folder()
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from engine.network.field import Field  # noqa: E402
from engine.protocol.weights import NeuralWeights  # noqa: E402
from engine.tracing.certified_cache import pack  # noqa: E402
from engine.tracing.certified_grid import certified_cells  # noqa: E402
from engine.tracing.cpu import CpuTracer  # noqa: E402
from tests.engine.networks import octahedron  # noqa: E402
from tests.engine.test_certified_rays import network, thin_shapes  # noqa: E402
from tests.ray_oracle import judge, mixed_rays  # noqa: E402

NUM_RAYS = 1_000_000
RAYS_AT_ONCE = 10_000
SAMPLES = 8  # a side of a cell, for counting the surface's own cells
NUM_RATIOS = 3000


def own_cells(tracer, cells) -> tuple[int, np.ndarray]:
    """Count cells in which samples of the field have both signs; give how loose gradients' bounds are in some of them.

    The ratio is that of the steepest gradient that the bound allows to the steepest of the samples.
    """
    side = cells.reachable.shape[0]
    offset = (np.arange(SAMPLES) + 0.5) / SAMPLES
    offsets = np.stack(np.meshgrid(offset, offset, offset, indexing="ij"), axis=-1).reshape(-1, 3)
    where, own = np.argwhere(cells.reachable), []
    for start in range(0, len(where), 2000):
        places = (where[start : start + 2000, None] + offsets) * (2.0 / side) - 1.0
        values = tracer.value_parallel(places.reshape(-1, 3)).reshape(-1, len(offsets))
        own.append(start + np.flatnonzero((values.min(axis=1) < 0.0) & (values.max(axis=1) >= 0.0)))
    rows = np.concatenate(own)
    some = np.sort(np.random.default_rng(0).choice(rows, min(NUM_RATIOS, len(rows)), replace=False))
    places = ((where[some, None] + offsets) * (2.0 / side) - 1.0).reshape(-1, 3)
    seen = np.linalg.norm(tracer.gradient_parallel(places), axis=1).reshape(len(some), -1).max(axis=1)
    low, high = cells.gradient[some, :3], cells.gradient[some, 3:]
    allowed = np.linalg.norm(np.maximum(np.abs(low), np.abs(high)), axis=1)
    return len(rows), allowed / seen


def building(name, weights, table) -> None:
    """Certify one network once more and add a row."""
    certified_cells(octahedron())  # compiled
    start, cpu = time.perf_counter(), time.process_time()
    cells = certified_cells(weights)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    if not cells.reachable.size:
        table.add_row(name, "", f"{seconds:.1f}", f"{cpu:.1f}", "refused", *[""] * 5)
        return
    own, ratios = own_cells(CpuTracer(weights), cells)
    arch, left = weights.architecture, int(cells.reachable.sum())
    row = (
        f"{seconds:.1f}",
        f"{cpu:.1f}",
        f"{left}",
        f"{own}",
        f"{left / max(own, 1):.2f}",
        " / ".join(f"{x:.2f}" for x in (*np.quantile(ratios, (0.5, 0.99)), ratios.max())),
        f"{cells.error:.1e}",
    )
    table.add_row(
        name, f"{arch.width} x {arch.depth} {arch.activation}", *row, f"{len(pack(cells)) / 1e6:.2f}"
    )


def rays(name, count, table) -> None:
    """Trace rays at one network and add a row of what was wrong."""
    weights = network(name)
    tracer, field = CpuTracer(weights), Field(weights)
    tracer.certify()
    totals, worst = np.zeros(5, np.int64), 0.0
    for seed in range(-(-count // RAYS_AT_ONCE)):
        verdict = judge(weights, tracer, *mixed_rays(field, RAYS_AT_ONCE, 1000 + seed))
        kinds = (verdict.crossed, verdict.missed, verdict.false, verdict.displaced, verdict.grazing)
        totals += [int(kind.sum()) for kind in kinds]
        worst = max(worst, float(verdict.depth_error.max()))
    table.add_row(name, str(RAYS_AT_ONCE * (seed + 1)), *(str(total) for total in totals), f"{worst:.1e}")


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "weights", type=Path, nargs="*", help="files to certify in place of the benchmark's own"
    )
    files = parser.parse_args(shlex.split(os.environ.get("NEURAL_IMPLICIT_BENCH", ""))).weights
    names = ["spot", "octahedron", *thin_shapes()] if not files else []
    chosen = {name: network(name) for name in names} | {f.stem: NeuralWeights.load(f) for f in files}
    columns = ("network", "of", "s", "CPU s", "undecided", "own", "ratio", "gradient's ratio", "error", "MB")
    table = Table(*columns, title="128^3 cells; ratio of gradients: median / p99 / largest")
    for name, weights in chosen.items():
        building(name, weights, table)
    Console(width=140).print(table)
    table = Table("network", "rays", "cross", "missed", "false", "displaced", "grazing", "depth error")
    for name in names:
        rays(name, NUM_RAYS // len(names), table)
    if names:
        Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
