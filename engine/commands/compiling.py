"""Tells whoever waits at a terminal that kernels compile, once on a computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .packages import heavy_imports

if TYPE_CHECKING:
    from ..warm_up import Use


def compile_first(use: Use) -> None:
    """Compile what a use needs, where the cache lacks it, and say so on stderr; else nothing happens.

    Raises:
        DeviceError: A package is missing.
    """
    with heavy_imports():
        from ..warm_up import is_compiled, warm_up

        if not is_compiled(use):
            click.echo("Compiling for this computer, once; a minute or less ...", err=True)
            warm_up(use)
