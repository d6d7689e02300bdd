"""Disables and enables the extension again, and counts what it registers."""

import addon_utils
import bpy

EXTENSION = "bl_ext.user_default.neural_implicit"


def registered():
    """Name all that an add-on may add and must remove: classes, handlers, properties, key maps."""
    bases = (bpy.types.Panel, bpy.types.Operator, bpy.types.RenderEngine, bpy.types.AddonPreferences)
    bases += (bpy.types.PropertyGroup, bpy.types.Menu, bpy.types.UIList)
    names = [f"class {kind.__module__}.{kind.__name__}" for base in bases for kind in base.__subclasses__()]
    lists = {
        name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers) if not name.startswith("_")
    }
    for name, entries in lists.items():
        if isinstance(entries, list):
            names += [f"handler {name} {entry.__module__}.{entry.__qualname__}" for entry in entries]
    for kind in (bpy.types.Scene, bpy.types.Object, bpy.types.Mesh, bpy.types.WindowManager):
        names += [f"property {kind.__name__}.{name}" for name in kind.bl_rna.properties.keys()]  # noqa: SIM118  (gives names)
    for config in bpy.context.window_manager.keyconfigs.addon.keymaps if has_keys() else ():
        names += [f"key {config.name} {item.idname}" for item in config.keymap_items]
    return names


def has_keys():
    """Whether there are key maps at all; not in the background of every version."""
    return bpy.context.window_manager.keyconfigs.addon is not None


def main(inside):
    """Enable, disable, enable, disable; give what the extension added and what stayed."""
    addon_utils.disable(EXTENSION)
    bare = set(registered())
    addon_utils.enable(EXTENSION)
    first = set(registered()) - bare
    addon_utils.disable(EXTENSION)
    between = set(registered()) - bare
    addon_utils.enable(EXTENSION)
    second = set(registered()) - bare
    addon_utils.disable(EXTENSION)
    left = (set(registered()) - bare) | between
    return {"first": sorted(first), "second": sorted(second), "left_behind": sorted(left)}
