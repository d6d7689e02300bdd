"""What is measured on the device in the benchmark's own process; each part gives a dictionary."""

import contextlib
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.cuda import launches
from engine.cuda.certification import DeviceBounder
from engine.network.field import Field
from engine.protocol.frames import FrameFile, FrameSlots, frame_bytes
from engine.protocol.scene import Camera, Light, NeuralObject, Scene
from engine.protocol.weights import NeuralWeights
from engine.rendering.camera import PixelCamera, look_at, perspective
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture
from engine.tracing.certified_grid import RESOLUTION, certified_cells
from engine.tracing.certified_network import certified_network
from engine.tracing.cpu import CpuTracer
from engine.tracing.cuda import CudaTracer
from tests.benchmarks import _cuda_roofline
from tests.benchmarks._report import FOLDER, ROOT
from tests.engine.networks import IDENTITY, octahedron, random_network
from tests.ray_oracle import mixed_rays

SPOT = ROOT / "tests/blender/data/spot.safetensors"
SHAPES = FOLDER / "cuda-shapes"  # converted by the benchmark itself
VARIABLE = "NEURAL_IMPLICIT_BENCH_WEIGHTS"
NUM_SHAPES = 4


@dataclass(frozen=True)
class Scale:
    """How much is done; tests do less."""

    pictures: dict = field(
        default_factory=lambda: {"512 x 512": (512, 512), "1080p": (1920, 1080), "4K": (3840, 2160)}
    )
    points: int = 1 << 23
    rays: int = 30_000
    repeats: int = 7
    grid: int = RESOLUTION  # cells a side of the certified structure


def shape_files():
    """Give the files of shapes to draw: those of the folder that VARIABLE names, the spot, what was converted."""
    folders = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    given = [path for folder in folders for path in sorted(folder.glob("*.safetensors"))]
    return [*given[: NUM_SHAPES - 1], SPOT, *sorted(SHAPES.glob("*.safetensors"))][: NUM_SHAPES - 1]


def shapes():
    """Give the shapes to draw: those of files, and an exact octahedron."""
    return {path.stem: NeuralWeights.load(path) for path in shape_files()} | {"octahedron": octahedron()}


def device_seconds(session, scale, work):
    """Give the median time of work on the device, by events, after a warm-up."""
    work()
    times = []
    for _ in range(scale.repeats):
        first = session.device.mark()
        work()
        times.append(session.device.seconds_between(first, session.device.mark()))
    return max(float(np.median(times)), 1e-9)


def view(width, height):
    return Camera(
        view_from_world=look_at(np.array([1.5, -2.0, 1.0]), np.zeros(3)),
        clip_from_view=perspective(width, height, 0.7, 0.1, 100.0),
    )


def correctness(session, scale):
    """Values, gradients and hits of the device against the reference and the CPU backend."""
    weights = NeuralWeights.load(SPOT)
    reference, cpu = Field(weights), CpuTracer(weights)
    origins, directions = mixed_rays(reference, scale.rays, seed=1)
    rays = (origins, directions, np.zeros(len(origins)), np.full(len(origins), 10.0))
    expected, places = cpu.trace(*rays), np.random.default_rng(0).uniform(-1, 1, (scale.rays, 3))
    result = {}
    for half in (False, True):
        tracer = CudaTracer(weights, session, use_half=half)
        t = tracer.trace(*rays)
        both = np.isfinite(t) & np.isfinite(expected)
        values = launches.evaluate(session, tracer.network, places, False, half)[0]
        result["half" if half else "single"] = {
            "value error": float(np.abs(values - reference.value(places)).max()),
            "gradient error": float(np.abs(tracer.gradient(places) - reference.gradient(places)).max()),
            "rays that disagree": int((np.isfinite(t) != np.isfinite(expected)).sum()),
            "depth error, 99.9 %": float(np.quantile(np.abs(t[both] - expected[both]), 0.999)),
        }
    return result


def evaluations(session, scale):
    """Evaluations a second of 8-layer networks, points and values on the device, and the share of the peak by counting."""
    result = {}
    for width in (32, 64, 128):
        weights = random_network(width=width, depth=8, activation="hard_gelu")
        network = launches.DeviceNetwork(session, weights)
        points = np.random.default_rng(0).uniform(-1, 1, (scale.points, 3)).astype(np.float32)
        for half in (False, True):
            plan = launches.Evaluation(session, network, points, False, half)
            seconds = device_seconds(session, scale, plan.launch)
            looks = (0, scale.points) if half else (scale.points, 0)
            result[f"{width} {'half' if half else 'single'}"] = {
                "evaluations/s": scale.points / seconds,
                "% of peak": _cuda_roofline.share(session.device.info, weights.architecture, *looks, seconds),
            }
    return result


def marches(session, scale):
    """Frames a second of the march alone, looks at the field a ray, and the share of the peak by counting."""
    result = {}
    for name, weights in shapes().items():
        tracer = CudaTracer(weights, session)
        tracer.sharpen()  # as a view and a render do
        for size, (width, height) in scale.pictures.items():
            x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
            camera_rays = PixelCamera(view(width, height), width, height).rays(x.ravel(), y.ravel())
            far = np.full(len(camera_rays), 100.0)
            rays = launches.upload_rays(session, camera_rays.origins, camera_rays.directions, None, far)
            t_hit, counts = session.empty(8 * rays.count), session.zeros(24)

            def work(rays=rays, t_hit=t_hit, tracer=tracer):
                launches.march(session, tracer.network, tracer.device_grid, rays, t_hit)

            seconds = device_seconds(session, scale, work)
            launches.march(session, tracer.network, tracer.device_grid, rays, t_hit, counts=counts)
            full, half, count = (int(n) for n in session.download(counts, (3,), np.uint64))
            result[f"{name} {size}"] = {
                "frames/s": 1.0 / seconds,
                "full a ray": full / count,
                "half a ray": half / count,
                "% of peak": _cuda_roofline.share(
                    session.device.info, weights.architecture, full, half, seconds
                ),
                "bound": tracer.bound,
            }
    return result


def frames(session, scale):
    """Seconds from a request to a picture in the mapped frame file, with a sun and its shadows, one sample."""
    result = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(FrameFile(Path(folder))) as file:
        name = hashlib.sha256(SPOT.read_bytes()).hexdigest()
        (Path(folder) / name).write_bytes(SPOT.read_bytes())
        item = NeuralObject(name="spot", object_id=1, weights=name, world_from_object=IDENTITY)
        scene = Scene(neural_objects=(item,), lights=(Light(type="SUN", world_from_light=IDENTITY),))
        prepared = prepare_scene(scene, SceneCache(Path(folder)))
        for size, (width, height) in scale.pictures.items():
            request = ViewRequest(camera=view(width, height), width=width, height=height, samples=1)
            slots = FrameSlots.open(file.resize(frame_bytes(request.planes, width, height), 1))
            times = []
            for _ in range(1 + scale.repeats):  # the first page-locks the file
                start = time.perf_counter()
                picture = render_picture(prepared, request)
                picture.copy_to(slots.planes(0, request.planes, width, height), slots.memory)
                times.append(time.perf_counter() - start)
            median = float(np.median(times[1:]))
            kind = type(picture.planes).__name__  # DevicePlanes: one copy from the device to the file
            result[size] = {"frames/s": 1.0 / median, "ms": 1e3 * median, "planes": kind}
    return result


def certified(session, scale):
    """Seconds to prove the spot's step grid, on the CPU's cores and on the device, and to bring it to the device."""
    weights, result = NeuralWeights.load(SPOT), {}
    bounders = {"CPU": None, "GPU": DeviceBounder(session, certified_network(weights))}
    for name, bounder in bounders.items():
        start = time.perf_counter()
        cells = certified_cells(weights, 0.0, scale.grid, bounder)
        result |= {name: time.perf_counter() - start, f"{name} cells": int(cells.reachable.sum())}
    start = time.perf_counter()
    CudaTracer(weights, session)
    return result | {"tracer": time.perf_counter() - start}
