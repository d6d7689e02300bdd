"""Compiled kernels are found again wherever the engine lies, and never used for other sources."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.kernel_sources import ENGINE, imported, sources_digest

PROGRAM = """
import json
from engine.cache import use_cache_folder
use_cache_folder()
from engine import trial_kernel
value = trial_kernel.twice_more(1.0)
from numba import njit
import trial_outside
trial_outside.once(1.0)
stats = trial_kernel.twice_more.stats
print(json.dumps({"value": value, "hits": sum(stats.cache_hits.values()), "folder": stats.cache_path,
                  "outside": trial_outside.once.stats.cache_path}))
"""
KERNEL = """
from numba import njit
from .trial_math import twice
@njit(cache=True)
def twice_more(x):
    return twice(x) + 1.0
"""
MATH = """
from numba import njit
@njit(inline="always")
def twice(x):
    return {factor} * x
"""


@pytest.fixture
def run(tmp_path):
    """Run a kernel of an engine that lies in a folder; other runs share the cache."""

    def run_in(name, factor="2.0"):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(ENGINE, folder / "engine", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "engine/trial_kernel.py").write_text(KERNEL)
        (folder / "engine/trial_math.py").write_text(MATH.format(factor=factor))
        outside = "from numba import njit\n@njit(cache=True)\ndef once(x):\n    return x\n"
        (folder / "trial_outside.py").write_text(outside)
        variables = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
        variables |= {"NEURAL_IMPLICIT_CACHE": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_in


def test_kernels_are_found_again_at_another_place_and_compiled_anew_for_other_sources(run, tmp_path):
    first, again, moved = run("here"), run("here"), run("there")
    assert (first["value"], first["hits"]) == (3.0, 0)
    assert (again["value"], again["hits"]) == (3.0, 1)
    assert (moved["value"], moved["hits"]) == (3.0, 1)
    assert moved["folder"] == first["folder"]
    assert Path(first["folder"]).is_relative_to(tmp_path / "cache")
    assert Path(first["outside"]).is_relative_to(tmp_path / "cache")  # Numba's own way, in the same place
    changed = run("there", factor="3.0")  # in a module that is compiled into the kernel
    assert (changed["value"], changed["hits"]) == (4.0, 0)
    assert changed["folder"] != first["folder"]


def test_a_kernel_depends_on_what_it_imports():
    march = ENGINE / "tracing/march_kernel.py"
    names = {path.relative_to(ENGINE).as_posix() for path in imported(march)}
    assert "tracing/network_kernel.py" in names
    assert sources_digest(march) != sources_digest(ENGINE / "tracing/network_kernel.py")


def test_the_process_that_compiles_beside_another_ends_with_it():
    from engine import warm_up

    elsewhere = warm_up._start_elsewhere()
    assert elsewhere.poll() is None
    elsewhere.stdin.close()
    assert elsewhere.wait(60.0) == 0


def test_the_process_that_compiles_beside_another_leaves_its_note():
    from engine import warm_up

    warm_up._note("tracing").unlink(missing_ok=True)
    elsewhere = warm_up._start_elsewhere()
    warm_up._wait_for(elsewhere)
    assert elsewhere.returncode == 0 and warm_up.is_compiled("tracing")
