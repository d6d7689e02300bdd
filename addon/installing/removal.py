"""Takes the installed engine away: set aside at once, deleted after, since a gigabyte of small files takes seconds."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from .place import Place
from .reports import InstallError
from .single import one_at_a_time

ASIDE = ".removed-"


def set_aside(place: Place) -> None:
    """Rename the engine's folder, so that there is none from now on; `delete_set_aside` does the rest.

    Raises:
        InstallError: Another Blender installs into it, or a program runs from it and the system does not allow that.
    """
    if not place.folder.exists():
        return
    try:
        with one_at_a_time(place.folder / "lock"):
            pass
        place.folder.rename(
            place.folder.with_name(f"{place.folder.name}{ASIDE}{os.getpid()}-{time.time_ns()}")
        )
    except OSError as error:
        raise InstallError(
            f"The engine's folder cannot be removed: {error.strerror} ({place.folder}). End conversions and close other "
            "Blenders that use the engine, then try again."
        ) from error


def delete_set_aside(folder: Path) -> None:
    """Delete what was set aside beside the engine's folder, now or by a Blender that did not get that far."""
    for path in folder.parent.glob(f"{folder.name}{ASIDE}*"):
        shutil.rmtree(path, ignore_errors=True)
