"""A serving engine with all that belongs to it: its process, the shared folder, the frame slots, the scenes.

The viewport has one for all its views; the final render has another, so that neither waits for the other. When the
process dies it is started again after a back-off, and gets the scenes anew; views then ask again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..engine.errors import DeviceError
from ..engine.protocol.frames import FrameFile
from ..engine.protocol.messages import CancelView, FrameReady, GrantSlot, LoadScene, Message, RenderView
from ..engine.protocol.scene import PlaneName, Scene
from .engine_process import EngineProcess, EngineProcessError
from .engine_python import EngineNotFoundError
from .scene_blobs import blob_names
from .session_folder import SessionFolder

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 30.0
SLOTS_PER_VIEW = 2  # one is drawn while the other is written
GROWTH = 1.25  # a view that grows a little more does not map a new file again


class EngineSession:
    """Used by one thread at a time."""

    def __init__(self, find_python: Callable[[], Path], parent: Path | None) -> None:
        """Prepare a session; the engine starts when it is first needed.

        Args:
            find_python: Gives the engine's interpreter, or raises `EngineNotFoundError`.
            parent: Folder for the session's folder; None: the system's temporary folder.
        """
        self.folder = SessionFolder(parent)
        self.generation = 0  # of frame slots: grows when all that were granted are void
        self._find_python = find_python
        self._frames = FrameFile(self.folder.path)
        self._process: EngineProcess | None = None
        self._scenes: dict[str, LoadScene] = {}
        self._slots: dict[str, list[int]] = {}  # view -> its slots, granted or not
        self._revision = 0
        self._failures = 0
        self._retry_at = 0.0

    @property
    def process_id(self) -> int | None:
        """Process id of the engine, None where none runs."""
        return None if self._process is None else self._process.process_id

    @property
    def num_failures(self) -> int:
        """How often in a row the engine stopped before it gave a picture."""
        return self._failures

    def ensure_running(self, at_once: bool = False) -> bool:
        """Start the engine if none runs; False while a restart has to wait.

        Args:
            at_once: The user asks for it now, so it does not have to wait.

        Raises:
            EngineProcessError: It cannot be started; the message says what to do.
        """
        if self._process is not None:
            return True
        if time.monotonic() < self._retry_at and not at_once:
            return False
        try:
            python = self._find_python()
            process = EngineProcess(python, self.folder.path / "engine.log")
            process.start(["serve", "--session", str(self.folder.path)], self._frames.pass_fds)
        except EngineNotFoundError as error:
            self._stopped()
            raise EngineProcessError(str(error)) from error
        except EngineProcessError:
            self._stopped()
            raise
        self._process = process
        if self._frames.slots is not None:
            self._void_slots(self._frames.slots.slot_bytes, self._frames.slots.num_slots)
        for scene in self._scenes.values():
            process.send(scene)
        return True

    def load_scene(self, scene_id: str, scene: Scene, job: int = 0) -> None:
        """Send a scene of a job, unless it is the one that is loaded; blobs that no scene needs any more are removed."""
        known = self._scenes.get(scene_id)
        if known is not None and known.scene == scene and known.job == job:
            return
        self._revision += 1
        message = LoadScene(scene_id=scene_id, revision=self._revision, scene=scene, job=job)
        self._scenes[scene_id] = message
        if self._process is not None:
            self._process.send(message)
        self.folder.keep_only(set().union(*(blob_names(s.scene) for s in self._scenes.values())))

    def drop(self, view: str, scene_id: str) -> None:
        """Forget a view and its scene."""
        self._slots.pop(view, None)
        self._scenes.pop(scene_id, None)
        if self._process is not None:
            self._process.send(CancelView(view=view))
            self._revision += 1
            self._process.send(LoadScene(scene_id=scene_id, revision=self._revision, scene=Scene()))

    def reserve(self, view: str, num_bytes: int) -> tuple[int, ...]:
        """Give a view's slots of at least `num_bytes` each; may void every slot (see `generation`).

        Raises:
            EngineProcessError: There is no memory for them.
        """
        slots = self._frames.slots
        wanted = SLOTS_PER_VIEW * len(self._slots.keys() | {view})
        if slots is None or slots.slot_bytes < num_bytes or slots.num_slots < wanted:
            known_bytes, known_slots = (0, 0) if slots is None else (slots.slot_bytes, slots.num_slots)
            grown = int(num_bytes * GROWTH) if num_bytes > known_bytes else known_bytes
            self._void_slots(grown, max(wanted, known_slots))
        if view not in self._slots:
            taken = {slot for owned in self._slots.values() for slot in owned}
            assert self._frames.slots is not None
            free = [slot for slot in range(self._frames.slots.num_slots) if slot not in taken]
            self._slots[view] = free[:SLOTS_PER_VIEW]
        return tuple(self._slots[view])

    def planes(self, frame: FrameReady, names: tuple[PlaneName, ...]) -> dict[PlaneName, np.ndarray]:
        """Give a frame's planes as views into its slot."""
        assert self._frames.slots is not None
        return self._frames.slots.planes(frame.slot, names, frame.width, frame.height)

    def request(self, message: RenderView) -> None:
        """Send a request."""
        if self._process is not None:
            self._process.send(message)

    def grant(self, view: str, slot: int) -> None:
        """Give a slot back to the engine."""
        if self._process is not None:
            self._process.send(GrantSlot(view=view, slot=slot))

    def cancel(self, view: str) -> None:
        """Stop work on a view; `ViewCancelled` follows."""
        if self._process is not None:
            self._process.send(CancelView(view=view))

    def receive(self, timeout_s: float = 0.0) -> Message | None:
        """Give the next message, None when the time has passed.

        Raises:
            EngineProcessError: The engine is gone; it starts again with `ensure_running`, after a while.
        """
        if self._process is None:
            return None
        try:
            message = self._process.receive(timeout_s)
            if message is None and self._process.ended:
                raise EngineProcessError("The engine ended.")
        except EngineProcessError:
            self._process.kill()
            self._stopped()
            raise
        if isinstance(message, FrameReady):
            self._failures = 0
        return message

    def kill(self) -> None:
        """End the engine at once; it starts again with the next `ensure_running`."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def end(self) -> None:
        """End the engine and remove the session's files."""
        if self._process is not None:
            self._process.end()
            self._process = None
        self._frames.close()
        self.folder.remove()

    def _void_slots(self, slot_bytes: int, num_slots: int) -> None:
        self.generation += 1
        self._slots.clear()
        try:
            message = self._frames.resize(slot_bytes, num_slots)
        except DeviceError as error:
            raise EngineProcessError(str(error)) from error
        if self._process is not None:
            self._process.send(message)

    def _stopped(self) -> None:
        back_off = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0**self._failures)
        self._failures += 1
        self._retry_at = time.monotonic() + back_off
        self._process = None
        self.generation += 1  # whatever was granted is the add-on's again
        log.warning("the engine stopped; it may start again in %.0f s", back_off)
