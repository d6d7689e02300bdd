"""Which engine is used and what is installed, found out when something changes, so that drawing only reads it."""

from __future__ import annotations

from pathlib import Path

import bpy

from .engine_python import EngineNotFoundError, find_engine_python
from .installing.place import EngineState, Place, look

ROOT_PACKAGE = __package__.rpartition(".")[0]  # Blender knows the extension by its root


class EngineStatus:
    """What the last look found."""

    def __init__(self) -> None:
        self.used: Path | None = None  # the interpreter
        self.problem = ""  # why there is none, and what to do
        self.place: Place | None = None  # of the installed engine
        self.installed = EngineState()

    @property
    def uses_installed(self) -> bool:
        """Whether the engine that Install Engine made is the one that is used."""
        return self.place is not None and self.used == self.place.python

    def refresh(self) -> None:
        """Look again."""
        self.place = engine_place()
        self.installed = look(self.place) if self.place is not None else EngineState()
        try:
            self.used, self.problem = find_engine(), ""
        except EngineNotFoundError as error:
            self.used, self.problem = None, str(error)


def engine_python_preference() -> str:
    """Give what the preferences name as the engine's interpreter; empty where they name nothing."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return addon.preferences.engine_python if addon is not None and addon.preferences is not None else ""


def keeps_engine_ready() -> bool:
    """Whether an engine may stand by for the next conversion."""
    addon = bpy.context.preferences.addons.get(ROOT_PACKAGE)
    return addon is None or addon.preferences is None or addon.preferences.keep_engine_ready


def engine_place() -> Place | None:
    """Give where the installed engine is, or would be; None where this is not installed as an extension."""
    if not ROOT_PACKAGE.startswith("bl_ext."):
        return None
    return Place(Path(bpy.utils.extension_path_user(ROOT_PACKAGE, path="engine", create=False)))


def find_engine() -> Path:
    """Give the interpreter that runs the engine.

    Raises:
        EngineNotFoundError: There is none; the message says what to do.
    """
    return find_engine_python(engine_python_preference(), engine_place())


status = EngineStatus()  # the one of this Blender session


def register() -> None:
    """Look once."""
    status.refresh()


def unregister() -> None:
    """Nothing is held."""
