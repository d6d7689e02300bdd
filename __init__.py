"""Neural Implicit: surfaces as the weights of a small network, beside native geometry.

Blender loads this package as an extension. Everything Blender needs is in `addon/`, imported only when the extension
is enabled, so that the engine's Python may import `engine/` without Blender.
"""


def register() -> None:
    """Enable the extension."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Disable the extension; nothing of it stays registered."""
    from . import addon

    addon.unregister()
