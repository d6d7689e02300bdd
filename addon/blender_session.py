"""What the engine's processes need to know of this Blender: the interpreter it is set to, and where to put files."""

from __future__ import annotations

from pathlib import Path

import bpy

from .engine_session import EngineSession
from .engine_status import find_engine


def temporary_folder() -> Path:
    """Give Blender's folder for this session; it is removed when Blender ends."""
    return Path(bpy.app.tempdir)


def new_engine_session() -> EngineSession:
    """Make a session for a serving engine; nothing starts yet."""
    return EngineSession(find_engine, temporary_folder())
