"""The tab Neural Implicit beside the 3D view: settings, Convert, progress, and what the active object is."""

from __future__ import annotations

import bpy

from ..engine.protocol.weights import Architecture
from .conversion_job import ConversionJob
from .conversion_queue import queue
from .engine_check import engine_check
from .engine_status import status
from .error_overlay import error_overlay
from .hole_overlay import has_closed_holes
from .install_panel import draw_installation
from .moving_object import frames_of, is_moving
from .neural_object import (
    SOURCE_KEY,
    architecture_of,
    is_neural,
    job_of,
    proxy_complaint,
    report_of,
    state_of,
    weights_of,
)
from .preferences import addon_preferences, draw_engine_state
from .progress_text import detail_texts, fraction, phase_text, report_rows
from .properties import ACTIVATION_NAMES, scene_settings
from .setting_presets import draw_presets
from .solid_view.handler import solid_view
from .solid_view.network_rows import too_large
from .source_watch import is_outdated, source_of
from .standby import standby
from .text_lines import draw_text


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Neural Implicit"


class NEURAL_IMPLICIT_PT_convert(_Panel, bpy.types.Panel):
    """Settings, the button, and the conversions under way."""

    bl_label = "Convert"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        standby.look(queue.busy)
        layout = self.layout
        draw_presets(layout)
        _draw_settings(layout, context)
        column = layout.column()
        column.scale_y = 1.4
        column.enabled = bool(context.selected_objects)
        column.operator("object.convert_to_neural_implicit", icon="MESH_ICOSPHERE")
        if not context.selected_objects and not queue.jobs:
            draw_text(layout, "Select an object with a surface.", context, icon="INFO")
        if status.problem:
            draw_text(layout, status.problem, context, icon="ERROR")
            draw_installation(layout, context)
        for job in queue.jobs:
            _draw_job(layout.box(), job, context)
        if len(queue.jobs) > 1:
            layout.operator("neural_implicit.cancel", text="Cancel All", icon="X")


class NEURAL_IMPLICIT_PT_object(_Panel, bpy.types.Panel):
    """What the active neural object is."""

    bl_label = "Neural Object"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for neural objects only."""
        return is_neural(context.active_object)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, mesh = self.layout, context.active_object.data
        layout.template_ID(context.active_object, "data")  # name, number of users, fake user
        _draw_state(layout, mesh, context)
        packed = weights_of(mesh) or b""
        architecture = architecture_of(mesh)
        rows = [("Source", str(mesh.get(SOURCE_KEY, "")))]
        if architecture is not None:
            rows.append(("Network", _network(architecture)))
        if is_moving(mesh):
            rows.append(("Frames", "{} to {}".format(*frames_of(mesh, context.scene))))
        report = report_of(mesh)
        _draw_rows(layout, rows + report_rows(report, len(packed)))
        for warning in report.get("warnings", []):
            draw_text(layout, str(warning), context, icon="ERROR")
        if has_closed_holes(report):
            layout.prop(context.window_manager, "neural_implicit_closed_holes")
        _draw_actions(layout, context)
        _draw_drawing(layout, architecture, context)


class NEURAL_IMPLICIT_PT_engine(_Panel, bpy.types.Panel):
    """Which engine is used and what works with it."""

    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        """Show at a glance that something is missing."""
        if status.problem or engine_check.problem:
            self.layout.label(icon="ERROR")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_engine_state(self.layout, context)


def _draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = scene_settings(context.scene)
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "preset")
    column.prop(settings, "goal")
    if settings.goal != "NETWORK":
        column.prop(settings, "tolerance" if settings.goal == "ERROR" else "num_bytes")
    column.prop(settings, "seed")
    column.prop(settings, "hide_source")
    column.prop(settings, "animated")
    if settings.animated:
        scene = context.scene
        draw_text(column, f"Frames {scene.frame_start} to {scene.frame_end} of the timeline", context)
        column.prop(settings, "frame_step")
    column.prop(settings, "custom")
    if settings.custom:
        sizes = ("width", "depth") if settings.goal == "NETWORK" else ()
        for name in (*sizes, "activation", "samples"):
            column.prop(settings, name)


def _draw_job(layout: bpy.types.UILayout, job: ConversionJob, context: bpy.types.Context) -> None:
    row = layout.row()
    row.label(text=job.name, icon="ERROR" if job.problem else "MESH_ICOSPHERE")
    if not job.active:
        row.operator("neural_implicit.cancel", text="", icon="X", emboss=False).job = job.uuid
        draw_text(layout, job.problem, context)
        return
    text = f"{phase_text(job)}  {100 * fraction(job):.0f} %" if job.state == "running" else phase_text(job)
    layout.progress(factor=fraction(job), type="BAR", text=text)
    details = layout.column(align=True)
    details.scale_y = 0.8
    for detail in detail_texts(job):
        details.label(text=detail[0].upper() + detail[1:])
    row = layout.row(align=True)
    if job.has_object:
        keep = row.operator("neural_implicit.cancel", text="Stop and Keep", icon="CHECKMARK")
        keep.job, keep.keep = job.uuid, True
    row.operator("neural_implicit.cancel", text="Cancel", icon="X").job = job.uuid


def _draw_state(layout: bpy.types.UILayout, mesh: bpy.types.Mesh, context: bpy.types.Context) -> None:
    training = queue.is_training(job_of(mesh))
    if training:
        draw_text(layout, "It is still training.", context, icon="TIME")
    elif state_of(mesh) != "finished":
        draw_text(
            layout,
            "Its training did not finish; this is the last snapshot. Convert the source again for the full shape.",
            context,
            icon="ERROR",
        )
    complaint = "" if training else proxy_complaint(mesh)
    if complaint:
        draw_text(layout, complaint, context, icon="ERROR")
    if training or source_of(mesh) is None:
        return
    outdated = is_outdated(mesh)
    if outdated:
        draw_text(layout, "Its source has changed since it was converted.", context, icon="FILE_REFRESH")
    again = layout.operator(
        "object.convert_to_neural_implicit", text="Convert Again", icon="FILE_REFRESH", depress=outdated
    )
    again.replace = True


def _draw_actions(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what can be done with the shape; an error needs a source that is still there."""
    obj = context.active_object
    row = layout.row(align=True)
    row.operator("object.neural_implicit_to_mesh", icon="OUTLINER_OB_MESH")
    measured = row.row(align=True)
    measured.enabled = source_of(obj.data) is not None and not is_moving(obj.data)
    measured.operator("neural_implicit.show_error", icon="COLOR", depress=error_overlay.shows(obj))
    marked = obj.asset_data is not None
    text = "Update Asset Preview" if marked else "Mark as Asset"
    layout.operator("object.neural_implicit_mark_asset", text=text, icon="ASSET_MANAGER")
    if error_overlay.shows(obj):
        rows = [("Mean Distance", f"{error_overlay.mean:.3g}"), ("99 % Under", f"{error_overlay.top:.3g}")]
        _draw_rows(layout, rows)


def _draw_drawing(
    layout: bpy.types.UILayout, architecture: Architecture | None, context: bpy.types.Context
) -> None:
    """Draw the switch for Solid shading, and why the proxy is shown where it is."""
    preferences = addon_preferences()
    if preferences is None:
        return
    layout.prop(preferences, "draw_networks")
    if not preferences.draw_networks or architecture is None:
        return
    why = too_large(architecture) or solid_view.problem
    if why:
        draw_text(layout, why, context, icon="INFO")


def _draw_rows(layout: bpy.types.UILayout, rows: list[tuple[str, str]]) -> None:
    split = layout.column(align=True).split(factor=0.42)
    names, values = split.column(align=True), split.column(align=True)
    names.alignment = "RIGHT"
    for name, value in rows:
        names.label(text=name)
        values.label(text=value)


def _network(architecture: Architecture) -> str:
    activation = ACTIVATION_NAMES.get(architecture.activation, architecture.activation)
    return f"{architecture.depth} x {architecture.width} {activation}"


register, unregister = bpy.utils.register_classes_factory(
    (NEURAL_IMPLICIT_PT_convert, NEURAL_IMPLICIT_PT_object, NEURAL_IMPLICIT_PT_engine)
)
