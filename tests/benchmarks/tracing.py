"""Speed of the CPU tracer: evaluations a second against torch, and rays at random networks; medians, one run.

python build.py bench tracing
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from engine.cache import use_cache_folder

use_cache_folder()
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from engine.tracing import make_tracer  # noqa: E402
from tests.engine.networks import octahedron, random_network  # noqa: E402
from tests.oracles import rays_towards_origin  # noqa: E402

NUM_POINTS = 1 << 16
NUM_RAYS = 1 << 13
TORCH_BATCHES = (1024, 4096, 16384)
REPEATS = 5
ACTIVATIONS = ("relu", "sine", "gelu", "softplus")


def seconds(work) -> float:
    """Median time of `work()` after a warm-up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def torch_rate(weights, points) -> tuple[float, int]:
    """Points a second of torch at its best batch size, and that size."""
    import torch

    from engine.network import NetworkField

    field = NetworkField(weights)
    rates = {}
    with torch.inference_mode():
        for batch in TORCH_BATCHES:
            pieces = np.split(points, len(points) // batch)
            rates[batch] = len(points) / seconds(lambda pieces=pieces: [field.value(p) for p in pieces])
    best = max(rates, key=rates.get)
    return rates[best], best


def evaluation_table(points) -> Table:
    table = Table(
        "network", "ours, M/s", "torch, M/s", "its batch", "ratio", title="Values of the field, all threads"
    )
    for width in (32, 64):
        for activation in ACTIVATIONS:
            weights = random_network(width=width, depth=8, activation=activation)
            tracer = make_tracer(weights, "cpu")
            ours = len(points) / seconds(lambda tracer=tracer: tracer.value_parallel(points))
            theirs, batch = torch_rate(weights, points)
            figures = (f"{ours / 1e6:.2f}", f"{theirs / 1e6:.2f}", str(batch), f"{ours / theirs:.2f}")
            table.add_row(f"8 x {width} {activation}", *figures)
    return table


def ray_table() -> Table:
    table = Table(
        "network", "M rays/s", "evaluations a ray", "hits", title="Rays towards the shape, one thread"
    )
    origins, directions = rays_towards_origin(NUM_RAYS)
    low, high = np.zeros(NUM_RAYS), np.full(NUM_RAYS, 1e9)
    networks = {"octahedron": octahedron()}
    networks |= {f"random 4 x 32 {a}": random_network(width=32, depth=4, activation=a) for a in ACTIVATIONS}
    for name, weights in networks.items():
        tracer = make_tracer(weights, "cpu")
        rate = NUM_RAYS / seconds(lambda tracer=tracer: tracer.trace(origins, directions, low, high))
        evaluations = tracer.count_evaluations(origins, directions, low, high) / NUM_RAYS
        hits = np.isfinite(tracer.trace(origins, directions, low, high)).mean()
        table.add_row(name, f"{rate / 1e6:.3f}", f"{evaluations:.1f}", f"{hits:.1%}")
    return table


def main() -> None:
    """Print both tables."""
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (NUM_POINTS, 3)).astype(np.float32)
    console = Console()
    console.print(evaluation_table(points))
    console.print(ray_table())


if __name__ == "__main__":
    main()
