"""The GPU in one run: right numbers first, then speed, each figure on its own, so that one failure does not lose the rest.

python build.py bench cuda               tables and bench/cuda.json; under ten minutes; without a GPU it says so and ends

Kernels that are missing or of other sources are compiled first, where nvcc is there; that is not part of the ten minutes.
NEURAL_IMPLICIT_BENCH_WEIGHTS may name a folder of weights files to draw (the aims are stated for an armadillo of 8 layers of
32); else two shapes are converted first. ncu and compute-sanitizer are used where they are on the PATH.
"""

from __future__ import annotations

import contextlib
import time
import traceback

from engine.cache import use_cache_folder

use_cache_folder()
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from engine.cuda import choose  # noqa: E402
from engine.cuda.choose import shared_session  # noqa: E402
from engine.cuda.errors import NoDeviceError  # noqa: E402
from engine.tracing.device_choice import choose_device  # noqa: E402
from requirements import kernels  # noqa: E402
from requirements.environments import BuildError  # noqa: E402
from tests.benchmarks import _cuda_parts as parts  # noqa: E402
from tests.benchmarks import _cuda_processes as processes  # noqa: E402
from tests.benchmarks._report import ROOT, store  # noqa: E402

LIMIT_S = 580.0  # of all of it
ENOUGH_S = 10.0  # with less no part is begun
# Each part, and the most seconds that one in a process of its own gets; those in this one take a few.
PROCESSES = {
    "more shapes, s": (processes.more_shapes, 60.0),
    "torch": (processes.against_torch, 60.0),
    "served, 1080p": (processes.served, 60.0),
    "share of the peak": (processes.profile, 60.0),
    "tests and checks": (processes.proofs, 180.0),
    "fitting, s": (processes.fitting, 150.0),
}
HERE = {
    "correctness": parts.correctness,
    "evaluations": parts.evaluations,
    "march": parts.marches,
    "request to picture": parts.frames,
    "certified structure, s": parts.certified,
}
ORDER = ("more shapes, s", *HERE, *(name for name in PROCESSES if name != "more shapes, s"))
AIMS = {  # on an H200: what is aimed at, and where it stands in the results
    "2e10 evaluations/s at width 32": (2e10, ("evaluations", "32 half", "evaluations/s")),
    "1080p in the kernel, 1,000 frames/s": (1000.0, ("march", "{shape} 1080p", "frames/s")),
    "1080p from request to mapped frame, 120 frames/s": (120.0, ("request to picture", "1080p", "frames/s")),
}
PAPER, TIMES = "the paper's tracing, 1080p frames/s", 300.0


def run_part(name, session, scale, seconds):
    """Give a part's figures."""
    if name in HERE:
        return HERE[name](session, scale)
    work, most = PROCESSES[name]
    return work(min(most, seconds))


def measure(session, scale, show, names=ORDER, limit_s=LIMIT_S):
    """Run the parts that time is left for; gives all figures, a failure's traceback where one failed."""
    start, info = time.monotonic(), session.device.info
    results = {"device": info.name, "capability": info.capability, "by": info.by}
    for name in names:
        left = limit_s - (time.monotonic() - start)
        if left < ENOUGH_S:
            results[name] = {"left out": "no time was left"}
            continue
        try:
            results[name] = run_part(name, session, scale, left)
        except Exception:  # one figure that cannot be had must not cost the others
            results[name] = {"failed": traceback.format_exc()[-1500:]}
        show(name, results[name])
    return results


def has_failed(results):
    """Whether a part, or one of its rows, could not be measured or found something wrong."""
    if "failed" in results or results.get("clean") is False or results.get("passed") is False:
        return True
    return any(has_failed(part) for part in results.values() if isinstance(part, dict))


def aims(results):
    """Give a row for each aim: what it is, what was aimed at, what was reached or None."""

    def found(*keys):
        value = results
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    shape = next((key[: -len(" 1080p")] for key in results.get("march", {}) if key.endswith(" 1080p")), "")
    rows = [
        (what, aim, found(*(key.format(shape=shape) for key in keys))) for what, (aim, keys) in AIMS.items()
    ]
    ours, theirs = found("march", f"{shape} 1080p", "frames/s"), found("torch", PAPER)
    rows.append(("the paper's algorithm, 300 times", TIMES, ours / theirs if ours and theirs else None))
    return rows


def table(name, figures):
    """Give a table of a part: a row for each case."""
    made = Table(title=name, title_justify="left")
    rows = figures if all(isinstance(row, dict) for row in figures.values()) else {"": figures}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    for column in ("", *columns):
        made.add_column(column, overflow="fold")
    for case, row in rows.items():
        made.add_row(case, *(shown(row.get(column)) for column in columns))
    return made


def shown(value):
    """Give a figure for people."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def has_device():
    """Whether a driver finds a GPU, with kernels for it or without."""
    for driver in choose.drivers():
        with contextlib.suppress(NoDeviceError):
            if driver.devices():
                return True
    return False


def open_device(console):
    """Give the session; where there is a GPU and kernels are not, they are compiled first, which takes minutes."""
    try:
        return shared_session()
    except NoDeviceError as error:
        if not has_device():
            raise
        console.print(f"{error}; compiling the kernels", soft_wrap=True)
    try:
        kernels.write_archive(ROOT / "dist")
    except BuildError as error:
        raise NoDeviceError(str(error)) from error
    choose._opened.cache_clear()
    return shared_session()


def main() -> int:
    """Run every part; give 0, or 1 where one failed or found something wrong."""
    console = Console()
    try:
        session = open_device(console)
    except NoDeviceError as error:
        console.print(f"no CUDA device, so nothing is measured: {error}", soft_wrap=True)
        return 0
    choose_device("cuda")
    info = session.device.info
    console.print(f"{info.name}, compute capability {info.capability[0]}.{info.capability[1]}, by {info.by}")
    results = measure(session, parts.Scale(), lambda name, figures: console.print(table(name, figures)))
    for what, aim, reached in aims(results):
        console.print(f"{what}: {'not measured' if reached is None else f'{reached / aim:.2f} of it'}")
    store("cuda", results)
    return 1 if has_failed(results) else 0
