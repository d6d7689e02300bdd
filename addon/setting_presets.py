"""Presets of the conversion's settings, saved as Blender saves all of its own: files a user can copy to another computer."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

FOLDER = "neural_implicit/conversion"
SETTINGS = (
    *(
        "preset",
        "goal",
        "tolerance",
        "num_bytes",
        "custom",
        "width",
        "depth",
        "activation",
        "samples",
        "seed",
    ),
    *("hide_source", "animated", "frame_step"),
)


class NEURAL_IMPLICIT_MT_presets(bpy.types.Menu):
    """Settings of conversions that were saved"""

    bl_label = "Saved Settings"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class NEURAL_IMPLICIT_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Save these settings under a name, or remove the saved ones"""

    bl_idname = "neural_implicit.add_preset"
    bl_label = "Save Conversion Settings"
    preset_menu = "NEURAL_IMPLICIT_MT_presets"
    preset_defines = ("settings = bpy.context.scene.neural_implicit",)
    preset_values = tuple(f"settings.{name}" for name in SETTINGS)
    preset_subdir = FOLDER


def draw_presets(layout: bpy.types.UILayout) -> None:
    """Draw the menu of saved settings, and the buttons that save and remove."""
    row = layout.row(align=True)
    row.menu(NEURAL_IMPLICIT_MT_presets.__name__, text=NEURAL_IMPLICIT_MT_presets.bl_label)
    row.operator(NEURAL_IMPLICIT_OT_add_preset.bl_idname, text="", icon="ADD")
    row.operator(NEURAL_IMPLICIT_OT_add_preset.bl_idname, text="", icon="REMOVE").remove_active = True


register, unregister = bpy.utils.register_classes_factory(
    (NEURAL_IMPLICIT_MT_presets, NEURAL_IMPLICIT_OT_add_preset)
)
