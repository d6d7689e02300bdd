"""Speed of the CPU tracer: against torch, against the paper's algorithm, and how it grows; medians, one run.

python build.py bench tracing            tables, bench/tracing.json and bench/tracing_*.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from engine.cache import use_cache_folder

use_cache_folder()
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from engine.protocol.weights import NeuralWeights  # noqa: E402
from engine.rendering.camera import PixelCamera  # noqa: E402
from engine.rendering.neural_geometry import NeuralGeometry, NeuralInstance  # noqa: E402
from engine.rendering.pixel_order import pixel_order  # noqa: E402
from engine.tracing import make_tracer  # noqa: E402
from tests.benchmarks import _lockstep  # noqa: E402
from tests.benchmarks._growth import KINDS, WEIGHTS, camera, growth, looks, structures  # noqa: E402
from tests.benchmarks._report import cpu_seconds, plot, store  # noqa: E402
from tests.engine.networks import ACTIVATIONS, random_network  # noqa: E402

WIDTHS = (8, 16, 32, 64, 128, 256)
TORCH_BATCHES = (1024, 4096)
WORK = 1.5e9  # multiply-adds of one timed evaluation
SIDE = 512


def peak() -> float:
    """Float32 operations a second that one thread reaches in a product of two matrices that fit the cache."""
    import torch

    torch.set_num_threads(1)
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    best = min(cpu_seconds(lambda: torch.mm(a, b), 3) for _ in range(5))
    tile = min(_tile_rate() for _ in range(3))
    return max(2.0 * 512**3 / best, tile)


def _tile_rate() -> float:
    """Operations a second of our own tile with a fan-in of 256, which is nothing but multiply-adds."""
    import numba as nb

    from engine.tracing.simd_tile import PANEL, affine_tile

    @nb.njit(nogil=True)
    def many(weights, panels, times):
        for _ in range(times):
            affine_tile(weights, 0, 256, panels, 0, panels, 256 * PANEL, np.float32(1.0))

    weights, panels = np.ones(4 * 257, np.float32), np.zeros(260 * PANEL, np.float32)
    return 20000 * 2.0 * 4 * 256 * PANEL / cpu_seconds(lambda: many(weights, panels, 20000), 3)


def evaluation(console, results, widths, activations) -> None:
    import torch

    torch.set_num_threads(1)
    top = peak()
    results["peak_gflops_one_thread"] = top / 1e9
    title = f"Values of 8-layer networks on one thread; peak {top / 1e9:.0f} GFLOP/s"
    table = Table(
        "network", "M/s", "share of peak", "gradients, M/s", "torch, M/s", "its batch", "ratio", title=title
    )
    rows = []
    for width in widths:
        for activation in activations:
            weights = random_network(width=width, depth=8, activation=activation)
            tracer, size = make_tracer(weights, "cpu"), weights.architecture.num_parameters()
            count = max(4096, min(1 << 16, int(WORK / size) // 4096 * 4096))
            points = np.random.default_rng(0).uniform(-1.0, 1.0, (count, 3)).astype(np.float32)
            ours = count / cpu_seconds(lambda t=tracer, p=points: t._value(p))
            gradients = count / cpu_seconds(lambda t=tracer, p=points: t.gradient(p))
            field, rates = _lockstep.network(weights), {}
            with torch.inference_mode():
                for batch in TORCH_BATCHES:
                    pieces = torch.from_numpy(points).split(batch)
                    rates[batch] = count / cpu_seconds(lambda f=field, q=pieces: [f(p) for p in q])
            batch = max(rates, key=rates.get)
            macs = sum(out * fan_in for out, fan_in in weights.architecture.layer_shapes())
            row = {"width": width, "activation": activation, "ours": ours, "gradients": gradients}
            row |= {"share": ours * 2 * macs / top, "torch": rates[batch], "batch": batch}
            rows.append(row)
            figures = (f"{ours / 1e6:.2f}", f"{row['share']:.0%}", f"{gradients / 1e6:.2f}")
            figures += (f"{rates[batch] / 1e6:.2f}", str(batch), f"{ours / rates[batch]:.2f}")
            table.add_row(f"8 x {width} {activation}", *figures)
    results["evaluation"] = rows
    console.print(table)


def _plot_widths(rows, publish) -> None:
    """Draw the share of the peak against the width, a line for each activation."""
    lines = {}
    for row in rows:
        lines.setdefault(row["activation"], []).append((row["width"], row["share"]))
    plot("tracing_widths", "Values: share of one core's peak", "width", lines, publish, y_label="share")


def against_lockstep(console, results, path: Path, certify: bool) -> None:
    """One 512 x 512 picture with normals, ours and the paper's algorithm, on one thread each."""
    import torch

    torch.set_num_threads(1)
    weights = NeuralWeights.from_bytes(path.read_bytes())
    tracer = make_tracer(weights, "cpu")
    certifying_s = cpu_seconds(tracer.certify, 1) if certify else None
    instance = NeuralInstance.place(tracer, np.eye(4), weights.bounds_unit)
    geometry = NeuralGeometry((instance,))
    pixels = PixelCamera(camera(SIDE, SIDE), SIDE, SIDE)
    column, row = pixel_order(SIDE, SIDE)
    x, y = column + 0.5, row + 0.5
    rays = pixels.rays(x, y)
    ends = np.full(len(rays), np.inf)

    def ours():
        t, number = geometry.cast(rays.origins, rays.directions, ends)
        hit = np.flatnonzero(number >= 0)
        geometry.normals(number[hit], rays.at(np.where(number >= 0, t, 0.0))[hit])
        return t

    from engine.transforms import clip_to_box

    enter, leave = clip_to_box(
        rays.origins, rays.directions, np.array([[-1.0] * 3, [1.0] * 3]), np.zeros(len(rays)), ends
    )
    inside = np.flatnonzero(enter < leave)
    start = rays.origins[inside] + enter[inside, None] * rays.directions[inside]

    def theirs():
        t, evaluations = _lockstep.trace(weights, start, rays.directions[inside], (leave - enter)[inside])
        hit = np.isfinite(t)
        _lockstep.normals(weights, start[hit] + t[hit, None] * rays.directions[inside][hit])
        return t, evaluations

    our_t, (their_t, evaluations) = ours()[inside], theirs()
    their_t = their_t + enter[inside]
    both = np.isfinite(our_t) & np.isfinite(their_t)
    one, two = cpu_seconds(ours), cpu_seconds(theirs, 1)
    found = {
        "ours_s": one,
        "lockstep_s": two,
        "ratio": two / one,
        "bound": tracer.bound,
        **({} if certifying_s is None else {"certifying_s": certifying_s}),
        "hits_ours": int(np.isfinite(our_t).sum()),
        "hits_lockstep": int(np.isfinite(their_t).sum()),
        "only_lockstep": int((~np.isfinite(our_t) & np.isfinite(their_t)).sum()),
        "later_than_1e-3": int((their_t[both] - our_t[both] > 1e-3).sum()),
        "earlier_than_1e-3": int((our_t[both] - their_t[both] > 1e-3).sum()),
        "lockstep_evaluations_per_ray": evaluations / len(rays),
        "our_evaluations_per_ray": looks(instance, rays) / len(rays),
    }
    results[f"against_lockstep_{path.stem}"] = found
    shape = weights.architecture
    what = f"{path.stem}, {shape.depth} x {shape.width} {shape.activation}"
    table = Table("what", "figure", title=f"{SIDE} x {SIDE} with normals, {what}, one thread")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
    console.print(table)


def main(arguments=None) -> None:
    """Print the tables, store them and draw the plots."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--publish", action="store_true", help="copy the plots to docs/plots")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller cases")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[WEIGHTS], help="for lockstep and structures"
    )
    parser.add_argument("--certify", action="store_true", help="prove bounds first, for lockstep")
    parser.add_argument("--widths", type=int, nargs="+", help="for evaluation")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="for growth")
    parser.add_argument("--only", choices=("evaluation", "lockstep", "structures", "growth"))
    options = parser.parse_args([] if arguments is None else arguments)
    console, results = Console(), {}
    if options.only in (None, "evaluation"):
        widths, activations = ((32,), ("relu", "gelu")) if options.quick else (WIDTHS, ACTIVATIONS)
        widths = options.widths or widths
        evaluation(console, results, widths, activations)
        _plot_widths(results["evaluation"], options.publish)
    if options.only in (None, "lockstep"):
        for path in options.weights:
            against_lockstep(console, results, path, options.certify)
    if options.only in (None, "structures"):
        structures(console, results, options.weights)
    if options.only in (None, "growth"):
        growth(console, results, options.publish, options.quick, options.kinds)
    store(f"tracing_{options.only}" if options.only else "tracing", results)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
