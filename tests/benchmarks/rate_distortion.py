"""Bytes against error: networks, a decimated and compressed mesh, and a quantised grid of distances, by one metric.

python build.py bench rate_distortion       NEURAL_IMPLICIT_BENCH="--preset draft --shapes spot --networks 16x5,32x8"

The error is the mean distance between the two surfaces, both ways, over 50,000 points each: from the source to what
is stored and back. A network's bytes are its whole file, the description included; a mesh is decimated by quadrics and
encoded by Draco at its highest level, with the best of 8 to 12 bits a coordinate; a grid is clamped to three cells
around the surface, rounded to 8 bits, and compressed by zlib; its surface is that of trilinear interpolation. What is
drawn is the lower envelope of each. Figures go to bench/rate_distortion.json, the plot to docs/plots/.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import zoom

from engine.errors import FitError
from engine.ground_truth.mesh import UnitMesh, check_mesh, to_unit
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.signed_distance import SurfaceDistance
from engine.ground_truth.surface_sampler import SurfaceSampler
from engine.meshing.marching_cubes import zero_set
from engine.protocol.weights import NeuralWeights
from requirements.environments import BENCH, prepare
from tests.benchmarks._codecs import envelope
from tests.shapes.families import shape

ROOT = Path(__file__).resolve().parents[2]
CODECS = Path(__file__).with_name("_codecs.py")
SHAPES = "spot,gear-8,knot-3-4"
NETWORKS = "8x5,12x5,16x5,16x8,24x8,32x8,48x8,64x8"
GRIDS = (10, 12, 16, 20, 24, 32, 40, 48, 64, 80)
BAND_CELLS = 3.0
POINTS = 50_000
FINE = 192  # resolution of the meshes that grids are measured by
FINER = 512  # of those for networks, moved onto the surface: at 192 the flat triangles alone were .0004 off on a knot


def distance_between(source: SurfaceDistance, other: UnitMesh) -> float:
    """The mean of both mean distances between two surfaces."""
    rng = np.random.default_rng(0xD157)
    there = SurfaceDistance(other).nearest(SurfaceSampler(source.source).sample(POINTS, rng)[0])[0]
    back = source.nearest(SurfaceSampler(other).sample(POINTS, rng)[0])[0]
    return 0.5 * float(there.mean() + back.mean())


def unit_mesh(vertices: np.ndarray, faces: np.ndarray) -> UnitMesh:
    return UnitMesh(vertices=vertices, faces=faces, unit_from_object=np.eye(4))


def networks(name: str, truth: SurfaceDistance, sizes: str, preset: str, folder: Path) -> list[dict]:
    """One conversion a size."""
    found, mesh = [], shape(name)
    source = folder / f"{name}.npz"
    np.savez(source, vertices=mesh.vertices, triangles=mesh.faces, name=name)
    for size in sizes.split(","):
        width, depth = size.split("x")
        out = folder / f"{name}-{size}-{preset}.safetensors"
        if not out.exists():
            command = [sys.executable, "-m", "engine", "convert", str(source), "-o", str(out), "--json"]
            command += ["--width", width, "--depth", depth, "--preset", preset]
            ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL)
            if ended.returncode not in (0, 4):
                continue
        weights = NeuralWeights.load(out)
        try:
            surface = zero_set(weights, FINER)
        except FitError:
            continue
        faces = surface.triangles.astype(np.int64)
        mesh = UnitMesh(vertices=surface.vertices_unit, faces=faces, unit_from_object=np.eye(4))
        error = distance_between(truth, mesh)
        found.append({"label": size, "bytes": out.stat().st_size, "error": error})
    return found


def meshes(name: str, truth: SurfaceDistance, python: Path, folder: Path) -> list[dict]:
    """Every variant of the codec."""
    source, out = folder / f"{name}-unit.npz", folder / f"{name}-draco.npz"
    np.savez(source, vertices=truth.source.vertices, triangles=truth.source.faces)
    subprocess.run([str(python), str(CODECS), "encode", str(source), str(out)], check=True)
    found = []
    with np.load(out) as data:
        for key in sorted({key.split("/")[0] for key in data}):
            decoded = unit_mesh(data[f"{key}/vertices"], data[f"{key}/faces"])
            error = distance_between(truth, decoded)
            found.append({"label": key, "bytes": int(data[f"{key}/bytes"]), "error": error})
    return found


def grids(truth: SurfaceDistance) -> list[dict]:
    """Grids over the box around the source, as fine as they are told along its longest side."""
    from skimage.measure import marching_cubes

    low, high = truth.source.vertices.min(axis=0), truth.source.vertices.max(axis=0)
    found = []
    for resolution in GRIDS:
        cell = float((high - low).max()) / (resolution - 3)
        counts = np.ceil((high - low) / cell).astype(int) + 3
        start = 0.5 * (low + high) - 0.5 * cell * (counts - 1)
        axes = [start[k] + cell * np.arange(counts[k]) for k in range(3)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        steps = np.clip(truth.signed_distance(points) / (BAND_CELLS * cell), -1.0, 1.0) * 127.0
        codes = np.round(steps).astype(np.int8).reshape(counts)
        num_bytes = len(zlib.compress(codes.tobytes(), 9)) + 28  # and the box: seven float32
        factor = max(1, FINE // resolution)
        fine = tuple((counts - 1) * factor + 1)
        values = zoom(codes.astype(np.float32) + 0.01, np.array(fine) / counts, order=1, grid_mode=False)
        if not values.min() < 0.0 < values.max():
            continue
        corners, faces, _, _ = marching_cubes(values, 0.0)
        places = start + corners * (cell * (counts - 1) / (np.array(values.shape) - 1))
        error = distance_between(truth, unit_mesh(places, faces.astype(np.int64)))
        found.append({"label": f"{resolution}", "bytes": num_bytes, "error": error})
    return found


def options() -> argparse.Namespace:
    """Settings from the environment."""
    parser = argparse.ArgumentParser(prog="NEURAL_IMPLICIT_BENCH")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--networks", default=NETWORKS)
    return parser.parse_args(shlex.split(os.environ.get("NEURAL_IMPLICIT_BENCH", "")))


def main() -> int:
    """Measure, print the table, draw the plot."""
    asked, python = options(), prepare(BENCH)
    folder = ROOT / "bench/rate_distortion"
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict = {"preset": asked.preset, "shapes": {}}
    table = Table(
        "shape", "method", "variant", "bytes", "error", title=f"rate and distortion, {asked.preset}"
    )
    for name in asked.shapes.split(","):
        truth = examine(to_unit(check_mesh(shape(name)))).truth
        methods = {
            "neural implicit": networks(name, truth, asked.networks, asked.preset, folder),
            "mesh, Draco": meshes(name, truth, python, folder),
            "SDF grid, zlib": grids(truth),
        }
        figures["shapes"][name] = methods
        for method, points in methods.items():
            for point in envelope(points):
                row = (point["label"], f"{point['bytes']:,}", f"{point['error']:.6f}")
                table.add_row(name, method, *row)
    Console().print(table)
    report = ROOT / "bench/rate_distortion.json"
    report.write_text(json.dumps(figures, indent=1))
    plots = ROOT / "docs/plots"
    plots.mkdir(parents=True, exist_ok=True)
    target = plots / "rate_distortion.png"
    subprocess.run([str(python), str(CODECS), "plot", str(report), str(target)], check=True)
    Console().print(f"{target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
