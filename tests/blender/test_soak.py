"""A day's work in a minute or two, in real windows, with the real engine: nothing crashes, hangs, leaks or is left behind.

    NEURAL_IMPLICIT_SOAK_ROUNDS=400 NEURAL_IMPLICIT_SOAK_SECONDS=7200 python -m pytest tests/blender/test_soak.py

makes it a long one, of six kills of the engine a round, and `python -m tests.benchmarks._soak_plot` draws its `soak.csv`.
With NEURAL_IMPLICIT_TIMES=1 the times that our code holds the main thread are printed (`pytest -s`); no test asserts a speed.
"""

import dataclasses
import os
import time
import uuid
from concurrent import futures
from pathlib import Path

import numpy as np

from tests.blender.fake import fake_engine
from tests.blender.spot import neural_spot

ROUNDS_VARIABLE = "NEURAL_IMPLICIT_SOAK_ROUNDS"  # of all actions; one takes a minute or two
SECONDS_VARIABLE = "NEURAL_IMPLICIT_SOAK_SECONDS"  # after which no other action begins
LONGEST_S = 2 * 3600.0
ROUND_S = 900.0  # at most, on a machine that others use
WAIT_S = 240.0  # for the engine, which may have to compile itself
ORPHAN_S = 5.0  # what the user is promised


def processes_with(marker):
    """Give the commands of all processes that have inherited a variable."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended, or is another user's
            continue
    return found


def test_a_day_in_a_window_breaks_nothing(patient_blender):
    rounds = int(os.environ.get(ROUNDS_VARIABLE, "1"))
    marker = f"NEURAL_IMPLICIT_SOAK={uuid.uuid4().hex}"
    seconds = float(os.environ.get(SECONDS_VARIABLE, LONGEST_S))
    long = rounds > 1
    arguments = {
        **neural_spot(patient_blender.folder),
        **{"seed": 7, "marker": marker, "rounds": rounds, "seconds": seconds},
        **{"toggles": 20, "files": 20 if long else 5, "kills": 6 if long else 1},
        "times": bool(os.environ.get("NEURAL_IMPLICIT_TIMES")),
        **{"objects": 6, "rest_s": 8.0 if long else 0.0},  # a person thinks now and then
        **{
            "wait_s": 5 * WAIT_S if long else WAIT_S
        },  # in two hours others may well take the machine for a while
    }
    name, value = marker.split("=")
    timeout_s = min(rounds * ROUND_S, seconds + ROUND_S)
    outcome = patient_blender.run_script(
        "soak.py", arguments, window=True, timeout_s=timeout_s, variables={name: value}
    ).check()
    facts = outcome.result
    print(f"\n{patient_blender.name}\n" + "\n".join(table(facts["times"])))
    assert facts["faults"] == []
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert facts["jobs"] == 0 and facts["windows"] == 1
    deadline = time.monotonic() + ORPHAN_S
    while left := processes_with(marker):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def table(times):
    """Give lines for the calls into our code, those that held the main thread longest first."""
    for name, calls in sorted(times.items(), key=lambda item: -max(item[1]["wall_ms"])):
        cells = [
            f"{kind} p50 {np.median(v):.2f} p99 {np.percentile(v, 99):.2f} most {max(v):.1f}"
            for kind, v in calls.items()
        ]
        yield f"{name:60} {len(calls['wall_ms']):5} calls, " + ", ".join(cells)


def test_two_blenders_of_one_user_convert_at_once(bpy_module, tmp_path):
    variables = fake_engine(tmp_path, snapshots=20, interval_s=0.1)
    (tmp_path / "second").mkdir()
    profiles = [bpy_module, dataclasses.replace(bpy_module, folder=tmp_path / "second")]
    with futures.ThreadPoolExecutor(2) as threads:
        running = [
            threads.submit(p.run_script, "conversion_faults.py", {"case": "blocking"}, variables=variables)
            for p in profiles
        ]
        results = [run.result().check().result for run in running]
    assert [result["error"] for result in results] == ["", ""]
    assert [result["states"] for result in results] == [["finished"], ["finished"]]
    (conversions,) = bpy_module.folder.rglob("conversions")
    assert list(conversions.iterdir()) == []
