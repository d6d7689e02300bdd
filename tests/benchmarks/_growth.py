"""How the time of a picture grows with what is in it: one table and one plot each."""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
from pathlib import Path

import numpy as np

from engine.cache import use_cache_folder

use_cache_folder()
from rich.table import Table  # noqa: E402

from engine.protocol.scene import (  # noqa: E402
    IDENTITY,
    ArrayBlob,
    Camera,
    Light,
    MeshGeometry,
    MeshObject,
    NeuralObject,
    Scene,
)
from engine.protocol.weights import Architecture, NeuralWeights  # noqa: E402
from engine.rendering import tile_pool  # noqa: E402
from engine.rendering.camera import PixelCamera, look_at, perspective  # noqa: E402
from engine.rendering.neural_geometry import NeuralInstance  # noqa: E402
from engine.rendering.pixel_order import pixel_order  # noqa: E402
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture  # noqa: E402
from engine.tracing.cpu import CpuTracer  # noqa: E402
from engine.tracing.packed_grid import for_march, whole_cells, with_values  # noqa: E402
from engine.tracing.step_grid import sampled_step_grid  # noqa: E402
from engine.transforms import clip_to_box  # noqa: E402
from tests.benchmarks._report import ROOT, plot, seconds  # noqa: E402
from tests.engine.networks import from_arrays, octahedron  # noqa: E402

WEIGHTS = ROOT / "tests/blender/data/spot.safetensors"
EYE = (1.5, -2.0, 1.0)


def camera(width, height, eye=EYE):
    return Camera(
        view_from_world=look_at(np.array(eye), np.zeros(3)),
        clip_from_view=perspective(width, height, 0.7, 0.1, 100.0),
    )


def looks(instance, rays) -> int:
    """How often the network is evaluated for these rays, all in all."""
    far = np.full(len(rays), np.inf)
    enter, leave = clip_to_box(rays.origins, rays.directions, instance.box, np.zeros(len(rays)), far)
    rows = np.flatnonzero(enter < leave)
    return instance.tracer.count_evaluations(
        rays.origins[rows], rays.directions[rows], enter[rows], leave[rows]
    )


def structures(console, results, paths) -> None:
    """Evaluations a ray by the structure that steps rely on, and what it takes of memory."""
    pixels = PixelCamera(camera(512, 512), 512, 512)
    column, row = pixel_order(512, 512)
    x, y = column + 0.5, row + 0.5
    rays = pixels.rays(x, y)
    table = Table(
        "network", "steps by", "evaluations a ray", "MB", title="512 x 512, the whole picture's rays"
    )
    for path in paths:
        weights = NeuralWeights.from_bytes(path.read_bytes())
        tracer = CpuTracer(weights)
        sampled = sampled_step_grid(tracer.value_parallel, tracer.gradient_parallel)
        sampled = for_march(with_values(sampled, tracer.value_parallel), tracer.value_parallel)
        grids = {"sampled cells": sampled}
        if tracer.certify():
            grids |= {"certified cells": whole_cells(tracer.grid), "certified parts of cells": tracer.grid}
        for name, grid in grids.items():
            tracer._steps = (name, grid)
            instance = NeuralInstance.place(tracer, np.eye(4), weights.bounds_unit)
            size = sum(array.nbytes for array in grid if isinstance(array, np.ndarray)) / 1e6
            found = {"network": path.stem, "structure": name, "mb": size}
            found["evaluations_per_ray"] = looks(instance, rays) / len(rays)
            results.setdefault("structures", []).append(found)
            table.add_row(path.stem, name, f"{found['evaluations_per_ray']:.2f}", f"{size:.1f}")
    console.print(table)


def wide_octahedron(width: int) -> NeuralWeights:
    """The octahedron in eight layers of `width` units, most of them idle: one picture at every size."""
    shape = Architecture(width=width, depth=8)
    matrices = [np.zeros(size, np.float32) for size in shape.layer_shapes()]
    biases = [np.zeros(len(matrix), np.float32) for matrix in matrices]
    matrices[0][:6] = np.concatenate([np.eye(3), -np.eye(3)])
    for matrix in matrices[1:-1]:
        matrix[:6, :6] = np.eye(6)  # none of them is negative
    matrices[-1][0, :6], biases[-1][0] = 1.0, -0.6
    return from_arrays(shape, matrices, biases)


class _Scenes:
    """Scenes of spot, as the add-on would send them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (self.folder / name).write_bytes(data)
        return name

    def array(self, array) -> ArrayBlob:
        return ArrayBlob(sha256=self.blob(array.tobytes()), dtype=str(array.dtype), shape=array.shape)

    def seconds(self, scene, width, height, samples=1) -> float:
        prepared = prepare_scene(scene, SceneCache(self.folder))
        request = ViewRequest(camera=camera(width, height), width=width, height=height, samples=samples)
        return seconds(lambda: render_picture(prepared, request).planes["combined"], 3)

    def of(self, weights: list[bytes], places=((0.0, 0.0, 0.0),), scale=1.0) -> Scene:
        objects = []
        for k, place in enumerate(places):
            data = weights[k % len(weights)]
            matrix = np.linalg.inv(NeuralWeights.from_bytes(data).unit_from_object)
            world = np.diag([scale, scale, scale, 1.0])
            world[:3, 3] = place
            flat = tuple(float(v) for v in (world @ np.linalg.inv(matrix)).ravel())
            objects.append(
                NeuralObject(
                    name=f"spot {k}", object_id=k + 1, weights=self.blob(data), world_from_object=flat
                )
            )
        return Scene(neural_objects=tuple(objects), lights=(_sun(),), world_color=(0.2, 0.2, 0.2))


def _sun() -> Light:
    matrix = np.linalg.inv(np.array(look_at(np.array([2.0, -2.0, 3.0]), np.zeros(3))).reshape(4, 4)).ravel()
    return Light(type="SUN", world_from_light=tuple(float(v) for v in matrix), energy=3.0, angle=0.01)


def _lattice(count):
    side = int(np.ceil(count ** (1 / 3)))
    axis = (np.arange(side) + 0.5) / side * 2.0 - 1.0
    return [(x, y, z) for x in axis for y in axis for z in axis][:count], 0.8 / side


KINDS = ("pixels", "samples", "parameters", "objects", "instances", "triangles", "threads")


def growth(console, results, publish, quick, kinds=KINDS) -> None:
    """Time a picture of more and more of each kind: tables, and one plot each."""
    with tempfile.TemporaryDirectory() as folder:
        scenes = _Scenes(Path(folder))
        for name in kinds:
            label, points = _curve(scenes, name, quick)
            results[name] = points
            table = Table(label, "seconds a picture", title=f"Time against {name}")
            for x, y in points:
                table.add_row(f"{x:,}", f"{y:.4f}")
            console.print(table)
            plot(f"tracing_{name}", f"Time against {name}", label, points, publish)
    results["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"largest memory of the process: {results['memory_mb']:.0f} MB")


def _curve(scenes, name, quick) -> tuple[str, list[tuple[float, float]]]:
    """What one kind's number counts, and time against it."""
    spot = WEIGHTS.read_bytes()
    if name == "pixels":
        sizes = ((160, 90), (320, 180), (640, 360), (1280, 720))[: 3 if quick else 4]
        return "pixels", [(w * h, scenes.seconds(scenes.of([spot]), w, h)) for w, h in sizes]
    if name == "samples":
        counts = (1, 2, 4, 8, 16)[: 3 if quick else 5]
        return "samples a pixel", [(n, scenes.seconds(scenes.of([spot]), 320, 180, n)) for n in counts]
    if name == "parameters":
        points = []
        for width in (8, 16, 32, 64, 128, 256)[: 4 if quick else 6]:
            weights = wide_octahedron(width)
            seconds_taken = scenes.seconds(scenes.of([weights.to_bytes()]), 320, 180)
            points.append((weights.architecture.num_parameters(), seconds_taken))
        return "parameters of an octahedron in 8 layers", points
    if name == "objects":
        points = []
        for count in (1, 10, 50, 200)[: 3 if quick else 4]:
            places, scale = _lattice(count)
            nets = [octahedron(0.5 + 0.001 * k).to_bytes() for k in range(count)]
            points.append((count, scenes.seconds(scenes.of(nets, places, scale), 320, 180)))
        return "different networks", points
    if name == "instances":
        points = []
        for count in (1, 10, 100, 1000, 10000)[: 4 if quick else 5]:
            places, scale = _lattice(count)
            points.append((count, scenes.seconds(scenes.of([spot], places, scale), 320, 180)))
        return "instances of one network", points
    if name == "triangles":
        return "native triangles", _triangles(scenes, quick)
    return "threads", _threads(scenes, scenes.of([spot]))


def _triangles(scenes, quick):
    points = []
    for side in (23, 71, 224) if quick else (23, 71, 224, 708):
        axis = np.linspace(-1.0, 1.0, side)
        x, y = np.meshgrid(axis, axis)
        z = 0.2 * np.sin(5.0 * x) * np.cos(4.0 * y)
        vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
        corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
        lower = np.stack([corner, corner + 1, corner + side], axis=1)
        upper = np.stack([corner + 1, corner + side + 1, corner + side], axis=1)
        triangles = np.concatenate([lower, upper]).astype(np.int32)
        geometry = MeshGeometry(vertices=scenes.array(vertices), triangles=scenes.array(triangles))
        ground = MeshObject(name="ground", object_id=1, geometry=0, world_from_object=IDENTITY)
        scene = Scene(mesh_objects=(ground,), geometries=(geometry,), lights=(_sun(),))
        points.append((len(triangles), scenes.seconds(scene, 320, 180)))
    return points


def _threads(scenes, scene):
    """Time against threads; each count has its own pool, which keeps to so many cores."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores, points = sorted(os.sched_getaffinity(0)), []
    try:
        for count in range(1, len(cores) + 1):
            os.sched_setaffinity(0, cores[:count])
            tile_pool._pool.cache_clear()
            points.append((count, scenes.seconds(scene, 640, 360)))
    finally:
        os.sched_setaffinity(0, cores)
        tile_pool._pool.cache_clear()
    return points
