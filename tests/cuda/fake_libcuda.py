"""Processes of the engine with NVIDIA's driver library replaced: see fake_libcuda.cpp."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.cuda import archive
from tests.cuda import host_twin

ROOT = Path(__file__).resolve().parents[2]


def environment(folder, **settings):
    """Give the variables of a process that has a fake GPU, or skip the test where cuda-bindings is not installed."""
    if importlib.util.find_spec("cuda") is None:
        pytest.skip("cuda-bindings is not installed, so nothing asks a driver library")
    library = host_twin.compiled("libcuda.so.1", "fake_libcuda.cpp", "host_twin.cpp")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEURAL_IMPLICIT", "FAKE_CUDA"))}
    return {
        **kept,
        "LD_LIBRARY_PATH": str(library.parent),
        "NEURAL_IMPLICIT_KERNELS": str(any_kernels(folder)),
        **{f"FAKE_CUDA_{name.upper()}": str(value) for name, value in settings.items()},
    }


def any_kernels(folder):
    """Write an archive whose images nobody reads: the fake library has the kernels in it."""
    path = folder / archive.NAME
    with zipfile.ZipFile(path, "w") as kernels:
        kernels.writestr(archive.MANIFEST, json.dumps({"sources": archive.sources_digest(), "driver": 13000}))
        for source in archive.FOLDER.glob("*.cu"):
            kernels.writestr(archive.member(source.stem, 90, False), "any")
    return path


def run(arguments, variables, timeout_s=120.0):
    """Run Python with arguments; gives what `subprocess.run` does, with text."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
