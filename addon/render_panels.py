"""The engine's own panel, and which of Blender's panels show while it is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .final_request import PASSES

ENGINE = "NEURAL_IMPLICIT"
GENERIC = "BLENDER_RENDER"  # marks Blender's panels that every engine may show
EEVEE_PANELS = {  # EEVEE's, of settings that we read
    "DATA_PT_EEVEE_light",
    "DATA_PT_EEVEE_light_shadow",
    "EEVEE_MATERIAL_PT_context_material",
    "EEVEE_MATERIAL_PT_surface",
    "EEVEE_WORLD_PT_surface",
}
NOT_READ = (
    "freestyle",
    "gpencil",
    "DATA_PT_light",
    "lightprobe",
)  # parts of names; EEVEE's light panel says more


class _Panel:
    """In the Properties editor, while our engine is chosen."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it while our engine is chosen."""
        return context.engine in cls.COMPAT_ENGINES

    def column(self) -> bpy.types.UILayout:
        """Give a column with names on the left, as all of Blender's render settings have."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        return layout


class NEURAL_IMPLICIT_PT_sampling(_Panel, bpy.types.Panel):
    """Samples per pixel."""

    bl_label = "Sampling"
    bl_context = "render"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the numbers of 3D views and of renders."""
        column, settings = self.column(), context.scene.neural_implicit_render
        for prefix in ("viewport_", ""):
            pair = column.column(align=True)
            pair.prop(settings, f"{prefix}samples")
            pair.prop(settings, f"{prefix}noise_threshold")
            column.prop(settings, f"{prefix}denoise")


class NEURAL_IMPLICIT_PT_ambient_occlusion(_Panel, bpy.types.Panel):
    """Light from all sides."""

    bl_label = "Ambient Occlusion"
    bl_context = "render"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw the switch."""
        self.layout.prop(context.scene.neural_implicit_render, "ambient_occlusion", text="")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the world's numbers."""
        column, world = self.column(), context.scene.world
        if world is None:
            column.label(text="The scene has no world.", icon="INFO")
            return
        factor = column.column()
        factor.active = context.scene.neural_implicit_render.ambient_occlusion
        factor.prop(world.light_settings, "ao_factor")
        column.prop(world.light_settings, "distance")  # the pass has it too


class NEURAL_IMPLICIT_PT_film(_Panel, bpy.types.Panel):
    """What is transparent in the picture."""

    bl_label = "Film"
    bl_context = "render"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the switches."""
        column = self.column()
        column.prop(context.scene.render, "film_transparent", text="Transparent")
        column.prop(context.scene.neural_implicit_render, "native_holdout")


class NEURAL_IMPLICIT_PT_passes(_Panel, bpy.types.Panel):
    """Passes the engine can write."""

    bl_label = "Passes"
    bl_context = "view_layer"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a switch for each pass."""
        column = self.column()
        for each in PASSES:
            column.prop(context.view_layer, each.switch)


class NEURAL_IMPLICIT_PT_material(_Panel, bpy.types.Panel):
    """What the pass Material Index shows."""

    bl_label = "Settings"
    bl_context = "material"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for a material."""
        return super().poll(context) and context.material is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the number."""
        self.column().prop(context.material, "pass_index")


CLASSES = (
    NEURAL_IMPLICIT_PT_sampling,
    NEURAL_IMPLICIT_PT_ambient_occlusion,
    NEURAL_IMPLICIT_PT_film,
    NEURAL_IMPLICIT_PT_passes,
    NEURAL_IMPLICIT_PT_material,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    """Add our panels, and our name to Blender's."""
    _register_classes()
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    """Take both away."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.discard(ENGINE)
    _unregister_classes()


def _shared_panels() -> Iterator[type]:
    """Give Blender's panels of settings that we read."""
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", None)
        if not isinstance(engines, set) or panel in CLASSES:
            continue
        name = panel.__name__
        generic = GENERIC in engines and not any(part in name for part in NOT_READ)
        if generic or name in EEVEE_PANELS:
            yield panel
