"""Puts a stand-in for the engine, or for its GPU, where the add-on looks for the engine's Python."""

import json
import sys
from pathlib import Path

from tests.blender.harness.blenders import ROOT


def fake_engine(folder, **plan):
    """Give the variables under which Blender finds it; `plan` as in `tests/addon/fake_engine.py`."""
    program = _program(folder, "tests/addon/fake_engine.py")
    return {"NEURAL_IMPLICIT_PYTHON": program, "FAKE_ENGINE": json.dumps(plan)}


def engine_with_fake_gpu(folder, lost_at):
    """Give the variables under which Blender finds the engine with a GPU, lost as it begins a sample (from 1); see `gpu_engine.py`."""
    program = _program(folder, "tests/blender/gpu_engine.py")
    return {"NEURAL_IMPLICIT_PYTHON": program, "FAKE_GPU_LOST_AT": str(lost_at)}


def _program(folder, script):
    program = folder / f"{Path(script).stem}.sh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/{script}" "$@"\n')
    program.chmod(0o755)
    return str(program)
