"""The folder that one Blender session shares with its engine: blobs by content, logs, snapshots.

A blob is a file `blobs/<sha256>` with the bytes of that hash, so nothing is written twice and a name can never
mean something else.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ..engine.protocol.scene import ArrayBlob


class SessionFolder:
    """A temporary folder with `blobs/`, removed at exit."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make it inside `parent` (the system's temporary folder where None)."""
        folder = tempfile.mkdtemp(prefix="neural_implicit_", dir=parent)
        self.path = Path(folder)
        self.blobs = self.path / "blobs"
        self.blobs.mkdir()
        self.times_made = 1
        atexit.register(self.remove)

    def repair(self) -> int:
        """Make it again where something has deleted it (a cleaner of temporary files); give how often it was made.

        Raises:
            OSError: It cannot be made.
        """
        if not self.blobs.is_dir():
            self.blobs.mkdir(parents=True)
            self.times_made += 1
        return self.times_made

    def put_bytes(self, data: bytes | memoryview) -> str:
        """Store bytes and give their SHA-256.

        Raises:
            OSError: The folder is full or gone.
        """
        name = hashlib.sha256(data).hexdigest()
        path = self.blobs / name
        if not path.exists():
            half = path.with_suffix(".part")
            try:
                half.write_bytes(data)
            except OSError:
                half.unlink(missing_ok=True)  # it fills a disk that is full
                raise
            half.replace(path)
        return name

    def put_array(self, array: np.ndarray) -> ArrayBlob:
        """Store an array, little-endian in C order.

        Raises:
            OSError: The folder is full or gone.
        """
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        sha256 = self.put_bytes(memoryview(little).cast("B") if little.size else b"")
        return ArrayBlob(sha256=sha256, dtype=array.dtype.name, shape=array.shape)  # type: ignore[arg-type]

    def keep_only(self, names: set[str]) -> None:
        """Remove every blob that is not in `names`."""
        for path in self.blobs.glob("*"):  # of a folder that is gone this gives nothing
            if path.name not in names:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder; a file that another process still holds stays behind."""
        atexit.unregister(self.remove)
        shutil.rmtree(self.path, ignore_errors=True)


def disk_sentence(error: OSError) -> str:
    """Say why a scene could not be stored for the engine, and what to do."""
    return (
        f"The scene could not be handed to the engine: {error.strerror or error} ({error.filename or 'temporary folder'}). "
        "Free some disk space there, or choose another Temporary Files folder in Preferences > File Paths and restart Blender."
    )
