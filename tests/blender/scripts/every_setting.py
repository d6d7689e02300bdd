"""Changes every setting that has a value of its own, as a person does by its slider or switch."""

import bpy
from bl_ext.user_default.neural_implicit.addon.preferences import addon_preferences

CHANGED = {
    "BOOLEAN": lambda value: not value,
    "INT": lambda value: value + 1,
    "FLOAT": lambda value: value + 0.25,
}


def main(inside):
    scene = bpy.context.scene
    changed = []
    for owner in (scene.neural_implicit_render, scene.neural_implicit, addon_preferences()):
        for each in owner.bl_rna.properties:
            own = each.identifier not in owner.bl_rna.base.properties
            if own and each.type in CHANGED and not each.is_readonly and not getattr(each, "is_array", False):
                setattr(owner, each.identifier, CHANGED[each.type](getattr(owner, each.identifier)))
                changed.append(each.identifier)
    bpy.context.view_layer.update()
    return changed
