"""What a final render asks for: passes, camera, border."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..engine.protocol.messages import RenderView
from ..engine.protocol.scene import Camera, PlaneName
from .camera_export import export_camera

VIEW = "final"
LONG_NAMES = bpy.app.version >= (5, 0, 0)  # of passes


class RenderFailedError(Exception):
    """The render cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Pass:
    """One of Blender's render passes and the engine's plane that fills it."""

    switch: str  # attribute of the view layer
    name: str
    plane: PlaneName
    channels: str  # one letter each
    kind: str


PASSES = (
    Pass("use_pass_combined", "Combined", "combined", "RGBA", "COLOR"),
    Pass("use_pass_z", "Depth", "view_z", "Z", "VALUE"),
    Pass("use_pass_normal", "Normal", "normal", "XYZ", "VECTOR"),
    Pass(
        "use_pass_ambient_occlusion",
        "Ambient Occlusion" if LONG_NAMES else "AO",
        "ambient_occlusion",
        "RGB",
        "COLOR",
    ),
    Pass("use_pass_position", "Position", "position", "XYZ", "VECTOR"),
    Pass("use_pass_object_index", "Object Index" if LONG_NAMES else "IndexOB", "pass_index", "X", "VALUE"),
    Pass(
        "use_pass_material_index",
        "Material Index" if LONG_NAMES else "IndexMA",
        "material_index",
        "X",
        "VALUE",
    ),
)


def enabled_passes(layer: bpy.types.ViewLayer) -> tuple[Pass, ...]:
    """Give the passes that a view layer asks for; Combined always, Blender cannot do without."""
    return tuple(p for p in PASSES if p.name == "Combined" or getattr(layer, p.switch))


def final_request(engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph, number: int) -> RenderView:
    """Give the request for a view layer's picture, without slots.

    Raises:
        RenderFailedError: There is no camera, or nothing inside the border.
    """
    scene = depsgraph.scene
    width, height = engine.resolution_x, engine.resolution_y
    return RenderView(
        view=VIEW,
        request=number,
        scene_id=VIEW,
        camera=_camera(engine, depsgraph, width, height),
        width=width,
        height=height,
        region=_region(scene.render, width, height),
        planes=tuple(p.plane for p in enabled_passes(depsgraph.view_layer)),
        samples=scene.neural_implicit_render.samples,
        noise_threshold=scene.neural_implicit_render.noise_threshold,
        denoise=scene.neural_implicit_render.denoise,
    )


def _camera(
    engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph, width: int, height: int
) -> Camera:
    camera = engine.camera_override or depsgraph.scene.camera
    if camera is None:
        raise RenderFailedError("The scene has no camera. Add one (Shift A) and render again.")
    return export_camera(camera, depsgraph, width, height)


def _region(render: bpy.types.RenderSettings, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Give the border in pixels, rounded as Blender does."""
    if not render.use_border:
        return None
    x0, x1 = int(render.border_min_x * width), int(render.border_max_x * width)
    y0, y1 = int(render.border_min_y * height), int(render.border_max_y * height)
    if x1 <= x0 or y1 <= y0:
        raise RenderFailedError("The render border holds no pixel. Draw it anew, or clear it (Ctrl Alt B).")
    return (x0, y0, x1, y1)
