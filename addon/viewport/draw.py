"""Between Blender's callbacks and a view: exports the scene, reads the camera, draws the newest picture."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import bpy

from ...engine.protocol.scene import Camera
from ..camera_export import view_lens
from ..material_export import flat
from ..progress_text import STARTING
from ..scene_export import SceneExporter
from ..session_folder import disk_sentence
from .composite import Composite
from .session import session
from .view import PLANES, View, Wanted

ATTRIBUTE = "neural_implicit_view"  # on Blender's engine object, of which each 3D view has one


@dataclass(eq=False)
class _Drawn:
    view: View
    exporter: SceneExporter
    composite: Composite
    frame: float = 0.0  # of the last export


def update(
    engine: bpy.types.RenderEngine, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph
) -> None:
    """Export what has changed and ask for a picture of it."""
    drawn = _drawn(engine)
    if drawn is None:
        return
    drawn.exporter.forget_updated(depsgraph)
    _export(drawn, context, depsgraph)


def draw(engine: bpy.types.RenderEngine, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
    """Draw the newest picture of the view, and ask for one of the camera it has now."""
    drawn = _drawn(engine)
    if drawn is None:
        return
    moved = drawn.exporter.moves and drawn.frame != depsgraph.scene.frame_current_final
    if moved or drawn.exporter.is_lost:  # where nothing else is animated Blender does not say so
        _export(drawn, context, depsgraph)
    if drawn.view.want(_wanted(context, depsgraph)):
        session.listen()
    frame = drawn.view.take_frame()
    if frame is not None:
        planes = session.engine.planes(frame, PLANES)
        drawn.composite.upload(planes["combined"], planes["depth"])
        drawn.view.give_back(frame)
    drawn.composite.draw()
    samples = drawn.view.samples
    engine.update_stats(
        "Neural Implicit", drawn.view.message or (f"{samples} samples" if samples else STARTING)
    )


def _drawn(engine: bpy.types.RenderEngine) -> _Drawn | None:
    """Give what belongs to a 3D view; None, and a sentence in the view, where there is no room for it."""
    drawn = getattr(engine, ATTRIBUTE, None)
    if drawn is None:
        reference = weakref.ref(engine)  # Blender frees the engine object when it drops the only reference
        try:
            view = session.new_view(lambda: _tag_redraw(reference()))
        except OSError as error:
            engine.update_stats("Neural Implicit", disk_sentence(error))
            return None
        drawn = _Drawn(view, SceneExporter(session.engine.folder), Composite())
        setattr(engine, ATTRIBUTE, drawn)
        weakref.finalize(engine, session.remove_view, view)
    return drawn


def _tag_redraw(engine: bpy.types.RenderEngine | None) -> None:
    if engine is not None:
        engine.tag_redraw()


def _export(drawn: _Drawn, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
    space = context.space_data
    drawn.frame = depsgraph.scene.frame_current_final

    def visible(evaluated: bpy.types.Object) -> bool:
        if evaluated.type == "LIGHT" and space.local_view:
            return True  # what is looked at alone is lit all the same
        return evaluated.visible_in_viewport_get(space)

    try:
        scene = drawn.exporter.export(depsgraph, visible)
    except OSError as error:
        drawn.view.fail(disk_sentence(error))
        return
    drawn.view.load(scene)
    session.listen()


def _wanted(context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> Wanted:
    region, view, space = context.region, context.region_data, context.space_data
    own = space.camera if space.use_local_camera else context.scene.camera
    through = own if view.view_perspective == "CAMERA" else None
    aperture, focus = view_lens(through, view.view_matrix, depsgraph)
    camera = Camera(
        view_from_world=flat(view.view_matrix),
        clip_from_view=flat(view.window_matrix),
        aperture=aperture,
        focus_distance=focus,
    )
    settings = depsgraph.scene.neural_implicit_render
    samples, threshold = settings.viewport_samples, settings.viewport_noise_threshold
    return Wanted(camera, region.width, region.height, samples, threshold, settings.viewport_denoise)
