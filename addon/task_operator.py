"""What operators that wait for an engine task share: a modal timer in the window, plain waiting in the background."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import bpy

from . import job_folder
from .engine_process import EngineProcessError
from .engine_python import EngineNotFoundError
from .engine_status import find_engine
from .engine_task import EngineTask

TICK_S = 0.1
MESHING = "neural_implicit_to_mesh"  # asks before it starts, unless told not to
TIMEOUT_S = 3600.0  # in the background, where nobody can press Esc


class TaskOperator:
    """Mix into an operator that has `finish(context, task)`, which puts the task's results into the scene."""

    _task: EngineTask | None = None
    _timer: bpy.types.Timer | None = None

    def run_task(self, context: bpy.types.Context, arguments: Sequence[str], task: EngineTask) -> set[str]:
        """Start a task; give what `execute` returns.

        Repeated by the redo panel, an operator must not become modal: Blender would list it twice. A new one is
        started a moment later then.
        """
        if not bpy.app.background and (self.options.is_repeat or self.options.is_repeat_last):
            job_folder.remove(task.folder)
            bpy.app.timers.register(functools.partial(_start_anew, self.bl_idname, self._settings()))
            return {"FINISHED"}
        try:
            task.start(arguments, dict(os.environ))
            if bpy.app.background:
                task.wait(TIMEOUT_S)
                return self._end(context, task)
        except EngineProcessError as error:
            return self._refuse(str(error), task)
        self._task = task
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_S, window=context.window)
        manager.modal_handler_add(self)
        context.workspace.status_text_set(f"{self.bl_label}: the engine is at work. Esc ends it.")
        return {"RUNNING_MODAL"}

    def new_task(self) -> EngineTask | None:
        """Make a task with a folder; None, and a report, where there is no engine or no room."""
        try:
            python = find_engine()
            return EngineTask(python, job_folder.new_job_folder())
        except (EngineNotFoundError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return None

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look after the task; everything but Esc goes to Blender."""
        task = self._task
        assert task is not None
        if event.type == "ESC":
            task.kill()
            self._stop_timer(context)
            job_folder.remove(task.folder)
            return {"CANCELLED"}
        if event.type != "TIMER" or task.running:
            return {"PASS_THROUGH"}
        self._stop_timer(context)
        return self._end(context, task)

    def _settings(self) -> dict[str, Any]:
        names = [p.identifier for p in self.properties.bl_rna.properties if not p.is_readonly]
        chosen = [name for name in names if name != "ask" and self.properties.is_property_set(name)]
        plain = {name: getattr(self, name) for name in chosen}
        return {n: v for n, v in plain.items() if isinstance(v, (bool, int, float, str))}

    def _end(self, context: bpy.types.Context, task: EngineTask) -> set[str]:
        try:
            return self.finish(context, task)
        finally:
            job_folder.remove(task.folder)

    def _stop_timer(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)

    def _refuse(self, why: str, task: EngineTask) -> set[str]:
        self.report({"ERROR"}, why)
        job_folder.remove(task.folder)
        return {"CANCELLED"}


def _start_anew(identifier: str, settings: dict[str, Any]) -> None:
    windows = bpy.context.window_manager.windows
    category, name = identifier.split("_OT_") if "_OT_" in identifier else identifier.split(".")
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            getattr(getattr(bpy.ops, category.lower()), name)(
                "INVOKE_DEFAULT", **settings, **({"ask": False} if name == MESHING else {})
            )
