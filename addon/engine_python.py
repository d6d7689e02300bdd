"""Which Python runs the engine: found by name, never guessed; a wrong one is told apart from a missing one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .installing.place import INSTALL, Place, environment_python, python_is_gone

EXTENSION_FOLDER = (
    Path(__file__).resolve().parent.parent
)  # holds `engine/`, so it is the engine's working folder
ENVIRONMENT_VARIABLE = "NEURAL_IMPLICIT_PYTHON"


class EngineNotFoundError(Exception):
    """No Python for the engine is known, or the one that was named is not there."""


def find_engine_python(preference: str = "", installed: Place | None = None) -> Path:
    """Give the interpreter that runs the engine.

    Args:
        preference: What the add-on's preferences say; empty where they say nothing.
        installed: Where Install Engine puts it; None where it cannot.

    Returns:
        What `NEURAL_IMPLICIT_PYTHON` names, else the preference, else the installed engine, else the `.venv` of a
        development checkout.

    Raises:
        EngineNotFoundError: None of them is there; the message says what to do.
    """
    named = {f"The environment variable {ENVIRONMENT_VARIABLE}": os.environ.get(ENVIRONMENT_VARIABLE, "")}
    named["The preference Engine Python"] = preference
    for who, text in named.items():
        if text.strip():
            return _existing(who, text.strip())
    if installed is not None and installed.stamp_path.is_file():
        return _of_installed(installed)
    development = environment_python(EXTENSION_FOLDER / ".venv")
    if development.is_file():
        return development
    raise EngineNotFoundError(
        f"There is no engine yet. Press {INSTALL} in Preferences > Add-ons > Neural Implicit, or choose the interpreter of an "
        "environment of your own there as Engine Python."
    )


def _of_installed(place: Place) -> Path:
    if python_is_gone(place):
        raise EngineNotFoundError(
            "The Python that the engine was made with is gone, as after an update of Blender. Press "
            f"{INSTALL} in Preferences > Add-ons > Neural Implicit."
        )
    return place.python


def _existing(who: str, text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_dir():  # the environment's folder does as well
        path = environment_python(path)
    found = shutil.which(str(path))
    if found is None:
        raise EngineNotFoundError(
            f"{who} names {text}, but no program is there. Choose the interpreter of the engine's environment in "
            "Preferences > Add-ons > Neural Implicit > Engine Python."
        )
    return Path(found).absolute()  # not resolved: a virtual environment's python is a link
