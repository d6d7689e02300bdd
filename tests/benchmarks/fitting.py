"""Seconds and errors of the presets on the bundled mesh; each is one conversion, mesh file to weights file.

python build.py bench fitting
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ("draft", "standard")  # fine takes minutes
ERRORS = {
    "surface_mean": "surface",
    "surface_p95": "p95",
    "near_surface_mean": "near",
    "grid_mean": "grid",
    "iou": "IoU",
}


def converted(preset: str, folder: Path) -> dict:
    """The report of one conversion, and its seconds from start to end of the process."""
    report = folder / f"{preset}.json"
    command = [sys.executable, "-m", "engine", "convert", str(ROOT / "examples/spot.obj"), "--preset", preset]
    command += ["-o", str(folder / f"{preset}.safetensors"), "--report", str(report), "--json"]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(report.read_text()) | {"seconds": time.perf_counter() - start}


def main() -> None:
    """Print the table."""
    table = Table("preset", "seconds", *ERRORS.values(), "bytes", title="examples/spot.obj, seed 0")
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESETS:
            report = converted(preset, Path(folder))
            figures = [f"{report['errors'][name]:.5f}" for name in ERRORS]
            table.add_row(preset, f"{report['seconds']:.1f}", *figures, str(report["num_bytes"]))
    Console().print(table)


if __name__ == "__main__":
    main()
