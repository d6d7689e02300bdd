"""Imports of packages that an incomplete environment may lack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import DeviceError


@contextlib.contextmanager
def heavy_imports() -> Iterator[None]:
    """Surround the imports that need the engine's environment.

    Raises:
        DeviceError: A package is missing; the message says which, and what to do.
    """
    try:
        yield
    except ImportError as error:
        raise DeviceError(
            f"The engine's environment lacks {error.name}. Run `python build.py environments`, or check the engine "
            "in the add-on's preferences."
        ) from error
