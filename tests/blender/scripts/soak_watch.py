"""What a soak keeps count of: faults that are logged, gaps of the main thread, memory, files and processes after each action."""

import csv
import logging
import os
import time
from pathlib import Path

import bpy

TICK_S = 0.02
COLUMNS = ("seconds", "action", "kills", "blender_mb", "engines_mb", "engines", "open_files", "gap_s")


class Faults(logging.Handler):
    """Keeps what the add-on logs as an error."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


class Watch:
    """Measures how long Blender's main thread does not come to its timers."""

    def __init__(self):
        self.longest = 0.0
        self._gap, self._last = 0.0, time.perf_counter()
        bpy.app.timers.register(self._tick, persistent=True)

    def _tick(self):
        now = time.perf_counter()
        self._gap = max(self._gap, now - self._last - TICK_S)
        self._last = now
        return TICK_S

    def take_gap(self):
        """Give the longest gap since this was asked last."""
        gap, self._gap = self._gap, 0.0
        self.longest = max(self.longest, gap)
        return gap


class Rows:
    """A table that grows by a row after each action, on disk at once: a soak that is cut short leaves it."""

    def __init__(self, path, marker):
        self._path, self._marker = path, marker
        self._begun = time.monotonic()
        self._append(COLUMNS)

    def add(self, action, kills, gap_s):
        """Note where things stand; give Blender's resident memory, MB."""
        engines = [resident_mb(pid) for pid in engines_with(self._marker)]
        blender_mb = resident_mb("self")
        row = (time.monotonic() - self._begun, action, kills, blender_mb, sum(engines), len(engines))
        self._append([*row, len(list(Path("/proc/self/fd").iterdir())), gap_s])
        return blender_mb

    def _append(self, row):
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow([f"{v:.3f}" if isinstance(v, float) else v for v in row])


def engines_with(marker):
    """Give the processes of Python that have inherited a variable; Blender itself is none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")[0]
            if b"python" in Path(os.fsdecode(command)).name.encode() and marker.encode() in (
                folder / "environ"
            ).read_bytes().split(b"\0"):
                found.append(folder.name)
        except OSError:  # it has ended, or is another user's
            continue
    return found


def resident_mb(pid):
    """Give the resident memory of a process, 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0
