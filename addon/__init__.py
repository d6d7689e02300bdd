"""The part of the extension that lives in Blender; `register` and `unregister` go through its modules in order."""

from __future__ import annotations


def register() -> None:
    """Register every module; where one fails, those before it are taken back."""
    from .modules import MODULES

    registered = []
    try:
        for module in MODULES:
            module.register()
            registered.append(module)
    except Exception:
        for module in reversed(registered):
            module.unregister()
        raise


def unregister() -> None:
    """Unregister every module in reverse."""
    from .modules import MODULES

    for module in reversed(MODULES):
        module.unregister()
