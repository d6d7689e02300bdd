"""What the engine's processes need to know of this Blender: the interpreter it is set to, and where to put files."""

from __future__ import annotations

from pathlib import Path

import bpy

from .engine_python import find_engine_python
from .engine_session import EngineSession
from .preferences import engine_python_preference


def engine_python() -> Path:
    """Give the engine's interpreter.

    Raises:
        EngineNotFoundError: None is set, or it is not there.
    """
    return find_engine_python(engine_python_preference())


def temporary_folder() -> Path:
    """Give Blender's folder for this session; it is removed when Blender ends."""
    return Path(bpy.app.tempdir)


def new_engine_session() -> EngineSession:
    """Make a session for a serving engine; nothing starts yet."""
    return EngineSession(engine_python, temporary_folder())
