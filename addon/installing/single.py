"""Lets one process at a time install into a folder; the system takes the lock back when the process ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .reports import InstallError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock.

    Raises:
        InstallError: Another process holds it.
    """
    with path.open("a") as file:
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InstallError(
                "Another Blender is installing or removing the engine. Wait until it has finished."
            ) from error
        yield
