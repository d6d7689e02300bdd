"""How long each call from Blender into the add-on holds the main thread: operators, panels, timers, handlers, draw callbacks.

A profile function of the thread sees every call of Python, so what it finds is an upper bound: it costs time itself.
"""

import sys
import time
from pathlib import Path

ADDON = "/neural_implicit/addon/"


class MainThreadTimes:
    """Calls into the add-on's code from without it, by function; nested ones belong to the outermost."""

    def __init__(self):
        self.calls = {}  # name: [(seconds on the wall, seconds of this thread's processor)]
        self._outermost, self._begun = None, (0.0, 0.0)
        sys.setprofile(self._see)

    def _see(self, frame, event, _argument):
        if event == "call" and self._outermost is None and ADDON in frame.f_code.co_filename:
            self._outermost, self._begun = frame, (time.perf_counter(), time.thread_time())
        elif event == "return" and frame is self._outermost:
            took = time.perf_counter() - self._begun[0], time.thread_time() - self._begun[1]
            path = frame.f_code.co_filename.split(ADDON)[1]
            name = f"{Path(path).with_suffix('')}: {frame.f_code.co_qualname}"
            self.calls.setdefault(name, []).append(took)
            self._outermost = None

    def result(self):
        """Stop; give by name the calls' times in ms, on the wall and of the processor."""
        sys.setprofile(None)
        return {
            name: {"wall_ms": [1e3 * wall for wall, _ in calls], "processor_ms": [1e3 * p for _, p in calls]}
            for name, calls in self.calls.items()
        }
