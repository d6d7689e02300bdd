"""torch on the GPU, to compare with: layers one after the other, and the paper's tracing restated; JSON on stdout.

python -m tests.benchmarks._cuda_torch WEIGHTS
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from engine.fitting.torch_network import evaluate
from engine.network.parameters import join_parameters
from engine.protocol.scene import Camera
from engine.protocol.weights import NeuralWeights
from engine.rendering.camera import PixelCamera, look_at, perspective
from tests.benchmarks._lockstep import EPSILON, MOST_STEPS

BATCHES = (1 << 16, 1 << 19)
REPEATS = 5
SIZE = (1920, 1080)


def seconds(work):
    """Median time on the GPU, after a warm-up."""
    work()
    times = []
    for _ in range(REPEATS):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        work()
        last.record()
        torch.cuda.synchronize()
        times.append(1e-3 * first.elapsed_time(last))
    return float(np.median(times))


def layers(width):
    torch.manual_seed(0)
    modules, fan_in = [], 3
    for _ in range(8):
        modules += [torch.nn.Linear(fan_in, width), torch.nn.ReLU()]
        fan_in = width
    return torch.nn.Sequential(*modules, torch.nn.Linear(width, 1)).cuda()


def trace(value_at, origins, directions):
    """Step every ray by the value until it is near the surface or leaves; rays that are done are taken out."""
    t = torch.zeros(len(origins), device="cuda")
    active = torch.arange(len(origins), device="cuda")
    for _ in range(MOST_STEPS):
        points = origins[active] + t[active, None] * directions[active]
        value = value_at(points)
        t[active] += value
        active = active[(value.abs() > EPSILON) & (points.norm(dim=1) < 3.0)]
        if not len(active):
            break
    return t


def main():
    if not torch.cuda.is_available():
        print(json.dumps({"left out": "torch sees no CUDA device"}))
        return
    result = {}
    with torch.inference_mode():
        for width in (32, 64, 128):
            network = layers(width)
            for half in (False, True):
                model = network.half() if half else network
                for batch in BATCHES:
                    points = torch.rand(
                        batch, 3, device="cuda", dtype=torch.float16 if half else torch.float32
                    )
                    rate = batch / seconds(lambda m=model, p=points: m(p))
                    key = f"layer by layer, {width} {'half' if half else 'single'}"
                    result[key] = max(rate, result.get(key, 0.0))
        weights = NeuralWeights.load(Path(sys.argv[1]))
        parameters = torch.from_numpy(join_parameters(weights)).cuda()
        camera = Camera(
            view_from_world=look_at(np.array([1.5, -2.0, 1.0]), np.zeros(3)),
            clip_from_view=perspective(*SIZE, 0.7, 0.1, 100.0),
        )
        x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
        rays = PixelCamera(camera, *SIZE).rays(x.ravel(), y.ravel())
        origins, directions = (
            torch.tensor(a, dtype=torch.float32, device="cuda") for a in (rays.origins, rays.directions)
        )
        result["the paper's tracing, 1080p frames/s"] = 1.0 / seconds(
            lambda: trace(lambda p: evaluate(parameters, weights.architecture, p), origins, directions)
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
