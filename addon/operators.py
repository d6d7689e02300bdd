"""The operators: convert, cancel, check the engine."""

from __future__ import annotations

import sys
import time

import bpy

from . import conversion_queue
from .conversion_job import ConversionJob
from .conversion_queue import queue
from .engine_check import engine_check
from .engine_process import EngineProcessError
from .engine_python import EngineNotFoundError
from .engine_status import find_engine, status
from .mesh_export import SurfaceError, check_type
from .neural_object import SOURCE_KEY, is_neural, job_of
from .progress_text import progress_line
from .properties import ACTIVATIONS, MAX_SEED, PRESETS, ConversionSettings, scene_settings
from .redraw import redraw_panels
from .source_watch import source_of

PRINT_INTERVAL_S = 1.0
CHECK_TICK_S = 0.1
FROM_PRESET = ("PRESET", "Preset's", "What the preset says")


class OBJECT_OT_convert_to_neural_implicit(bpy.types.Operator):
    """Train a small network to be the selected objects' surfaces; the sources are kept"""

    bl_idname = "object.convert_to_neural_implicit"
    bl_label = "Convert to Neural Implicit"
    bl_options = {"REGISTER"}  # the undo step comes when the job ends

    preset: bpy.props.EnumProperty(name="Preset", items=PRESETS, default="STANDARD")  # type: ignore[valid-type]
    width: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Width", description="Units of each hidden layer; 0: the preset's", default=0, min=0, max=4096
    )
    depth: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Depth", description="Number of hidden layers; 0: the preset's", default=0, min=0, max=64
    )
    activation: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Activation", items=(FROM_PRESET, *ACTIVATIONS), default="PRESET"
    )
    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Samples",
        description="Exact distances to train on; 0: the preset's",
        default=0,
        min=0,
        max=1 << 30,
    )
    seed: bpy.props.IntProperty(name="Seed", default=0, min=0, max=MAX_SEED)  # type: ignore[valid-type]
    hide_source: bpy.props.BoolProperty(name="Hide Source", default=True)  # type: ignore[valid-type]

    replace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace",
        description="Of selected neural implicits convert the sources again, and put the new shapes in place of the old ones",
        options={"SKIP_SAVE"},
    )
    warm_start: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Warm Start",
        description="Where the source has changed, begin with the old weights and take a quarter of the steps; "
        "off: begin anew, as equal seeds give equal shapes",
        default=True,
    )
    animated: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation", description="Convert the motion over a range of frames to one network that moves"
    )
    frame_start: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Start", description="First frame of the motion; with Frame End 0 the scene's"
    )
    frame_end: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame End", description="Last frame of the motion; 0: the scene's range is taken"
    )
    frame_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Step", description="Train on each so many frames", default=1, min=1
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the selected objects; in background mode wait for their end."""
        try:
            find_engine()
        except EngineNotFoundError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        jobs = self._jobs(context)
        if not jobs:
            return {"CANCELLED"}
        queue.add(jobs, context)
        if bpy.app.background:
            return self._wait(context, jobs)
        conversion_queue.start_timer()
        redraw_panels()
        return {"FINISHED"}

    def _jobs(self, context: bpy.types.Context) -> list[ConversionJob]:
        """Make a job for each selected object that can be converted, and report why the others cannot."""
        jobs, refusals = [], []
        settings = self._settings(context)
        for obj in context.selected_objects:
            try:
                source, replaced = self._source_and_replaced(obj)
                check_type(source)
            except SurfaceError as error:
                refusals.append(str(error))
                continue
            jobs.append(ConversionJob(source, context, settings, replaced=replaced))
        if not jobs and not refusals:
            refusals = ["Nothing is selected. Select a mesh, curve, surface, text or metaball, then convert."]
        for refusal in refusals:
            self.report({"WARNING" if jobs else "ERROR"}, refusal)
        return jobs

    def _source_and_replaced(self, obj: bpy.types.Object) -> tuple[bpy.types.Object, bpy.types.Object | None]:
        if not is_neural(obj):
            return obj, None
        if not self.replace:
            raise SurfaceError(
                f"{obj.name} is a neural implicit already. Press Convert Again, or select its source to make another one."
            )
        if obj.data.library is not None:
            raise SurfaceError(f"{obj.name} is linked from another file. Convert it again there.")
        if queue.is_training(job_of(obj.data)):
            raise SurfaceError(f"{obj.name} is still training. Cancel that first.")
        source = source_of(obj.data)
        if source is None:
            name = obj.data.get(SOURCE_KEY, "")
            raise SurfaceError(
                f"The source of {obj.name}, {name}, is not in this file any more, or was renamed."
            )
        return source, obj

    def _settings(self, context: bpy.types.Context) -> ConversionSettings:
        """Give the operator's properties that were set, the scene's settings for the others."""
        names = ("preset", "width", "depth", "activation", "samples", "seed", "hide_source", "warm_start")
        chosen = {name: getattr(self, name) for name in names if self.properties.is_property_set(name)}
        base = scene_settings(context.scene).conversion_settings()
        given = {name: value for name, value in chosen.items()}
        for name in ("width", "depth", "samples"):
            if given.get(name) == 0:
                given[name] = None
        if given.get("activation") == "PRESET":
            given["activation"] = None
        if self.properties.is_property_set("animated"):
            given["frames"] = self._frames(context.scene) if self.animated else None
        return base.replaced(given)

    def _frames(self, scene: bpy.types.Scene) -> tuple[int, int, int]:
        named = self.frame_end != 0
        first, last = (self.frame_start, self.frame_end) if named else (scene.frame_start, scene.frame_end)
        return first, last, self.frame_step

    def _wait(self, context: bpy.types.Context, jobs: list[ConversionJob]) -> set[str]:
        """Wait for the jobs' end, printing how far they are; failures are reported, which raises in scripts."""
        printed = [0.0]

        def tell(job: ConversionJob) -> None:
            if not job.active or time.monotonic() - printed[0] >= PRINT_INTERVAL_S:
                printed[0] = time.monotonic()
                sys.stdout.write(progress_line(job) + "\n")
                sys.stdout.flush()

        conversion_queue.run_to_end(context, jobs, tell)
        failures = [job for job in jobs if job.state != "finished"]
        for job in failures:
            self.report({"ERROR"}, job.problem or f"{job.name} was not converted.")
        return {"CANCELLED"} if len(failures) == len(jobs) else {"FINISHED"}


class NEURAL_IMPLICIT_OT_cancel(bpy.types.Operator):
    """End a conversion now and remove what it has made"""

    bl_idname = "neural_implicit.cancel"
    bl_label = "Cancel Conversion"
    bl_options = {"INTERNAL"}

    job: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Job", description="Which conversion; empty: all of them", options={"SKIP_SAVE"}
    )
    keep: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep", description="Keep the shape as it is now", options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Give the tool tip."""
        return "Stop training and keep the shape as it is now" if properties.keep else cls.__doc__

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Cancel from the last to the first, so that none starts in between."""
        for job in reversed([job for job in queue.jobs if self.job in ("", job.uuid)]):
            queue.cancel(job, context, self.keep)
        redraw_panels()
        return {"FINISHED"}


class NEURAL_IMPLICIT_OT_check_engine(bpy.types.Operator):
    """Start the engine and see what works: its version, packages and devices"""

    bl_idname = "neural_implicit.check_engine"
    bl_label = "Check Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the check; in background mode wait for its result and report it."""
        status.refresh()
        try:
            engine_check.start(find_engine())
        except (EngineNotFoundError, EngineProcessError) as error:
            engine_check.fail(str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background:
            if not bpy.app.timers.is_registered(_poll_check):
                bpy.app.timers.register(_poll_check, first_interval=CHECK_TICK_S, persistent=True)
            redraw_panels()
            return {"FINISHED"}
        while not engine_check.poll(1.0):
            pass
        for works, line in engine_check.lines():
            self.report({"INFO"}, line if works else f"not working: {line}")
        if engine_check.problem:
            self.report({"ERROR"}, engine_check.problem)
        return {"FINISHED"} if engine_check.works else {"CANCELLED"}


def _poll_check() -> float | None:
    if engine_check.poll():
        redraw_panels()
    return CHECK_TICK_S if engine_check.running else None


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (
        OBJECT_OT_convert_to_neural_implicit,
        NEURAL_IMPLICIT_OT_cancel,
        NEURAL_IMPLICIT_OT_check_engine,
    )
)


def _draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator(OBJECT_OT_convert_to_neural_implicit.bl_idname)


def register() -> None:
    """Add the operators, and Convert to the menu Object > Convert."""
    _register_classes()
    bpy.types.VIEW3D_MT_object_convert.append(_draw_in_menu)


def unregister() -> None:
    """Take them away; a check under way ends."""
    bpy.types.VIEW3D_MT_object_convert.remove(_draw_in_menu)
    engine_check.stop()
    if bpy.app.timers.is_registered(_poll_check):
        bpy.app.timers.unregister(_poll_check)
    _unregister_classes()
