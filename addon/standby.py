"""An engine that stands by: started while the user looks at the tab, so that a conversion's first shape is seen soon.

The engine's libraries and kernels take some seconds to load, and on a new machine much longer to compile. Whoever converts takes
the engine that is ready; where nobody looks at the tab for a while it ends, and its memory with it.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import bpy

from ..engine.protocol.messages import Progress
from .blender_session import temporary_folder
from .engine_process import EngineProcess, EngineProcessError
from .engine_python import EngineNotFoundError
from .engine_status import find_engine, keeps_engine_ready

log = logging.getLogger(__name__)

TICK_S = 1.0
KEPT_S = 300.0  # after the tab was last drawn
RETRY_S = 60.0  # after an engine that ended by itself


class Standby:
    """At most one engine; used by Blender's main thread."""

    def __init__(self) -> None:
        self._timer = self._tick  # one object: Blender tells timers apart by identity
        self._process: EngineProcess | None = None
        self._looked_at = 0.0
        self._retry_at = 0.0
        self._held_back = False
        self.ready = False  # it has loaded all it needs

    @property
    def process_id(self) -> int | None:
        """Process id of the engine that stands by, None where none does."""
        return None if self._process is None else self._process.process_id

    def look(self, converting: bool) -> None:
        """Note that the tab is being drawn; while something converts, the processors are needed there."""
        self._looked_at, self._held_back = time.monotonic(), converting
        if not bpy.app.background and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=0.1, persistent=True)

    def take(self, python: Path) -> EngineProcess | None:
        """Give the engine away, if there is one of this interpreter that is alive."""
        process, self._process, self.ready = self._process, None, False
        self._held_back = True  # until the tab is drawn again, and tells whether something converts
        if process is not None and (process.python != python or not process.running):
            process.kill()
            return None
        return process

    def stop(self) -> None:
        """End the engine that stands by."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        if self._process is not None:
            self._process.kill()
            self._process, self.ready = None, False

    def _tick(self) -> float | None:
        now = time.monotonic()
        if now - self._looked_at > KEPT_S or not keeps_engine_ready():
            self.stop()
            return None
        self._listen()
        if self._process is None and not self._held_back and now >= self._retry_at:
            self._start()
        return TICK_S

    def _listen(self) -> None:
        if self._process is None:
            return
        try:
            self.ready |= any(isinstance(m, Progress) and m.phase == "ready" for m in self._process.poll())
            if self._process.running:
                return
            log.info("the engine that stood by ended: %s", self._process.log_tail)
        except EngineProcessError as error:
            log.info("no engine stands by any more: %s", error)
        self._process, self._retry_at, self.ready = None, time.monotonic() + RETRY_S, False

    def _start(self) -> None:
        try:
            process = EngineProcess(find_engine(), temporary_folder() / "neural_implicit_standby.log")
            process.start(["standby"])
        except (EngineNotFoundError, EngineProcessError) as error:
            log.info("no engine stands by: %s", error)  # the panel and the conversion itself tell the user
            self._retry_at = time.monotonic() + RETRY_S
            return
        self._process = process


standby = Standby()  # the one of this Blender session


def register() -> None:
    """Nothing starts before the tab is drawn."""


def unregister() -> None:
    """End the engine that stands by."""
    standby.stop()
