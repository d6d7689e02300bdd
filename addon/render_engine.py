"""The render engine "Neural Implicit" as Blender sees it; each callback delegates at once."""

from __future__ import annotations

import bpy

from . import final_render, render_panels, render_properties
from .viewport import draw as viewport_draw
from .viewport import session as viewport_session


class NeuralImplicitRenderEngine(bpy.types.RenderEngine):
    """Traces neural implicits and native geometry in one picture."""

    bl_idname = "NEURAL_IMPLICIT"
    bl_label = "Neural Implicit"
    bl_use_preview = False
    bl_use_eevee_viewport = True  # Material Preview is EEVEE's
    bl_use_shading_nodes_custom = False
    bl_use_postprocess = True

    def update_render_passes(self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer) -> None:
        """Say which passes a layer has."""
        final_render.register_passes(self, scene, renderlayer)

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one view layer."""
        final_render.render(self, depsgraph)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Note what has changed in a 3D view."""
        viewport_draw.update(self, context, depsgraph)

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the newest picture of a 3D view."""
        viewport_draw.draw(self, context, depsgraph)


CLASSES = (NeuralImplicitRenderEngine,)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Offer the engine, its settings and its panels."""
    render_properties.register()
    _register_classes()
    render_panels.register()
    final_render.register()
    viewport_session.register()


def unregister() -> None:
    """Take everything back, and end what runs."""
    viewport_session.unregister()
    final_render.unregister()
    render_panels.unregister()
    _unregister_classes()
    render_properties.unregister()
