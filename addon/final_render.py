"""F12 and `blender -b`: renders one view layer and hands the passes to Blender as they refine."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import os
import time
from typing import Literal

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..engine.protocol.frames import frame_bytes
from ..engine.protocol.messages import (
    Failure,
    FrameReady,
    Progress,
    RenderProgress,
    RenderView,
    ViewCancelled,
)
from .approximations import new_approximations
from .blender_session import new_engine_session
from .engine_process import EngineProcessError
from .engine_session import EngineSession
from .final_request import PASSES, VIEW, RenderFailedError, enabled_passes, final_request
from .progress_text import STARTING, phase_name
from .scene_export import SceneExporter
from .session_folder import disk_sentence

log = logging.getLogger(__name__)

LISTEN_S = 0.1  # between two looks at Esc
CANCEL_S = 0.7  # then the engine is ended, so that Esc takes less than a second


class _Final:
    """The engine that renders for us, kept between the frames of an animation."""

    engine: EngineSession | None = None
    num_requests = 0
    job = 1  # number of the present still or animation
    # of the present job: once the GPU has failed, the rest is the CPU's
    device: Literal["auto", "cpu"] = "auto"
    failed_in_background = False


class _LeftToCpu(Exception):
    """The GPU failed in this frame; the message says how."""


@persistent
def _before_job(*_: object) -> None:
    """Begin a still or an animation; try the GPU again where it failed in the last: an engine keeps to what it has lost."""
    _Final.job += 1
    if _Final.device == "cpu" and _Final.engine is not None:
        _Final.engine.kill()
    _Final.device = "auto"


def register() -> None:
    """Begin every still and every animation anew."""
    bpy.app.handlers.render_init.append(_before_job)


def unregister() -> None:
    """End the engine."""
    bpy.app.handlers.render_init.remove(_before_job)
    end()


def register_passes(
    engine: bpy.types.RenderEngine, scene: bpy.types.Scene, layer: bpy.types.ViewLayer
) -> None:
    """Say which passes a layer has."""
    for p in PASSES:
        if p in enabled_passes(layer):
            engine.register_pass(scene, layer, p.name, len(p.channels), p.channels, p.kind)


def render(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    """Render a view layer; a failure is reported, and a background Blender ends with exit code 1."""
    try:
        _render(engine, depsgraph)
    except (RenderFailedError, EngineProcessError) as error:
        _fail(engine, str(error))
    except OSError as error:
        _fail(engine, disk_sentence(error))
    except Exception as error:  # Blender would go on as if nothing had happened
        log.exception("the final render met a bug")
        _fail(engine, f"Rendering met a bug ({type(error).__name__}: {error}).")


def end() -> None:
    """End the engine of final renders."""
    if _Final.engine is not None:
        _Final.engine.end()
        _Final.engine = None


def _render(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph) -> None:
    if _Final.engine is None:
        _Final.engine = new_engine_session()
    session = _Final.engine
    _Final.num_requests += 1
    request = final_request(engine, depsgraph, _Final.num_requests)
    engine.update_stats("", "Exporting the scene")
    for sentence in new_approximations(depsgraph):
        engine.report({"WARNING"}, sentence)
    scene = SceneExporter(session.folder).export(depsgraph)
    session.load_scene(VIEW, dataclasses.replace(scene, device=_Final.device), _Final.job)
    session.ensure_running(at_once=True)
    x0, y0, x1, y1 = request.region or (0, 0, request.width, request.height)
    slots = session.reserve(VIEW, frame_bytes(request.planes, x1 - x0, y1 - y0))
    engine.update_stats("", STARTING)
    result = engine.begin_result(0, 0, x1 - x0, y1 - y0, layer=depsgraph.view_layer.name)
    finished = False
    try:
        session.request(dataclasses.replace(request, slots=slots))
        try:
            finished = _receive(engine, session, request, result)
        except _LeftToCpu as left:
            _say_left_to_cpu(engine, depsgraph.scene.frame_current, str(left))
            session.load_scene(VIEW, dataclasses.replace(scene, device="cpu"), _Final.job)
            _Final.num_requests += 1
            again = dataclasses.replace(request, request=_Final.num_requests)
            session.request(again)
            finished = _receive(engine, session, again, result)
    finally:
        engine.end_result(result, cancel=not finished)


def _receive(
    engine: bpy.types.RenderEngine,
    session: EngineSession,
    request: RenderView,
    result: bpy.types.RenderResult,
) -> bool:
    """Take pictures until the complete one; False where the user has cancelled."""
    while not engine.test_break():
        message = session.receive(LISTEN_S)
        if isinstance(message, Failure) and message.request in (-1, request.request):
            raise RenderFailedError(message.message)
        if isinstance(message, Progress):
            engine.update_stats("", phase_name(message))
        if isinstance(message, RenderProgress) and message.request == request.request:
            engine.update_progress(message.fraction)
        if isinstance(message, FrameReady) and message.request == request.request:
            if message.left_to_cpu and _Final.device == "auto":
                session.grant(VIEW, message.slot)
                raise _LeftToCpu(message.left_to_cpu)
            _fill(session, request, message, result)
            session.grant(VIEW, message.slot)
            engine.update_result(result)
            engine.update_stats("", f"Sample {message.samples}/{request.samples}")
            if message.complete:
                return True
    _cancel(session)
    return False


def _fill(
    session: EngineSession, request: RenderView, frame: FrameReady, result: bpy.types.RenderResult
) -> None:
    planes = session.planes(frame, request.planes)
    passes = result.layers[0].passes
    for p in PASSES:
        if p.plane in planes and p.name in passes:
            passes[p.name].rect.foreach_set(np.ascontiguousarray(planes[p.plane]).reshape(-1))


def _say_left_to_cpu(engine: bpy.types.RenderEngine, frame: int, reason: str) -> None:
    _Final.device = "cpu"
    text = f"Frame {frame}: {reason}. The CPU renders this frame and the rest, so that they are of one kind."
    log.warning(text)
    engine.report({"WARNING"}, text)


def _cancel(session: EngineSession) -> None:
    session.cancel(VIEW)
    deadline = time.monotonic() + CANCEL_S
    while (left := deadline - time.monotonic()) > 0.0:
        if isinstance(session.receive(left), ViewCancelled):
            return
    log.warning("the engine did not answer a cancel within %.1f s and was ended", CANCEL_S)
    session.kill()


def _fail(engine: bpy.types.RenderEngine, text: str) -> None:
    log.error("final render: %s", text)
    engine.error_set(text)
    engine.report({"ERROR"}, text)
    if bpy.app.background and not bpy.app.module and not _Final.failed_in_background:
        _Final.failed_in_background = True
        atexit.register(os._exit, 1)  # `blender -b` ends with 0 after a failed render
