"""Shared by every test: the tree as the package that Blender would see it as, and settings for hypothesis.

`engine` is imported as it is. The add-on is imported relative to the extension's root, in Blender
`bl_ext.<repository>.neural_implicit`; here that root is the package `neural_implicit`, so a test says
`from neural_implicit.addon import engine_process`. Its `neural_implicit.engine.protocol` is another copy of the
modules than `engine.protocol`: compare messages by their fields, or import both sides from the same name.
"""

import os
import sys
import types
from pathlib import Path

import hypothesis

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = "neural_implicit"

# A fixed budget and a fixed seed: the same examples in every run, so that a failure can be repeated.
hypothesis.settings.register_profile("repository", derandomize=True, max_examples=100, deadline=None)
hypothesis.settings.load_profile("repository")

os.environ.setdefault("NEURAL_IMPLICIT_PYTHON", sys.executable)


if EXTENSION not in sys.modules:
    root = types.ModuleType(EXTENSION)
    root.__path__ = [str(ROOT)]  # without running `__init__.py`, which is for Blender
    sys.modules[EXTENSION] = root
