"""One verb of the engine as a plain process: files in, files out, one JSON object a line. No Blender in here.

Its output goes to files of the task's folder, so nothing it says can block it, and all of it is there at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine_process import EngineProcessError
from .engine_python import EXTENSION_FOLDER
from .installing.pythons import CONFUSING_VARIABLES


class EngineTask:
    """Runs `python -m engine ARGUMENTS`; whoever owns it polls."""

    def __init__(self, python: Path, folder: Path) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            python: The engine's interpreter.
            folder: An empty folder for its files.
        """
        self.folder = folder
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        """Start it; returns at once.

        Args:
            arguments: Verb and options.
            environment: Variables; those that would confuse another Python are left out.

        Raises:
            EngineProcessError: The interpreter cannot be started, or the folder is not writable.
        """
        variables = {key: value for key, value in environment.items() if key not in CONFUSING_VARIABLES}
        variables.update(PYTHONDONTWRITEBYTECODE="1", PYTHONIOENCODING="utf-8")
        try:
            with self._log("stdout").open("wb") as out, self._log("stderr").open("wb") as err:
                self._process = subprocess.Popen(
                    [str(self._python), "-m", "engine", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    cwd=EXTENSION_FOLDER,
                    env=variables,
                    start_new_session=sys.platform != "win32",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise EngineProcessError(
                f"The engine's Python {self._python} cannot be started: {error.strerror}. Choose another one in "
                "Preferences > Add-ons > Neural Implicit > Engine Python."
            ) from error

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout_s: float) -> None:
        """Wait for its end.

        Raises:
            EngineProcessError: It took longer, and was ended.
        """
        assert self._process is not None
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise EngineProcessError(
                f"The engine took longer than {timeout_s:.0f} s and was ended."
            ) from error

    def kill(self) -> None:
        """End it now."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def results(self) -> list[dict[str, Any]]:
        """Give the JSON objects it has written so far, one a line."""
        lines = self._read("stdout").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def failure(self) -> str:
        """Give why it failed, once it has ended; empty where it has not."""
        if self._process is None or self._process.poll() in (None, 0):
            return ""
        lines = [line for line in self._read("stderr").splitlines() if line.strip()]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        if errors:
            return errors[-1]
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        return f"The engine ended unexpectedly ({last}). Run Check Engine in the add-on's preferences."

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _read(self, name: str) -> str:
        try:
            return self._log(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
