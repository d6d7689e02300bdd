"""The GPU in one run: right numbers first, then speed, each figure on its own, so that one failure does not lose the rest.

python build.py bench cuda               tables and bench/cuda.json; under ten minutes; without a GPU it says so and ends

Parts that need torch run in processes of their own: torch's context and ours fight. NEURAL_IMPLICIT_BENCH_WEIGHTS may name
a folder of weights files to draw besides the spot.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from engine.cache import use_cache_folder

use_cache_folder()
from rich.console import Console  # noqa: E402

from engine.conversion.presets import PRESETS  # noqa: E402
from engine.cuda import launches  # noqa: E402
from engine.cuda.certification import DeviceBounder  # noqa: E402
from engine.cuda.choose import shared_session  # noqa: E402
from engine.cuda.errors import NoDeviceError  # noqa: E402
from engine.network.field import Field  # noqa: E402
from engine.protocol.frames import FrameFile, FrameSlots, frame_bytes  # noqa: E402
from engine.protocol.scene import Camera, Light, NeuralObject, Scene  # noqa: E402
from engine.protocol.weights import NeuralWeights  # noqa: E402
from engine.rendering.camera import PixelCamera, look_at, perspective  # noqa: E402
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture  # noqa: E402
from engine.tracing.certified_grid import certified_cells  # noqa: E402
from engine.tracing.certified_network import certified_network  # noqa: E402
from engine.tracing.cpu import CpuTracer  # noqa: E402
from engine.tracing.cuda import CudaTracer  # noqa: E402
from engine.tracing.device_choice import choose_device  # noqa: E402
from tests.benchmarks._report import ROOT, store  # noqa: E402
from tests.engine.networks import IDENTITY, octahedron, random_network  # noqa: E402
from tests.ray_oracle import mixed_rays  # noqa: E402

SPOT = ROOT / "tests/blender/data/spot.safetensors"
SIZES = {"512 x 512": (512, 512), "1080p": (1920, 1080), "4K": (3840, 2160)}
REPEATS = 7
NUM_POINTS = 1 << 23
LIMIT_S = 560.0
PROCESS_LIMIT_S = 150.0


def shapes() -> dict[str, NeuralWeights]:
    """Give up to four shapes: the spot, an exact octahedron, and what the folder of weights holds."""
    found = {"spot": NeuralWeights.load(SPOT), "octahedron": octahedron()}
    folder = os.environ.get("NEURAL_IMPLICIT_BENCH_WEIGHTS")
    for path in sorted(Path(folder).glob("*.safetensors"))[:2] if folder else []:
        found[path.stem] = NeuralWeights.load(path)
    return found


def device_seconds(session, work) -> float:
    """Give the median time of work on the device, by events, after a warm-up."""
    work()
    times = []
    for _ in range(REPEATS):
        first = session.device.mark()
        work()
        times.append(session.device.seconds_between(first, session.device.mark()))
    return float(np.median(times))


def view(width, height) -> Camera:
    return Camera(
        view_from_world=look_at(np.array([1.5, -2.0, 1.0]), np.zeros(3)),
        clip_from_view=perspective(width, height, 0.7, 0.1, 100.0),
    )


# ---- parts; each gives a dictionary


def correctness(session) -> dict:
    """Values, gradients and hits of the device against the reference and the CPU backend."""
    weights = NeuralWeights.load(SPOT)
    field, cpu = Field(weights), CpuTracer(weights)
    origins, directions = mixed_rays(field, 30_000, seed=1)
    rays = (origins, directions, np.zeros(len(origins)), np.full(len(origins), 10.0))
    expected, places = cpu.trace(*rays), np.random.default_rng(0).uniform(-1, 1, (20_000, 3))
    result = {}
    for half in (False, True):
        tracer = CudaTracer(weights, session, use_half=half)
        t = tracer.trace(*rays)
        both = np.isfinite(t) & np.isfinite(expected)
        network, name = tracer.network, "half" if half else "single"
        values = launches.evaluate(session, network, places, False, half)[0]
        result[name] = {
            "value error": float(np.abs(values - field.value(places)).max()),
            "gradient error": float(np.abs(tracer.gradient(places) - field.gradient(places)).max()),
            "rays that disagree": int((np.isfinite(t) != np.isfinite(expected)).sum()),
            "depth error, 99.9 %": float(np.quantile(np.abs(t - expected)[both], 0.999)),
        }
    return result


def evaluations(session) -> dict:
    """Evaluations a second of 8-layer networks, points and values on the device."""
    result = {}
    for width in (32, 64, 128):
        network = launches.DeviceNetwork(
            session, random_network(width=width, depth=8, activation="hard_gelu")
        )
        points = np.random.default_rng(0).uniform(-1, 1, (NUM_POINTS, 3)).astype(np.float32)
        for half in (False, True):
            plan = launches.Evaluation(session, network, points, False, half)
            seconds = device_seconds(session, plan.launch)
            result[f"{width} {'half' if half else 'single'}"] = NUM_POINTS / seconds
    return result


def marches(session) -> dict:
    """Frames a second of the march alone, and looks at the field a ray."""
    result = {}
    for name, weights in shapes().items():
        tracer = CudaTracer(weights, session)
        for size, (width, height) in SIZES.items():
            x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
            camera_rays = PixelCamera(view(width, height), width, height).rays(x.ravel(), y.ravel())
            far = np.full(len(camera_rays), 100.0)
            rays = launches.upload_rays(session, camera_rays.origins, camera_rays.directions, None, far)
            t_hit, counts = session.empty(8 * rays.count), session.zeros(24)

            def work(rays=rays, t_hit=t_hit, tracer=tracer):
                launches.march(session, tracer.network, tracer.device_grid, rays, t_hit)

            seconds = device_seconds(session, work)
            launches.march(session, tracer.network, tracer.device_grid, rays, t_hit, counts=counts)
            full, half, count = (int(n) for n in session.download(counts, (3,), np.uint64))
            result[f"{name} {size}"] = {
                "frames/s": 1.0 / seconds,
                "full a ray": full / count,
                "half a ray": half / count,
                "bound": tracer.bound,
            }
    return result


def frames(session) -> dict:
    """Seconds from a request to a picture in the mapped frame file, with a sun and its shadows, one sample."""
    choose_device("cuda")
    result = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(FrameFile(Path(folder))) as file:
        name = hashlib.sha256(SPOT.read_bytes()).hexdigest()
        (Path(folder) / name).write_bytes(SPOT.read_bytes())
        item = NeuralObject(name="spot", object_id=1, weights=name, world_from_object=IDENTITY)
        scene = Scene(neural_objects=(item,), lights=(Light(type="SUN", world_from_light=IDENTITY),))
        prepared = prepare_scene(scene, SceneCache(Path(folder)))
        for size, (width, height) in SIZES.items():
            request = ViewRequest(camera=view(width, height), width=width, height=height, samples=1)
            slots = FrameSlots.open(file.resize(frame_bytes(request.planes, width, height), 1))
            times = []
            for _ in range(1 + REPEATS):  # the first page-locks the file
                start = time.perf_counter()
                picture = render_picture(prepared, request)
                picture.copy_to(slots.planes(0, request.planes, width, height), slots.memory)
                times.append(time.perf_counter() - start)
            times = times[1:]
            result[size] = {"frames/s": 1.0 / float(np.median(times)), "ms": 1e3 * float(np.median(times))}
    return result


def certified(session) -> dict:
    """Seconds to prove the spot's step grid, on the CPU's cores and on the device, and to bring it to the device."""
    weights, result = NeuralWeights.load(SPOT), {}
    bounders = {"CPU": None, "GPU": DeviceBounder(session, certified_network(weights))}
    for name, bounder in bounders.items():
        start = time.perf_counter()
        cells = certified_cells(weights, bounder=bounder)
        result |= {name: time.perf_counter() - start, f"{name} cells": int(cells.reachable.sum())}
    start = time.perf_counter()
    CudaTracer(weights, session)
    return result | {"tracer": time.perf_counter() - start}


def against_torch(session) -> dict:
    """torch layer by layer, and the paper's tracing restated in torch, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks._cuda_torch", str(SPOT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PROCESS_LIMIT_S,
    )
    return (
        json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": done.stderr[-500:]}
    )


def fitting(session) -> dict:
    """Seconds of a whole conversion of the spot on the GPU with each preset."""
    result = {}
    for preset in PRESETS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "engine", "convert", str(ROOT / "examples/spot.obj")]
            command += ["-o", f"{folder}/spot.safetensors", "--preset", preset, "--device", "cuda"]
            start = time.perf_counter()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PROCESS_LIMIT_S)
            passed = done.returncode in (0, 4)  # 4: short of an aim, which is not what is timed
            result[preset] = time.perf_counter() - start if passed else done.stderr[-300:]
    return result


def tool(name, options):
    """Give a part that runs a small march under one of NVIDIA's tools."""

    def part(session) -> dict:
        found = shutil.which(name)
        if found is None:
            return {"left out": f"there is no {name} on the PATH"}
        command = [found, *options, sys.executable, "-m", "engine.cuda.trial"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PROCESS_LIMIT_S)
        return {"code": done.returncode, "says": (done.stdout + done.stderr)[-3000:]}

    return part


PARTS = {
    "correctness": correctness,
    "evaluations a second": evaluations,
    "march": marches,
    "request to picture": frames,
    "certified structure, s": certified,
    "torch": against_torch,
    "share of the peak": tool(
        "ncu", ["--metrics", "sm__throughput.avg.pct_of_peak_sustained_elapsed,gpu__time_duration.sum"]
    ),
    "memcheck": tool("compute-sanitizer", ["--tool", "memcheck", "--error-exitcode", "9"]),
    "racecheck": tool("compute-sanitizer", ["--tool", "racecheck", "--error-exitcode", "9"]),
    "initcheck": tool("compute-sanitizer", ["--tool", "initcheck", "--error-exitcode", "9"]),
    "fitting, s": fitting,
}


def main() -> int:
    """Run every part that time is left for; give 0, or 1 where one failed."""
    console, start = Console(), time.monotonic()
    try:
        session = shared_session()
    except NoDeviceError as error:
        console.print(f"no CUDA device, so nothing is measured: {error}")
        return 0
    info = session.device.info
    results = {"device": info.name, "capability": info.capability, "by": info.by}
    console.print(f"{info.name}, compute capability {info.capability[0]}.{info.capability[1]}, by {info.by}")
    failed = False
    for name, part in PARTS.items():
        if time.monotonic() - start > LIMIT_S:
            results[name] = {"left out": "no time was left"}
            continue
        try:
            results[name] = part(session)
        except Exception:  # one figure that cannot be had must not cost the others
            failed = True
            results[name] = {"failed": traceback.format_exc()[-1500:]}
        console.print(f"[bold]{name}[/]", results[name])
        store("cuda", results)
    return 1 if failed else 0
