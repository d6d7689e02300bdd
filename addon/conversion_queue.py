"""The conversions of this Blender session, one after the other.

In a window a timer takes a short step every 0.1 s while there is work, and nothing else waits; in background mode
`run_to_end` blocks. An undo step is pushed when a job ends, so that one step takes the whole conversion back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from . import shape_memory
from .conversion_job import ConversionJob
from .engine_status import find_engine
from .redraw import announce, redraw_panels, redraw_status_bar, user_is_dragging

log = logging.getLogger(__name__)

TICK_S = 0.1


class ConversionQueue:
    """Jobs that wait, run or have failed; finished ones live on as neural objects only."""

    def __init__(self) -> None:
        self.jobs: list[ConversionJob] = []

    @property
    def busy(self) -> bool:
        """Whether a job is still to end."""
        return any(job.active for job in self.jobs)

    def is_training(self, job: str) -> bool:
        """Whether the job of a UUID is still to end."""
        return any(entry.uuid == job and entry.active for entry in self.jobs)

    def add(self, jobs: list[ConversionJob], context: bpy.types.Context) -> None:
        """Queue jobs; the first starts at once where none runs."""
        self.jobs = [job for job in self.jobs if job.active or job.problem]
        self.jobs += jobs
        self._start_next(context)

    def step(self, context: bpy.types.Context, timeout_s: float = 0.0) -> bool:
        """Take one step of the job that runs, and start the next one when it ends; whether anything changed."""
        running = next((job for job in self.jobs if job.state == "running"), None)
        changed = running is not None and self._advance(running, timeout_s)
        if running is None or not running.active:
            changed = self._start_next(context) or changed
        return changed

    def cancel(self, job: ConversionJob, context: bpy.types.Context, keep: bool = False) -> None:
        """Cancel a job, or take a failed one off the list."""
        if job.active:
            changed = job.changed_scene
            job.cancel(keep)
            if changed:
                push_undo("Cancel Conversion")
        self.jobs.remove(job)
        self._start_next(context)

    def abandon(self) -> None:
        """End all jobs and keep their files: the scene they work on goes away."""
        for job in self.jobs:
            if job.active:
                job.stop("gone", keep_files=True)
        self.jobs.clear()

    def _advance(self, job: ConversionJob, timeout_s: float) -> bool:
        try:
            changed = job.advance(timeout_s)
        except Exception as error:  # a bug must stop this job only, and be seen
            log.exception("converting %s", job.name)
            job.fail(
                f"{type(error).__name__}: {error}. This is a fault of Neural Implicit; please report it."
            )
            changed = True
        if not job.active:
            self._ended(job)
        return changed

    def _ended(self, job: ConversionJob) -> None:
        if job.state == "failed":
            announce("ERROR", job.problem)
        else:
            self.jobs.remove(job)
        if job.state == "finished":
            announce("INFO", f"{job.name} is a neural implicit now")
        if job.changed_scene:
            push_undo("Convert to Neural Implicit")

    def _start_next(self, context: bpy.types.Context) -> bool:
        started = False
        while not any(job.state == "running" for job in self.jobs):
            job = next((job for job in self.jobs if job.state == "waiting"), None)
            if job is None:
                break
            started = True
            job.start(find_engine, context.evaluated_depsgraph_get())
            if job.state == "failed":
                self._ended(job)
        return started


def push_undo(message: str) -> None:
    """Push an undo step; without an undo system (background mode) nothing happens.

    Nor does it in an edit mode, whose steps hold what is edited only: the step that Blender makes when it is left holds all.
    """
    window_manager = bpy.context.window_manager
    if bpy.app.background or not window_manager.windows:
        return
    with bpy.context.temp_override(window=window_manager.windows[0]):
        if not bpy.context.mode.startswith("EDIT"):
            bpy.ops.ed.undo_push(message=message)


def start_timer() -> None:
    """Take steps while there is work; to be called after `add`."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)


def run_to_end(
    context: bpy.types.Context, jobs: list[ConversionJob], tell: Callable[[ConversionJob], None]
) -> None:
    """Block until some jobs have ended; `tell` hears of each change. An interrupt cancels what is left."""
    try:
        while any(job.active for job in jobs):
            running = next((job for job in queue.jobs if job.state == "running"), None)
            queue.step(context, TICK_S)
            if running is not None:
                tell(running)
    except KeyboardInterrupt:
        for job in jobs:
            if job.active:
                job.cancel()
        raise


def _tick() -> float | None:
    if user_is_dragging():
        return TICK_S  # the data it drags must not change under it
    if queue.step(bpy.context):
        redraw_panels()
        redraw_status_bar()
    return TICK_S if queue.busy else None


@persistent
def _before_load(*_: object) -> None:
    queue.abandon()


@persistent
def _after_undo(*_: object) -> None:
    for job in queue.jobs:
        job.after_undo()


queue = ConversionQueue()  # the one of this Blender session


def register() -> None:
    """Follow undo and opened files."""
    shape_memory.ask_who_trains(queue.is_training)
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.undo_post.append(_after_undo)
    bpy.app.handlers.redo_post.append(_after_undo)


def unregister() -> None:
    """End all conversions; their last snapshots stay in the scene and on disk."""
    queue.abandon()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.undo_post.remove(_after_undo)
    bpy.app.handlers.redo_post.remove(_after_undo)
