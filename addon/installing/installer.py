"""The installing process as Blender sees it: started, listened to without waiting, cancelled."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .locked import LISTS
from .pythons import clean_environment
from .reports import DONE, FAILED, WARNING, Report, decode

ROOT = LISTS.parent  # of the extension: the process's working folder
CANCEL_S = 15.0  # between asking the process to end and killing it: it clears up what is half done
QUIT_S = 3.0  # the same where Blender waits for it


class Installer:
    """One installation at a time, and what the last one said."""

    def __init__(self) -> None:
        self.text = ""  # what it is doing
        self.fraction = 0.0
        self.result = ""  # a sentence, once it is installed
        self.problem = ""  # why it is not, and what to do
        self.warnings: list[str] = []
        self.cancelling = False
        self._process: subprocess.Popen[str] | None = None
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._last_words: list[str] = []
        self._kill_at = 0.0

    @property
    def running(self) -> bool:
        """Whether an installation is under way."""
        return self._process is not None

    def start(self, python: str, folder: Path, arguments: Sequence[str] = ()) -> None:
        """Start installing into a folder; returns at once.

        Args:
            python: A Python that runs the process: Blender's own.
            folder: Where the engine goes.
            arguments: More of `python -m addon.installing`.

        Raises:
            OSError: It cannot be started.
        """
        assert self._process is None
        self.forget()
        self.text = "Starting"
        self._process = subprocess.Popen(
            [python, "-m", "addon.installing", str(folder), "--own-python", python, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env={**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"},
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._inbox = queue.SimpleQueue()
        stream = self._process.stdout
        threading.Thread(target=self._read, args=(stream, self._inbox), name="install", daemon=True).start()

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Hear what has come, waiting no longer than `timeout_s` for the first; whether anything changed."""
        changed = False
        while self._process is not None:
            try:
                report = (
                    self._inbox.get(timeout=0.0 if changed else timeout_s)
                    if timeout_s
                    else self._inbox.get_nowait()
                )
            except queue.Empty:
                break
            changed = True
            self._take(report)
        if self._process is not None and self.cancelling and time.monotonic() > self._kill_at:
            self._end()
            changed = True
        return changed

    def cancel(self) -> None:
        """Ask it to end; what is downloaded completely stays for the next time."""
        if self._process is not None and not self.cancelling:
            self.cancelling, self.text = True, "Cancelling"
            self._kill_at = time.monotonic() + CANCEL_S
            with contextlib.suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()

    def stop(self) -> None:
        """End it now."""
        if self._process is not None:
            self.cancel()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(QUIT_S)
            self._end()

    def forget(self) -> None:
        """Clear what the last one said."""
        self.text, self.fraction, self.result, self.problem = "", 0.0, "", ""
        self.warnings, self.cancelling = [], False
        self._last_words = []

    def _take(self, report: Report | None) -> None:
        if report is None:
            self._end()
        elif report.kind == WARNING:
            self.warnings.append(report.text)
        elif report.kind == FAILED:
            self.problem = report.text
        elif report.kind == DONE:
            self.result = report.text
        elif not self.cancelling:
            self.text, self.fraction = report.text, report.fraction

    def _end(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        if sys.platform != "win32":  # whatever it has started is of its group
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        threading.Thread(target=process.wait, name="install end", daemon=True).start()
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        if self.cancelling and not self.result:
            self.problem = (
                "Cancelled. What was downloaded completely stays; Install Engine goes on from there."
            )
        elif not self.result and not self.problem:
            last = f": {self._last_words[-1]}" if self._last_words else ""
            self.problem = f"The installation ended unexpectedly{last}. Press Install Engine again."

    def _read(self, stream: IO[str], inbox: queue.SimpleQueue[Report | None]) -> None:
        with stream:
            for line in stream:
                report = decode(line)
                if report is not None:
                    inbox.put(report)
                elif line.strip():
                    self._last_words.append(line.strip().rstrip("."))
        inbox.put(None)
