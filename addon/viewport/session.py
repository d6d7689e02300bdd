"""All 3D views and the one engine they share; a timer listens to it only while pictures are due."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import bpy

from ...engine.protocol.messages import Progress
from ..blender_session import new_engine_session
from ..engine_process import EngineProcessError
from ..engine_session import EngineSession
from ..progress_text import phase_name
from .composite import forget_program
from .view import View

log = logging.getLogger(__name__)

LISTEN_S = 1 / 60  # between two looks at the engine's messages, while pictures are due
MOST_FAILURES = 4  # in a row; then something has to change before the engine starts again
RETRY_S = 0.25  # while a restart of the engine waits


class ViewportSession:
    """Views by name."""

    def __init__(self) -> None:
        """Begin without views and without an engine."""
        self._timer = self._tick  # one object: Blender tells timers apart by identity
        self._engine: EngineSession | None = None
        self._views: dict[str, View] = {}
        self._numbers = itertools.count(1)

    @property
    def process_id(self) -> int | None:
        """Process id of the engine, None where none runs."""
        return None if self._engine is None else self._engine.process_id

    def new_view(self, redraw: Callable[[], None]) -> View:
        """Add a view; `redraw()` is called when it has a newer picture or message."""
        if self._engine is None:
            self._engine = new_engine_session()
        view = View(f"view {next(self._numbers)}", self._engine, redraw)
        self._views[view.name] = view
        return view

    @property
    def engine(self) -> EngineSession:
        """The shared engine; there is one as soon as there is a view."""
        assert self._engine is not None
        return self._engine

    def remove_view(self, view: View) -> None:
        """Forget a view and free what it has."""
        if self._views.pop(view.name, None) is not None:
            view.close()

    def listen(self) -> None:
        """Make sure that the timer runs while pictures are due."""
        if not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=0.0, persistent=True)

    def end(self) -> None:
        """End the engine and forget everything."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        self._views.clear()
        if self._engine is not None:
            self._engine.end()
            self._engine = None
        forget_program()

    def _tick(self) -> float | None:
        """Hand out messages and ask for what is due; gives the time until the next call, None: not needed."""
        engine = self._engine
        if engine is None or not self._views:
            return None
        try:
            self._exchange(engine)
        except EngineProcessError as error:
            self._engine_stopped(engine, str(error))
        if not any(view.due for view in self._views.values()):
            return None
        return LISTEN_S if engine.process_id is not None else RETRY_S

    def _exchange(self, engine: EngineSession) -> None:
        if not engine.ensure_running():
            return
        while (message := engine.receive()) is not None:
            if isinstance(message, Progress):
                for view in self._views.values():
                    view.note(phase_name(message))
            view = self._views.get(getattr(message, "view", ""))
            if view is not None:
                view.receive(message)
        for view in list(self._views.values()):
            view.advance()

    def _engine_stopped(self, engine: EngineSession, text: str) -> None:
        for view in self._views.values():
            if engine.num_failures < MOST_FAILURES:
                view.engine_stopped(text)
            else:
                view.fail(f"{text} It starts again when the view changes.")


session = ViewportSession()


def register() -> None:
    """Nothing starts before a view is drawn."""


def unregister() -> None:
    """End the engine."""
    session.end()
