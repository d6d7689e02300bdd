"""A process that certifies one network, so that neither compiling nor proving ever stands in the way of a picture.

Stdin brings the length of a weights file (8 bytes, little-endian) and the file, and stays open as long as the answer is
wanted; stdout takes what was proven (`certified_cache.pack`). The process ends with its stdin, so no orphan works on.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

from ..cache import use_cache_folder
from ..errors import EngineError
from ..kernel_sources import ENGINE
from ..protocol.weights import NeuralWeights
from .certified_cache import pack, unpack
from .certified_cells import CertifiedCells

NICENESS = 15  # where the system has it: drawing goes first
LENGTH_BYTES = 8


class CertifyError(EngineError):
    """The process that certifies ended without an answer."""

    code = "certify"


class CertifyingChild:
    """One network being certified elsewhere."""

    def __init__(self, weights: NeuralWeights) -> None:
        """Start the process."""
        self._data = weights.to_bytes()
        self._stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.tracing.certify_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ENGINE.parent,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def stop(self) -> None:
        """End the process; from any thread, at any time."""
        self._stopped = True
        self._process.kill()

    def result(self) -> CertifiedCells | None:
        """Wait for what was proven; None where it was stopped.

        Raises:
            CertifyError: The process failed.
        """
        process = self._process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        try:
            with contextlib.suppress(OSError):  # it has ended already, and its stderr says why
                process.stdin.write(len(self._data).to_bytes(LENGTH_BYTES, "little") + self._data)
                process.stdin.flush()
            answer = process.stdout.read()
            cells = unpack(answer)
            if cells is None and not self._stopped:
                words = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
                raise CertifyError(
                    f"A network could not be certified ({words[-1] if words else 'no word of why'}); "
                    "pictures go on with sampled bounds."
                )
            return None if self._stopped else cells
        finally:
            process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()
            process.wait()


def main() -> None:
    """Answer one request."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a library's print cannot spoil the answer
    length = int.from_bytes(source.read(LENGTH_BYTES), "little")
    data = source.read(length)
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()
    use_cache_folder()
    from .certified_grid import certified_cells

    target.write(pack(certified_cells(NeuralWeights.from_bytes(data))))
    target.flush()


def _end_with(source: object) -> None:
    source.read(1)  # type: ignore[attr-defined]
    os._exit(0)


if __name__ == "__main__":
    main()
