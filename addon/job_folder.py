"""Where conversions keep their files: one folder each, per user, so that a crash or a closed Blender loses nothing.

A folder goes when its conversion has finished or was cancelled. What else is left stays for a week.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import bpy

ROOT_PACKAGE = __package__.rpartition(".")[0]
KEPT_S = 7 * 24 * 3600.0


def conversions_folder() -> Path:
    """Give the folder of all conversions of this user; it exists.

    Raises:
        OSError: It cannot be made.
    """
    folder = conversions_place()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def conversions_place() -> Path:
    """Give where that folder is, or would be."""
    if ROOT_PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ROOT_PACKAGE, path="conversions", create=False))
    return Path(bpy.app.tempdir) / "neural_implicit_conversions"  # not installed as an extension


def new_job_folder() -> Path:
    """Make an empty folder for one conversion.

    Raises:
        OSError: There is no room, or no permission.
    """
    folder = conversions_folder()
    remove_old(folder)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d_%H%M%S_"), dir=folder))


def remove(folder: Path) -> None:
    """Remove a conversion's files; what another process still holds stays for `remove_old`."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_old(folder: Path, older_than_s: float = KEPT_S) -> None:
    """Remove what conversions left behind that have not been touched for a week."""
    oldest = time.time() - older_than_s
    for entry in folder.iterdir():
        if entry.is_dir() and _modified(entry) < oldest:
            remove(entry)


def _modified(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:  # gone meanwhile
        return time.time()
