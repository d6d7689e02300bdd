"""Sampled grids made finer where that pays: of a few networks, each of which many rays will meet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

log = logging.getLogger(__name__)

MOST = 8  # networks of one scene; of more each covers few pixels, and half a second is too much for it


@runtime_checkable
class Sharpenable(Protocol):
    """A tracer whose sampled grid can be made finer."""

    def sharpen(self, alone: bool = False) -> None:
        """Make it finer, here and now; at once where it is fine, or proven. `alone`: by this thread only."""
        ...


def sharpen_few(
    tracers: Iterable[Any], alone: bool = False, unwanted: Callable[[], bool] = lambda: False
) -> None:
    """Sharpen those that can be, unless they are many.

    Args:
        tracers: Of one scene; one may occur several times.
        alone: By this thread only, so that others go on drawing.
        unwanted: Asked before each: True ends it.
    """
    different = {id(tracer): tracer for tracer in tracers if isinstance(tracer, Sharpenable)}
    if len(different) > MOST:
        return
    for tracer in different.values():
        if unwanted():
            return
        try:
            tracer.sharpen(alone)
        except MemoryError:
            log.warning("there is no memory for a finer grid; the coarse one serves on")
