"""Asks the engine what works on this machine, without waiting for the answer."""

from __future__ import annotations

from pathlib import Path

from ..engine.protocol.messages import DeviceStatus, Welcome
from .engine_process import EngineProcess, EngineProcessError


class EngineCheck:
    """One run of the engine's `doctor` at a time, and what the last one said."""

    def __init__(self) -> None:
        self.welcome: Welcome | None = None
        self.problem = ""  # why there is no answer, and what to do
        self._process: EngineProcess | None = None

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return self._process is not None

    @property
    def works(self) -> bool:
        """Whether the engine answered, whatever devices it has."""
        return self.welcome is not None and not self.problem

    def start(self, python: Path) -> None:
        """Start the engine's `doctor` in place of one that still runs.

        Raises:
            EngineProcessError: The interpreter cannot be started.
        """
        self.stop()
        self.welcome, self.problem = None, ""
        process = EngineProcess(python)
        process.start(["doctor", "--messages"])
        self._process = process

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Look for the answer, waiting no longer than `timeout_s`; whether it came, or never will."""
        if self._process is None:
            return False
        try:
            self._process.receive(timeout_s)
        except EngineProcessError as error:
            self.problem = str(error)
        self.welcome = self._process.welcome
        if self.welcome is None and not self.problem and not self._process.ended:
            return False
        if self.welcome is None and not self.problem:
            self.problem = "The engine ended without an answer. Install it again as README.md describes."
        self.stop()
        return True

    def stop(self) -> None:
        """End a check that still runs."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def fail(self, problem: str) -> None:
        """Note why no check could be started."""
        self.stop()
        self.welcome, self.problem = None, problem

    def lines(self) -> list[tuple[bool, str]]:
        """Give what the last answer said, line by line, each with whether it works."""
        if self.welcome is None:
            return []
        head = (True, f"Engine {self.welcome.engine_version} on Python {self.welcome.python_version}")
        return [head, *((device.works, _line(device)) for device in self.welcome.devices)]


def _line(device: DeviceStatus) -> str:
    return f"{device.name}: {device.detail}"


engine_check = EngineCheck()  # the one of this Blender session
