"""Every shape of the suite converted and measured; what is there already is not made again.

python build.py bench shapes         all of them, standard; NEURAL_IMPLICIT_BENCH="--preset draft --only ball,gear-8"

Each shape is one `engine convert` process. Its report goes to bench/shapes-PRESET/NAME.json, so an interrupted run goes
on where it stopped; the table is printed and written to bench/shapes-PRESET.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("family", "iou", "lost_percent", "mean", "p95", "tries", "width", "bytes", "seconds", "missed")
OPTIONS = "NEURAL_IMPLICIT_BENCH"  # `build.py bench` passes no arguments on


def options(defaults: str = "") -> argparse.Namespace:
    """Settings from the environment."""
    parser = argparse.ArgumentParser(prog=OPTIONS)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--only", default=defaults, help="names or families, with commas between them")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(shlex.split(os.environ.get(OPTIONS, "")))


def chosen(only: str) -> list[str]:
    """Names of shapes, in the suite's order."""
    from tests.shapes.families import NAMES

    wanted = set(filter(None, only.split(",")))
    unknown = wanted - set(NAMES) - set(NAMES.values())
    if unknown:
        raise SystemExit(f"There is no shape or family {', '.join(sorted(unknown))}.")
    return [name for name, family in NAMES.items() if not wanted or {name, family} & wanted]


def converted(name: str, preset: str, seed: int, folder: Path) -> dict:
    """The report of one shape, with the exit code and the seconds of the process."""
    from tests.shapes.families import shape

    kept = folder / f"{name}.json"
    mesh = shape(name)
    if kept.exists() and (report := json.loads(kept.read_text()))["digest"] == mesh.digest():
        return report
    with tempfile.TemporaryDirectory() as temporary:
        source, out = Path(temporary) / "source.npz", Path(temporary) / "report.json"
        np.savez(source, vertices=mesh.vertices, triangles=mesh.faces, name=name)
        command = [
            sys.executable,
            "-m",
            "engine",
            "convert",
            str(source),
            "-o",
            str(folder / f"{name}.safetensors"),
        ]
        command += ["--report", str(out), "--preset", preset, "--seed", str(seed), "--json"]
        start = time.perf_counter()
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if ended.returncode not in (0, 4):
            report = {"failed": json.loads(ended.stdout.splitlines()[-1]) if ended.stdout else ended.stderr}
        else:
            report = json.loads(out.read_text())
    report |= {"digest": mesh.digest(), "exit_code": ended.returncode, "process_seconds": seconds}
    kept.write_text(json.dumps(report, indent=1))
    return report


def row_of(name: str, report: dict) -> dict:
    """One line of the table."""
    from tests.shapes.families import NAMES

    row = {"family": NAMES[name], "seconds": f"{report['process_seconds']:.0f}"}
    if "failed" in report:
        return row | {"missed": "failed"}
    errors = report["errors"]
    return row | {
        "iou": f"{errors['iou']:.4f}",
        "lost_percent": f"{100 * errors['surface_lost']:.2f}",
        "mean": f"{errors['surface_mean']:.5f}",
        "p95": f"{errors['surface_p95']:.5f}",
        "tries": len(report["attempts"]),
        "width": report["architecture"]["width"],
        "bytes": report["num_bytes"],
        "missed": " ".join(one["name"] for one in report["missed"]),
    }


def main(defaults: str = "", title: str = "shapes") -> int:
    """Convert, write the table and print it."""
    asked = options(defaults)
    folder = ROOT / "bench" / f"shapes-{asked.preset}"
    folder.mkdir(parents=True, exist_ok=True)
    console, rows = Console(), {}
    for name in chosen(asked.only):
        rows[name] = row_of(name, converted(name, asked.preset, asked.seed, folder))
        console.print(name, *(f"{key} {value}" for key, value in rows[name].items()))
    with (ROOT / "bench" / f"{title}-{asked.preset}.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ("name", *COLUMNS), restval="")
        writer.writeheader()
        writer.writerows({"name": name} | row for name, row in rows.items())
    table = Table("shape", *COLUMNS, title=f"{title}, {asked.preset}, seed {asked.seed}")
    for name, row in rows.items():
        table.add_row(name, *(str(row.get(column, "")) for column in COLUMNS))
    console.print(table)
    missed = [name for name, row in rows.items() if row["missed"]]
    console.print(
        f"{len(rows)} shapes, {len(missed)} missed an aim and say so: {', '.join(missed) or 'none'}"
    )
    return int(any(row["missed"] == "failed" for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
