"""Puts the stand-in for the engine where the add-on looks for the engine's Python."""

import json
import sys

from tests.blender.harness.blenders import ROOT


def fake_engine(folder, **plan):
    """Give the variables under which Blender finds it; `plan` as in `tests/addon/fake_engine.py`."""
    program = folder / "fake_engine.sh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/addon/fake_engine.py" "$@"\n')
    program.chmod(0o755)
    return {"NEURAL_IMPLICIT_PYTHON": str(program), "FAKE_ENGINE": json.dumps(plan)}
