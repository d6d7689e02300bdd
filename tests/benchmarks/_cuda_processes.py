"""What is measured in processes of its own: torch, whose context and ours fight; NVIDIA's tools; tests; `serve`; conversions.

Each part gives a dictionary, and ends in time: it is told how many seconds are left.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.conversion.presets import PRESETS
from tests.benchmarks import _cuda_parts
from tests.benchmarks._report import ROOT

EVERY_KERNEL = ("-m", "tests.benchmarks._cuda_every_kernel")
SANITIZERS = ("memcheck", "racecheck", "initcheck")
METRICS = {
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "% of the multiprocessors",
    "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active": "% of the matrix unit",
    "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active": "% of the multipliers",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "% of the memory",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "% of the warps",
    "gpu__time_duration.sum": "ns",
}
TESTS = [
    f"tests/cuda/test_{name}.py"
    for name in (
        *("certify", "whole_pictures", "frame", "march"),  # the long ones first
        *("tracing_suite", "device_functions", "triangles"),
    )
]
AT_ONCE = 5  # processes that prove and measure nothing
CONVERTED = {
    "gear-8": 30.0,
    "gyroid": 30.0,
}  # shapes that are drawn besides the spot, and the most seconds for each


def process(command, seconds, **variables):
    """Run Python; gives exit code and what it said, or None where it took too long."""
    try:
        done = subprocess.run(
            [*command],
            cwd=ROOT,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=max(1.0, seconds),
        )
    except subprocess.TimeoutExpired:
        return None, f"it took more than {seconds:.0f} s", ""
    return done.returncode, done.stdout, done.stderr


def last_json(command, seconds):
    """Give what a process printed last, or why it did not."""
    code, out, err = process(command, seconds)
    return json.loads(out.splitlines()[-1]) if code == 0 else {"failed": (err or out)[-800:]}


def against_torch(seconds):
    """torch layer by layer, and the paper's tracing restated in torch, of the first shape that is drawn."""
    shape = _cuda_parts.shape_files()[0]
    return last_json([sys.executable, "-m", "tests.benchmarks._cuda_torch", str(shape)], seconds)


def served(seconds):
    """From a request to `serve` to its answer, in Full HD."""
    return last_json([sys.executable, "-m", "tests.benchmarks._cuda_served"], seconds)


def tests_of(path):
    """Give a part that runs a file of tests on this GPU, against the reference and the CPU's renderer."""

    def part(seconds):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
        code, out, err = process(command, seconds, NEURAL_IMPLICIT_TEST_GPU="1")
        return {"passed": code == 0, "says": out.splitlines()[-1:] or [err[-300:]], "failures": failures(out)}

    return part


def proofs(seconds):
    """The tracing tests on this GPU and NVIDIA's checks, some at once, since none of them measures time."""
    parts = {tool: sanitizer(tool) for tool in SANITIZERS} | {Path(p).stem: tests_of(p) for p in TESTS}
    end = time.monotonic() + seconds

    def run(part):
        left = end - time.monotonic()
        return part(left) if left > 1.0 else {"passed": False, "says": "no time was left"}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(parts, pool.map(run, parts.values())))


def failures(out):
    """Give the lines of pytest's summary that name what failed."""
    return [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]


def profile(seconds):
    """The share of the peak by NVIDIA's profiler, of the kernels that matter."""
    found = shutil.which("ncu")
    if found is None:
        return {"left out": "there is no ncu on the PATH; the shares above are counted"}
    options = [
        "--csv",
        "--metrics",
        ",".join(METRICS),
        "--kernel-name",
        "regex:march|evaluate|begin|light|finish",
    ]
    code, out, err = process([found, *options, sys.executable, *EVERY_KERNEL, "large"], seconds)
    if "ERR_NVGPUCTRPERM" in err + out:
        return {"left out": "the driver lets only administrators profile; the shares above are counted"}
    return profiled(out) or {"failed": f"code {code}: {(err + out)[-800:]}"}


def profiled(text):
    """Read ncu's table: for each kernel the longest launch's figures."""
    lines = text.splitlines()
    start = next((k for k, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    launches = defaultdict(dict)
    for row in csv.DictReader(lines[start:]):
        name = METRICS.get(row["Metric Name"])
        if name is not None:
            launches[row["ID"], row["Kernel Name"]][name] = float(row["Metric Value"].replace(",", ""))
    best = {}
    for (_, kernel), figures in launches.items():
        if figures.get("ns", 0.0) >= best.get(kernel, {}).get("ns", 0.0):
            best[kernel] = figures
    return best


def sanitizer(tool):
    """Give a part that runs every kernel, small, under one of compute-sanitizer's tools."""

    def part(seconds):
        found = shutil.which("compute-sanitizer")
        if found is None:
            return {"left out": "there is no compute-sanitizer on the PATH"}
        options = ["--tool", tool, "--error-exitcode", "9"]
        code, out, err = process([found, *options, sys.executable, *EVERY_KERNEL, "small"], seconds)
        return {"clean": code == 0, "says": (out + err)[-1500:]}

    return part


def more_shapes(seconds):
    """Convert shapes to draw, unless a folder of weights is given or they are there from an earlier run."""
    if os.environ.get(_cuda_parts.VARIABLE):
        return {"left out": f"{_cuda_parts.VARIABLE} says what to draw"}
    result = {}
    for name, most in CONVERTED.items():
        target = _cuda_parts.SHAPES / f"{name}.safetensors"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            result[name] = convert(name, "draft", min(most, seconds), target)
    return result


def fitting(seconds):
    """Seconds of a whole conversion of the spot on the GPU with each preset."""
    end, result = time.monotonic() + seconds, {}
    for preset in PRESETS:
        with tempfile.TemporaryDirectory() as folder:
            result[preset] = convert("spot", preset, end - time.monotonic(), f"{folder}/spot.safetensors")
    return result


def convert(name, preset, seconds, target):
    """Convert a shape of the suite on the GPU; gives the seconds it took, or why it failed."""
    if seconds < 1.0:
        return "no time was left"
    from tests.shapes.families import shape

    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/{name}.obj"
        write_obj(source, shape(name))
        command = [sys.executable, "-m", "engine", "convert", source, "-o", str(target), "--preset", preset]
        start = time.monotonic()
        code, out, err = process([*command, "--device", "cuda"], seconds)
        passed = code in (0, 4)  # 4: short of an aim, which is not what is timed
        return time.monotonic() - start if passed else (err or out)[-300:]


def write_obj(path, mesh):
    """Write a mesh as text."""
    with Path(path).open("w") as file:
        file.writelines(f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in mesh.vertices)
        file.writelines(f"f {a} {b} {c}\n" for a, b, c in mesh.faces + 1)
