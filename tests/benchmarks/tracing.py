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
from tests.benchmarks._evaluation import evaluation  # noqa: E402
from tests.benchmarks._growth import KINDS, WEIGHTS, camera, growth, looks, structures  # noqa: E402
from tests.benchmarks._report import cpu_seconds, store  # noqa: E402
from tests.engine.networks import ACTIVATIONS  # noqa: E402

WIDTHS = (8, 16, 32, 64, 128, 256)
SIDE = 512


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
        evaluation(console, results, widths, activations, options.publish)
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
