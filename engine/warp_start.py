"""Starts Warp quietly: no banner, and no word about a missing GPU, since the CPU is what we ask for.

Warp's native library writes its CUDA warning straight to file descriptor 2, whatever its settings say, so what the
start writes there is caught, and all but that one line is passed on.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable

from .cache import use_cache_folder

NOT_WORTH_SAYING = b"Could not find or load the NVIDIA CUDA driver"

_lock = threading.Lock()
_started = False


def start_warp() -> None:
    """Initialise Warp once, before the first array, mesh or kernel; any thread may call it."""
    global _started
    with _lock:
        if _started:
            return
        use_cache_folder()  # before Warp is imported
        import warp as wp

        wp.config.log_level = wp.LOG_ERROR
        without_line(NOT_WORTH_SAYING, wp.init)
        _started = True


def without_line(unwanted: bytes, action: Callable[[], None]) -> None:
    """Run `action`; what it and its libraries write to stderr appears after it, without lines that hold `unwanted`."""
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # a process without stderr has nothing to keep quiet
        action()
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            action()
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            wanted = [line for line in caught.readlines() if unwanted not in line]
            if wanted:
                os.write(2, b"".join(wanted))
