"""Runs pip and venv for the installing process: their output read line by line, all of them ended at once when it must end."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from .pythons import clean_environment
from .reports import InstallError

LEAVE_S = 5.0  # what was killed has left by then
PIP = {  # of pip's settings these must be so; index, proxy and certificates stay what the user has set
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_USER": "0",
    "PIP_NO_CACHE_DIR": "1",  # what is complete is kept as a wheel
    "PIP_PROGRESS_BAR": "off",
    "PYTHONIOENCODING": "utf-8",
    "NO_COLOR": "1",
}


class Children:
    """The processes that are under way."""

    def __init__(self, log: Path) -> None:
        """Write what they print to `log` as well."""
        self._log = log.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def run(
        self,
        command: Sequence[str],
        temporary: Path,
        hear: Callable[[str], None] = lambda line: None,
        variables: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        """Run a command to its end; give its exit code and what it printed.

        Args:
            command: Program and arguments.
            temporary: Its folder for temporary files, which is made.
            hear: Called with each line as it comes.
            variables: More environment variables.

        Raises:
            InstallError: It cannot be started.
        """
        self.check()
        temporary.mkdir(parents=True, exist_ok=True)
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
        process = self._start(command, {**clean_environment(), **PIP, **places, **(variables or {})})
        lines = []
        with process:
            for line in process.stdout or ():
                lines.append(line)
                hear(line.rstrip())
                with self._lock:
                    self._log.write(line)
        with self._lock:
            self._running.discard(process)
            self._log.flush()
        return process.returncode, "".join(lines)

    def end(self) -> None:
        """End all of them, and let none start any more; they have ended then, or are stuck in the system."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            with contextlib.suppress(OSError):
                process.kill()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LEAVE_S)

    def check(self) -> None:
        """Go on, unless they were ended.

        Raises:
            InstallError: They were.
        """
        if self._ended:
            raise InstallError("Cancelled.")

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _start(self, command: Sequence[str], variables: dict[str, str]) -> subprocess.Popen[str]:
        with self._lock:
            self.check()
            self._log.write(f"$ {' '.join(command)}\n")
            try:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    env=variables,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            except OSError as error:
                raise InstallError(f"{command[0]} cannot be started: {error.strerror}.") from error
            self._running.add(process)
            return process
