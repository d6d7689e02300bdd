"""One conversion as Blender sees it: a state machine from the selected object to its neural object.

    waiting -> running -> finished | failed | cancelled | gone

It holds no pointers into Blender's data between its steps, only session_uids, because undo replaces the data. Each
step is short: reading the source, starting the engine, or putting a snapshot into the object.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Literal

import bpy

from . import job_folder, shape_memory
from .animation_copy import left_behind
from .engine_conversion import SILENCE_TIMEOUT_S, ConversionError, EngineConversion, EngineResult
from .engine_process import EngineProcessError
from .engine_python import EngineNotFoundError
from .job_target import JobTarget
from .mesh_export import SourceSurface, SurfaceError
from .motion_export import source_writer
from .moving_proxy import follow, packed_moments
from .neural_object import NeuralShape, State, is_busy, store_shape
from .properties import ConversionSettings
from .standby import standby

log = logging.getLogger(__name__)

SMALL_MESH_S = 0.02  # so long a conversion waits for its file at once, and not until the next step
_writer = futures.ThreadPoolExecutor(1, thread_name_prefix="source")

JobState = Literal["waiting", "running", "finished", "failed", "cancelled", "gone"]
USER_ERRORS = (SurfaceError, ConversionError, EngineProcessError, EngineNotFoundError, OSError)


class ConversionJob:
    """Converts one object; `advance` takes the next step."""

    def __init__(
        self,
        source: bpy.types.Object,
        context: bpy.types.Context,
        settings: ConversionSettings,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
        replaced: bpy.types.Object | None = None,
    ) -> None:
        """Note what to convert, and which neural object gets the result in place of a new one; nothing is read yet."""
        self.uuid = uuid.uuid4().hex
        self.name = source.name
        self.state: JobState = "waiting"
        self.problem = ""  # why it failed
        self.engine: EngineConversion | None = None
        self.warnings: list[str] = []
        self._settings = settings
        self._silence_timeout_s = silence_timeout_s
        self._target = JobTarget(self.uuid, source, context, replaced)
        self._digest = ""  # of the source
        self._pending: tuple[EngineResult, State] | None = None  # waits for the end of Edit Mode
        self._folder: Path | None = None
        self._python = Path()
        self._writing: futures.Future[SourceSurface] | None = None  # the source's file, on another thread

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in ("waiting", "running")

    @property
    def has_object(self) -> bool:
        """Whether there is something to see."""
        return self._target.has_object

    @property
    def changed_scene(self) -> bool:
        """Whether an object was made or changed, so that an undo step is due."""
        return self._target.changed_scene

    @property
    def waits_for_edit_mode(self) -> bool:
        """Whether the engine is done, but the proxy is being edited."""
        return self.state == "running" and self._pending is not None and not self._engine_runs

    @property
    def _engine_runs(self) -> bool:
        return self.engine is not None and self.engine.running

    def start(self, python: Callable[[], Path], depsgraph: bpy.types.Depsgraph) -> None:
        """Read the source and start the engine; a fault ends in the state "failed"."""
        try:
            self._start(python(), depsgraph)
        except USER_ERRORS as error:
            self.fail(_sentence(error))

    def advance(self, timeout_s: float = 0.0) -> bool:
        """Take in what the engine has done, waiting for it no longer than `timeout_s`; whether anything changed."""
        if self.state != "running" or self.engine is None:
            return False
        if self._target.source() is None and not self.has_object:
            self.stop("gone")  # nothing tells any more where the object would go
            return True
        try:
            if self._writing is not None:
                return self._begin_training(timeout_s)
            changed = self.engine.poll(timeout_s)
            if self.engine.failure:
                self.fail(self.engine.failure)
                return True
            return self._take_result() or changed
        except USER_ERRORS as error:
            self.fail(_sentence(error))
            return True

    def cancel(self, keep: bool = False) -> None:
        """End at once and remove what was made; with `keep` the last snapshot stays, marked unfinished."""
        if keep and self.has_object:
            self.stop("cancelled")
            return
        if self.engine is not None:
            self.engine.stop()
        self.state = "cancelled"
        self._target.take_back()
        self._remove_files()
        shape_memory.forget(self.uuid)
        shape_memory.restore_shapes()

    def fail(self, problem: str) -> None:
        """End with a sentence for the user; the last snapshot stays, marked unfinished, or the shape of before comes back."""
        self.problem = problem
        log.warning("converting %s failed: %s", self.name, problem)
        if self._target.replaces:
            self._target.take_back()
        elif self.engine is not None and self.state == "running":
            try:
                self._take_result("unfinished")
            except USER_ERRORS as error:
                log.info("no snapshot of %s is left: %s", self.name, error)
        self.stop("failed")

    def stop(self, state: JobState, keep_files: bool = False) -> None:
        """End in `state`; what is in the scene stays, marked unfinished."""
        if self.engine is not None:
            self.engine.stop()
        self.state = state
        shape_memory.close(self.uuid)
        if not keep_files:
            self._remove_files()

    def after_undo(self) -> None:
        """Notice that an undo or redo may have taken the object away; the next snapshot makes it again."""
        self._target.after_undo()

    def _start(self, python: Path, depsgraph: bpy.types.Depsgraph) -> None:
        source = self._target.source()
        if source is None:
            raise SurfaceError(f"{self.name} was deleted before its turn came.")
        self.name = source.name
        write = source_writer(source, depsgraph, self._settings.frames)
        self.warnings += left_behind(source)
        self._folder = job_folder.new_job_folder()
        moving = self._settings.frames is not None
        self.engine = EngineConversion(python, self._folder, self._silence_timeout_s, moving=moving)
        self._python, self._writing = python, _writer.submit(write, self.engine.source)
        self.state = "running"
        self._begin_training(SMALL_MESH_S)

    def _begin_training(self, timeout_s: float) -> bool:
        """Start the engine as soon as the source's file is written; whether that is done."""
        assert self.engine is not None and self._writing is not None
        if not futures.wait([self._writing], timeout_s).done:
            return False
        writing, self._writing = self._writing, None
        self._note_materials(writing.result())
        self.engine.start([*self._settings.arguments(), *self._warm_start()], standby.take(self._python))
        return True

    def _warm_start(self) -> list[str]:
        """Give the options by which a source that has changed is fitted from the weights of before."""
        before = self._target.before
        if before is None or before.state != "finished" or before.source_digest == self._digest:
            return []
        if self._folder is None or not self._settings.goes_on_from(before.report):
            return []
        path = self._folder / "start.safetensors"
        path.write_bytes(before.weights)
        return ["--start", str(path)]

    def _note_materials(self, surface: SourceSurface) -> None:
        self._target.material_slot, self._digest = surface.material_slot, surface.digest
        if surface.num_materials > 1:
            self.warnings.append(
                f"{self.name} has {surface.num_materials} materials; the one that covers the largest area was taken."
            )

    def _take_result(self, state: State = "training") -> bool:
        assert self.engine is not None
        result = self.engine.take_result()
        if result is not None:
            done = self.engine.converted is not None
            self._pending = (result, "finished" if done else state)
        elif self.engine.converted is not None and self._pending is None:
            raise ConversionError(
                f"The network of {self.name} found no surface. Convert again with another seed or more samples."
            )
        return self._pending is not None and self._put_into_scene(*self._pending)

    def _put_into_scene(self, result: EngineResult, state: State) -> bool:
        shape = self._shape(result, state)
        shape_memory.remember(shape)
        meshes = self._target.meshes()
        if any(is_busy(mesh) for mesh in meshes):
            return False
        self._pending = None
        if not self._target.make(shape):
            self.stop("gone")
            return True
        for mesh in meshes:
            store_shape(mesh, shape)
        if self._settings.hide_source:
            self._target.hide_source()
        if state == "finished":
            follow(self._target.scene() or bpy.context.scene)
            self.state = "finished"
            self._remove_files()
        return True

    def _shape(self, result: EngineResult, state: State) -> NeuralShape:
        report = result.report
        if self.warnings:
            report = report | {"warnings": [*report.get("warnings", []), *self.warnings]}
        return NeuralShape(
            job=self.uuid,
            source_name=self.name,
            source_digest=self._digest,
            state=state,
            weights=result.weights,
            report=report,
            vertices_unit=result.vertices_unit,
            triangles=result.triangles,
            frames=None if self._settings.frames is None else self._settings.frames[:2],
            moments=packed_moments(result.more),
        )

    def _remove_files(self) -> None:
        if self._folder is None:
            return
        folder = self._folder
        job_folder.remove(folder)
        if self._writing is not None:  # it may just be making a file there
            self._writing.add_done_callback(lambda _: job_folder.remove(folder))


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"The mesh could not be handed to the engine: {error.strerror or error}{where}. Free some disk space, or permit writing in {job_folder.conversions_place()}."
    return str(error)
