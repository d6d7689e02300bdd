"""Warp starts without a word on stderr, and what others say there is not lost."""

import os
import subprocess
import sys
from pathlib import Path

from engine.warp_start import without_line

ROOT = Path(__file__).parents[2]
PROGRAM = """
import numpy as np
from engine.rendering.native_geometry import Triangles
Triangles.build(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
"""


def test_first_use_of_warp_writes_nothing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_only_the_unwanted_line_is_dropped(capfd):
    without_line(
        b"no GPU", lambda: [os.write(2, b"first\n"), os.write(2, b"no GPU here\n"), os.write(2, b"last")]
    )
    os.write(2, b"|after")
    assert capfd.readouterr().err == "first\nlast|after"


def test_stderr_comes_back_after_an_error(capfd):
    def fail():
        os.write(2, b"why\n")
        raise ValueError

    try:
        without_line(b"no GPU", fail)
    except ValueError:
        os.write(2, b"after")
    assert capfd.readouterr().err == "why\nafter"
