"""Where a run in epochs stands, as one file from which it goes on as if it had never been broken off.

An .npz without pickles, replaced in one step: the trainer's arrays, and a JSON text with the step, the history and a
fingerprint of everything that the result depends on.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError
from ..protocol.weights import write_atomically

FloatArray = npt.NDArray[np.floating[Any]]

ENTRY = "neural_implicit_checkpoint"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A run after some steps."""

    fingerprint: str  # of the run
    step: int
    facts: dict[str, Any]  # plain values: history, running error, states of random generators
    arrays: dict[str, FloatArray]

    def save(self, path: Path) -> None:
        """Replace the file.

        Raises:
            OutputError: The folder is not writable or the disk is full; an older file stays whole.
        """
        facts = {"version": VERSION, "fingerprint": self.fingerprint, "step": self.step, "facts": self.facts}
        stream = io.BytesIO()
        np.savez(stream, **{ENTRY: np.array(json.dumps(facts))}, **self.arrays)  # type: ignore[arg-type]
        write_atomically(path, stream.getvalue())


def load_checkpoint(path: Path, fingerprint: str) -> Checkpoint | None:
    """Read a run's checkpoint; None where there is no file.

    Raises:
        CheckpointError: The file is damaged, of another kind, or of another run.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            facts = json.loads(str(data[ENTRY]))
            arrays = {name: data[name] for name in data.files if name != ENTRY}
        found = Checkpoint(
            fingerprint=facts["fingerprint"], step=int(facts["step"]), facts=facts["facts"], arrays=arrays
        )
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path.name} is no checkpoint of ours, or damaged ({error}). Delete it, or name another file."
        ) from error
    if facts["version"] != VERSION or found.fingerprint != fingerprint:
        raise CheckpointError(
            f"{path.name} belongs to another run: the mesh or a setting differs. "
            "Delete it, name another file, or convert with the settings it was made with."
        )
    return found


def fingerprint_of(*parts: Any) -> str:
    """Give a digest of what a run's result depends on; arrays count by their bytes, the rest by its `repr`."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
