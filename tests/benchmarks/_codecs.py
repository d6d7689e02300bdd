"""What a mesh becomes at a given size, and the plot; runs in the environment of requirements/bench.txt.

python _codecs.py encode SOURCE.npz OUT.npz       decimated, quantised, compressed by Draco
python _codecs.py plot FIGURES.json OUT.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

FACES = (60, 120, 250, 500, 1000, 2000, 4000, 8000, 16000)
BITS = (8, 9, 10, 11, 12)
COLOURS = {"neural implicit": "#1b6ca8", "mesh, Draco": "#d1495b", "SDF grid, zlib": "#6a994e"}


def encode(source: Path, out: Path) -> None:
    """Write every variant that Draco gives: `bytes_K`, `vertices_K`, `faces_K` and a label."""
    import DracoPy
    import fast_simplification

    with np.load(source) as data:
        vertices, faces = data["vertices"], data["triangles"]
    arrays: dict[str, np.ndarray] = {}
    for target in FACES:
        if target > len(faces):
            continue
        reduction = 1.0 - target / len(faces)
        points, triangles = fast_simplification.simplify(
            vertices.astype(np.float32), faces.astype(np.int32), target_reduction=reduction
        )
        for bits in BITS:
            data = DracoPy.encode(points, triangles, quantization_bits=bits, compression_level=10)
            decoded = DracoPy.decode(data)
            key = f"{len(triangles)} faces {bits} bits"
            arrays[f"{key}/bytes"] = np.array(len(data))
            arrays[f"{key}/vertices"] = np.asarray(decoded.points, np.float64).reshape(-1, 3)
            arrays[f"{key}/faces"] = np.asarray(decoded.faces, np.int64).reshape(-1, 3)
    np.savez(out, **arrays)


def plot(figures: Path, out: Path) -> None:
    """Draw mean surface distance against bytes, one panel a shape."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shapes = json.loads(figures.read_text())["shapes"]
    canvas, panels = pyplot.subplots(1, len(shapes), figsize=(4.6 * len(shapes), 4.2), squeeze=False)
    for panel, (name, methods) in zip(panels[0], shapes.items()):
        for method, points in methods.items():
            points = envelope(points)
            sizes, errors = [p["bytes"] / 1000 for p in points], [p["error"] for p in points]
            panel.plot(sizes, errors, "o-", color=COLOURS[method], label=method, markersize=4)
        panel.set(xscale="log", yscale="log", title=name, xlabel="kB")
        panel.set_xlim(0.8, 130)
        panel.set_xticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
        panel.minorticks_off()
        panel.grid(True, which="major", color="#dddddd")
    panels[0][0].set_ylabel("mean surface distance (unit space)")
    panels[0][0].legend(frameon=False)
    canvas.tight_layout()
    canvas.savefig(out, dpi=110)


def envelope(points: list[dict]) -> list[dict]:
    """The points that no smaller one beats, the smallest first."""
    best: list[dict] = []
    for point in sorted(points, key=lambda point: (point["bytes"], point["error"])):
        if not best or point["error"] < best[-1]["error"]:
            best.append(point)
    return best


if __name__ == "__main__":
    {"encode": encode, "plot": plot}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
